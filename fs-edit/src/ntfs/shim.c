/*
 * What libntfs-3g offers only as macros, inline functions and structure fields, as plain functions for Rust.
 *
 * Every function opens the file records that it needs by their numbers and closes them again: two open copies of one
 * record would overwrite each other. Functions that can fail return 0 or an errno value, unless they say otherwise.
 * Names are UTF-16LE without a terminator.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <ntfs-3g/types.h>
#include <ntfs-3g/layout.h>
#include <ntfs-3g/attrib.h>
#include <ntfs-3g/device.h>
#include <ntfs-3g/dir.h>
#include <ntfs-3g/inode.h>
#include <ntfs-3g/logging.h>
#include <ntfs-3g/security.h>
#include <ntfs-3g/unistr.h>
#include <ntfs-3g/volume.h>

/* Rust's side of the device: bytes that were read or written, or -1; flush gives 0 or -1. */
struct fs_edit_device {
	void *context;
	int64_t size;
	int64_t (*read)(void *context, void *buf, int64_t count, int64_t offset);
	int64_t (*write)(void *context, const void *buf, int64_t count, int64_t offset);
	int (*flush)(void *context);
};

/* What is asked about a file. */
struct fs_edit_facts {
	int64_t size;
	int64_t allocated;
	uint32_t attributes;
	uint32_t reparse_tag;
	uint8_t folder;
	uint8_t has_data;
	uint8_t compressed;
	uint8_t encrypted;
	/* Whether it has the stream in which Windows 10 keeps a compressed file ("CompactOS"). */
	uint8_t wof;
};

struct fs_edit_ntfs {
	struct fs_edit_device device;
	int64_t position;
	ntfs_volume *volume;
};

/* ---- messages ---- */

static _Thread_local char message[512];

static int keep_message(const char *function, const char *file, int line, u32 level, void *data,
			const char *format, va_list args)
{
	int kept = errno;
	int length;

	(void)function;
	(void)file;
	(void)line;
	(void)data;
	if (!(level & (NTFS_LOG_LEVEL_WARNING | NTFS_LOG_LEVEL_ERROR | NTFS_LOG_LEVEL_PERROR | NTFS_LOG_LEVEL_CRITICAL)))
		return 0;
	/* The first message is the cause; those that follow tell what failed because of it. */
	if (message[0])
		return 0;
	length = vsnprintf(message, sizeof(message), format, args);
	while (length > 0 && (size_t)length < sizeof(message) && message[length - 1] == '\n')
		message[--length] = 0;
	errno = kept;
	return length;
}

/* Copies this thread's oldest message and forgets it; returns its length. */
size_t fs_edit_ntfs_message(char *buf, size_t size)
{
	size_t length = strnlen(message, sizeof(message) - 1);

	if (length > size)
		length = size;
	memcpy(buf, message, length);
	message[0] = 0;
	return length;
}

/* ---- the device ---- */

static struct fs_edit_ntfs *mine(struct ntfs_device *dev)
{
	return dev->d_private;
}

static int device_open(struct ntfs_device *dev, int flags)
{
	if (NDevOpen(dev)) {
		errno = EBUSY;
		return -1;
	}
	if ((flags & O_ACCMODE) == O_RDONLY)
		NDevSetReadOnly(dev);
	NDevSetOpen(dev);
	return 0;
}

static int device_sync(struct ntfs_device *dev)
{
	if (!NDevDirty(dev))
		return 0;
	if (mine(dev)->device.flush(mine(dev)->device.context)) {
		errno = EIO;
		return -1;
	}
	NDevClearDirty(dev);
	return 0;
}

static int device_close(struct ntfs_device *dev)
{
	int result = device_sync(dev);

	NDevClearOpen(dev);
	return result;
}

static s64 device_seek(struct ntfs_device *dev, s64 offset, int whence)
{
	struct fs_edit_ntfs *self = mine(dev);
	s64 base = whence == SEEK_CUR ? self->position : whence == SEEK_END ? self->device.size : 0;

	/* libntfs-3g seeks to find out how much room there is: the end must be an error for it. */
	if (__builtin_add_overflow(base, offset, &base) || base < 0 || base > self->device.size) {
		errno = EINVAL;
		return -1;
	}
	self->position = base;
	return base;
}

static s64 device_pread(struct ntfs_device *dev, void *buf, s64 count, s64 offset)
{
	struct fs_edit_ntfs *self = mine(dev);

	if (count < 0 || offset < 0) {
		errno = EINVAL;
		return -1;
	}
	if (offset >= self->device.size)
		return 0;
	if (count > self->device.size - offset)
		count = self->device.size - offset;
	count = self->device.read(self->device.context, buf, count, offset);
	if (count < 0)
		errno = EIO;
	return count;
}

static s64 device_pwrite(struct ntfs_device *dev, const void *buf, s64 count, s64 offset)
{
	struct fs_edit_ntfs *self = mine(dev);

	if (NDevReadOnly(dev)) {
		errno = EROFS;
		return -1;
	}
	if (count < 0 || offset < 0 || offset > self->device.size || count > self->device.size - offset) {
		errno = EINVAL;
		return -1;
	}
	NDevSetDirty(dev);
	count = self->device.write(self->device.context, buf, count, offset);
	if (count < 0)
		errno = EIO;
	return count;
}

static s64 device_read(struct ntfs_device *dev, void *buf, s64 count)
{
	s64 done = device_pread(dev, buf, count, mine(dev)->position);

	if (done > 0)
		mine(dev)->position += done;
	return done;
}

static s64 device_write(struct ntfs_device *dev, const void *buf, s64 count)
{
	s64 done = device_pwrite(dev, buf, count, mine(dev)->position);

	if (done > 0)
		mine(dev)->position += done;
	return done;
}

static int device_stat(struct ntfs_device *dev, struct stat *buf)
{
	memset(buf, 0, sizeof(*buf));
	buf->st_mode = S_IFREG | 0600;
	buf->st_size = mine(dev)->device.size;
	return 0;
}

static int device_ioctl(struct ntfs_device *dev, unsigned long request, void *argp)
{
	(void)dev;
	(void)request;
	(void)argp;
	errno = ENOTTY;
	return -1;
}

static struct ntfs_device_operations operations = {
	.open = device_open,
	.close = device_close,
	.seek = device_seek,
	.read = device_read,
	.write = device_write,
	.pread = device_pread,
	.pwrite = device_pwrite,
	.sync = device_sync,
	.stat = device_stat,
	.ioctl = device_ioctl,
};

/* ---- the volume ---- */

static int failure(void)
{
	return errno ? errno : EIO;
}

int fs_edit_ntfs_open(const struct fs_edit_device *device, struct fs_edit_ntfs **opened)
{
	struct fs_edit_ntfs *self;
	struct ntfs_device *dev;
	int error;

	ntfs_log_set_handler(keep_message);
	message[0] = 0;
	self = calloc(1, sizeof(*self));
	if (!self)
		return ENOMEM;
	self->device = *device;
	dev = ntfs_device_alloc("volume", 0, &operations, self);
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
			device_close(dev);
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

/* ---- looking ---- */

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

/* ---- changing ---- */

static int write_all(ntfs_attr *data, int64_t offset, const char *bytes, int64_t count)
{
	while (count > 0) {
		int64_t done = ntfs_attr_pwrite(data, offset, count, bytes);

		if (done <= 0)
			return failure();
		offset += done;
		bytes += done;
		count -= done;
	}
	return 0;
}

/* Makes `bytes` the contents. The clusters that the file has are used again, unless it is compressed. */
static int replace(ntfs_attr *data, const char *bytes, int64_t count)
{
	int error;

	if ((data->data_flags & ATTR_COMPRESSION_MASK) && ntfs_attr_truncate(data, 0))
		return failure();
	error = write_all(data, 0, bytes, count);
	if (!error && data->data_size > count && ntfs_attr_truncate(data, count))
		error = failure();
	return error;
}

int fs_edit_ntfs_write(struct fs_edit_ntfs *self, uint64_t file, const char *bytes, int64_t count, int append)
{
	ntfs_inode *ni;
	ntfs_attr *data;
	int error;

	errno = 0;
	ni = ntfs_inode_open(self->volume, file);
	if (!ni)
		return failure();
	data = ntfs_attr_open(ni, AT_DATA, AT_UNNAMED, 0);
	if (!data) {
		error = failure();
	} else {
		error = append ? write_all(data, data->data_size, bytes, count) : replace(data, bytes, count);
		if (!error && (data->data_flags & ATTR_COMPRESSION_MASK) && ntfs_attr_pclose(data))
			error = failure();
		ntfs_attr_close(data);
	}
	if (!error)
		ntfs_inode_update_times(ni, NTFS_UPDATE_MCTIME);
	if (ntfs_inode_close(ni) && !error)
		error = failure();
	return error;
}

/* Whether Windows would refuse the name. */
int fs_edit_ntfs_forbidden(struct fs_edit_ntfs *self, const uint16_t *name, int length)
{
	return ntfs_forbidden_names(self->volume, (const ntfschar *)name, length, TRUE) != 0;
}

/*
 * Closes a file and its folder. The folder first: the library then opens it, and the other folders that the file is in,
 * by itself to bring the sizes and times in their indexes up to date.
 */
static int close_both(ntfs_inode *dir, ntfs_inode *ni, int error)
{
	if (ntfs_inode_close(dir) && !error)
		error = failure();
	if (ntfs_inode_close(ni) && !error)
		error = failure();
	return error;
}

/*
 * Makes an empty file or folder. With `inherit` its security descriptor is made from what the folder gives on to
 * those in it; else the folder's own descriptor is copied.
 */
int fs_edit_ntfs_create(struct fs_edit_ntfs *self, uint64_t folder, const uint16_t *name, int length, int is_folder,
			int inherit, uint64_t *made)
{
	struct PERMISSIONS_CACHE *no_cache = NULL;
	struct SECURITY_CONTEXT security = { .vol = self->volume, .pseccache = &no_cache };
	ntfs_inode *dir, *ni = NULL;
	le32 id = const_cpu_to_le32(0);
	char *descriptor = NULL;
	int size = 0, error = 0;

	errno = 0;
	dir = ntfs_inode_open(self->volume, folder);
	if (!dir)
		return failure();
	if (inherit) {
		id = ntfs_inherited_id(&security, dir, is_folder ? TRUE : FALSE);
		if (!id)
			error = failure();
	} else {
		size = ntfs_get_ntfs_acl(&security, dir, NULL, 0);
		descriptor = size > 0 ? malloc(size) : NULL;
		if (!descriptor || ntfs_get_ntfs_acl(&security, dir, descriptor, size) != size)
			error = failure();
	}
	if (!error) {
		ni = ntfs_create(dir, id, (const ntfschar *)name, length, is_folder ? S_IFDIR : S_IFREG);
		if (!ni)
			error = failure();
	}
	if (ni) {
		*made = MK_MREF(ni->mft_no, le16_to_cpu(ni->mrec->sequence_number));
		if (descriptor && ntfs_set_ntfs_acl(&security, ni, descriptor, size, 0))
			error = failure();
		ntfs_inode_update_times(dir, NTFS_UPDATE_MCTIME);
	}
	free(descriptor);
	return close_both(dir, ni, error);
}

/* Opens a file and its folder for a function that closes both. */
static int open_both(struct fs_edit_ntfs *self, uint64_t folder, uint64_t file, ntfs_inode **dir, ntfs_inode **ni)
{
	int error;

	errno = 0;
	*dir = ntfs_inode_open(self->volume, folder);
	if (!*dir)
		return failure();
	*ni = ntfs_inode_open(self->volume, file);
	if (!*ni) {
		error = failure();
		ntfs_inode_close(*dir);
		return error;
	}
	return 0;
}

/*
 * Marks a name that is a valid DOS name as valid for Win32 and DOS, in the file's record and in the folder's index.
 * (The library's own function refuses files that have names in other folders.)
 */
int fs_edit_ntfs_mark_dos(struct fs_edit_ntfs *self, uint64_t folder, uint64_t file, const uint16_t *name, int length)
{
	ntfs_inode *dir, *ni;
	ntfs_attr_search_ctx *search;
	ntfs_index_context *index;
	int error = open_both(self, folder, file, &dir, &ni);

	if (error)
		return error;
	search = ntfs_attr_get_search_ctx(ni, NULL);
	index = ntfs_index_ctx_get(dir, NTFS_INDEX_I30, 4);
	error = search && index ? 0 : failure();
	while (!error) {
		FILE_NAME_ATTR *own;

		if (ntfs_attr_lookup(AT_FILE_NAME, AT_UNNAMED, 0, CASE_SENSITIVE, 0, NULL, 0, search)) {
			error = failure();
			break;
		}
		own = (FILE_NAME_ATTR *)((u8 *)search->attr + le16_to_cpu(search->attr->value_offset));
		if (MREF_LE(own->parent_directory) != dir->mft_no || own->file_name_length != length
		    || memcmp(own->file_name, name, length * sizeof(ntfschar)))
			continue;
		if (ntfs_index_lookup(own, sizeof(FILE_NAME_ATTR), index) || !index->data) {
			error = failure();
			break;
		}
		((FILE_NAME_ATTR *)index->data)->file_name_type = FILE_NAME_WIN32_AND_DOS;
		ntfs_index_entry_mark_dirty(index);
		own->file_name_type = FILE_NAME_WIN32_AND_DOS;
		ntfs_inode_mark_dirty(search->ntfs_ino);
		break;
	}
	if (index)
		ntfs_index_ctx_put(index);
	if (search)
		ntfs_attr_put_search_ctx(search);
	return close_both(dir, ni, error);
}

/* Gives a file another name in the folder, beside those that it has. */
int fs_edit_ntfs_link(struct fs_edit_ntfs *self, uint64_t folder, uint64_t file, const uint16_t *name, int length)
{
	ntfs_inode *dir, *ni;
	int error = open_both(self, folder, file, &dir, &ni);

	if (error)
		return error;
	if (ntfs_link(ni, dir, (const ntfschar *)name, length))
		error = failure();
	else
		ntfs_inode_update_times(dir, NTFS_UPDATE_MCTIME);
	return close_both(dir, ni, error);
}

/* Removes a name with the DOS name that belongs to it; the file goes with its last name. */
int fs_edit_ntfs_unlink(struct fs_edit_ntfs *self, uint64_t folder, uint64_t file, const uint16_t *name, int length)
{
	ntfs_inode *dir, *ni;
	int error = open_both(self, folder, file, &dir, &ni);

	if (error)
		return error;
	return ntfs_delete(self->volume, NULL, ni, dir, (const ntfschar *)name, length) ? failure() : 0;
}
