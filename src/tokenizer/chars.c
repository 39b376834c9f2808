/* chars.c - general categories by utf8proc, the rest from the definitions. */
#include "tokenizer/chars.h"

#include <utf8proc.h>

bool char_is_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool char_is_letter(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);

    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool char_is_mark(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);

    return category >= UTF8PROC_CATEGORY_MN && category <= UTF8PROC_CATEGORY_ME;
}

bool char_is_number(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);

    return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool char_is_punctuation(uint32_t c)
{
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)c);

    if (c < 0x80)
        return (c > 32 && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') ||
               (c > 'z' && c < 127);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

bool char_is_word(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        /* Other_Alphabetic beyond the marks: letters in circles and squares; and the two joiners.
         */
        return (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
               (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189) || c == 0x200C ||
               c == 0x200D;
    }
}

static size_t ascii_length(struct str s)
{
    size_t i = 0;
    uint64_t word;

    for (; i + 8 <= s.len; i += 8) {
        memcpy(&word, s.ptr + i, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < s.len && (unsigned char)s.ptr[i] < 0x80)
        i++;
    return i;
}

bool text_is_ascii(struct str s)
{
    return ascii_length(s) == s.len;
}

bool text_is_utf8(struct str s)
{
    size_t i = 0;

    while (i < s.len) {
        const unsigned char *p = (const unsigned char *)s.ptr + i;

        if (p[0] < 0x80)
            i += ascii_length((struct str){s.ptr + i, s.len - i});
        else if (p[0] >= 0xC2 && p[0] <= 0xDF && i + 1 < s.len && (p[1] & 0xC0) == 0x80)
            i += 2;
        else if (p[0] >= 0xE1 && p[0] <= 0xEC && i + 2 < s.len && (p[1] & 0xC0) == 0x80 &&
                 (p[2] & 0xC0) == 0x80)
            i += 3;
        else if (utf8_next(s, &i) == UTF8_BAD)
            return false;
    }
    return true;
}

uint32_t byte_to_char(unsigned char byte)
{
    if ((byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174)
        return byte;
    if (byte < 33)
        return 0x100u + byte;
    return byte == 173 ? 0x143 : 0x121u + (byte - 127u);
}

int char_to_byte(uint32_t c)
{
    if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255))
        return (int)c;
    if (c >= 0x100 && c <= 0x120)
        return (int)c - 0x100;
    if (c >= 0x121 && c <= 0x142)
        return (int)c - 0x121 + 127;
    return c == 0x143 ? 173 : -1;
}

bool bytes_from_chars(struct str token, struct buf *out)
{
    size_t n;
    char *to;

    if (!buf_reserve(out, token.len))
        return true; /* out->failed tells */
    to = out->ptr + out->len;
    for (size_t i = 0; i < token.len; i += n) {
        int byte = char_to_byte(char_at(token.ptr + i, &n));

        if (byte < 0)
            return false;
        *to++ = (char)byte;
    }
    out->len = (size_t)(to - out->ptr);
    *to = '\0';
    return true;
}

void bytes_to_chars(struct str bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_add_utf8(out, byte_to_char((unsigned char)bytes.ptr[i]));
}
