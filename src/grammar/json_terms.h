/* json_terms.h - the parts of JSON texts as terms (RFC 8259).
 *
 * Blanks: where a text may be broken (after `{`, `[` and `,`, before `}` and `]`) there may be
 * nothing, one blank, or a newline and up to 32 blanks or tabs; after `:` nothing or one blank. So
 * no model can lose itself in blanks. */
#pragma once

#include "grammar/term.h"

struct json;

/* Rules that are made when first asked for. */
struct json_terms {
    struct terms *terms;
    int gap, chars, string, number, value, object, array; /* rules; -1: not made yet */
};

void json_terms_init(struct json_terms *j, struct terms *t);

struct term *json_term_gap(struct json_terms *j);   /* blanks where a text may be broken */
struct term *json_term_colon(struct json_terms *j); /* ':' and what may follow it */
struct term *json_term_comma(struct json_terms *j); /* ',' and a gap */
struct term *json_term_char(
    struct json_terms *j); /* one character of a string, however it is escaped */
struct term *json_term_string(struct json_terms *j); /* any string */
struct term *json_term_number(struct json_terms *j);
struct term *json_term_positive(struct json_terms *j); /* a number of 0 or more */
struct term *json_term_integer(struct json_terms *j);
struct term *json_term_any_object(struct json_terms *j);
struct term *json_term_any_array(struct json_terms *j);
struct term *json_term_any(struct json_terms *j);
struct term *json_term_literal(struct json_terms *j, const struct json *v); /* this value */

/* Integers of [lo, hi]; has_lo or has_hi false: no such bound. NULL: there are none. */
struct term *json_term_integer_range(struct json_terms *j, bool has_lo, int64_t lo, bool has_hi,
                                     int64_t hi);

/* One character of the set within a JSON string: quotes, backslashes and control characters as
 * their shortest escape, the others as they are. */
struct term *json_term_string_chars(struct terms *t, const struct char_set *s);
