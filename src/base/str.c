/* str.c - see str.h. */
#include "base/str.h"

#include <math.h>

#include "base/arena.h"
#include "base/num.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_eqz(struct str a, const char *z)
{
    return str_eq(a, STR(z));
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = MIN(a.len, b.len);
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;

    return c ? c : (a.len > b.len) - (a.len < b.len);
}

bool str_starts(struct str s, const char *prefix)
{
    size_t n = strlen(prefix);

    return s.len >= n && (n == 0 || memcmp(s.ptr, prefix, n) == 0);
}

bool str_ends(struct str s, const char *suffix)
{
    size_t n = strlen(suffix);

    return s.len >= n && (n == 0 || memcmp(s.ptr + s.len - n, suffix, n) == 0);
}

ptrdiff_t str_find(struct str s, struct str needle, size_t from)
{
    const char *p;

    if (from > s.len)
        return -1;
    if (needle.len == 0)
        return (ptrdiff_t)from;
    p = memmem(s.ptr + from, s.len - from, needle.ptr, needle.len);
    return p ? p - s.ptr : -1;
}

ptrdiff_t str_rfind(struct str s, struct str needle)
{
    size_t end;

    if (needle.len > s.len)
        return -1;
    if (needle.len == 0)
        return (ptrdiff_t)s.len;
    end = s.len - needle.len + 1; /* matches begin before it */
    while (end > 0) {
        const char *p = memrchr(s.ptr, needle.ptr[0], end);

        if (!p)
            return -1;
        if (memcmp(p, needle.ptr, needle.len) == 0)
            return p - s.ptr;
        end = (size_t)(p - s.ptr);
    }
    return -1;
}

ptrdiff_t str_find_char(struct str s, char c, size_t from)
{
    const char *p = from < s.len ? memchr(s.ptr + from, c, s.len - from) : NULL;

    return p ? p - s.ptr : -1;
}

struct str str_slice(struct str s, size_t from, size_t to)
{
    to = MIN(to, s.len);
    from = MIN(from, to);
    return (struct str){s.ptr ? s.ptr + from : "", to - from};
}

struct str str_trim(struct str s)
{
    while (s.len && is_blank(s.ptr[0]))
        s.ptr++, s.len--;
    while (s.len && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool str_cut(struct str *rest, char sep, struct str *head)
{
    ptrdiff_t at;

    if (!rest->ptr)
        return false;
    at = str_find_char(*rest, sep, 0);
    if (at < 0) {
        *head = *rest;
        *rest = (struct str){NULL, 0}; /* the next call says that none is left */
        return true;
    }
    *head = str_slice(*rest, 0, (size_t)at);
    *rest = str_slice(*rest, (size_t)at + 1, rest->len);
    return true;
}

struct str str_dup(struct arena *a, struct str s)
{
    return (struct str){arena_strndup(a, s.ptr, s.len), s.len};
}

struct str str_fmt(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    char *ptr;
    int n;

    va_start(args, fmt);
    va_copy(again, args);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ptr = arena_alloc(a, (size_t)MAX(n, 0) + 1);
    vsnprintf(ptr, (size_t)MAX(n, 0) + 1, fmt, again);
    va_end(again);
    return (struct str){ptr, (size_t)MAX(n, 0)};
}

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_clear(struct buf *b)
{
    free(b->ptr);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->ptr)
        b->ptr[0] = '\0';
}

bool buf_reserve(struct buf *b, size_t n_more)
{
    size_t max = b->max ? b->max : (size_t)1 << 30;
    size_t need, cap;
    char *p;

    if (b->failed || !size_add(b->len, n_more, &need) || need > max) {
        b->failed = true;
        return false;
    }
    if (need < b->cap)
        return true;
    cap = MAX(need + 1, MIN(b->cap * 2, max + 1));
    cap = MAX(cap, (size_t)64);
    p = realloc(b->ptr, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->ptr = p;
    b->cap = cap;
    b->ptr[b->len] = '\0';
    return true;
}

void buf_add(struct buf *b, const void *ptr, size_t n)
{
    if (n == 0 || !buf_reserve(b, n))
        return;
    memcpy(b->ptr + b->len, ptr, n);
    b->len += n;
    b->ptr[b->len] = '\0';
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.ptr, s.len);
}

void buf_addz(struct buf *b, const char *z)
{
    buf_add(b, z, strlen(z));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_addv(struct buf *b, const char *fmt, va_list args)
{
    va_list again;
    int n;

    va_copy(again, args);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n <= 0 || !buf_reserve(b, (size_t)n))
        return;
    vsnprintf(b->ptr + b->len, (size_t)n + 1, fmt, args);
    b->len += (size_t)n;
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    buf_addv(b, fmt, args);
    va_end(args);
}

void buf_add_utf8(struct buf *b, uint32_t code_point)
{
    char bytes[4];

    buf_add(b, bytes, (size_t)utf8_encode(code_point, bytes));
}

/* Python's repr: the shortest digits that read back; exponent form below 1e-4 and from 1e16 on. */
void buf_add_f64(struct buf *b, double x)
{
    char text[40], digits[24];
    int n_digits, exponent, prec = 1;
    char *e;

    if (isnan(x)) {
        buf_addz(b, "nan");
        return;
    }
    if (isinf(x)) {
        buf_addz(b, x < 0 ? "-inf" : "inf");
        return;
    }
    do {
        snprintf(text, sizeof(text), "%.*e", prec - 1, x);
    } while (strtod(text, NULL) != x && ++prec <= 17);
    if (signbit(x))
        buf_addc(b, '-');
    e = strchr(text, 'e');
    exponent = (int)strtol(e + 1, NULL, 10);
    n_digits = 0;
    for (const char *p = text; p < e; p++)
        if (*p >= '0' && *p <= '9')
            digits[n_digits++] = *p;
    while (n_digits > 1 && digits[n_digits - 1] == '0')
        n_digits--;
    if (exponent < -4 || exponent >= 16) {
        buf_addc(b, digits[0]);
        if (n_digits > 1) {
            buf_addc(b, '.');
            buf_add(b, digits + 1, (size_t)n_digits - 1);
        }
        buf_addf(b, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    if (exponent < 0) {
        buf_addz(b, "0.");
        for (int i = -1; i > exponent; i--)
            buf_addc(b, '0');
        buf_add(b, digits, (size_t)n_digits);
        return;
    }
    for (int i = 0; i <= exponent; i++)
        buf_addc(b, i < n_digits ? digits[i] : '0');
    buf_addc(b, '.');
    if (n_digits > exponent + 1)
        buf_add(b, digits + exponent + 1, (size_t)(n_digits - exponent - 1));
    else
        buf_addc(b, '0');
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->ptr ? b->ptr : "", b->len};
}

const char *buf_z(const struct buf *b)
{
    return b->ptr ? b->ptr : "";
}
