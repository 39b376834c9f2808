/* utf8.c - decoding by Unicode 3.9, table 3-7: which second bytes each first byte allows. */
#include "base/str.h"

/* Length by first byte, and the range of the second byte; 0: cannot begin a character. */
static int lead(unsigned char c, unsigned char *lo, unsigned char *hi)
{
    *lo = 0x80;
    *hi = 0xBF;
    if (c < 0x80)
        return 1;
    if (c >= 0xC2 && c <= 0xDF)
        return 2;
    if (c >= 0xE0 && c <= 0xEF) {
        if (c == 0xE0)
            *lo = 0xA0;
        if (c == 0xED)
            *hi = 0x9F;
        return 3;
    }
    if (c >= 0xF0 && c <= 0xF4) {
        if (c == 0xF0)
            *lo = 0x90;
        if (c == 0xF4)
            *hi = 0x8F;
        return 4;
    }
    return 0;
}

uint32_t utf8_next(struct str s, size_t *i)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    unsigned char lo, hi, first = p[*i];
    int n = lead(first, &lo, &hi);
    uint32_t code_point;

    ++*i;
    if (n == 1)
        return first;
    if (n == 0)
        return UTF8_BAD;
    code_point = first & (0xFFu >> (n + 1));
    for (int k = 1; k < n; k++) {
        if (*i >= s.len || p[*i] < lo || p[*i] > hi)
            return UTF8_BAD;
        code_point = code_point << 6 | (p[*i] & 0x3F);
        ++*i;
        lo = 0x80;
        hi = 0xBF;
    }
    return code_point;
}

int utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        if (c >= 0xD800 && c <= 0xDFFF)
            return 0;
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    if (c > 0x10FFFF)
        return 0;
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

bool utf8_valid(struct str s)
{
    size_t i = 0;

    while (i < s.len)
        if (utf8_next(s, &i) == UTF8_BAD)
            return false;
    return true;
}

void utf8_repair(struct buf *out, struct str s)
{
    size_t i = 0, good = 0;

    while (i < s.len) {
        size_t at = i;

        if (utf8_next(s, &i) != UTF8_BAD)
            continue;
        buf_add(out, s.ptr + good, at - good);
        buf_addz(out, "\xEF\xBF\xBD");
        good = i;
    }
    buf_add(out, s.ptr + good, s.len - good);
}

size_t utf8_unfinished(struct str s)
{
    for (size_t back = 1; back <= 3 && back <= s.len; back++) {
        unsigned char lo, hi, c = (unsigned char)s.ptr[s.len - back];
        struct str tail = {s.ptr + s.len - back, back};
        size_t i = 0;
        int n;

        if (c >= 0x80 && c < 0xC0)
            continue;
        n = lead(c, &lo, &hi);
        if (n <= (int)back)
            return 0;
        /* All bytes so far must fit; then the sequence ended only because the text did. */
        utf8_next(tail, &i);
        return i == back ? back : 0;
    }
    return 0;
}

size_t utf8_count(struct str s)
{
    size_t i = 0, n = 0;

    while (i < s.len) {
        utf8_next(s, &i);
        n++;
    }
    return n;
}
