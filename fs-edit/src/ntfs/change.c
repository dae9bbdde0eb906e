/* Changing files and folders. */

#include "shim.h"

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
