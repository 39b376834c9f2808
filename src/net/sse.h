/* sse.h - server-sent events (WHATWG HTML, section 9.2), writing and incremental reading.
 *
 * Only the data of an event is kept: event names, ids and retry times are read over, as every
 * OpenAI-compatible client does. Lines may end in LF, CR or CR LF. Not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

/* "data: <text>" and a blank line; a newline in the text starts another data line. */
void sse_write(struct buf *out, struct str data);

struct sse_reader {
    struct buf line; /* the beginning of a line whose end has not arrived */
    struct buf data; /* of the event under way */
    size_t max_bytes;
    bool has_data;     /* a data line was seen, though it may be empty */
    bool is_delivered; /* data was handed out and is forgotten at the next call */
    bool skip_lf;      /* the last line ended in CR: an LF right after it belongs to it */
    bool failed;       /* an event was longer than max_bytes: nothing more is read */
};

void sse_reader_init(struct sse_reader *r, size_t max_bytes); /* ceiling for one event; 0: 64 MiB */
void sse_reader_clear(struct sse_reader *r);

/* Reads from *bytes, which moves past what was consumed, until an event is whole: then true, and
 * *data lives until the next call. False: all bytes are consumed and no event is whole yet, or
 * r->failed. To be called until it says false. An event whose end never arrives is never handed
 * out, as the standard demands: sse_reader_is_clean tells whether bytes of one are left. */
bool sse_next(struct sse_reader *r, struct str *bytes, struct str *data);
bool sse_reader_is_clean(const struct sse_reader *r);
