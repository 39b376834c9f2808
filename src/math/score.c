/* score.c - tries the candidates of a response against a gold. */
#include "math/score.h"

#include "math/answer.h"

enum { DEFAULT_LABELS = 10 }; /* A to J, where nobody says how many options there are */

struct score_opts score_opts_default(void)
{
    return (struct score_opts){.math = math_opts_default()};
}

/* --- candidates ------------------------------------------------------------------------------- */

/* The readings of a response, or of a bare answer: itself first, then as a sentence. */
static int candidates(struct str response, const struct score_opts *o, struct arena *a,
                      struct answer_candidate out[ANSWER_MAX_CANDIDATES])
{
    struct str bare;
    int n = 0;

    if (!o->is_bare)
        return answer_find(response, a, out, ANSWER_MAX_CANDIDATES);
    bare = answer_bared(response, a);
    if (bare.len == 0 || answer_is_code(bare))
        return 0;
    out[n++] = (struct answer_candidate){bare, "bare answer", 0};
    if (answer_has_words(response) || str_find_char(response, '$', 0) >= 0)
        n += answer_find(response, a, out + n, ANSWER_MAX_CANDIDATES - n);
    for (int i = 1; i < n; i++)
        out[i].rank = 0;
    return n;
}

/* The whole response and its last sentence are readings of one place. */
static bool same_place(const struct answer_candidate *best, const struct answer_candidate *c)
{
    return best->rank == c->rank || strcmp(best->rule, "whole response") == 0;
}

/* --- options ---------------------------------------------------------------------------------- */

/* The letters of a gold: of its text, else of its last line that is an option. */
static uint32_t gold_letters(struct str gold, const struct score_opts *o, struct str *option_text)
{
    uint32_t bits;

    if (o->n_labels == 0)
        return answer_choice_gold(gold, DEFAULT_LABELS, option_text);
    *option_text = (struct str){"", 0};
    bits = answer_choice(gold, o->n_labels);
    while (bits == 0) {
        ptrdiff_t newline = str_find_char(gold, '\n', 0);

        if (newline < 0)
            return 0;
        gold = str_trim(str_slice(gold, (size_t)newline + 1, gold.len));
        bits = answer_choice(gold, o->n_labels);
    }
    return bits;
}

static struct str letters_text(uint32_t bits, struct arena *a)
{
    char out[64];
    size_t n = 0;

    for (int i = 0; i < 26; i++) {
        if (bits & (1u << i)) {
            if (n > 0)
                out[n++] = ',';
            out[n++] = (char)('A' + i);
        }
    }
    return str_dup(a, (struct str){out, n});
}

static void decide_letters(uint32_t gold, uint32_t pred, struct arena *a, struct math_score *out)
{
    out->gold_form = letters_text(gold, a);
    out->pred_form = letters_text(pred, a);
    out->gold_kind = out->pred_kind = "option";
    out->reason = "option letter";
    out->result = gold == pred ? MATH_EQUAL : MATH_DIFFERENT;
    if (gold != pred)
        out->proof = str_fmt(a, "option " STR_FMT " is not option " STR_FMT,
                             STR_ARG(out->pred_form), STR_ARG(out->gold_form));
}

/* --- one candidate ---------------------------------------------------------------------------- */

static void keep(struct math_score *out, const struct math_verdict *v,
                 const struct answer_candidate *cand, struct arena *a)
{
    out->result = v->result;
    out->reason = v->reason;
    out->rule = cand->rule;
    out->extracted = cand->text;
    out->gold_form = str_dup(a, v->gold_form);
    out->pred_form = str_dup(a, v->pred_form);
    out->gold_kind = v->gold_kind;
    out->pred_kind = v->pred_kind;
    out->proof = str_dup(a, v->proof);
}

/* Whether a candidate that is not the gold leaves the decision to the next reading of its place: a
 * sentence, or text that does not parse. */
static bool is_open(struct math_ctx *c, const struct answer_candidate *cand)
{
    return answer_has_words(cand->text) || !math_parses(c, cand->text);
}

static void compare_candidates(struct math_ctx *c, struct str gold,
                               const struct answer_candidate *cand, int n,
                               const struct score_opts *o, struct arena *a, struct math_score *out)
{
    for (int i = 0; i < n && same_place(&cand[0], &cand[i]); i++) {
        struct math_verdict v;
        bool is_last = i + 1 == n || !same_place(&cand[0], &cand[i + 1]);

        math_compare(c, gold, cand[i].text, &o->math, &v);
        keep(out, &v, &cand[i], a); /* before anything else is read in this context */
        if (v.result == MATH_EQUAL || is_last || !is_open(c, &cand[i]))
            return;
    }
}

static void score_option(struct math_ctx *c, uint32_t letters, struct str option_text,
                         struct str response, const struct answer_candidate *cand, int n,
                         const struct score_opts *o, struct arena *a, struct math_score *out)
{
    int n_labels = o->n_labels > 0 ? o->n_labels : DEFAULT_LABELS;
    uint32_t bits = 0;

    for (int i = 0; i < n && same_place(&cand[0], &cand[i]) && bits == 0; i++) {
        bits = answer_candidate_choice(&cand[i], n_labels);
        out->extracted = cand[i].text;
        out->rule = cand[i].rule;
    }
    if (bits == 0 && (n == 0 || strcmp(cand[0].rule, "boxed") != 0)) {
        bits = answer_choice_in_prose(answer_region(response, a), n_labels);
        if (bits) {
            out->rule = "last option named";
            out->extracted = letters_text(bits, a);
        }
    }
    if (bits == 0 && n > 0 && option_text.len > 0) {
        compare_candidates(c, option_text, cand, n, o, a, out);
        return;
    }
    out->nothing_extracted = bits == 0 && n == 0;
    decide_letters(letters, bits, a, out);
    if (bits == 0) {
        out->reason = n == 0 ? "no answer found" : "no option letter";
        out->proof = (struct str){"", 0};
    }
}

/* A gold is not searched, with one exception: a whole solution in prose, without box or "####",
 * that announces its answer. */
static struct str read_gold(struct math_ctx *c, struct str gold, struct arena *a)
{
    enum { MIN_SOLUTION = 100 };
    struct answer_candidate cand[ANSWER_MAX_CANDIDATES];
    struct str s = answer_gold(gold, a);

    if (s.len < MIN_SOLUTION || !answer_has_words(s) || math_parses(c, s))
        return s;
    if (answer_find(gold, a, cand, ANSWER_MAX_CANDIDATES) > 0 &&
        (strcmp(cand[0].rule, "final answer") == 0 || strcmp(cand[0].rule, "the answer is") == 0))
        return cand[0].text;
    return s;
}

/* --- together --------------------------------------------------------------------------------- */

void math_score(struct math_ctx *c, struct str gold, struct str response,
                const struct score_opts *o, struct arena *a, struct math_score *out)
{
    struct answer_candidate cand[ANSWER_MAX_CANDIDATES];
    struct str option_text;
    uint32_t letters;
    int n;

    *out = (struct math_score){.result = MATH_DIFFERENT,
                               .reason = "no answer found",
                               .rule = "",
                               .gold_kind = "",
                               .pred_kind = "",
                               .extracted = {"", 0},
                               .gold_form = {"", 0},
                               .pred_form = {"", 0},
                               .proof = {"", 0}};
    out->extracted_gold = read_gold(c, gold, a);
    if (out->extracted_gold.len == 0) {
        out->gold_unreadable = true;
        out->result = MATH_UNDECIDED;
        out->reason = "gold unreadable";
        return;
    }
    n = candidates(response, o, a, cand);
    letters = gold_letters(out->extracted_gold, o, &option_text);
    if (letters) {
        score_option(c, letters, option_text, response, cand, n, o, a, out);
        return;
    }
    if (n == 0) {
        out->nothing_extracted = true;
        return;
    }
    compare_candidates(c, out->extracted_gold, cand, n, o, a, out);
}
