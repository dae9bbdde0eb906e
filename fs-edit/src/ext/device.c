/* The device as libext2fs reads and writes it, and what the library only tells com_err. */
#include "shim.h"

#include <stdarg.h>

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

errcode_t p2v_ext_open_on(void *device, int flags, ext2_filsys *fs)
{
	errcode_t error;

	set_com_err_hook(note_complaint);
	opening = device;
	error = ext2fs_open2("device", NULL, flags, 0, 0, &manager, fs);
	opening = NULL;
	return error;
}
