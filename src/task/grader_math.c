/* grader_math.c - mathematical answers: math/score.h as a grader. */
#include "base/arena.h"
#include "formats/json.h"
#include "math/score.h"
#include "task/graders.h"

static void *math_open(void)
{
    return math_ctx_open();
}

static void math_close(void *state)
{
    math_ctx_close(state);
}

/* A row may say how its answer is to be compared, as the pairs of `llmeval verify` do. */
static struct score_opts opts_of(const struct json *doc)
{
    const struct json *options = json_get(doc, "options");
    struct score_opts o = score_opts_default();

    o.math.precision = (int)json_int(json_get(options, "precision"), o.math.precision);
    o.math.rename_variables = !json_bool(json_get(options, "strict"), true);
    o.math.no_set_relation = !json_bool(json_get(options, "allow_set_relation_comp"), true);
    return o;
}

static enum verdict verdict_of(enum math_result r)
{
    switch (r) {
    case MATH_EQUAL:
        return VERDICT_RIGHT;
    case MATH_DIFFERENT:
        return VERDICT_WRONG;
    case MATH_UNDECIDED:
        return VERDICT_UNKNOWN;
    }
    return VERDICT_UNKNOWN;
}

static bool math_grade(void *state, const struct grade_input *in, struct arena *a,
                       struct grade *out, struct err *e)
{
    struct score_opts o = opts_of(in->doc);
    struct math_score s;

    math_score(state, in->gold, in->response, &o, a, &s);
    *out = (struct grade){
        .verdict = verdict_of(s.result),
        .extracted = s.extracted,
        .extracted_gold = s.extracted_gold,
        .how = s.rule[0] ? str_fmt(a, "%s, %s", s.rule, s.reason).ptr : s.reason,
        .key = s.extracted.len > 0 ? math_key(state, s.extracted, a) : (struct str){"", 0},
        .nothing_extracted = s.nothing_extracted,
        .gold_unreadable = s.gold_unreadable,
    };
    return true;
}

static bool math_same(void *state, struct str extracted_a, struct str extracted_b, struct arena *a)
{
    struct math_opts o = math_opts_default();
    struct math_verdict v;

    math_compare(state, extracted_a, extracted_b, &o, &v);
    return v.result == MATH_EQUAL;
}

const struct grader grader_math = {
    .name = "math",
    .open = math_open,
    .close = math_close,
    .grade = math_grade,
    .same = math_same,
};
