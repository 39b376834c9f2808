/* score.c - counts, accuracy, intervals, pass@k and maj@k from graded rows; the comparison with
 * another result. */
#include "eval/score.h"

#include <math.h>

#include "base/log.h"
#include "base/map.h"
#include "formats/json.h"

enum {
    MAX_K = 512
}; /* maj@k is exact up to here; more samples are used, larger k are not reported */

static void count_rows(struct score *s)
{
    struct score_counts *c = &s->counts;

    c->n_problems = s->n_problems;
    c->n_expected = 0;
    for (int p = 0; p < s->n_problems; p++) {
        int n = MAX(s->n_samples, s->problems[p].n_rows);

        c->n_expected += n;
        c->n_missing += n - s->problems[p].n_rows;
    }
    for (int i = 0; i < s->n_rows; i++) {
        const struct score_row *r = &s->rows[i];
        bool is_right = r->verdict == VERDICT_RIGHT;

        c->n_right += is_right;
        c->n_wrong += r->verdict == VERDICT_WRONG;
        c->n_unknown += r->verdict == VERDICT_UNKNOWN;
        c->n_truncated += r->is_truncated;
        c->n_truncated_with_gold += r->shows_gold;
        c->n_unclosed += r->is_unclosed;
        c->n_empty += r->is_empty;
        c->n_nothing_extracted += r->nothing_extracted;
        c->n_gold_unreadable += r->gold_unreadable;
        c->n_workers_lost += r->worker_lost;
    }
}

static void compute_accuracy(struct score *s)
{
    const struct score_counts *c = &s->counts;
    struct tally *t = xcalloc((size_t)s->n_problems, sizeof(*t));
    double *x = xcalloc((size_t)s->n_problems, 2 * sizeof(*x)), *w = x + s->n_problems;
    int n = 0, n_open = 0;

    for (int p = 0; p < s->n_problems; p++) {
        if (s->problems[p].n_rows == 0)
            continue;
        t[n] = (struct tally){s->problems[p].n_right, s->problems[p].n_rows};
        x[n] = (double)t[n].n_right / t[n].n;
        w[n] = t[n].n;
        n++;
    }
    for (int i = 0; i < s->n_rows; i++)
        n_open += s->rows[i].verdict != VERDICT_RIGHT &&
                  (s->rows[i].is_truncated || s->rows[i].verdict == VERDICT_UNKNOWN);
    s->these = interval_these_problems(t, n, s->opts.confidence_level);
    s->like = interval_problems_like_these(t, n, s->opts.confidence_level);
    s->boot.value = NAN;
    if (s->opts.bootstrap_samples > 1)
        s->boot = interval_bootstrap(x, w, n, s->opts.bootstrap_samples, (uint64_t)s->opts.seed,
                                     s->opts.confidence_level);
    s->accuracy = (double)c->n_right / s->n_rows;
    s->accuracy_without_truncated =
        s->n_rows > c->n_truncated ? (double)c->n_right / (s->n_rows - c->n_truncated) : NAN;
    s->low_bound = (double)c->n_right / c->n_expected;
    s->high_bound = (double)(c->n_right + n_open + c->n_missing) / c->n_expected;
    free(x);
    free(t);
}

/* pass@k and maj@k as means over the problems that have k samples. */
static void compute_at_k(struct score *s)
{
    double *pass, *maj, *values;

    for (int p = 0; p < s->n_problems; p++)
        s->n_k = MAX(s->n_k, MIN(s->problems[p].n_rows, MAX_K));
    s->pass = arena_array(&s->arena, (size_t)s->n_k, sizeof(*s->pass));
    s->maj = arena_array(&s->arena, (size_t)s->n_k, sizeof(*s->maj));
    s->n_pass_problems = arena_array(&s->arena, (size_t)s->n_k, sizeof(int));
    pass = xcalloc((size_t)s->n_problems * (size_t)s->n_k, 2 * sizeof(*pass));
    maj = pass + (size_t)s->n_problems * (size_t)s->n_k;
    values = xcalloc((size_t)s->n_problems, 2 * sizeof(*values));
    for (int p = 0; p < s->n_problems; p++) {
        const struct score_problem *q = &s->problems[p];
        int n = MIN(q->n_rows, s->n_k);

        for (int k = 1; k <= n; k++)
            pass[p * s->n_k + k - 1] = pass_at_k(q->n_rows, q->n_right, k);
        if (n > 0)
            maj_at_k(q->classes, q->n_classes, q->n_blank, n, maj + p * s->n_k);
    }
    for (int k = 1; k <= s->n_k; k++) {
        int n = 0;

        for (int p = 0; p < s->n_problems; p++)
            if (s->problems[p].n_rows >= k) {
                values[n] = pass[p * s->n_k + k - 1];
                values[s->n_problems + n] = maj[p * s->n_k + k - 1];
                n++;
            }
        s->n_pass_problems[k - 1] = n;
        s->pass[k - 1] = interval_of_values(values, n, s->opts.confidence_level);
        s->maj[k - 1] = interval_of_values(values + s->n_problems, n, s->opts.confidence_level);
    }
    free(values);
    free(pass);
}

void score_compute(struct score *s)
{
    count_rows(s);
    compute_accuracy(s);
    compute_at_k(s);
    score_compute_groups(s);
}

struct score *score_open(const struct score_opts *o, struct err *e)
{
    struct score *s = xcalloc(1, sizeof(*s));

    s->opts = *o;
    arena_init(&s->arena, 0);
    s->grader = grader_for_task(STR(o->task_name));
    if (!s->grader) {
        err_set(e, ERR_INPUT,
                "there is no task \"%s\"; math_opensource/aime24 is one, and any other name after "
                "math_opensource/ is graded as mathematics",
                o->task_name);
        goto fail;
    }
    if (!score_read_rows(s, e) || !score_grade(s, e))
        goto fail;
    if (s->n_rows == 0) {
        err_set(e, ERR_INPUT, "%s: all %d rows are errors; nothing can be scored", o->input_path,
                s->counts.n_rows);
        goto fail;
    }
    score_compute(s);
    if (s->counts.n_gold_unreadable)
        log_warn("%d samples have a gold answer in \"%s\" that cannot be read as mathematics",
                 s->counts.n_gold_unreadable, o->label_key);
    if (s->counts.n_duplicates)
        log_warn("%d rows repeat a doc_id and sample_index; the first of each counts",
                 s->counts.n_duplicates);
    return s;

fail:
    score_close(s);
    return NULL;
}

void score_close(struct score *s)
{
    if (!s)
        return;
    file_map_close(&s->file);
    free(s->rows);
    free(s->problems);
    arena_clear(&s->arena);
    free(s);
}

/* --- another result --------------------------------------------------------------------------- */

struct other {
    struct map at; /* prompt hash or doc_id -> index */
    double *fraction;
    int n;
};

static void add_other(struct other *o, struct str prompt_hash, struct str doc_id, double fraction)
{
    o->fraction = xrealloc(o->fraction, (size_t)(o->n + 1) * sizeof(*o->fraction));
    if (prompt_hash.len)
        map_set(&o->at, prompt_hash, o->n);
    if (doc_id.len)
        map_set(&o->at, doc_id, o->n);
    o->fraction[o->n++] = fraction;
}

/* A result JSON: ours or today's LLMEval's, which list the fraction of right samples by problem. */
static bool other_from_json(struct other *o, const struct json *result)
{
    struct arena a;

    arena_init(&a, 0);
    for (struct json_iter it = json_iter(json_get(json_get(result, "details"), "problem_level"));
         json_next(&it);)
        if (json_type(json_get(it.value, "correct_fraction")) == JSON_REAL ||
            json_type(json_get(it.value, "correct_fraction")) == JSON_INT)
            add_other(o, score_field(&a, it.value, "prompt_sha256"),
                      score_field(&a, it.value, "doc_id"),
                      json_num(json_get(it.value, "correct_fraction"), 0));
    arena_clear(&a);
    return o->n > 0;
}

static bool other_from_rows(struct other *o, const struct score *s, const char *path, struct err *e)
{
    struct score_opts opts = s->opts;
    struct score *b;

    opts.input_path = path;
    opts.n_samples = 0;
    opts.bootstrap_samples = 0;
    b = score_open(&opts, e);
    if (!b)
        return false;
    for (int p = 0; p < b->n_problems; p++)
        if (b->problems[p].n_rows)
            add_other(o, b->problems[p].prompt_hash, b->problems[p].doc_id,
                      (double)b->problems[p].n_right / b->problems[p].n_rows);
    score_close(b);
    return true;
}

bool score_compare(const struct score *s, const char *path, struct score_baseline *out,
                   struct err *e)
{
    struct other o = {0};
    struct err not_json = ERR_INIT;
    struct json *result = json_parse_file(path, 0, &not_json);
    double *x = xcalloc((size_t)s->n_problems, 2 * sizeof(*x)), *y = x + s->n_problems;
    bool ok;

    *out = (struct score_baseline){.path = path};
    map_init(&o.at);
    ok = (result && other_from_json(&o, result)) || other_from_rows(&o, s, path, e);
    for (int p = 0; ok && p < s->n_problems; p++) {
        const struct score_problem *q = &s->problems[p];
        int64_t i = q->prompt_hash.len ? map_find(&o.at, q->prompt_hash) : -1;

        if (i < 0 && q->doc_id.len)
            i = map_find(&o.at, q->doc_id);
        if (q->n_rows == 0)
            continue;
        if (i < 0) {
            out->n_only_here++;
            continue;
        }
        x[out->n_matched] = (double)q->n_right / q->n_rows;
        y[out->n_matched] = o.fraction[i];
        out->accuracy += o.fraction[i];
        out->n_matched++;
    }
    if (ok && out->n_matched == 0)
        ok = err_set(e, ERR_INPUT, "%s has no problem in common with %s (by prompt or doc_id)",
                     path, s->opts.input_path);
    if (ok) {
        out->accuracy /= out->n_matched;
        out->n_only_there = o.n - out->n_matched;
        out->paired = paired_difference(x, y, out->n_matched, s->opts.confidence_level);
    }
    free(x);
    free(o.fraction);
    map_clear(&o.at);
    json_close(result);
    return ok;
}
