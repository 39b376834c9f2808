/* str.h - string views, growing buffers, UTF-8.
 *
 * A struct str points into memory that somebody else owns and need not end in NUL. A struct buf
 * owns its bytes, always keeps a NUL after them, and has a ceiling: over it, adding sets `failed`
 * and changes nothing, so that a caller may check once at the end. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"

struct arena;

struct str {
    const char *ptr;
    size_t len;
};

static inline struct str str_of(const char *z)
{
    return (struct str){z, strlen(z)};
}
#define STR(z) str_of(z)
#define STR_LIT(z) \
    { \
        (z), sizeof(z) - 1 \
    } /* an initialiser for static tables */
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int)(s).len, (s).ptr

bool str_eq(struct str a, struct str b);
bool str_eqz(struct str a, const char *z);
bool str_eq_nocase(struct str a, struct str b); /* ASCII letters only */
int str_cmp(struct str a, struct str b);        /* bytes, then length */
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
ptrdiff_t str_find(struct str s, struct str needle, size_t from); /* offset, or -1 */
ptrdiff_t str_rfind(struct str s, struct str needle);             /* last offset, or -1 */
ptrdiff_t str_find_char(struct str s, char c, size_t from);
struct str str_slice(struct str s, size_t from, size_t to); /* clamped */
struct str str_trim(struct str s);                          /* ASCII blanks at both ends */
bool str_cut(struct str *rest, char sep, struct str *head); /* next field; false: none left */
struct str str_dup(struct arena *a, struct str s);          /* a copy with NUL */
struct str str_fmt(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

struct buf {
    char *ptr; /* NULL while empty */
    size_t len, cap;
    size_t max; /* ceiling in bytes; 0: 1 GiB */
    bool failed;
};

void buf_init(struct buf *b, size_t max_bytes); /* a zeroed struct buf is ready too */
void buf_clear(struct buf *b);                  /* frees */
void buf_reset(struct buf *b); /* keeps the memory, forgets the bytes and `failed` */
bool buf_reserve(struct buf *b, size_t n_more); /* false: over the ceiling */
void buf_add(struct buf *b, const void *ptr, size_t n);
void buf_add_str(struct buf *b, struct str s);
void buf_addz(struct buf *b, const char *z);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_addv(struct buf *b, const char *fmt, va_list args);
void buf_add_utf8(struct buf *b, uint32_t code_point);
void buf_add_f64(struct buf *b, double x); /* shortest digits that read back, as Python's repr */
struct str buf_str(const struct buf *b);
const char *buf_z(const struct buf *b); /* "" while empty */

/* --- UTF-8 ------------------------------------------------------------------------------------ */

#define UTF8_BAD 0xFFFFFFFFu

/* The code point at *i, which moves past it; UTF8_BAD for an ill-formed sequence, when *i moves
 * past its maximal ill-formed subpart (Unicode 3.9, as Python and Rust do). *i must be below s.len.
 */
uint32_t utf8_next(struct str s, size_t *i);
int utf8_encode(uint32_t code_point, char out[4]); /* bytes written; 0: not a scalar value */
bool utf8_valid(struct str s);
void utf8_repair(struct buf *out, struct str s); /* each ill-formed subpart becomes U+FFFD */
size_t utf8_unfinished(
    struct str s);               /* bytes at the end that may still become a character: 0 to 3 */
size_t utf8_count(struct str s); /* code points; ill-formed subparts count one each */
