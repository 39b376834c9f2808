/* pattern.h - a regular expression as a term.
 *
 * The subset: literals, `.` (all but a newline), classes with ranges and negation, the escapes
 * \d \D \w \W \s \S (of ASCII), \n \r \t \f \v \0 \xHH \uHHHH and of punctuation, groups ( ) and
 * (?: ), alternation, * + ? {m} {m,} {m,n} (a `?` after them changes nothing here), ^ at the
 * beginning and $ at the end of an alternative outside of groups. Anything else is an error that
 * names it. */
#pragma once

#include "grammar/term.h"

enum pattern_use {
    PATTERN_WHOLE,  /* the whole text matches */
    PATTERN_STRING, /* the content of a JSON string, as it is escaped, has a match somewhere */
};

enum { MAX_REPEAT = 10000, MAX_PATTERN_DEPTH = 200 };

/* source is UTF-8. The message names the offset in it. */
struct term *pattern_parse(struct terms *t, struct str source, enum pattern_use use,
                           struct err *e) MUST_CHECK;
