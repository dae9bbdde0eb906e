/*
 * What of libext2fs is a macro or a field of a structure, as functions: so no layout of a library's structure is
 * repeated in Rust. Every function returns an errcode_t (0: done) unless it says otherwise.
 *
 * Source: ext2fs.h and "The EXT2FS Library" (libext2fs.texinfo) of e2fsprogs.
 */
#include <et/com_err.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bytes of the volume, as offsets from its start; 0 if it worked. They are written in Rust. */
int p2v_ext_device_read(void *device, uint64_t offset, void *buf, size_t len);
int p2v_ext_device_write(void *device, uint64_t offset, const void *buf, size_t len);

/* The device that the next opening on this thread is for: an io_manager's open gets only a name. */
static __thread void *opening;

/*
 * Some damage the library only tells com_err, which prints it, and goes on: a block number that cannot be, when
 * blocks are freed or taken. The first such word since the last asking.
 */
static __thread errcode_t complaint;

static void note_complaint(const char *who, errcode_t code, const char *format, va_list arguments)
{
	(void)who;
	(void)format;
	(void)arguments;
	if (!complaint)
		complaint = code ? code : EXT2_ET_CORRUPT_SUPERBLOCK;
}

long p2v_ext_take_complaint(void)
{
	errcode_t taken = complaint;

	complaint = 0;
	return taken;
}

static struct struct_io_manager manager;

static errcode_t device_open(const char *name, int flags, io_channel *channel)
{
	io_channel io;

	(void)flags;
	if (!opening)
		return EXT2_ET_BAD_DEVICE_NAME;
	io = calloc(1, sizeof(*io));
	if (!io)
		return EXT2_ET_NO_MEMORY;
	io->name = strdup(name);
	if (!io->name) {
		free(io);
		return EXT2_ET_NO_MEMORY;
	}
	io->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	io->manager = &manager;
	io->block_size = 1024;
	io->refcount = 1;
	io->private_data = opening;
	*channel = io;
	return 0;
}

static errcode_t device_close(io_channel io)
{
	if (--io->refcount > 0)
		return 0;
	free(io->name);
	free(io);
	return 0;
}

static errcode_t device_set_blksize(io_channel io, int size)
{
	if (size <= 0)
		return EXT2_ET_INVALID_ARGUMENT;
	io->block_size = size;
	return 0;
}

/* Where `count` blocks lie, in bytes; a negative count is a number of bytes. 0 if that is no number. */
static int extent(io_channel io, unsigned long long block, int count, uint64_t *offset, size_t *len)
{
	if (__builtin_mul_overflow((uint64_t)block, (uint64_t)io->block_size, offset))
		return 0;
	if (count < 0)
		*len = (size_t)(-(long)count);
	else
		*len = (size_t)count * (size_t)io->block_size;
	return 1;
}

static errcode_t device_read(io_channel io, unsigned long long block, int count, void *data)
{
	uint64_t offset;
	size_t len;

	if (!extent(io, block, count, &offset, &len) ||
	    p2v_ext_device_read(io->private_data, offset, data, len))
		return EXT2_ET_SHORT_READ;
	return 0;
}

static errcode_t device_write(io_channel io, unsigned long long block, int count, const void *data)
{
	uint64_t offset;
	size_t len;

	if (!extent(io, block, count, &offset, &len) ||
	    p2v_ext_device_write(io->private_data, offset, data, len))
		return EXT2_ET_SHORT_WRITE;
	return 0;
}

static errcode_t device_read_narrow(io_channel io, unsigned long block, int count, void *data)
{
	return device_read(io, block, count, data);
}

static errcode_t device_write_narrow(io_channel io, unsigned long block, int count, const void *data)
{
	return device_write(io, block, count, data);
}

static errcode_t device_write_byte(io_channel io, unsigned long offset, int count, const void *data)
{
	if (count < 0 || p2v_ext_device_write(io->private_data, offset, data, (size_t)count))
		return EXT2_ET_SHORT_WRITE;
	return 0;
}

static errcode_t device_flush(io_channel io)
{
	(void)io;
	return 0;
}

/* zeroout, discard and readahead stay NULL: the library then writes zeros, and does without the others. */
static struct struct_io_manager manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "p2v block device",
	.open = device_open,
	.close = device_close,
	.set_blksize = device_set_blksize,
	.read_blk = device_read_narrow,
	.write_blk = device_write_narrow,
	.flush = device_flush,
	.write_byte = device_write_byte,
	.read_blk64 = device_read,
	.write_blk64 = device_write,
};

/* The library's words for an error; they last for ever. */
const char *p2v_ext_message(long error)
{
	initialize_ext2_error_table();
	return error_message(error);
}

/* 1: there is no such name; 2: blocks ran out; 3: inodes ran out; 0: anything else. */
int p2v_ext_error_kind(long error)
{
	switch (error) {
	case EXT2_ET_FILE_NOT_FOUND:
		return 1;
	case EXT2_ET_BLOCK_ALLOC_FAIL:
		return 2;
	case EXT2_ET_INODE_ALLOC_FAIL:
		return 3;
	default:
		return 0;
	}
}

/* The superblock's counters are those of the last clean unmounting; the groups' are the truth, also for the kernel. */
static void recount(ext2_filsys fs)
{
	uint64_t blocks = 0, inodes = 0;
	dgrp_t group;

	for (group = 0; group < fs->group_desc_count; group++) {
		blocks += ext2fs_bg_free_blocks_count(fs, group);
		inodes += ext2fs_bg_free_inodes_count(fs, group);
	}
	ext2fs_free_blocks_count_set(fs->super, EXT2FS_C2B(fs, blocks));
	fs->super->s_free_inodes_count = (uint32_t)inodes;
}

/* Whether `count` blocks from `first` lie in the filesystem and are marked as used. */
static int in_use(ext2_filsys fs, uint64_t first, uint64_t count)
{
	uint64_t blocks = ext2fs_blocks_count(fs->super), block;

	if (first < fs->super->s_first_data_block || first >= blocks || count > blocks - first)
		return 0;
	for (block = first; block < first + count; block++)
		if (!ext2fs_test_block_bitmap2(fs->block_map, block))
			return 0;
	return 1;
}

static uint64_t ones(const unsigned char *bits, uint64_t count)
{
	uint64_t at, sum = 0;

	for (at = 0; at < count / 8; at++)
		sum += (uint64_t)__builtin_popcount(bits[at]);
	if (count % 8)
		sum += (uint64_t)__builtin_popcount(bits[at] & ((1u << (count % 8)) - 1));
	return sum;
}

/*
 * Whether bitmaps, counters and the places of the groups' structures agree, so that nothing that is in use is taken
 * for free. Returns NULL, or what does not agree.
 */
static const char *disagreement(ext2_filsys fs)
{
	uint64_t blocks = ext2fs_blocks_count(fs->super);
	unsigned char *bits = calloc(1, fs->blocksize + 8);
	const char *found = NULL;
	dgrp_t group;

	if (!bits)
		return "there is no memory to check its bitmaps";
	for (group = 0; group < fs->group_desc_count && !found; group++) {
		uint64_t first = ext2fs_group_first_block2(fs, group);
		uint64_t last = ext2fs_group_last_block2(fs, group);
		uint64_t clusters = EXT2FS_NUM_B2C(fs, last - first + 1);
		uint64_t inodes = fs->super->s_inodes_per_group;

		if (last >= blocks)
			found = "a group lies past its end";
		else if (!in_use(fs, ext2fs_block_bitmap_loc(fs, group), 1) ||
			 !in_use(fs, ext2fs_inode_bitmap_loc(fs, group), 1) ||
			 !in_use(fs, ext2fs_inode_table_loc(fs, group), fs->inode_blocks_per_group))
			found = "blocks of its own structures are marked as free";
		if (found)
			break;
		if (!ext2fs_bg_flags_test(fs, group, EXT2_BG_BLOCK_UNINIT)) {
			if (ext2fs_get_block_bitmap_range2(fs->block_map, EXT2FS_B2C(fs, first), clusters, bits))
				found = "its block bitmap cannot be read";
			else if (clusters - ones(bits, clusters) != ext2fs_bg_free_blocks_count(fs, group))
				found = "a block bitmap and its count of free blocks disagree";
		}
		if (!found && !ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT)) {
			if (ext2fs_get_inode_bitmap_range2(fs->inode_map, group * inodes + 1, inodes, bits))
				found = "its inode bitmap cannot be read";
			else if (inodes - ones(bits, inodes) != ext2fs_bg_free_inodes_count(fs, group))
				found = "an inode bitmap and its count of free inodes disagree";
		}
		if (ext2fs_bg_itable_unused(fs, group) > inodes)
			found = "a group has more unused inodes than inodes";
	}
	free(bits);
	return found;
}

/* Opens for changes. `why` is set if the filesystem contradicts itself (the error then says little). */
long p2v_ext_open(void *device, void **out, const char **why)
{
	ext2_filsys fs = NULL;
	errcode_t error;

	*why = NULL;
	set_com_err_hook(note_complaint);
	opening = device;
	error = ext2fs_open2("device", NULL, EXT2_FLAG_RW | EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP, 0, 0, &manager, &fs);
	opening = NULL;
	if (error)
		return error;
	fs->default_bitmap_type = EXT2FS_BMAP64_RBTREE;
	fs->now = time(NULL);
	error = ext2fs_check_desc(fs);
	if (!error)
		error = ext2fs_read_bitmaps(fs);
	if (!error)
		*why = disagreement(fs);
	if (error || *why) {
		ext2fs_free(fs);
		return error ? error : EXT2_ET_CORRUPT_SUPERBLOCK;
	}
	recount(fs);
	*out = fs;
	return 0;
}

/* Frees everything and writes nothing. */
void p2v_ext_abandon(void *handle)
{
	ext2fs_free(handle);
}

/* Writes everything and frees it, whether that works or not. */
long p2v_ext_close(void *handle)
{
	ext2_filsys fs = handle;

	return ext2fs_close_free(&fs);
}

/* Bytes in a cluster (a block without bigalloc), and bytes that are free. */
void p2v_ext_room(void *handle, uint64_t *cluster, uint64_t *free_bytes)
{
	ext2_filsys fs = handle;

	*cluster = (uint64_t)fs->blocksize << fs->cluster_ratio_bits;
	*free_bytes = ext2fs_free_blocks_count(fs->super) * fs->blocksize;
}

/* Whether an inode is one that files may have, and is marked as used. */
int p2v_ext_inode_in_use(void *handle, uint32_t ino)
{
	ext2_filsys fs = handle;

	if (ino != EXT2_ROOT_INO && ino < EXT2_FIRST_INO(fs->super))
		return 0;
	return ino <= fs->super->s_inodes_count && ext2fs_test_inode_bitmap2(fs->inode_map, ino);
}

/* `allocated`: bytes of the blocks that the file has. */
long p2v_ext_stat(void *handle, uint32_t ino, uint32_t *mode, uint32_t *flags, uint32_t *links, uint64_t *size,
		  uint64_t *allocated)
{
	ext2_filsys fs = handle;
	struct ext2_inode inode;
	errcode_t error = ext2fs_read_inode(fs, ino, &inode);

	if (error)
		return error;
	*mode = inode.i_mode;
	*flags = inode.i_flags;
	*links = inode.i_links_count;
	*size = EXT2_I_SIZE(&inode);
	*allocated = ext2fs_get_stat_i_blocks(fs, &inode) * 512;
	return 0;
}

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

/* Whether inline data fit into the library's buffers: an attribute in an inode of its own may be larger. */
static errcode_t check_inline(ext2_filsys fs, uint32_t ino)
{
	size_t size;
	errcode_t error = ext2fs_inline_data_size(fs, ino, &size);

	return !error && size > fs->blocksize ? EXT2_ET_FILE_TOO_BIG : error;
}

/* Reads from the start of a file; `got` is less than `len` at its end. */
long p2v_ext_read(void *handle, uint32_t ino, void *buf, size_t len, size_t *got)
{
	ext2_file_t file;
	struct ext2_inode inode;
	errcode_t error = ext2fs_read_inode(handle, ino, &inode);

	*got = 0;
	if (!error && (inode.i_flags & EXT4_INLINE_DATA_FL))
		error = check_inline(handle, ino);
	if (!error)
		error = ext2fs_file_open(handle, ino, 0, &file);
	if (error)
		return error;
	while (!error && *got < len) {
		size_t left = len - *got;
		unsigned int done = 0, part = left > (1u << 30) ? 1u << 30 : (unsigned int)left;

		error = ext2fs_file_read(file, (char *)buf + *got, part, &done);
		if (!done)
			break;
		*got += done;
	}
	ext2fs_file_close(file);
	return error;
}

/*
 * Inline data become a block. The library's own writing into inline data is wrong for some lengths; writing nothing
 * behind them is its public way to have them moved.
 */
static errcode_t expand_inline(ext2_filsys fs, uint32_t ino)
{
	ext2_file_t file;
	unsigned int done;
	errcode_t error = check_inline(fs, ino), closed;

	if (!error)
		error = ext2fs_file_open(fs, ino, EXT2_FILE_WRITE, &file);
	if (error)
		return error;
	error = ext2fs_file_llseek(file, fs->blocksize, EXT2_SEEK_SET, NULL);
	if (!error)
		error = ext2fs_file_write(file, "", 0, &done);
	closed = ext2fs_file_close(file);
	return error ? error : closed;
}

/* Puts bytes at `offset` of a file, makes its size `size`, and the rest of its last block zeros. */
long p2v_ext_write(void *handle, uint32_t ino, uint64_t offset, const void *buf, size_t len, uint64_t size)
{
	ext2_filsys fs = handle;
	struct ext2_inode inode;
	ext2_file_t file;
	errcode_t error = ext2fs_read_inode(fs, ino, &inode), closed;
	size_t at = 0;

	if (!error && (inode.i_flags & EXT4_INLINE_DATA_FL))
		error = expand_inline(fs, ino);
	if (!error)
		error = ext2fs_file_open(fs, ino, EXT2_FILE_WRITE, &file);
	if (error)
		return error;
	error = ext2fs_file_llseek(file, offset, EXT2_SEEK_SET, NULL);
	while (!error && at < len) {
		size_t left = len - at;
		unsigned int done = 0, part = left > (1u << 30) ? 1u << 30 : (unsigned int)left;

		error = ext2fs_file_write(file, (const char *)buf + at, part, &done);
		if (!error && !done)
			error = EXT2_ET_SHORT_WRITE;
		at += done;
	}
	/* Flushed before the size is set: setting it zeroes the end of the last block on the disk, not in the buffer. */
	if (!error)
		error = ext2fs_file_flush(file);
	if (!error)
		error = ext2fs_file_set_size2(file, size);
	closed = ext2fs_file_close(file);
	return error ? error : closed;
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
