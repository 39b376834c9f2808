/* score.h - a gold against a response: find the answer, compare it, say how.
 *
 * Candidates of the best rank are tried in order until one parses as mathematics or equals the
 * gold; one that does not parse is compared as text and never gives up a number from inside. A gold
 * that is an option letter is compared by letters.
 *
 * Pure: a score depends on gold, response and options alone. Strings live in the arena, or are
 * static. */
#pragma once

#include <stdbool.h>

#include "math/compare.h"

struct score_opts {
    struct math_opts math;
    bool is_bare; /* the response is the bare answer already */
    int n_labels; /* the gold is an option, one of so many letters from A on; 0: find out */
};

struct score_opts score_opts_default(void);

struct math_score {
    enum math_result result;
    const char *
        reason; /* the rule that decided: "no answer found", "option letter", or a compare reason */
    const char *rule; /* the rule that found the answer: "boxed"; "" when none did */
    struct str extracted, extracted_gold;
    struct str gold_form, pred_form;
    const char *gold_kind, *pred_kind;
    struct str proof;
    bool nothing_extracted, gold_unreadable;
};

void math_score(struct math_ctx *c, struct str gold, struct str response,
                const struct score_opts *o, struct arena *a, struct math_score *out);
