/* The volume's bytes as a device of libntfs-3g, and its messages. */

#include <fcntl.h>

#include "shim.h"

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

void fs_edit_collect_messages(void)
{
	ntfs_log_set_handler(keep_message);
	message[0] = 0;
}

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

struct ntfs_device_operations fs_edit_operations = {
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
