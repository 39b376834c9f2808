/* json_scan.h - looks into JSON text without building a tree.
 *
 * For texts that are many or long: the lines of result files, the chunks of a stream. Whatever is
 * passed over is validated (RFC 8259, UTF-8 included) and nothing is copied: keys and values are
 * slices of the text. Nesting is limited to 2,048 levels. No allocation; any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* A walk over the fields of one object, or the items of one array:
 *     struct json_scan s = json_scan(text);
 *     while (json_scan_next(&s)) ... s.key, s.value ...
 *     if (s.fault) ... the text is not JSON ...
 * Values can be walked into by another json_scan. */
struct json_scan {
    struct str text;
    size_t at;         /* of the next byte to read; at a fault, of the byte that does not fit */
    struct str key;    /* between the quotes, escapes as they stand; "" in an array */
    struct str value;  /* raw text of the value, quotes included */
    const char *fault; /* what is wrong; NULL: nothing so far */
    char close;        /* '}' or ']'; 0 when the text is neither object nor array */
    bool has_begun, is_over, has_escaped_key;
};

/* The walk over text, which must be one object or one array and nothing else. Of any other text the
 * first json_scan_next says false, with `fault` set. */
struct json_scan json_scan(struct str text);
bool json_scan_next(struct json_scan *s);
bool json_scan_escaped_key_is(const struct json_scan *s, const char *key);

/* Whether the key is this one, escaped or not. Inline, because it is asked for every field of every
 * line with literals, whose length the compiler knows. */
static inline bool json_scan_key_is(const struct json_scan *s, const char *key)
{
    size_t n = strlen(key);

    if (s->has_escaped_key)
        return json_scan_escaped_key_is(s, key);
    return s->key.len == n && memcmp(s->key.ptr, key, n) == 0;
}

/* The raw value under key, "" when there is none or the text is not an object. The last one wins.
 */
struct str json_scan_get(struct str object, const char *key);

/* Whether the whole text is one JSON value; if not, *at (may be NULL) is where it goes wrong. */
bool json_scan_valid(struct str text, size_t *at, const char **fault);

/* Reading raw values. Strings are added to out without quotes and escapes; a lone half of a
 * surrogate pair becomes U+FFFD. False when the value is of another type. */
bool json_raw_is_string(struct str raw);
bool json_raw_str(struct str raw, struct buf *out);
bool json_raw_int(struct str raw, int64_t *out);
bool json_raw_is_null(struct str raw);
bool json_raw_is_truthy(struct str raw); /* as Python has it: not null, false, 0, "", [] or {} */
