/* safetensors.h - tensors in a file: 8 bytes of header length, a JSON header, then the data.
 *
 * Everything the header claims is checked before a byte of data is trusted: its length, names,
 * types, shapes, that each tensor's bytes fit its shape, lie within the file, do not overlap and
 * leave no gap. The file is mapped, not read. Read-only after open, from any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

enum safetensors_type {
    SAFETENSORS_F32,
    SAFETENSORS_F16,
    SAFETENSORS_BF16,
    SAFETENSORS_OTHER, /* a type of the format that no weight here may have; type_name tells */
};

enum { SAFETENSORS_MAX_RANK = 8, SAFETENSORS_MAX_HEADER = 100 * 1000 * 1000 };

struct safetensors_entry {
    struct str name;
    enum safetensors_type type;
    struct str type_name; /* as written: "BF16" */
    int rank;
    int64_t shape[SAFETENSORS_MAX_RANK];
    const char *data; /* may be unaligned */
    size_t n_bytes;
};

struct safetensors;

struct safetensors *safetensors_open(const char *path, struct err *e) MUST_CHECK;
/* The same over bytes that the caller keeps; name is for messages. */
struct safetensors *safetensors_parse(struct str bytes, const char *name, struct err *e) MUST_CHECK;
void safetensors_close(struct safetensors *s); /* NULL is fine */

int safetensors_count(const struct safetensors *s);
const struct safetensors_entry *safetensors_at(const struct safetensors *s,
                                               int i); /* in file order */
const char *safetensors_path(const struct safetensors *s);

/* Tells the system that the pages of this data will not be read again soon. */
void safetensors_forget(const struct safetensors *s, const char *data, size_t n_bytes);
