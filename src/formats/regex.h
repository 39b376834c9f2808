/* regex.h - regular expressions over UTF-8 text, behind which stands PCRE2 with its JIT compiler.
 *
 * Patterns and texts are UTF-8, properties and case follow Unicode, ^ and $ match at every line, a
 * newline is U+000A. A compiled regex does not change and may be read by all threads; the scratch
 * belongs to one. Searches have limits, so that a hostile pattern fails instead of hanging. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct regex;
struct regex_scratch;

/* The pattern is in PCRE2's own syntax. The message names the offset of what is wrong in it. */
struct regex *regex_open(struct str pattern, struct err *e) MUST_CHECK;
void regex_close(struct regex *r); /* NULL is fine */

struct regex_scratch *regex_scratch_open(void);
void regex_scratch_close(struct regex_scratch *s); /* NULL is fine */

enum regex_found { REGEX_FAILED = -1, REGEX_NONE = 0, REGEX_MATCH = 1 };

/* The leftmost match that begins at `from` or later; lookbehind sees what is before it. text must
 * be valid UTF-8 and `from` the beginning of a character or the end. REGEX_FAILED sets e. */
enum regex_found regex_find(const struct regex *r, struct regex_scratch *s, struct str text,
                            size_t from, size_t *start, size_t *end, struct err *e) MUST_CHECK;
