/* Names, and what they lead to: inodes are made, touched, and freed with their last name. */
#include "shim.h"

long p2v_ext_lookup(void *handle, uint32_t folder, const char *name, size_t len, uint32_t *ino)
{
	if (len > EXT2_NAME_LEN)
		return EXT2_ET_FILE_NOT_FOUND;
	return ext2fs_lookup(handle, folder, name, (int)len, NULL, ino);
}

/* A short link's target lies in the inode. Returns its length, or -1 if the target lies elsewhere. */
long p2v_ext_short_link(void *handle, uint32_t ino, char *buf, size_t room)
{
	ext2_filsys fs = handle;
	struct ext2_inode inode;
	size_t len;

	if (ext2fs_read_inode(fs, ino, &inode) || !ext2fs_is_fast_symlink(&inode))
		return -1;
	len = strnlen((const char *)inode.i_block, sizeof(inode.i_block));
	if (len > room)
		len = room;
	memcpy(buf, inode.i_block, len);
	return (long)len;
}

/* Seconds since 1970 as the two fields of an inode: the second has two more bits of them, and nanoseconds. */
static void stamp(int64_t now, uint32_t *seconds, uint32_t *extra)
{
	*seconds = (uint32_t)now;
	if (extra)
		*extra = (uint32_t)((now - (int32_t)now) >> 32) & 3;
}

#define STAMP(inode, field, now)                                                                              \
	stamp(now, &(inode)->i_##field,                                                                       \
	      inode_includes(inode_size(inode, room), i_##field##_extra) ? &(inode)->i_##field##_extra \
										: NULL)

/* Bytes of an inode that are in use: the rest holds attributes. */
static size_t inode_size(const struct ext2_inode_large *inode, size_t room)
{
	size_t size = EXT2_GOOD_OLD_INODE_SIZE;

	if (room > EXT2_GOOD_OLD_INODE_SIZE)
		size += inode->i_extra_isize;
	return size < room ? size : room;
}

/* An inode as large as this filesystem has them (at least the library's structure), to be freed. */
static struct ext2_inode_large *load(ext2_filsys fs, uint32_t ino, size_t *room, errcode_t *error)
{
	struct ext2_inode_large *inode;

	*room = EXT2_INODE_SIZE(fs->super);
	inode = calloc(1, *room > sizeof(*inode) ? *room : sizeof(*inode));
	if (!inode) {
		*error = EXT2_ET_NO_MEMORY;
		return NULL;
	}
	*error = ext2fs_read_inode_full(fs, ino, (struct ext2_inode *)inode, (int)*room);
	return inode;
}

/* Something about a file changed now (ctime), and its contents too (mtime) if `contents`. */
long p2v_ext_touch(void *handle, uint32_t ino, int contents)
{
	ext2_filsys fs = handle;
	size_t room;
	errcode_t error;
	struct ext2_inode_large *inode = load(fs, ino, &room, &error);

	if (!error) {
		STAMP(inode, ctime, fs->now);
		if (contents)
			STAMP(inode, mtime, fs->now);
		error = ext2fs_write_inode_full(fs, ino, (struct ext2_inode *)inode, (int)room);
	}
	free(inode);
	return error;
}

static int type_of(uint32_t mode)
{
	switch (mode & LINUX_S_IFMT) {
	case LINUX_S_IFREG:
		return EXT2_FT_REG_FILE;
	case LINUX_S_IFDIR:
		return EXT2_FT_DIR;
	case LINUX_S_IFCHR:
		return EXT2_FT_CHRDEV;
	case LINUX_S_IFBLK:
		return EXT2_FT_BLKDEV;
	case LINUX_S_IFIFO:
		return EXT2_FT_FIFO;
	case LINUX_S_IFSOCK:
		return EXT2_FT_SOCK;
	case LINUX_S_IFLNK:
		return EXT2_FT_SYMLINK;
	default:
		return EXT2_FT_UNKNOWN;
	}
}

/* Zeroes what lies between a name's end and the next entry. ".." of an indexed folder has the index there. */
static int scrub_entry(ext2_ino_t folder, int place, struct ext2_dir_entry *entry, int offset, int block_size, char *buf,
		       void *private)
{
	const struct struct_ext2_filsys *fs = private;
	unsigned int len = (unsigned int)ext2fs_dirent_name_len(entry), room, at;

	(void)folder;
	(void)buf;
	if (place != DIRENT_OTHER_FILE || ext2fs_get_rec_len((ext2_filsys)fs, entry, &room) ||
	    room > (unsigned int)(block_size - offset))
		return 0;
	for (at = 8 + len; at < room; at++)
		if (((char *)entry)[at]) {
			memset((char *)entry + at, 0, room - at);
			return DIRENT_CHANGED;
		}
	return 0;
}

/*
 * Gives an inode a name; the folder grows if it must. `mode` is the inode's. When the library splits a block of an
 * index, what lies between the entries is memory of this process: it is overwritten.
 */
long p2v_ext_link(void *handle, uint32_t folder, const char *name, uint32_t ino, uint32_t mode)
{
	ext2_filsys fs = handle;
	int type = type_of(mode);
	struct ext2_inode before, after;
	errcode_t error = ext2fs_read_inode(fs, folder, &before);

	if (!error)
		error = ext2fs_link(fs, folder, name, ino, type);
	if (error == EXT2_ET_DIR_NO_SPACE) {
		error = ext2fs_expand_dir(fs, folder);
		if (!error)
			error = ext2fs_link(fs, folder, name, ino, type);
	}
	if (!error)
		error = ext2fs_read_inode(fs, folder, &after);
	if (!error && (before.i_flags & EXT2_INDEX_FL) && EXT2_I_SIZE(&after) != EXT2_I_SIZE(&before))
		error = ext2fs_dir_iterate2(fs, folder, 0, NULL, scrub_entry, fs);
	return error;
}

long p2v_ext_unlink(void *handle, uint32_t folder, const char *name, uint32_t ino)
{
	return ext2fs_unlink(handle, folder, name, ino, 0);
}

/* A new empty file of root's, mode 0644, without a name. */
long p2v_ext_new_file(void *handle, uint32_t folder, uint32_t *ino)
{
	ext2_filsys fs = handle;
	struct ext2_inode inode;
	errcode_t error = ext2fs_new_inode(fs, folder, LINUX_S_IFREG | 0644, NULL, ino);

	if (error)
		return error;
	memset(&inode, 0, sizeof(inode));
	inode.i_mode = LINUX_S_IFREG | 0644;
	inode.i_links_count = 1;
	inode.i_atime = inode.i_ctime = inode.i_mtime = (uint32_t)fs->now;
	if (ext2fs_has_feature_extents(fs->super)) {
		ext2_extent_handle_t extents;

		inode.i_flags |= EXT4_EXTENTS_FL;
		error = ext2fs_extent_open2(fs, *ino, &inode, &extents);
		if (error)
			return error;
		ext2fs_extent_free(extents);
	}
	error = ext2fs_write_new_inode(fs, *ino, &inode);
	if (!error)
		ext2fs_inode_alloc_stats2(fs, *ino, +1, 0);
	return error;
}

/*
 * A new folder of root's, mode 0755. It is made first and named then: if the library did both, a folder that must grow
 * would leave half of it behind.
 */
long p2v_ext_new_folder(void *handle, uint32_t parent, const char *name)
{
	ext2_filsys fs = handle;
	ext2_ino_t ino;
	errcode_t error = ext2fs_new_inode(fs, parent, LINUX_S_IFDIR | 0755, NULL, &ino);

	if (!error)
		error = ext2fs_mkdir(fs, parent, ino, NULL);
	return error ? error : p2v_ext_link(fs, parent, name, ino, LINUX_S_IFDIR);
}

/* Takes a name off an inode that has lost it; with the last one goes the inode, its blocks and its attributes. */
long p2v_ext_release(void *handle, uint32_t ino)
{
	ext2_filsys fs = handle;
	size_t room;
	errcode_t error;
	struct ext2_inode_large *inode = load(fs, ino, &room, &error);

	if (error)
		goto out;
	if (inode->i_links_count)
		inode->i_links_count--;
	STAMP(inode, ctime, fs->now);
	if (!inode->i_links_count) {
		inode->i_dtime = (uint32_t)fs->now;
		error = ext2fs_free_ext_attr(fs, ino, inode);
		if (!error && ext2fs_inode_has_valid_blocks2(fs, (struct ext2_inode *)inode))
			error = ext2fs_punch(fs, ino, (struct ext2_inode *)inode, NULL, 0, ~0ULL);
		if (error)
			goto out;
		ext2fs_inode_alloc_stats2(fs, ino, -1, 0);
	}
	error = ext2fs_write_inode_full(fs, ino, (struct ext2_inode *)inode, (int)room);
out:
	free(inode);
	return error;
}

/* The first inode of the list of orphans (0: none), and the one after `ino`. */
uint32_t p2v_ext_first_orphan(void *handle)
{
	return ((ext2_filsys)handle)->super->s_last_orphan;
}

long p2v_ext_next_orphan(void *handle, uint32_t ino, uint32_t *next)
{
	struct ext2_inode inode;
	errcode_t error = ext2fs_read_inode(handle, ino, &inode);

	*next = inode.i_dtime;
	return error;
}
