/* grader_choice.c - option letters.
 *
 * The gold is a letter, an option line ("C. 24 cm"), or the number of an option counted from 0 when
 * the row has a list of choices. The response is searched as for mathematics; the letter alone
 * decides. */
#include "base/arena.h"
#include "base/num.h"
#include "formats/json.h"
#include "math/answer.h"
#include "task/graders.h"

enum { MAX_LABELS = 26, DEFAULT_LABELS = 10 };

static void *choice_open(void)
{
    return NULL;
}

static void choice_close(void *state)
{
    (void)state;
}

static size_t n_choices(const struct json *doc)
{
    static const char *const keys[] = {"choices", "options", "endings"};

    for (size_t i = 0; i < LEN(keys); i++) {
        const struct json *list = json_get(doc, keys[i]);

        if (json_type(list) == JSON_ARRAY)
            return json_len(list);
    }
    return 0;
}

static uint32_t gold_bits(struct str gold, size_t n_listed, int n_labels)
{
    int64_t index;

    if (n_listed > 0 && parse_i64(str_trim(gold), &index))
        return index >= 0 && index < n_labels ? 1u << index : 0;
    return answer_choice(gold, n_labels);
}

static struct str letters(uint32_t bits, struct arena *a)
{
    char text[MAX_LABELS];
    size_t n = 0;

    for (int i = 0; i < MAX_LABELS; i++) {
        if (bits & (1u << i))
            text[n++] = (char)('A' + i);
    }
    return str_dup(a, (struct str){text, n});
}

/* The letters of the best candidate that has any, else those that the prose settles on. */
static uint32_t response_bits(struct str response, int n_labels, struct arena *a, const char **how)
{
    struct answer_candidate cand[ANSWER_MAX_CANDIDATES];
    int n = answer_find(response, a, cand, ANSWER_MAX_CANDIDATES);
    uint32_t bits = 0;

    for (int i = 0; i < n && bits == 0; i++) {
        bits = answer_candidate_choice(&cand[i], n_labels);
        *how = cand[i].rule;
    }
    if (bits == 0 && (n == 0 || strcmp(cand[0].rule, "boxed") != 0)) {
        bits = answer_choice_in_prose(answer_region(response, a), n_labels);
        *how = "last option named";
    }
    if (bits == 0)
        *how = n == 0 ? "no answer found" : "no option letter";
    return bits;
}

static bool choice_grade(void *state, const struct grade_input *in, struct arena *a,
                         struct grade *out, struct err *e)
{
    size_t n_listed = n_choices(in->doc);
    int n_labels = n_listed > 0 ? (int)MIN(n_listed, (size_t)MAX_LABELS) : DEFAULT_LABELS;
    uint32_t gold = gold_bits(answer_gold(in->gold, a), n_listed, n_labels), bits;
    const char *how = "";

    bits = response_bits(in->response, n_labels, a, &how);
    *out = (struct grade){
        .verdict = bits == gold ? VERDICT_RIGHT : VERDICT_WRONG,
        .extracted = letters(bits, a),
        .extracted_gold = letters(gold, a),
        .how = how,
        .nothing_extracted = bits == 0,
        .gold_unreadable = gold == 0,
    };
    out->key = out->extracted;
    if (gold == 0) {
        out->verdict = VERDICT_UNKNOWN;
        out->how = "gold unreadable";
    }
    return true;
}

static bool choice_same(void *state, struct str extracted_a, struct str extracted_b,
                        struct arena *a)
{
    return str_eq(extracted_a, extracted_b);
}

const struct grader grader_choice = {
    .name = "choice",
    .open = choice_open,
    .close = choice_close,
    .grade = choice_grade,
    .same = choice_same,
};
