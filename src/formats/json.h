/* json.h - JSON values (RFC 8259), behind which stands jansson.
 *
 * A tree is owned by whoever parsed or made it and is freed as a whole with json_close. Objects
 * keep the order of their keys. A reader gets borrowed pointers that live as long as the tree.
 * Reading a NULL or a value of another type gives the neutral answer (NULL, "", 0, false), so that
 * paths into a document chain without checks; json_type tells what is there. Depth is limited to
 * 2,048 levels. (No function here carries a name that libjansson exports: json_real, json_copy,
 * json_equal, ...) */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct json;

enum json_type {
    JSON_ABSENT,
    JSON_NULL,
    JSON_BOOL,
    JSON_INT,
    JSON_REAL,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* The whole text is one value. Duplicate keys are refused; U+0000 in strings is kept. Integers
 * beyond 64 bits become reals. The message names line and column within the text. */
struct json *json_parse(struct str text, struct err *e) MUST_CHECK;
struct json *json_parse_file(const char *path, size_t max_bytes, struct err *e) MUST_CHECK;
struct json *json_clone(const struct json *v) MUST_CHECK; /* deep */
void json_close(struct json *v);                          /* NULL is fine */

enum json_type json_type(const struct json *v);             /* JSON_ABSENT for NULL */
const char *json_type_name(enum json_type t);               /* "a string", "an object", ... */
bool json_same(const struct json *a, const struct json *b); /* deep; the order of keys is free */

bool json_bool(const struct json *v, bool otherwise);
int64_t json_int(const struct json *v, int64_t otherwise); /* a real without fraction is taken */
double json_num(const struct json *v, double otherwise);   /* an integer is taken */
struct str json_str(const struct json *v);                 /* "" unless a string; NUL-terminated */

size_t json_len(const struct json *v); /* items of an array, keys of an object, else 0 */
struct json *json_at(const struct json *array, size_t i);
struct json *json_get(const struct json *object, const char *key);
struct json *json_get_str(const struct json *object, struct str key);

/* for (struct json_iter it = json_iter(obj); json_next(&it);) uses it.key, it.value; arrays have no
 * key. */
struct json_iter {
    const struct json *in;
    void *at;
    size_t i;
    struct str key;
    struct json *value;
};
struct json_iter json_iter(const struct json *v);
bool json_next(struct json_iter *it);

/* Making trees. A child passed in is taken over by its parent. */
struct json *json_new_object(void) MUST_CHECK;
struct json *json_new_array(void) MUST_CHECK;
struct json *json_new_null(void) MUST_CHECK;
struct json *json_new_bool(bool b) MUST_CHECK;
struct json *json_new_int(int64_t i) MUST_CHECK;
struct json *json_new_real(double x) MUST_CHECK;    /* NaN and infinities become null */
struct json *json_new_str(struct str s) MUST_CHECK; /* ill-formed UTF-8 is repaired */
void json_set(struct json *object, const char *key, struct json *child); /* replaces */
void json_push(struct json *array, struct json *child);
bool json_remove(struct json *object, const char *key); /* false: it was not there */

/* Compact, one line, non-ASCII as it is, keys in order, reals as Python prints them. */
void json_write(struct buf *out, const struct json *v);
void json_write_indent(struct buf *out, const struct json *v, int indent);
/* One string with its quotes; ill-formed UTF-8 is repaired. */
void json_write_str(struct buf *out, struct str s);
