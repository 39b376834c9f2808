/* chars.h - classes of characters as the Rust libraries behind tokenizer.json define them, and
 * steps through text that is known to be valid UTF-8. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

bool char_is_space(uint32_t c);       /* White_Space */
bool char_is_letter(uint32_t c);      /* general category L */
bool char_is_mark(uint32_t c);        /* M */
bool char_is_number(uint32_t c);      /* N */
bool char_is_punctuation(uint32_t c); /* P, or ASCII punctuation, some of which is S */
bool char_is_word(uint32_t c);        /* \w: Alphabetic, M, Nd, Pc, Join_Control */

/* The character at p, and its length in bytes. p must hold a whole, well-formed character. */
static inline uint32_t char_at(const char *p, size_t *len)
{
    const unsigned char *u = (const unsigned char *)p;

    if (u[0] < 0x80) {
        *len = 1;
        return u[0];
    }
    if (u[0] < 0xE0) {
        *len = 2;
        return (uint32_t)(u[0] & 0x1F) << 6 | (u[1] & 0x3F);
    }
    if (u[0] < 0xF0) {
        *len = 3;
        return (uint32_t)(u[0] & 0x0F) << 12 | (uint32_t)(u[1] & 0x3F) << 6 | (u[2] & 0x3F);
    }
    *len = 4;
    return (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3F) << 12 |
           (uint32_t)(u[2] & 0x3F) << 6 | (u[3] & 0x3F);
}

/* The bytes of the last character of s, which is not empty. */
static inline size_t char_len_before(struct str s)
{
    size_t n = 1;

    while (n < s.len && ((unsigned char)s.ptr[s.len - n] & 0xC0) == 0x80)
        n++;
    return n;
}

bool text_is_ascii(struct str s);
bool text_is_utf8(struct str s); /* utf8_valid, quick over ASCII */

/* The alphabet of ByteLevel: 33-126, 161-172 and 174-255 stand for themselves, the other 68 bytes
 * follow in increasing order from U+0100. */
uint32_t byte_to_char(unsigned char byte);
int char_to_byte(uint32_t c); /* -1: not in the alphabet */

/* Appends the bytes that a token of this alphabet stands for; false, and nothing added, when a
 * character is not in it. Over out's ceiling out->failed is set and the answer means nothing. */
bool bytes_from_chars(struct str token, struct buf *out);
void bytes_to_chars(struct str bytes, struct buf *out);
