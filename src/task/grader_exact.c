/* grader_exact.c - the response is the gold, byte for byte, after blanks at both ends are cut. */
#include "base/arena.h"
#include "task/graders.h"

static void *exact_open(void)
{
    return NULL;
}

static void exact_close(void *state)
{
    (void)state;
}

static bool exact_grade(void *state, const struct grade_input *in, struct arena *a,
                        struct grade *out, struct err *e)
{
    struct str gold = str_trim(in->gold), answer = str_trim(in->response);

    *out = (struct grade){
        .verdict = str_eq(gold, answer) ? VERDICT_RIGHT : VERDICT_WRONG,
        .extracted = answer,
        .extracted_gold = gold,
        .how = answer.len > 0 ? "exact match" : "no answer found",
        .key = answer,
        .nothing_extracted = answer.len == 0,
        .gold_unreadable = gold.len == 0,
    };
    if (out->gold_unreadable) {
        out->verdict = VERDICT_UNKNOWN;
        out->how = "gold unreadable";
    }
    return true;
}

static bool exact_same(void *state, struct str extracted_a, struct str extracted_b, struct arena *a)
{
    return str_eq(extracted_a, extracted_b);
}

const struct grader grader_exact = {
    .name = "exact",
    .open = exact_open,
    .close = exact_close,
    .grade = exact_grade,
    .same = exact_same,
};
