/* Opening, closing, and looking. */

#include "shim.h"

int fs_edit_ntfs_open(const struct fs_edit_device *device, struct fs_edit_ntfs **opened)
{
	struct fs_edit_ntfs *self;
	struct ntfs_device *dev;
	int error;

	fs_edit_collect_messages();
	self = calloc(1, sizeof(*self));
	if (!self)
		return ENOMEM;
	self->device = *device;
	dev = ntfs_device_alloc("volume", 0, &fs_edit_operations, self);
	if (!dev) {
		error = failure();
		free(self);
		return error;
	}
	errno = 0;
	/* No RECOVER and no IGNORE_HIBERFILE: a log that is not closed and a saved session are refused. */
	self->volume = ntfs_device_mount(dev, NTFS_MNT_NONE);
	if (!self->volume) {
		error = failure();
		if (NDevOpen(dev))
			fs_edit_operations.close(dev);
		ntfs_device_free(dev);
		free(self);
		return error;
	}
	/* The allocator keeps count from here on; it must have been told first. */
	if (ntfs_volume_get_free_space(self->volume) || ntfs_set_ignore_case(self->volume)) {
		error = failure();
		ntfs_umount(self->volume, FALSE);
		free(self);
		return error;
	}
	*opened = self;
	return 0;
}

/* Writes everything out. `self` is gone afterwards, also after an error. */
int fs_edit_ntfs_close(struct fs_edit_ntfs *self)
{
	int error = 0;

	errno = 0;
	if (ntfs_umount(self->volume, FALSE))
		error = failure();
	free(self);
	return error;
}

uint32_t fs_edit_ntfs_version(const struct fs_edit_ntfs *self)
{
	return (uint32_t)self->volume->major_ver << 8 | self->volume->minor_ver;
}

int64_t fs_edit_ntfs_free_clusters(const struct fs_edit_ntfs *self)
{
	return self->volume->free_clusters;
}

uint32_t fs_edit_ntfs_cluster_size(const struct fs_edit_ntfs *self)
{
	return self->volume->cluster_size;
}

/* The file reference (number and sequence) of a name in a folder; case is ignored. */
int fs_edit_ntfs_lookup(struct fs_edit_ntfs *self, uint64_t folder, const uint16_t *name, int length, uint64_t *file)
{
	ntfs_inode *dir;
	int error = 0;

	errno = 0;
	dir = ntfs_inode_open(self->volume, folder);
	if (!dir)
		return failure();
	*file = ntfs_inode_lookup_by_name(dir, (const ntfschar *)name, length);
	if (*file == (uint64_t)-1)
		error = failure();
	if (ntfs_inode_close(dir) && !error)
		error = failure();
	return error;
}

static int data_facts(ntfs_inode *ni, struct fs_edit_facts *facts)
{
	ntfs_attr *data = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);

	if (!data)
		return errno == ENOENT ? 0 : failure();
	facts->has_data = 1;
	facts->size = data->data_size;
	facts->allocated = !NAttrNonResident(data) ? 0
		: (data->data_flags & (ATTR_COMPRESSION_MASK | ATTR_IS_SPARSE)) ? data->compressed_size
		: data->allocated_size;
	facts->compressed = (data->data_flags & ATTR_COMPRESSION_MASK) != const_cpu_to_le16(0);
	facts->encrypted = (data->data_flags & ATTR_IS_ENCRYPTED) != const_cpu_to_le16(0);
	ntfs_attr_close(data);
	return 0;
}

/* WofCompressedData */
static const ntfschar wof_stream[] = {
	const_cpu_to_le16('W'), const_cpu_to_le16('o'), const_cpu_to_le16('f'), const_cpu_to_le16('C'),
	const_cpu_to_le16('o'), const_cpu_to_le16('m'), const_cpu_to_le16('p'), const_cpu_to_le16('r'),
	const_cpu_to_le16('e'), const_cpu_to_le16('s'), const_cpu_to_le16('s'), const_cpu_to_le16('e'),
	const_cpu_to_le16('d'), const_cpu_to_le16('D'), const_cpu_to_le16('a'), const_cpu_to_le16('t'),
	const_cpu_to_le16('a'),
};

int fs_edit_ntfs_facts(struct fs_edit_ntfs *self, uint64_t file, struct fs_edit_facts *facts)
{
	ntfs_inode *ni;
	ntfs_attr *reparse;
	le32 tag = const_cpu_to_le32(0);
	int error = 0;

	memset(facts, 0, sizeof(*facts));
	errno = 0;
	ni = ntfs_inode_open(self->volume, file);
	if (!ni)
		return failure();
	facts->attributes = le32_to_cpu(ni->flags);
	facts->folder = (ni->mrec->flags & MFT_RECORD_IS_DIRECTORY) != const_cpu_to_le16(0);
	if (!facts->folder)
		error = data_facts(ni, facts);
	facts->encrypted |= (ni->flags & FILE_ATTR_ENCRYPTED) != const_cpu_to_le32(0);
	facts->wof = ntfs_attr_exist(ni, AT_DATA, wof_stream, sizeof(wof_stream) / sizeof(wof_stream[0])) != 0;
	reparse = ntfs_attr_open(ni, AT_REPARSE_POINT, AT_UNNAMED, 0);
	if (reparse) {
		if (ntfs_attr_pread(reparse, 0, sizeof(tag), &tag) == sizeof(tag))
			facts->reparse_tag = le32_to_cpu(tag);
		else
			facts->reparse_tag = UINT32_MAX;
		ntfs_attr_close(reparse);
	}
	if (ntfs_inode_close(ni) && !error)
		error = failure();
	return error;
}

/* Bytes that were read, or minus an errno value. */
int64_t fs_edit_ntfs_read(struct fs_edit_ntfs *self, uint64_t file, int64_t offset, void *buf, int64_t count)
{
	ntfs_inode *ni;
	ntfs_attr *data;
	int64_t done;

	errno = 0;
	ni = ntfs_inode_open(self->volume, file);
	if (!ni)
		return -failure();
	data = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);
	if (!data) {
		done = -failure();
	} else {
		done = ntfs_attr_pread(data, offset, count, buf);
		if (done < 0)
			done = -failure();
		ntfs_attr_close(data);
	}
	if (ntfs_inode_close(ni) && done >= 0)
		done = -failure();
	return done;
}

/* The security descriptor of a file: its length (which may be more than `size`, then nothing was copied), or minus an
 * errno value. */
int64_t fs_edit_ntfs_descriptor(struct fs_edit_ntfs *self, uint64_t file, char *buf, int64_t size)
{
	struct PERMISSIONS_CACHE *no_cache = NULL;
	struct SECURITY_CONTEXT security = { .vol = self->volume, .pseccache = &no_cache };
	ntfs_inode *ni;
	int64_t length;

	errno = 0;
	ni = ntfs_inode_open(self->volume, file);
	if (!ni)
		return -failure();
	length = ntfs_get_ntfs_acl(&security, ni, buf, size);
	if (length == 0)
		length = -EIO;
	if (ntfs_inode_close(ni) && length > 0)
		length = -failure();
	return length;
}
