/* The filesystem as a whole: what must agree before a change, opening, closing, room. */
#include "shim.h"

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
	error = p2v_ext_open_on(device, EXT2_FLAG_RW | EXT2_FLAG_64BITS | EXT2_FLAG_SKIP_MMP, &fs);
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
