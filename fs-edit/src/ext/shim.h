/*
 * What of libext2fs is a macro or a field of a structure, as functions: so no layout of a library's structure is
 * repeated in Rust. Every function returns an errcode_t (0: done) unless it says otherwise.
 *
 * Source: ext2fs.h and "The EXT2FS Library" (libext2fs.texinfo) of e2fsprogs.
 */
#ifndef P2V_EXT_SHIM_H
#define P2V_EXT_SHIM_H

#include <et/com_err.h>
#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Opens the filesystem on a device of Rust's, with this I/O manager in its place (device.c). */
errcode_t p2v_ext_open_on(void *device, int flags, ext2_filsys *fs);

#endif
