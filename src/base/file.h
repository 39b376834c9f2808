/* file.h - whole files in, atomic files out, lines appended.
 *
 * Every error names the path. No call follows up a failed write with another: the caller decides.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

/* A file mapped read-only. An empty file has ptr "" and len 0. */
struct file_map {
    const char *ptr;
    size_t len;
};

bool file_map_open(const char *path, struct file_map *m, struct err *e) MUST_CHECK;
void file_map_close(struct file_map *m); /* a zeroed one is fine */

bool file_exists(const char *path);
bool file_read(const char *path, size_t max_bytes, struct buf *out, struct err *e) MUST_CHECK;

/* Writes beside path, fsyncs, renames over it, fsyncs the folder: path holds the old bytes or the
 * new. */
bool file_replace(const char *path, struct str bytes, struct err *e) MUST_CHECK;

/* All bytes by as few write(2) as the system allows; EINTR and short writes are continued. */
bool file_write_all(int fd, const char *path, struct str bytes, struct err *e) MUST_CHECK;

bool file_mkdirs(const char *path, struct err *e) MUST_CHECK;             /* as mkdir -p */
bool file_mkdirs_parent(const char *file_path, struct err *e) MUST_CHECK; /* the folder of a file */

/* dir + "/" + name in an arena; an absolute name stays as it is. */
struct arena;
const char *path_join(struct arena *a, const char *dir, const char *name);
const char *path_base(const char *path); /* after the last slash */
