/* scan.h - a strict reader of the two long parts of a tokenizer.json, vocab and merges.
 *
 * They hold hundreds of thousands of short strings. A tree of them takes longer to build than all
 * the rest of opening a tokenizer, so they are cut out of the text, which leaves a small document,
 * and read here value by value. scan_cut has found the text to be UTF-8. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct scan {
    const char *p, *begin, *end; /* begin: of the whole file, for line and column */
    struct buf unescaped;        /* holds the last string that had escapes */
};

struct scan scan_init(struct str file, struct str part);
void scan_clear(struct scan *s);

/* ERR_INPUT with what was expected, line and column; returns false. */
bool scan_fail(struct scan *s, const char *expected, struct err *e);

bool scan_is(struct scan *s, char c);   /* the next character, blanks skipped */
bool scan_take(struct scan *s, char c); /* and past it */
bool scan_expect(struct scan *s, char c, struct err *e) MUST_CHECK;
bool scan_string(struct scan *s, struct str *out,
                 struct err *e) MUST_CHECK;                            /* out until the next call */
bool scan_int(struct scan *s, int64_t *out, struct err *e) MUST_CHECK; /* not negative */
bool scan_real(struct scan *s, double *out, struct err *e) MUST_CHECK;
bool scan_end(struct scan *s, struct err *e) MUST_CHECK;

/* Finds the values of "vocab" and "merges" in the object "model" of a file. rest gets the file with
 * null in their place, which json_parse then judges. A part that is not there is empty. */
struct scan_parts {
    struct str vocab, merges;
};
bool scan_cut(struct str file, struct scan_parts *parts, struct buf *rest,
              struct err *e) MUST_CHECK;
