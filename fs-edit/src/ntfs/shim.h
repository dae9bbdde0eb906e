/*
 * What libntfs-3g offers only as macros, inline functions and structure fields, as plain functions for Rust.
 *
 * Every function opens the file records that it needs by their numbers and closes them again: two open copies of one
 * record would overwrite each other. Functions that can fail return 0 or an errno value, unless they say otherwise.
 * Names are UTF-16LE without a terminator.
 */

#ifndef FS_EDIT_NTFS_SHIM_H
#define FS_EDIT_NTFS_SHIM_H

#include <errno.h>
/* logging.h needs it before itself. */
#include <stdarg.h>
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

extern struct ntfs_device_operations fs_edit_operations;

/* The error that the library has left, whatever it was. */
static inline int failure(void)
{
	return errno ? errno : EIO;
}

/* Collects the library's messages instead of printing them. */
void fs_edit_collect_messages(void);

#endif
