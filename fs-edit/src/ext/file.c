/* What is in a file. */
#include "shim.h"

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
