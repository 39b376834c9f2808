/* engine.c - plan, run, draw, commit.
 *
 * Order within a step: copy blocks that are about to be written by one of several owners; run the
 * model; fetch logits in slices, so that tokens x vocabulary never exists; draw; commit; append or
 * finish. A fork draws from its leader's row before anything is appended. */
#include "engine/engine.h"

#include <assert.h>
#include <math.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/thread.h"
#include "engine/batch_builder.h"

/* One row of logits and what to do with it. */
struct row_job {
    struct engine_seq *s;
    int row;
    int position;  /* prompt row: logits at this position speak about the next token; -1: a draw */
    int32_t drawn; /* prompt row: 1 if the next token was the likeliest, else 0 */
};

struct engine {
    struct model *model;
    struct engine_limits limits;
    int max_model_len, vocab_size, block_tokens;
    struct kv_pool *pool;
    struct scheduler *sched;
    struct batch_builder batch;
    struct pool *threads;
    struct sampler **samplers; /* one per thread */
    struct row_job *jobs;      /* those of the present step, in order of rows */
    int n_jobs;
    const float *slice; /* logits of rows [slice_row, ...) while drawing */
    int slice_row, slice_job;
    struct engine_seq **outputs;
    int n_outputs;
    struct engine_stats stats;
};

/* --- open ------------------------------------------------------------------------------------- */

static double gib(double n_bytes)
{
    return n_bytes / (1024.0 * 1024.0 * 1024.0);
}

/* How many blocks the cache gets: all that the memory allows, but no more than max_num_seqs
 * sequences of full length could use. */
static bool size_cache(struct engine *g, int *n_blocks, struct err *e)
{
    size_t left = 0, per_block = model_block_bytes(g->model);
    int64_t one = (g->max_model_len + g->block_tokens - 1) / g->block_tokens + 1;
    int64_t useful = (one - 1) * g->limits.max_num_seqs + 1, fit, n = g->limits.n_blocks;

    if (!model_memory_left(g->model, g->limits.memory_utilization, &left, e))
        return false;
    fit = (int64_t)(left / per_block);
    if (n == 0)
        n = MIN(useful, fit);
    n = MIN(n, (int64_t)INT32_MAX / g->block_tokens);
    if (n < one || (n > fit && g->limits.n_blocks > 0))
        return err_set(
            e, ERR_MEMORY,
            "the KV cache needs %.2f GiB for one sequence of max_model_len %d, and %.2f GiB are "
            "left "
            "(%.2f GiB of weights are loaded); the longest that fits is --max_model_len %lld; "
            "--gpu_memory_utilization (now %.2f) raises the share of memory that may be taken",
            gib((double)one * (double)per_block), g->max_model_len, gib((double)left),
            gib((double)model_weight_bytes(g->model)),
            (long long)MAX((MIN(n, fit) - 1) * g->block_tokens, 0), g->limits.memory_utilization);
    *n_blocks = (int)n;
    return true;
}

struct engine *engine_open(struct model *m, const struct engine_limits *l, struct err *e)
{
    struct engine *g = xcalloc(1, sizeof(*g));
    uint64_t fingerprint = model_fingerprint(m);
    size_t n_tokens = (size_t)l->max_num_batched_tokens, n_seqs = (size_t)l->max_num_seqs;
    struct sched_limits limits = {
        .max_num_seqs = l->max_num_seqs,
        .max_num_batched_tokens = l->max_num_batched_tokens,
        .max_chunk = l->max_chunk,
        .reserve_tokens = l->reserve_tokens,
        .aging_steps = l->aging_steps,
        .has_prefix_cache = l->has_prefix_cache,
        .hash_root = kv_hash_root(&fingerprint, sizeof(fingerprint)),
    };
    int n_blocks = 0;

    assert(l->max_num_seqs > 0 && l->max_num_batched_tokens > 0 && l->max_logits > 0);
    g->model = m;
    g->limits = *l;
    g->max_model_len = model_max_model_len(m);
    g->vocab_size = model_config(m)->vocab_size;
    g->block_tokens = model_block_tokens(m);
    if (!size_cache(g, &n_blocks, e) || !model_alloc_blocks(m, n_blocks, e))
        goto fail;
    g->pool = kv_pool_open(n_blocks, g->block_tokens, e);
    g->threads = g->pool ? pool_open(l->n_threads, e) : NULL;
    if (!g->threads)
        goto fail;
    (void)thread_flush_denormals(); /* as the workers do: a row's bits must not depend on who takes
                                       it */
    g->sched = scheduler_open(&limits, g->pool);
    batch_builder_init(&g->batch, l->max_num_batched_tokens, l->max_num_seqs,
                       (g->max_model_len + g->block_tokens - 1) / g->block_tokens,
                       model_config(m)->n_axes, g->block_tokens);
    g->samplers = xcalloc((size_t)pool_size(g->threads), sizeof(*g->samplers));
    for (int i = 0; i < pool_size(g->threads); i++)
        g->samplers[i] = sampler_open(g->vocab_size);
    g->jobs = xcalloc(n_tokens + n_seqs, sizeof(*g->jobs));
    g->outputs = xcalloc(n_seqs + 1, sizeof(struct engine_seq *));
    g->stats.n_blocks = n_blocks - 1;
    g->stats.block_tokens = g->block_tokens;
    return g;

fail:
    engine_close(g);
    return NULL;
}

void engine_close(struct engine *g)
{
    if (!g)
        return;
    if (g->sched) {
        while (scheduler_running(g->sched))
            engine_release(g, scheduler_running(g->sched)->owner);
        while (scheduler_waiting(g->sched))
            engine_release(g, scheduler_waiting(g->sched)->owner);
    }
    for (int i = 0; g->samplers && i < pool_size(g->threads); i++)
        sampler_close(g->samplers[i]);
    free(g->samplers);
    pool_close(g->threads);
    scheduler_close(g->sched);
    kv_pool_close(g->pool);
    batch_builder_clear(&g->batch);
    free(g->jobs);
    free(g->outputs);
    free(g);
}

/* --- add -------------------------------------------------------------------------------------- */

static void *copy_of(struct arena *a, const void *ptr, size_t n, size_t size)
{
    void *copy;

    if (n == 0)
        return NULL;
    copy = arena_array(a, n, size);
    memcpy(copy, ptr, n * size);
    return copy;
}

static void copy_params(struct engine_seq *s, const struct sample_params *p)
{
    struct arena *a = s->memory;
    struct token_seq *bad = copy_of(a, p->bad_words, (size_t)p->n_bad_words, sizeof(*bad));

    s->params = *p;
    s->params.bias_ids = copy_of(a, p->bias_ids, (size_t)p->n_bias, sizeof(int32_t));
    s->params.bias = copy_of(a, p->bias, (size_t)p->n_bias, sizeof(float));
    s->params.allowed_ids = copy_of(a, p->allowed_ids, (size_t)p->n_allowed_ids, sizeof(int32_t));
    for (int i = 0; i < p->n_bad_words; i++)
        bad[i].ids = copy_of(a, bad[i].ids, (size_t)bad[i].n, sizeof(int32_t));
    s->params.bad_words = bad;
    s->params.stop_ids = s->stop_ids;
    s->params.n_stop_ids = s->n_stop_ids;
}

static void set_stop_ids(struct engine_seq *s, const struct engine_request *r,
                         const struct model_config *c)
{
    s->stop_ids = arena_array(s->memory, (size_t)(r->n_stop_token_ids + c->n_eos_token_ids) + 1,
                              sizeof(int32_t));
    for (int i = 0; i < r->n_stop_token_ids; i++)
        s->stop_ids[s->n_stop_ids++] = r->stop_token_ids[i];
    s->n_own_stop_ids = s->n_stop_ids;
    for (int i = 0; i < c->n_eos_token_ids; i++)
        s->stop_ids[s->n_stop_ids++] = c->eos_token_ids[i];
}

/* Memory that is touched only as rows arrive, so that a long limit costs nothing. */
static bool table_init(struct logprob_table *t, int first, int cap, int n_top, struct err *e)
{
    size_t n = (size_t)MAX(cap, 1), n_all = n * (size_t)MAX(n_top, 1);

    *t = (struct logprob_table){.first = first, .cap = cap, .n_top = n_top};
    t->logprob = calloc(n, sizeof(*t->logprob));
    t->rank = calloc(n, sizeof(*t->rank));
    t->top_ids = calloc(n_all, sizeof(*t->top_ids));
    t->top_logprobs = calloc(n_all, sizeof(*t->top_logprobs));
    if (!t->logprob || !t->rank || !t->top_ids || !t->top_logprobs)
        return err_set(e, ERR_MEMORY, "no memory for %d x %d logprobs", cap, n_top + 1);
    return true;
}

static void table_clear(struct logprob_table *t)
{
    free(t->logprob);
    free(t->rank);
    free(t->top_ids);
    free(t->top_logprobs);
}

static bool check_request(const struct engine *g, const struct engine_request *r, struct err *e)
{
    if (r->n_prompt < 1)
        return err_set(e, ERR_INPUT, "the prompt has no tokens");
    if (r->is_score && r->n_prompt < 2)
        return err_set(e, ERR_INPUT, "a score needs a context of at least one token");
    if (r->n_prompt + !r->is_score > g->max_model_len)
        return err_set(
            e, ERR_INPUT,
            "the prompt has %d tokens; max_model_len is %d, and one output token must fit",
            r->n_prompt, g->max_model_len);
    for (int i = 0; i < r->n_prompt; i++)
        if (r->prompt_ids[i] < 0 || r->prompt_ids[i] >= g->vocab_size)
            return err_set(e, ERR_INPUT,
                           "token id %d at position %d is not in the vocabulary of %d",
                           r->prompt_ids[i], i, g->vocab_size);
    for (int i = 0; i < r->n_logprob_token_ids; i++)
        if (r->logprob_token_ids[i] < 0 || r->logprob_token_ids[i] >= g->vocab_size)
            return err_set(e, ERR_INPUT,
                           "logprob_token_ids holds %d, which is not in the vocabulary of %d",
                           r->logprob_token_ids[i], g->vocab_size);
    return true;
}

static struct engine_seq *make_seq(const struct engine *g, const struct engine_request *r)
{
    struct engine_seq *s = xcalloc(1, sizeof(*s));
    int room = g->max_model_len - r->n_prompt,
        max_tokens = r->max_tokens > 0 ? MIN(r->max_tokens, room) : room;

    s->memory = xcalloc(1, sizeof(*s->memory));
    arena_init(s->memory, 0);
    s->seq = seq_open(r->id, r->prompt_ids, r->n_prompt,
                      r->n_prompt + (r->is_score ? 0 : max_tokens), g->block_tokens);
    s->seq->owner = s;
    s->seq->priority = r->priority;
    s->seq->round = r->round;
    s->seq->is_score = r->is_score;
    s->ignore_eos = r->ignore_eos;
    s->grammar = r->grammar;
    s->stop_token_id = -1;
    s->is_greedy = true;
    s->user = r->user;
    return s;
}

struct engine_seq *engine_add(struct engine *g, const struct engine_request *r, struct err *e)
{
    int start = MIN(MAX(r->logprobs_start, 1), r->n_prompt);
    bool wants_prompt = r->is_score || r->n_prompt_logprobs >= 0;
    struct engine_seq *s;

    if (!check_request(g, r, e))
        return NULL;
    s = make_seq(g, r);
    thinking_init(&s->thinking, &r->thinking, r->prompt_ids, r->n_prompt);
    set_stop_ids(s, r, model_config(g->model));
    copy_params(s, &r->params);
    s->output.n_top = s->prompt.n_top = -1;
    if (wants_prompt) {
        s->seq->next_prompt_row = start - 1;
        if (!table_init(&s->prompt, start, r->n_prompt - start, MAX(r->n_prompt_logprobs, 0), e))
            goto fail;
    }
    s->logprob_ids = copy_of(s->memory, r->logprob_token_ids, (size_t)r->n_logprob_token_ids,
                             sizeof(*s->logprob_ids));
    if (!r->is_score && r->n_logprobs >= 0 &&
        !table_init(&s->output, r->n_prompt, s->seq->max_tokens - r->n_prompt,
                    s->logprob_ids ? r->n_logprob_token_ids : r->n_logprobs, e))
        goto fail;
    if (r->is_score && start == r->n_prompt) {
        err_set(e, ERR_INPUT, "a score needs at least one token after logprobs_start");
        goto fail;
    }
    scheduler_add(g->sched, s->seq);
    return s;

fail:
    s->seq->state = SEQ_FINISHED;
    engine_release(g, s);
    return NULL;
}

/* --- drawing ---------------------------------------------------------------------------------- */

/* The alternatives are those of ids, or the likeliest where that is NULL. Whether the token is the
 * likeliest, of equal ones the lowest id. */
static bool table_set(struct logprob_table *t, int at, const int32_t *ids, struct sampler *sampler,
                      const float *logits, int32_t token_id)
{
    struct row_logprobs row = {.top_ids = t->top_ids + (size_t)at * (size_t)MAX(t->n_top, 0),
                               .top_logprobs =
                                   t->top_logprobs + (size_t)at * (size_t)MAX(t->n_top, 0)};

    if (ids) {
        row.n_top = t->n_top;
        memcpy(row.top_ids, ids, (size_t)t->n_top * sizeof(*ids));
        sampler_logprobs_of_ids(sampler, logits, token_id, &row);
    } else {
        sampler_logprobs(sampler, logits, token_id, t->n_top, &row);
    }
    t->logprob[at] = row.logprob;
    t->rank[at] = row.rank;
    return row.is_best;
}

/* The mask of a grammar, whose state follows from what was drawn; false: no token fits it. */
static bool take_mask(struct engine_seq *s, struct sampler *sampler, struct sample_history *h)
{
    uint64_t *mask = sampler_mask(sampler);

    if (!s->grammar)
        return true;
    s->verdict =
        grammar_mask(s->grammar, &s->cursor, h->token_ids + h->n_prompt, h->n_tokens - h->n_prompt,
                     s->stop_ids + s->n_own_stop_ids, s->n_stop_ids - s->n_own_stop_ids, mask);
    h->mask = mask;
    return s->verdict == GRAMMAR_SOME;
}

/* Runs on any thread: writes to its own row's places only. */
static void run_job(void *ctx, int part, int worker)
{
    struct engine *g = ctx;
    struct row_job *job = &g->jobs[g->slice_job + part];
    const float *logits = g->slice + (size_t)(job->row - g->slice_row) * (size_t)g->vocab_size;
    struct engine_seq *s = job->s;
    const struct seq *q = s->seq;
    struct sample_history history = {q->token_ids, q->n_prompt, q->n_tokens, NULL};
    struct sampler *sampler = g->samplers[worker];
    int32_t forced = thinking_forced(&s->thinking);
    const struct sample_params only_forced = {
        .allowed_ids = &forced, .n_allowed_ids = 1, .repetition_penalty = 1};
    const struct sample_params *params = forced >= 0 ? &only_forced : &s->params;

    if (job->position >= 0) {
        job->drawn = table_set(&s->prompt, job->position + 1 - s->prompt.first, NULL, sampler,
                               logits, q->token_ids[job->position + 1]);
        return;
    }
    if (forced < 0 && !take_mask(s, sampler, &history))
        return;
    job->drawn = sampler_draw(sampler, params, &history, logits);
    if (s->output.n_top < 0 || job->drawn < 0)
        return;
    if (g->limits.processed_logprobs)
        logits = sampler_processed(sampler, params, &history, logits);
    (void)table_set(&s->output, q->n_tokens - q->n_prompt, s->logprob_ids, sampler, logits,
                    job->drawn);
}

/* Lists every row with its owner, by rows: leaders' rows rise with the items, and a fork's is
 * inserted. */
static void list_jobs(struct engine *g, const struct plan *p)
{
    g->n_jobs = 0;
    for (int i = 0; i < p->n_items; i++) {
        const struct plan_item *it = &p->items[i];
        int first = it->start + it->n_tokens - it->n_rows - it->draws;

        for (int k = 0; k < it->n_rows; k++)
            g->jobs[g->n_jobs++] = (struct row_job){it->q->owner, it->first_row + k, first + k, -1};
        if (it->draws) {
            struct row_job job = {it->q->owner, it->first_row + it->n_rows, -1, -1};
            int at = g->n_jobs++;

            for (; at > 0 && g->jobs[at - 1].row > job.row; at--)
                g->jobs[at] = g->jobs[at - 1];
            g->jobs[at] = job;
        }
    }
}

static bool draw_rows(struct engine *g, const struct plan *p, struct err *e)
{
    list_jobs(g, p);
    g->slice_job = 0;
    for (int row = 0; row < p->n_rows; row += g->limits.max_logits) {
        int n = MIN(p->n_rows - row, g->limits.max_logits), end = g->slice_job;
        int64_t began = clock_us(), drawing;
        float *logits;

        if (!model_logits(g->model, row, n, &logits, e))
            return false;
        drawing = clock_us();
        g->stats.forward_us += drawing - began; /* the last product is the model's */
        while (end < g->n_jobs && g->jobs[end].row < row + n)
            end++;
        g->slice = logits;
        g->slice_row = row;
        pool_for(g->threads, end - g->slice_job, run_job, g);
        g->stats.draw_us += clock_us() - drawing;
        g->slice_job = end;
    }
    return true;
}

/* --- after the step --------------------------------------------------------------------------- */

static void finish(struct engine *g, struct engine_seq *s, enum engine_finish why)
{
    if (s->finish != ENGINE_RUNNING)
        return;
    s->finish = why;
    scheduler_finish(g->sched, s->seq);
}

/* vLLM's order: end of sequence, stop ids, then the limit; nothing but the limit before min_tokens.
 */
static enum engine_finish why_finished(const struct engine_seq *s, int32_t token_id)
{
    int n_output = s->seq->n_tokens - s->seq->n_prompt;

    if (n_output >= s->params.min_tokens) {
        for (int i = s->n_own_stop_ids; i < s->n_stop_ids && !s->ignore_eos; i++)
            if (s->stop_ids[i] == token_id)
                return ENGINE_EOS;
        for (int i = 0; i < s->n_own_stop_ids; i++)
            if (s->stop_ids[i] == token_id)
                return ENGINE_STOP_TOKEN;
    }
    return s->seq->n_tokens >= s->seq->max_tokens ? ENGINE_LENGTH : ENGINE_RUNNING;
}

static void take_token(struct engine *g, struct engine_seq *s, int32_t token_id)
{
    enum engine_finish why;

    g->outputs[g->n_outputs++] = s;
    if (token_id < 0) {
        finish(g, s, ENGINE_NO_TOKEN);
        return;
    }
    seq_append(s->seq, token_id);
    thinking_take(&s->thinking, token_id);
    s->output.n += s->output.n_top >= 0;
    g->stats.n_drawn++;
    why = why_finished(s, token_id);
    if (why == ENGINE_STOP_TOKEN || why == ENGINE_EOS)
        s->stop_token_id = token_id;
    if (why != ENGINE_RUNNING)
        finish(g, s, why);
}

static void finish_score(struct engine *g, struct engine_seq *s)
{
    for (int i = 0; i < s->prompt.n; i++)
        s->score += (double)s->prompt.logprob[i];
    g->outputs[g->n_outputs++] = s;
    finish(g, s, isfinite(s->score) ? ENGINE_SCORED : ENGINE_NO_TOKEN);
}

static void take_results(struct engine *g, const struct plan *p)
{
    for (int i = 0; i < g->n_jobs; i++)
        if (g->jobs[i].position >= 0)
            g->jobs[i].s->is_greedy &= g->jobs[i].drawn == 1;
    for (int i = 0; i < p->n_items; i++) {
        const struct plan_item *it = &p->items[i];
        bool is_prefill = it->start + it->n_tokens <= it->q->n_prompt;

        it->q->owner->prompt.n += it->n_rows;
        *(is_prefill ? &g->stats.n_prefill_tokens : &g->stats.n_decode_tokens) +=
            (uint64_t)it->n_tokens;
        if (it->q->is_score && it->q->n_computed == seq_goal(it->q))
            finish_score(g, it->q->owner);
    }
    for (int i = 0; i < g->n_jobs; i++)
        if (g->jobs[i].position < 0)
            take_token(g, g->jobs[i].s, g->jobs[i].drawn);
}

static bool run_plan(struct engine *g, const struct plan *p, struct err *e)
{
    struct batch batch = batch_build(&g->batch, p);
    int64_t began = clock_us();

    if (p->n_copies > 0 && !model_copy_blocks(g->model, p->copies, p->n_copies, e))
        return false;
    if (!model_forward(g->model, &batch, e))
        return false;
    g->stats.forward_us += clock_us() - began;
    if (!draw_rows(g, p, e))
        return false;
    g->stats.n_steps++;
    scheduler_commit(g->sched, p);
    take_results(g, p);
    return true;
}

bool engine_step(struct engine *g, struct engine_seq ***outputs, int *n_outputs, struct err *e)
{
    const struct plan *p = scheduler_plan(g->sched);

    g->n_outputs = 0;
    g->stats.n_blocks_peak =
        MAX(g->stats.n_blocks_peak, g->stats.n_blocks - kv_pool_n_free(g->pool));
    if (p && p->n_tokens > 0 && !run_plan(g, p, e))
        return false;
    if (p && p->exhausted) {
        g->outputs[g->n_outputs++] = p->exhausted->owner;
        finish(g, p->exhausted->owner, ENGINE_EXHAUSTED);
    }
    *outputs = g->outputs;
    *n_outputs = g->n_outputs;
    return true;
}

/* --- the rest --------------------------------------------------------------------------------- */

bool engine_is_idle(const struct engine *g)
{
    return !scheduler_running(g->sched) && !scheduler_waiting(g->sched);
}

void engine_stop(struct engine *g, struct engine_seq *s, enum engine_finish why)
{
    finish(g, s, why);
}

void engine_release(struct engine *g, struct engine_seq *s)
{
    if (!s)
        return;
    scheduler_finish(g->sched, s->seq);
    seq_close(s->seq);
    table_clear(&s->output);
    table_clear(&s->prompt);
    arena_clear(s->memory);
    free(s->memory);
    free(s);
}

void engine_preempt_any(struct engine *g, uint32_t which)
{
    struct seq *q = scheduler_running(g->sched);
    struct sched_stats st;

    scheduler_stats(g->sched, &st);
    for (int i = st.n_running > 0 ? (int)(which % (uint32_t)st.n_running) : 0; q && i > 0; i--)
        q = q->next;
    if (q)
        scheduler_preempt(g->sched, q);
}

void engine_stats(const struct engine *g, struct engine_stats *out)
{
    *out = g->stats;
    scheduler_stats(g->sched, &out->sched);
    out->n_blocks_used = g->stats.n_blocks - kv_pool_n_free(g->pool);
}

bool engine_check(const struct engine *g, struct err *e)
{
    return scheduler_check(g->sched, e);
}
