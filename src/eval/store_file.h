/* store_file.h - the file under a store: lock, lines in, lines out, cutting and mending.
 *
 * Used by store.c alone. The file is read in blocks, not mapped, so that a reopened store costs the
 * memory of its index and not of its bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct store_file {
    int fd;
    char *path;
    int64_t n_bytes; /* whole lines end here */
    bool is_broken;  /* a write failed: nothing more is written */
};

/* Longer lines are damage. */
enum { STORE_MAX_LINE_BYTES = 256 << 20 };

/* Opens or makes the file and takes its lock; a file that another process writes gives ERR_BUSY
 * with its pid. */
bool store_file_open(struct store_file *f, const char *path, struct err *e) MUST_CHECK;
void store_file_close(struct store_file *f);

/* A line without its newline. `is_last` is the line after the last newline, which may be torn.
 * False stops the reading with the visitor's error. */
struct store_line {
    struct str text;
    size_t line_no;
    int64_t offset;
    bool is_last;
};
typedef bool store_file_visit(void *ctx, const struct store_line *line, struct err *e);
bool store_file_each(struct store_file *f, store_file_visit *visit, void *ctx,
                     struct err *e) MUST_CHECK;

/* One line, newline included, by one write(2). When the system takes only a part, the file is cut
 * back to whole lines and the store is broken. */
bool store_file_append(struct store_file *f, struct str line, struct err *e) MUST_CHECK;
bool store_file_cut(struct store_file *f, int64_t n_bytes, struct err *e) MUST_CHECK;
bool store_file_sync(struct store_file *f, struct err *e) MUST_CHECK;

/* A stretch of the file. */
struct store_span {
    int64_t offset, n_bytes;
};

/* Replaces the file by one without the spans (in order, apart), which are appended to
 * <path>.damaged first. */
bool store_file_remove(struct store_file *f, const struct store_span *spans, int n_spans,
                       struct err *e) MUST_CHECK;

/* Replaces the file by one that holds the spans, in their order, and nothing else. */
bool store_file_keep(struct store_file *f, const struct store_span *spans, int64_t n_spans,
                     struct err *e) MUST_CHECK;
