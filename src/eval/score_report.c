/* score_report.c - a score as JSONL by sample, as JSON, and as a table for people. */
#include <errno.h>
#include <math.h>

#include "eval/score.h"
#include "formats/json.h"

/* --- the JSONL of --cache_path ---------------------------------------------------------------- */

static void sample_line(const struct score *s, const struct score_row *r, struct buf *out)
{
    struct err e = ERR_INIT;
    struct json *row = json_parse(r->line, &e);

    json_set(row, "sample_index", json_new_int(r->sample_index));
    json_set(row, "task", json_new_str(STR(s->opts.task_name)));
    json_set(row, "accuracy", json_new_int(r->verdict == VERDICT_RIGHT));
    json_set(row, "extracted_gold", json_new_str(r->extracted_gold));
    json_set(row, "extracted_answer", json_new_str(r->extracted));
    json_set(row, "verdict", json_new_str(STR(verdict_name(r->verdict))));
    json_set(row, "reason", json_new_str(r->how));
    json_write(out, row);
    buf_addc(out, '\n');
    json_close(row);
}

bool score_write_samples(const struct score *s, const char *path, struct err *e)
{
    struct arena a;
    const char *temp;
    struct buf line = {0};
    FILE *f;
    bool ok;

    arena_init(&a, 0);
    temp = str_fmt(&a, "%s.tmp", path).ptr;
    ok = file_mkdirs_parent(path, e);
    f = ok ? fopen(temp, "w") : NULL;
    if (ok && !f)
        ok = err_set_errno(e, "%s", temp);
    for (int i = 0; ok && i < s->n_rows; i++) {
        buf_reset(&line);
        sample_line(s, &s->rows[i], &line);
        if (fwrite(buf_z(&line), 1, line.len, f) != line.len)
            ok = err_set_errno(e, "%s", temp);
    }
    if (f && fclose(f) != 0 && ok)
        ok = err_set_errno(e, "%s", temp);
    if (ok && rename(temp, path) != 0)
        ok = err_set_errno(e, "%s", path);
    if (!ok && f)
        remove(temp);
    buf_clear(&line);
    arena_clear(&a);
    return ok;
}

/* --- the JSON of --result_path ---------------------------------------------------------------- */

static struct json *metric_json(const struct interval *i, int count)
{
    struct json *m = json_new_object();

    json_set(m, "value", json_new_real(i->value));
    json_set(m, "count", json_new_int(count));
    json_set(m, "stderr", json_new_real(i->stderr_));
    json_set(m, "ci_low", json_new_real(i->low));
    json_set(m, "ci_high", json_new_real(i->high));
    json_set(m, "higher_is_better", json_new_bool(true));
    return m;
}

static struct json *interval_json(const struct interval *i)
{
    struct json *m = json_new_object();

    json_set(m, "stderr", json_new_real(i->stderr_));
    json_set(m, "ci_low", json_new_real(i->low));
    json_set(m, "ci_high", json_new_real(i->high));
    json_set(m, "conservative", json_new_bool(i->is_conservative));
    return m;
}

static struct json *problem_json(const struct score *s, const struct score_problem *p)
{
    struct json *m = json_new_object(), *observed = json_new_array(), *classes = json_new_array();
    bool has_leader = p->n_classes > 0;

    json_set(m, "doc_id", json_new_str(p->doc_id));
    json_set(m, "prompt_sha256", json_new_str(p->prompt_hash));
    json_set(m, "correct_samples", json_new_int(p->n_right));
    json_set(m, "sample_count", json_new_int(s->n_samples));
    json_set(m, "available_sample_count", json_new_int(p->n_rows));
    for (int i = 0; i < p->n_rows; i++)
        json_push(observed, json_new_int(s->rows[p->rows[i]].sample_index));
    json_set(m, "observed_samples", observed);
    json_set(m, "complete", json_new_bool(p->n_rows >= s->n_samples));
    json_set(m, "correct_fraction",
             p->n_rows ? json_new_real((double)p->n_right / p->n_rows) : json_new_null());
    json_set(m, "passed", json_new_bool(p->n_right > 0));
    json_set(m, "majority_prediction",
             has_leader ? json_new_str(p->class_text[0]) : json_new_null());
    json_set(m, "majority_correct", json_new_bool(has_leader && p->classes[0].is_right));
    for (int c = 0; c < p->n_classes; c++) {
        struct json *one = json_new_object();

        json_set(one, "answer", json_new_str(p->class_text[c]));
        json_set(one, "count", json_new_int(p->classes[c].count));
        json_set(one, "right", json_new_bool(p->classes[c].is_right));
        json_push(classes, one);
    }
    json_set(m, "answers", classes);
    json_set(m, "no_answer_count", json_new_int(p->n_blank));
    return m;
}

static struct json *details_json(const struct score *s)
{
    struct json *d = json_new_object(), *problems = json_new_array(), *excluded = json_new_array();
    int n_complete = 0;

    for (int p = 0; p < s->n_problems; p++) {
        n_complete += s->problems[p].n_rows >= s->n_samples;
        json_push(problems, problem_json(s, &s->problems[p]));
        if (s->problems[p].n_rows == 0)
            json_push(excluded, json_new_str(s->problems[p].doc_id));
    }
    json_set(d, "complete_problem_count", json_new_int(n_complete));
    json_set(d, "incomplete_problem_count", json_new_int(s->n_problems - n_complete));
    json_set(d, "wrong_answer_count", json_new_int(s->counts.n_wrong));
    json_set(d, "excluded_problem_doc_ids", excluded);
    json_set(d, "problem_level", problems);
    return d;
}

static struct json *groups_json(const struct score *s)
{
    struct json *m = json_new_object();

    for (int i = 0; i < s->n_groups; i++) {
        const struct score_group *g = &s->groups[i];
        struct json *one = json_new_object();

        json_set(one, "problems", json_new_int(g->n_problems));
        json_set(one, "samples", json_new_int(g->n_rows));
        json_set(one, "right", json_new_int(g->n_right));
        json_set(one, "accuracy", json_new_real((double)g->n_right / g->n_rows));
        json_set(one, "these_problems", interval_json(&g->these));
        json_set(one, "problems_like_these", interval_json(&g->like));
        json_set(m, g->name.ptr, one);
    }
    return m;
}

static struct json *counts_json(const struct score *s)
{
    const struct score_counts *c = &s->counts;
    const struct {
        const char *name;
        int value;
    } rows[] = {
        {"problems", c->n_problems},
        {"samples_expected", c->n_expected},
        {"samples_scored", s->n_rows},
        {"right", c->n_right},
        {"wrong", c->n_wrong},
        {"unknown", c->n_unknown},
        {"truncated", c->n_truncated},
        {"truncated_with_gold", c->n_truncated_with_gold},
        {"unclosed_reasoning", c->n_unclosed},
        {"empty", c->n_empty},
        {"nothing_extracted", c->n_nothing_extracted},
        {"gold_unreadable", c->n_gold_unreadable},
        {"missing", c->n_missing},
        {"duplicates", c->n_duplicates},
        {"error_rows", c->n_errors},
        {"torn_lines", c->n_torn},
        {"workers_lost", c->n_workers_lost},
    };
    struct json *m = json_new_object();

    for (size_t i = 0; i < LEN(rows); i++)
        json_set(m, rows[i].name, json_new_int(rows[i].value));
    return m;
}

static struct json *at_k_json(const struct score *s, const struct interval *values)
{
    struct json *list = json_new_array();

    for (int k = 1; k <= s->n_k; k++) {
        struct json *m = json_new_object();

        json_set(m, "k", json_new_int(k));
        json_set(m, "value", json_new_real(values[k - 1].value));
        json_set(m, "stderr", json_new_real(values[k - 1].stderr_));
        json_set(m, "ci_low", json_new_real(values[k - 1].low));
        json_set(m, "ci_high", json_new_real(values[k - 1].high));
        json_set(m, "problems", json_new_int(s->n_pass_problems[k - 1]));
        json_push(list, m);
    }
    return list;
}

static struct json *baseline_json(const struct score_baseline *b)
{
    struct json *m = json_new_object();

    json_set(m, "path", json_new_str(STR(b->path)));
    json_set(m, "accuracy", json_new_real(b->accuracy));
    json_set(m, "difference", json_new_real(b->paired.difference.value));
    json_set(m, "stderr", json_new_real(b->paired.difference.stderr_));
    json_set(m, "ci_low", json_new_real(b->paired.difference.low));
    json_set(m, "ci_high", json_new_real(b->paired.difference.high));
    json_set(m, "p_value", json_new_real(b->paired.p_value));
    json_set(m, "problems_better", json_new_int(b->paired.n_better));
    json_set(m, "problems_worse", json_new_int(b->paired.n_worse));
    json_set(m, "problems_equal", json_new_int(b->paired.n_equal));
    json_set(m, "problems_matched", json_new_int(b->n_matched));
    json_set(m, "problems_only_here", json_new_int(b->n_only_here));
    json_set(m, "problems_only_there", json_new_int(b->n_only_there));
    return m;
}

void score_write_json(const struct score *s, const struct score_baseline *b, struct buf *out)
{
    struct json *m = json_new_object(), *metrics = json_new_object(), *acc = json_new_object();
    struct arena a;

    arena_init(&a, 0);
    json_set(m, "task_name", json_new_str(STR(s->opts.task_name)));
    json_set(metrics, "accuracy", metric_json(&s->like, s->n_rows));
    json_set(metrics, str_fmt(&a, "problem_pass@%d", s->n_k).ptr,
             metric_json(&s->pass[s->n_k - 1], s->n_pass_problems[s->n_k - 1]));
    json_set(metrics, str_fmt(&a, "problem_majority@%d", s->n_k).ptr,
             metric_json(&s->maj[s->n_k - 1], s->n_pass_problems[s->n_k - 1]));
    json_set(m, "metrics", metrics);
    json_set(m, "sample_count",
             json_new_int(s->n_rows + s->counts.n_errors + s->counts.n_duplicates));
    json_set(m, "effective_sample_count", json_new_int(s->n_rows));
    json_set(m, "failed_count", json_new_int(s->counts.n_errors));
    json_set(m, "excluded_count", json_new_int(s->counts.n_duplicates));
    json_set(m, "primary_metric", json_new_str(STR("accuracy")));
    json_set(m, "llmeval_version", json_new_str(STR(LLMEVAL_VERSION)));
    json_set(m, "grader", json_new_str(STR(s->grader->name)));
    json_set(m, "n_samples", json_new_int(s->n_samples));
    json_set(m, "confidence_level", json_new_real(s->opts.confidence_level));
    json_set(acc, "value", json_new_real(s->accuracy));
    json_set(acc, "without_truncated", json_new_real(s->accuracy_without_truncated));
    json_set(acc, "low_bound", json_new_real(s->low_bound));
    json_set(acc, "high_bound", json_new_real(s->high_bound));
    json_set(acc, "these_problems", interval_json(&s->these));
    json_set(acc, "problems_like_these", interval_json(&s->like));
    if (!isnan(s->boot.value))
        json_set(acc, "bootstrap_over_problems", interval_json(&s->boot));
    json_set(m, "accuracy", acc);
    json_set(m, "counts", counts_json(s));
    if (s->n_groups) {
        json_set(m, "group_key", json_new_str(STR(s->opts.group_key)));
        json_set(m, "groups", groups_json(s));
    }
    json_set(m, "pass@k", at_k_json(s, s->pass));
    json_set(m, "maj@k", at_k_json(s, s->maj));
    if (b)
        json_set(m, "baseline", baseline_json(b));
    json_set(m, "details", details_json(s));
    json_write_indent(out, m, 2);
    buf_addc(out, '\n');
    json_close(m);
    arena_clear(&a);
}

/* --- the table -------------------------------------------------------------------------------- */

static void add_interval(struct buf *out, const char *name, const struct interval *i)
{
    buf_addf(out, "  %-28s %6.2f - %.2f   (standard error %.2f)%s\n", name, 100 * i->low,
             100 * i->high, 100 * i->stderr_, i->is_conservative ? "  conservative" : "");
}

void score_write_line(const struct score *s, struct buf *out)
{
    buf_addf(out, "%s: accuracy %.2f, %d %% interval %.2f - %.2f (%d problems x %d samples)\n",
             s->opts.task_name, 100 * s->accuracy, (int)lround(100 * s->opts.confidence_level),
             100 * s->like.low, 100 * s->like.high, s->n_problems, s->n_samples);
}

static void add_counts(const struct score *s, struct buf *out)
{
    const struct score_counts *c = &s->counts;
    const struct {
        int n;
        const char *what;
    } notes[] = {
        {c->n_truncated, "cut off by the token limit (not right)"},
        {c->n_truncated_with_gold, "of them with the gold where they were cut"},
        {c->n_unclosed, "ended inside their reasoning"},
        {c->n_empty, "empty"},
        {c->n_nothing_extracted, "without an answer that could be found"},
        {c->n_unknown, "undecided (counted as not right)"},
        {c->n_gold_unreadable, "with a gold answer that cannot be read"},
        {c->n_workers_lost, "lost with their grading process"},
        {c->n_missing, "missing from the file"},
        {c->n_errors, "rows with an error (left out)"},
        {c->n_duplicates, "duplicates (left out)"},
        {c->n_torn, "torn last line (left out)"},
    };

    for (size_t i = 0; i < LEN(notes); i++)
        if (notes[i].n)
            buf_addf(out, "  %6d  %s\n", notes[i].n, notes[i].what);
}

static void add_problems(const struct score *s, struct buf *out)
{
    buf_addz(out, "\nproblem                    right     n  answers (count)\n");
    for (int i = 0; i < s->n_problems; i++) {
        const struct score_problem *p = &s->problems[i];
        struct str id = p->doc_id.len ? p->doc_id : p->prompt_hash;

        buf_addf(out, "%-24.*s %7d %5d  ", (int)MIN(id.len, (size_t)24), id.ptr, p->n_right,
                 p->n_rows);
        for (int c = 0; c < MIN(p->n_classes, 4); c++)
            buf_addf(out, "%s%.*s%s (%d)", c ? ", " : "",
                     (int)MIN(p->class_text[c].len, (size_t)24), p->class_text[c].ptr,
                     p->classes[c].is_right ? " *" : "", p->classes[c].count);
        if (p->n_classes > 4)
            buf_addf(out, ", %d more", p->n_classes - 4);
        if (p->n_blank)
            buf_addf(out, "%sno answer (%d)", p->n_classes ? ", " : "", p->n_blank);
        buf_addc(out, '\n');
    }
}

static void add_at_k(const struct score *s, struct buf *out)
{
    buf_addz(out, "\n     k   pass@k               maj@k\n");
    for (int k = 1; k <= s->n_k; k = k < s->n_k && 2 * k > s->n_k ? s->n_k : 2 * k) {
        const struct interval *p = &s->pass[k - 1], *m = &s->maj[k - 1];

        buf_addf(out, "  %4d   %6.2f +- %-5.2f      %6.2f +- %.2f", k, 100 * p->value,
                 100 * p->stderr_, 100 * m->value, 100 * m->stderr_);
        if (s->n_pass_problems[k - 1] < s->n_problems)
            buf_addf(out, "   (%d problems have %d samples)", s->n_pass_problems[k - 1], k);
        buf_addc(out, '\n');
    }
}

static void add_groups(const struct score *s, int percent, struct buf *out)
{
    if (s->n_groups == 0)
        return;
    buf_addf(out,
             "\n%-16.16s  accuracy   %d %% interval, problems like these   problems  samples\n",
             s->opts.group_key, percent);
    for (int i = 0; i < s->n_groups; i++) {
        const struct score_group *g = &s->groups[i];

        buf_addf(out, "%-16.*s    %6.2f   %6.2f - %-6.2f %-24s %5d  %7d\n",
                 (int)MIN(g->name.len, 16), g->name.ptr, 100.0 * g->n_right / g->n_rows,
                 100 * g->like.low, 100 * g->like.high,
                 g->like.is_conservative ? "conservative" : "", g->n_problems, g->n_rows);
    }
}

void score_write_table(const struct score *s, const struct score_baseline *b, struct buf *out)
{
    int percent = (int)lround(100 * s->opts.confidence_level);

    buf_addf(out, "%s: %d problems, %d samples (%d for each problem expected), grader %s\n\n",
             s->opts.task_name, s->n_problems, s->n_rows, s->n_samples, s->grader->name);
    buf_addf(out, "accuracy %.2f   (%d of %d samples right)\n", 100 * s->accuracy,
             s->counts.n_right, s->n_rows);
    buf_addf(out, "  %d %% interval for\n", percent);
    add_interval(out, "these problems again", &s->these);
    add_interval(out, "problems like these", &s->like);
    if (isnan(s->accuracy_without_truncated))
        buf_addz(out, "  without truncated samples     none is left\n");
    else if (s->counts.n_truncated)
        buf_addf(out, "  without truncated samples     %6.2f\n",
                 100 * s->accuracy_without_truncated);
    if (s->high_bound - s->low_bound > 0)
        buf_addf(out, "  bounds: %.2f if all that is open were wrong, %.2f if right\n",
                 100 * s->low_bound, 100 * s->high_bound);
    add_counts(s, out);
    add_groups(s, percent, out);
    add_at_k(s, out);
    if (b) {
        buf_addf(
            out,
            "\nagainst %s (%.2f, %d problems in common): %+.2f, %d %% interval %+.2f to %+.2f, p = %.4f\n",
            b->path, 100 * b->accuracy, b->n_matched, 100 * b->paired.difference.value, percent,
            100 * b->paired.difference.low, 100 * b->paired.difference.high, b->paired.p_value);
        buf_addf(out, "  %d problems better, %d worse, %d equal\n", b->paired.n_better,
                 b->paired.n_worse, b->paired.n_equal);
        if (b->n_only_here || b->n_only_there)
            buf_addf(out, "  %d problems only here, %d only there are left out\n", b->n_only_here,
                     b->n_only_there);
    }
    add_problems(s, out);
}
