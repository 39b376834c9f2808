/* num.c - see num.h. */
#include "base/num.h"

#include <errno.h>
#include <math.h>

bool size_mul(size_t a, size_t b, size_t *out)
{
    size_t r;

    if (__builtin_mul_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

bool size_add(size_t a, size_t b, size_t *out)
{
    size_t r;

    if (__builtin_add_overflow(a, b, &r))
        return false;
    *out = r;
    return true;
}

bool parse_u64(struct str s, uint64_t *out)
{
    uint64_t x = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned char)s.ptr[i] - (unsigned)'0';

        if (digit > 9 || __builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, digit, &x))
            return false;
    }
    *out = x;
    return true;
}

bool parse_i64(struct str s, int64_t *out)
{
    bool is_negative = s.len > 0 && s.ptr[0] == '-';
    size_t sign = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');
    uint64_t x;

    if (!parse_u64(str_slice(s, sign, s.len), &x) || x > (uint64_t)INT64_MAX + is_negative)
        return false;
    *out = is_negative ? (int64_t)(0 - x) : (int64_t)x;
    return true;
}

bool parse_f64(struct str s, double *out)
{
    char text[64], *end;
    double x;

    if (s.len == 0 || s.len >= sizeof(text))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("0123456789+-.eE", s.ptr[i]) || s.ptr[i] == '\0')
            return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    errno = 0;
    x = strtod(text, &end);
    if (end != text + s.len || !isfinite(x))
        return false;
    *out = x;
    return true;
}

uint32_t load_le32(const void *p)
{
    const unsigned char *b = p;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

uint64_t load_le64(const void *p)
{
    return (uint64_t)load_le32(p) | (uint64_t)load_le32((const unsigned char *)p + 4) << 32;
}
