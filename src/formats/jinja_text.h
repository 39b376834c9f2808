/* jinja_text.h - Python's ideas about characters. Private to jinja_*.c.
 *
 * Categories and simple case mappings come from utf8proc; the mappings to several characters that
 * Python's str applies stand in a table of our own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum text_class {
    TEXT_ALPHA,
    TEXT_DECIMAL,
    TEXT_DIGIT,
    TEXT_NUMERIC,
    TEXT_ALNUM,
    TEXT_SPACE,
    TEXT_LOWER, /* of cased characters */
    TEXT_UPPER,
    TEXT_TITLE,
    TEXT_PRINTABLE,
};

bool text_is(uint32_t code_point, enum text_class c);
bool text_is_cased(uint32_t code_point);
bool text_is_line_end(uint32_t code_point); /* where splitlines splits */
int text_digit(uint32_t code_point);        /* 0 to 9 for a decimal digit, else -1 */

enum text_case { TEXT_TO_LOWER, TEXT_TO_UPPER, TEXT_TO_TITLE, TEXT_TO_FOLDED };

void text_add_case(struct buf *out, uint32_t code_point, enum text_case to);
void text_map(struct buf *out, struct str s, enum text_case to); /* str.lower, upper, casefold */
void text_title(struct buf *out, struct str s);                  /* str.title */
void text_capitalize(struct buf *out, struct str s);
void text_swapcase(struct buf *out, struct str s);

/* The last character of s; *start is where it begins. s must not be empty. */
uint32_t text_last(struct str s, size_t *start);
struct str text_strip(struct str s, bool left, bool right); /* white space */
/* Strips characters that occur in `set`. */
struct str text_strip_set(struct str s, struct str set, bool left, bool right);

/* Byte offset of code point number i (at most the end), for s of any content. */
size_t text_offset(struct str s, size_t i);
