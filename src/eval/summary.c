/* summary.c - see summary.h. */
#include "eval/summary.h"

#include <math.h>

#include "eval/progress.h"
#include "eval/run_summary.h"
#include "formats/json.h"

/* A published figure comes without its samples. Its own noise is taken to be as large as ours on
 * these problems, which is what as many samples of an equally good model would have. */
static void add_published(const struct summary *s, const struct score *score, struct buf *out)
{
    struct str task = STR(score->opts.task_name);
    ptrdiff_t slash = str_rfind(task, STR("/"));
    double half = (score->these.high - score->these.low) / 2 * sqrt(2) * 100;
    int n;
    const struct published_figure *const *f = published_find(
        s->published, STR(s->model), str_slice(task, (size_t)(slash + 1), task.len), &n);

    for (int i = 0; i < n; i++) {
        double difference = 100 * score->accuracy - f[i]->accuracy;

        buf_addf(out,
                 "- published by " STR_FMT
                 ": %.2f; here %+.2f, interval of the difference %+.2f to %+.2f if theirs has "
                 "the same sampling noise\n",
                 STR_ARG(f[i]->reported_by), f[i]->accuracy, difference, difference - half,
                 difference + half);
    }
}

static void add_groups(const struct score *s, struct buf *out)
{
    if (s->n_groups == 0)
        return;
    buf_addf(
        out,
        "\n| %s | accuracy | problems like these | problems | samples |\n| --- | --: | --: | --: | --: |\n",
        s->opts.group_key);
    for (int i = 0; i < s->n_groups; i++) {
        const struct score_group *g = &s->groups[i];

        buf_addf(out, "| " STR_FMT " | %.2f | %.2f - %.2f%s | %d | %d |\n", STR_ARG(g->name),
                 100.0 * g->n_right / g->n_rows, 100 * g->like.low, 100 * g->like.high,
                 g->like.is_conservative ? " (conservative)" : "", g->n_problems, g->n_rows);
    }
}

static void add_at_k(const struct score *s, struct buf *out)
{
    buf_addz(out, "\n| k | pass@k | maj@k |\n| --: | --: | --: |\n");
    for (int k = 1; k <= s->n_k; k = k < s->n_k && 2 * k > s->n_k ? s->n_k : 2 * k)
        buf_addf(out, "| %d | %.2f ± %.2f | %.2f ± %.2f |\n", k, 100 * s->pass[k - 1].value,
                 100 * s->pass[k - 1].stderr_, 100 * s->maj[k - 1].value,
                 100 * s->maj[k - 1].stderr_);
}

static void add_task(const struct summary *s, const struct score *score, struct buf *out)
{
    const struct score_counts *c = &score->counts;

    buf_addf(out, "\n## %s\n\n", score->opts.task_name);
    buf_addf(out, "**%.2f %%** of %d samples (%d problems x %d)\n\n", 100 * score->accuracy,
             score->n_rows, score->n_problems, score->n_samples);
    buf_addf(out, "- these problems again: %.2f - %.2f%s\n", 100 * score->these.low,
             100 * score->these.high, score->these.is_conservative ? " (conservative)" : "");
    buf_addf(out, "- problems like these: %.2f - %.2f%s\n", 100 * score->like.low,
             100 * score->like.high, score->like.is_conservative ? " (conservative)" : "");
    buf_addf(out, "- cut off by the token limit, not right: %d (%.1f %%)", c->n_truncated,
             100.0 * c->n_truncated / score->n_rows);
    if (c->n_truncated_with_gold)
        buf_addf(out, ", %d with the gold where they were cut", c->n_truncated_with_gold);
    if (isnan(score->accuracy_without_truncated))
        buf_addz(out, "; none is left without them\n");
    else
        buf_addf(out, "; accuracy without them %.2f\n", 100 * score->accuracy_without_truncated);
    if (score->high_bound > score->low_bound)
        buf_addf(
            out,
            "- %.2f if all that is open (missing, cut off, undecided) were wrong, %.2f if right\n",
            100 * score->low_bound, 100 * score->high_bound);
    buf_addf(out, "- undecided %d, no answer found %d, empty %d, missing %d\n", c->n_unknown,
             c->n_nothing_extracted, c->n_empty, c->n_missing);
    if (s->published)
        add_published(s, score, out);
    add_groups(score, out);
    add_at_k(score, out);
}

static void add_parameter(void *ctx, const struct opt *o, struct str value)
{
    if (value.len)
        buf_addf(ctx, "| `%s` | " STR_FMT " |\n", o->name, STR_ARG(value));
}

void summary_write_markdown(const struct summary *s, struct buf *out)
{
    const struct run_result *r = s->run;
    const struct score *first = NULL;

    for (int i = s->n_tasks; i-- > 0;)
        first = s->scores[i] ? s->scores[i] : first;
    buf_addf(out, "# %s\n\n", s->model);
    buf_addf(
        out,
        "| task | accuracy | %d %% interval, problems like these | pass@%d | maj@%d |\n| --- | --: | --: | --: | --: |\n",
        first ? (int)lround(100 * first->opts.confidence_level) : 95, first ? first->n_k : 1,
        first ? first->n_k : 1);
    for (int i = 0; i < s->n_tasks; i++) {
        const struct score *q = s->scores[i];

        if (q)
            buf_addf(out, "| %s | %.2f | %.2f - %.2f | %.2f | %.2f |\n", q->opts.task_name,
                     100 * q->accuracy, 100 * q->like.low, 100 * q->like.high,
                     100 * q->pass[q->n_k - 1].value, 100 * q->maj[q->n_k - 1].value);
        else
            buf_addf(out, "| %s | no answers | | | |\n", s->tasks[i]);
    }
    for (int i = 0; i < s->n_tasks; i++)
        if (s->scores[i])
            add_task(s, s->scores[i], out);
        else
            buf_addf(out, "\n## %s\n\nno answer is stored: all samples failed\n", s->tasks[i]);
    buf_addz(out, "\n## Run\n\n- time: ");
    progress_duration(out, r->elapsed_ms);
    buf_addf(out, "\n- samples of this run: %lld (%lld were stored before, %lld failed)\n",
             (long long)r->n_stored, (long long)r->n_found, (long long)r->n_failed);
    run_summary_failures(out, "- failed by: ", r);
    buf_addf(out, "- tokens of this run: %lld prompt, %lld completion",
             (long long)r->n_prompt_tokens, (long long)r->n_completion_tokens);
    if (r->elapsed_ms > 0)
        buf_addf(out, ", %.0f completion tokens/s",
                 (double)r->n_completion_tokens * 1000 / (double)r->elapsed_ms);
    buf_addf(out, "\n- answers from: %s\n- llmeval " LLMEVAL_VERSION "\n", s->engine);
    buf_addz(out, "\n| parameter | value |\n| --- | --- |\n");
    opts_each(s->groups, s->n_groups, add_parameter, out);
}

static void set_parameter(void *ctx, const struct opt *o, struct str value)
{
    struct json *parameters = ctx, *list;

    if (o->type != OPT_TYPE_LIST) {
        json_set(parameters, o->name, json_new_str(value));
        return;
    }
    list = json_get(parameters, o->name);
    if (!list) {
        list = json_new_array();
        json_set(parameters, o->name, list);
    }
    json_push(list, json_new_str(value));
}

void summary_write_json(const struct summary *s, struct buf *out)
{
    struct json *m = json_new_object(), *tasks = json_new_object(), *run = json_new_object(),
                *parameters = json_new_object();

    json_set(m, "llmeval_version", json_new_str(STR(LLMEVAL_VERSION)));
    json_set(m, "model", json_new_str(STR(s->model)));
    json_set(m, "answers_from", json_new_str(STR(s->engine)));
    for (int i = 0; i < s->n_tasks; i++) {
        struct buf text = {0};
        struct err e = ERR_INIT;

        if (s->scores[i])
            score_write_json(s->scores[i], NULL, &text);
        else
            buf_addz(&text, "null");
        json_set(tasks, s->tasks[i], json_parse(buf_str(&text), &e));
        buf_clear(&text);
    }
    json_set(m, "tasks", tasks);
    json_set(run, "elapsed_ms", json_new_int(s->run->elapsed_ms));
    json_set(run, "samples_stored", json_new_int(s->run->n_stored));
    json_set(run, "samples_found", json_new_int(s->run->n_found));
    json_set(run, "samples_failed", json_new_int(s->run->n_failed));
    json_set(run, "prompt_tokens", json_new_int(s->run->n_prompt_tokens));
    json_set(run, "completion_tokens", json_new_int(s->run->n_completion_tokens));
    json_set(m, "run", run);
    opts_each(s->groups, s->n_groups, set_parameter, parameters);
    json_set(m, "parameters", parameters);
    json_write_indent(out, m, 2);
    buf_addc(out, '\n');
    json_close(m);
}
