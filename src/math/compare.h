/* compare.h - are two answers the same answer?
 *
 * An answer is bare text: LaTeX, plain mathematics or words, as a data set gives it or as a
 * response's box holds it. Both are parsed into readings (latex.h) and compared by exact
 * arithmetic: rationals by FLINT, real and complex constants by Arb enclosures and Calcium,
 * polynomials and rational functions as such, everything else by enclosures at fixed points. A
 * verdict follows from the two texts and the options alone: not from earlier pairs, not from time.
 * Work is bounded by a budget of steps.
 *
 * A context belongs to one thread; it holds library objects and arenas that are costly to make. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

enum math_result { MATH_DIFFERENT, MATH_EQUAL, MATH_UNDECIDED };

struct math_opts {
    int precision; /* compare decimals after rounding to so many places; -1: the decimal rule */
    bool rename_variables; /* free variables may be renamed, up to four */
    bool no_set_relation;  /* an inequality may not stand for a gold interval or set */
};

struct math_opts math_opts_default(void); /* -1, false, false */

/* Strings live until the next call with the same context. Kinds and reason are static. */
struct math_verdict {
    enum math_result result;
    const char *reason;   /* the rule that decided: "rational", "limit reached", ...; never NULL */
    struct str gold_form; /* what was understood, as one line */
    struct str pred_form;
    const char *gold_kind; /* "number", "set", "equation", "text", ... */
    const char *pred_kind;
    struct str proof; /* one line: the counter-example or what proves equality; may be "" */
};

struct math_ctx;

struct math_ctx *math_ctx_open(void);
void math_ctx_close(
    struct math_ctx *c); /* NULL is fine; frees the libraries' caches of this thread */

/* Compares two bare answers; math delimiters around them are removed. An empty pred is different.
 */
void math_compare(struct math_ctx *c, struct str gold, struct str pred,
                  const struct math_opts *opts, struct math_verdict *out);

/* Whether the text parses whole as mathematics (numbers, expressions, sets, relations, quantities
 * with units), as opposed to prose or damaged text. */
bool math_parses(struct math_ctx *c, struct str text);

/* A canonical key: answers with equal keys are equal. Equal answers mostly, not always, have equal
 * keys, so different keys of a vote need one math_compare. Copied into a; "" for an empty answer.
 */
struct str math_key(struct math_ctx *c, struct str answer, struct arena *a);
