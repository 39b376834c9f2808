/* jinja_text.c - classes and cases of characters as Python's str has them. */
#include "formats/jinja_text.h"

#include <utf8proc.h>

#include "formats/jinja_case.h"

bool text_is_line_end(uint32_t c)
{
    return (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

static bool is_space(uint32_t c)
{
    if (c < 0x80)
        return c == ' ' || (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x1f);
    return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 ||
           c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static utf8proc_category_t category(uint32_t c)
{
    return utf8proc_category((utf8proc_int32_t)c);
}

static bool is_letter(uint32_t c)
{
    utf8proc_category_t k = category(c);

    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

/* Digits that are not decimal: superscripts, subscripts, circled and Kharosthi ones. */
static bool is_other_digit(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0xb2, 0xb3},       {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},
        {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
        {0x2474, 0x247c},   {0x2488, 0x2490},   {0x24ea, 0x24ea},   {0x24f5, 0x24fd},
        {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},   {0x278a, 0x2792},
        {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a},
    };

    for (size_t i = 0; i < LEN(ranges); i++)
        if (c >= ranges[i][0] && c <= ranges[i][1])
            return true;
    return false;
}

static bool is_numeric(uint32_t c)
{
    utf8proc_category_t k = category(c);

    if (k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO)
        return true;
    return text_is_cjk_number(c);
}

static bool is_printable(uint32_t c)
{
    if (c == ' ')
        return true;
    switch (category(c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS:
        return false;
    default:
        return true;
    }
}

bool text_is(uint32_t c, enum text_class k)
{
    switch (k) {
    case TEXT_ALPHA:
        return is_letter(c);
    case TEXT_DECIMAL:
        return category(c) == UTF8PROC_CATEGORY_ND;
    case TEXT_DIGIT:
        return category(c) == UTF8PROC_CATEGORY_ND || is_other_digit(c);
    case TEXT_NUMERIC:
        return is_numeric(c);
    case TEXT_ALNUM:
        return is_letter(c) || is_numeric(c);
    case TEXT_SPACE:
        return is_space(c);
    case TEXT_LOWER:
        return utf8proc_islower((utf8proc_int32_t)c);
    case TEXT_UPPER:
        return utf8proc_isupper((utf8proc_int32_t)c);
    case TEXT_TITLE:
        return category(c) == UTF8PROC_CATEGORY_LT;
    case TEXT_PRINTABLE:
        return is_printable(c);
    }
    return false;
}

bool text_is_cased(uint32_t c)
{
    return text_is(c, TEXT_LOWER) || text_is(c, TEXT_UPPER) || text_is(c, TEXT_TITLE);
}

int text_digit(uint32_t c)
{
    uint32_t first = c;

    if (c < 0x80)
        return c >= '0' && c <= '9' ? (int)c - '0' : -1;
    if (category(c) != UTF8PROC_CATEGORY_ND)
        return -1;
    if (c >= 0x1d7ce && c <= 0x1d7ff) /* five runs of mathematical digits without a gap */
        return (int)((c - 0x1d7ce) % 10);
    while (c - first < 10 && category(first - 1) == UTF8PROC_CATEGORY_ND)
        first--;
    return (int)((c - first) % 10);
}

/* --- case ------------------------------------------------------------------------------------- */

static uint32_t map_simply(uint32_t c, enum text_case to)
{
    switch (to) {
    case TEXT_TO_UPPER:
        return (uint32_t)utf8proc_toupper((utf8proc_int32_t)c);
    case TEXT_TO_TITLE:
        return (uint32_t)utf8proc_totitle((utf8proc_int32_t)c);
    default:
        return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    }
}

static void add_folded(struct buf *out, uint32_t c)
{
    utf8proc_int32_t folded[8];
    int boundary = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, folded, LEN(folded),
                                                 UTF8PROC_CASEFOLD, &boundary);

    for (utf8proc_ssize_t i = 0; i < n; i++)
        buf_add_utf8(out, (uint32_t)folded[i]);
}

void text_add_case(struct buf *out, uint32_t c, enum text_case to)
{
    const struct special_case *special;

    if (c < 0x80) {
        bool is_lower = c >= 'a' && c <= 'z', is_upper = c >= 'A' && c <= 'Z';

        if (is_lower && (to == TEXT_TO_UPPER || to == TEXT_TO_TITLE))
            c -= 32;
        else if (is_upper && (to == TEXT_TO_LOWER || to == TEXT_TO_FOLDED))
            c += 32;
        buf_addc(out, (char)c);
        return;
    }
    if (to == TEXT_TO_FOLDED) {
        add_folded(out, c);
        return;
    }
    special = special_case_find(c);
    if (!special) {
        buf_add_utf8(out, map_simply(c, to));
        return;
    }
    buf_addz(out, to == TEXT_TO_UPPER   ? special->upper
                  : to == TEXT_TO_TITLE ? special->title
                                        : special->lower);
}

/* Capital sigma becomes the final form at the end of a word: a cased letter before it and none
 * after, marks and the like set aside (SpecialCasing.txt, Final_Sigma). */
static bool is_final_sigma(struct str s, size_t at, size_t after)
{
    bool is_after_letter = false;

    for (size_t end = at; end > 0 && !is_after_letter;) {
        size_t start;
        uint32_t c = text_last(str_slice(s, 0, end), &start);

        if (text_is_cased(c))
            is_after_letter = true;
        else if (!text_is_case_ignorable(c))
            return false;
        end = start;
    }
    while (after < s.len) {
        uint32_t c = utf8_next(s, &after);

        if (text_is_cased(c))
            return false;
        if (!text_is_case_ignorable(c))
            break;
    }
    return is_after_letter;
}

static void add_lower(struct buf *out, struct str s, size_t at, size_t after, uint32_t c)
{
    if (c == 0x3a3)
        buf_add_utf8(out, is_final_sigma(s, at, after) ? 0x3c2 : 0x3c3);
    else
        text_add_case(out, c, TEXT_TO_LOWER);
}

void text_map(struct buf *out, struct str s, enum text_case to)
{
    for (size_t i = 0; i < s.len;) {
        size_t at = i;
        uint32_t c = utf8_next(s, &i);

        if (to == TEXT_TO_LOWER)
            add_lower(out, s, at, i, c);
        else
            text_add_case(out, c, to);
    }
}

void text_title(struct buf *out, struct str s)
{
    bool is_in_word = false;

    for (size_t i = 0; i < s.len;) {
        size_t at = i;
        uint32_t c = utf8_next(s, &i);

        if (is_in_word)
            add_lower(out, s, at, i, c);
        else
            text_add_case(out, c, TEXT_TO_TITLE);
        is_in_word = text_is_cased(c);
    }
}

void text_capitalize(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len;) {
        size_t at = i;
        uint32_t c = utf8_next(s, &i);

        if (at == 0)
            text_add_case(out, c, TEXT_TO_TITLE);
        else
            add_lower(out, s, at, i, c);
    }
}

void text_swapcase(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len;) {
        size_t at = i;
        uint32_t c = utf8_next(s, &i);

        if (text_is(c, TEXT_UPPER))
            add_lower(out, s, at, i, c);
        else if (text_is(c, TEXT_LOWER))
            text_add_case(out, c, TEXT_TO_UPPER);
        else
            buf_add_utf8(out, c);
    }
}

/* --- strips and offsets ----------------------------------------------------------------------- */

uint32_t text_last(struct str s, size_t *start)
{
    size_t i = s.len - 1;

    while (i > 0 && s.len - i < 4 && ((unsigned char)s.ptr[i] & 0xc0) == 0x80)
        i--;
    *start = i;
    return utf8_next(s, &i);
}

static bool is_in_set(uint32_t c, const struct str *set)
{
    if (!set)
        return is_space(c);
    for (size_t i = 0; i < set->len;)
        if (utf8_next(*set, &i) == c)
            return true;
    return false;
}

static struct str strip(struct str s, const struct str *set, bool left, bool right)
{
    while (left && s.len > 0) {
        size_t i = 0;

        if (!is_in_set(utf8_next(s, &i), set))
            break;
        s = str_slice(s, i, s.len);
    }
    while (right && s.len > 0) {
        size_t start;

        if (!is_in_set(text_last(s, &start), set))
            break;
        s.len = start;
    }
    return s;
}

struct str text_strip(struct str s, bool left, bool right)
{
    return strip(s, NULL, left, right);
}

struct str text_strip_set(struct str s, struct str set, bool left, bool right)
{
    return strip(s, &set, left, right);
}

size_t text_offset(struct str s, size_t i)
{
    size_t at = 0;

    while (i > 0 && at < s.len) {
        if ((unsigned char)s.ptr[at] < 0x80)
            at++;
        else
            (void)utf8_next(s, &at);
        i--;
    }
    return at;
}
