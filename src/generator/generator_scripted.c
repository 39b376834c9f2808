/* generator_scripted.c - replies on a timetable.
 *
 * The whole reply of a request is known when it is submitted; polling hands it out token by token.
 *
 *   submit -> WAITING -- a place is free --> RUNNING -- last token --> (DONE handed out) -> freed
 *                +--- cancel, fault ------------+------> FAILED handed out --------------> freed
 *
 * A sequence whose last event was handed out stays until the next poll, since the event points into
 * it. Running sequences take turns, one token each, so that no stream starves. */
#include "generator/generator_scripted.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "formats/json.h"
#include "generator/scripted_fault.h"
#include "generator/scripted_reply.h"
#include "generator/scripted_text.h"

#define ROOM 65536 /* requests that may wait */

const struct opt scripted_table[] = {
    OPT_STR(struct scripted_opts, script, "",
            "replies from a JSONL file, matched by prompt or taken in turn"),
    OPT_CHOICE(struct scripted_opts, rule, "aime", "aime|echo",
               "replies made by rule, where no row of the script matches"),
    OPT_LIST(struct scripted_opts, answers,
             "JSONL with prompt and answer: what the aime rule takes for right"),
    OPT_REAL(struct scripted_opts, accuracy, "0.6", 0, 1,
             "mean share of right answers of the aime rule"),
    OPT_INT(struct scripted_opts, reply_tokens, "120", 0, 1000000,
            "mean length of the aime rule's reasoning"),
    OPT_REAL(struct scripted_opts, ttft_ms, "0", 0, 3600000, "delay before the first token"),
    OPT_REAL(struct scripted_opts, token_ms, "0", 0, 3600000, "delay before each further token"),
    OPT_INT(struct scripted_opts, max_num_seqs, "4096", 1, 1000000,
            "requests answered at the same time"),
    OPT_BOOL(struct scripted_opts, add_bos, "false",
             "the model wants a BOS token before text (add_special_tokens)"),
    OPT_LIST(struct scripted_opts, fault, "NAME[:PROBABILITY][@EVERY]: answer badly; see below"),
    OPT_I64(struct scripted_opts, fault_seed, "0", 0, 9.2e18, "seed of the faults' dice"),
    {0},
};

struct seq {
    struct arena arena;
    uint64_t id;
    bool is_score, streams, is_cancelled, is_over;
    int64_t priority, round;
    uint64_t order;
    uint64_t seed;
    struct str text; /* what the client sees, in full */
    struct token_list prompt, tokens;
    int n_truncated;        /* prompt tokens cut off */
    uint64_t prompt_digest; /* of all prompt tokens */
    uint64_t digest;        /* of the tokens handed out so far as well */
    int n_shown;            /* tokens handed out */
    size_t n_text;          /* bytes handed out */
    int n_logprobs, n_prompt_logprobs, logprobs_start;
    struct token_list wanted; /* logprob_token_ids */
    int64_t started_us, first_us, due_us;
    int max_tokens;
    bool is_clamped;
    enum finish_reason finish;
    struct str stop_text;
    int32_t stop_token_id;
    double score;
    bool is_greedy;
    enum fail_class fail_class;
    int http_status;
    struct err err;
    struct seq *next; /* waiting list */
};

struct scripted {
    struct generator base; /* first: a struct generator * is one of these */
    struct scripted_opts opts;
    char *model_name;
    struct reply_book *book;
    struct fault_plan *faults;
    struct json *info;
    int wake_fd;
    uint64_t n_submitted;

    struct seq **running;
    int n_running, cursor;
    struct seq *waiting;     /* by priority, round, order */
    struct seq *waiting_end; /* the last one, so that equals append at once */
    int n_waiting;
    struct seq *cancelled; /* while they waited */
    struct seq *spent;     /* their events were handed out; freed by the next poll */

    const struct fault *chosen; /* by scripted_wire_fault, for the next submit of chosen_id */
    uint64_t chosen_id;
    bool has_chosen;
    struct gen_stats stats;
};

static struct scripted *of(const struct generator *g)
{
    return (struct scripted *)(uintptr_t)g;
}

static void free_list(struct seq **list)
{
    while (*list) {
        struct seq *q = *list;

        *list = q->next;
        arena_clear(&q->arena);
        free(q);
    }
}

/* --- Submitting. ------------------------------------------------------------------------------ */

/* The last user message, or the prompt: what scripts match and rules answer. */
static struct str question_of(const struct gen_request *r, struct str prompt, struct arena *a)
{
    for (int i = r->kind == GEN_CHAT ? r->n_msgs - 1 : -1; i >= 0; i--) {
        struct buf text = {0};
        struct str out;

        if (!str_eqz(r->msgs[i].role, "user"))
            continue;
        for (int p = 0; p < r->msgs[i].n_parts; p++)
            if (r->msgs[i].parts[p].kind == PART_TEXT)
                buf_add_str(&text, r->msgs[i].parts[p].data);
        out = str_dup(a, buf_str(&text));
        buf_clear(&text);
        return out;
    }
    return prompt;
}

/* Greedy replies do not depend on the seed. */
static uint64_t effective_seed(struct scripted *s, const struct gen_request *r)
{
    if (r->sampling.has_seed)
        return r->sampling.seed;
    return siphash64(0x5eed, s->n_submitted, "", 0) >> 1;
}

static uint64_t attempt_key(struct str prompt, const struct gen_request *r)
{
    uint64_t seed = r->sampling.has_seed ? r->sampling.seed : UINT64_MAX;

    return siphash64(seed, (uint64_t)r->kind, prompt.ptr, prompt.len);
}

static void fail_seq(struct seq *q, enum fail_class c, int http_status, const char *words)
{
    q->fail_class = c;
    q->http_status = http_status;
    err_set(&q->err, c == FAIL_CONTEXT ? ERR_INPUT : ERR_REMOTE, "%s", words);
}

/* The answer's length in tokens under the context's limit; false: it fails. */
static bool fit_context(const struct scripted *s, struct seq *q, const struct gen_request *r)
{
    int left = s->base.max_model_len - q->prompt.n;
    int wanted = r->sampling.max_tokens > 0 ? r->sampling.max_tokens : MAX(left, 1);

    if (r->kind == GEN_SCORE)
        wanted = r->continuation_ids ? r->n_continuation_ids : (int)(r->continuation.len + 3) / 4;
    q->max_tokens = wanted;
    if (wanted <= left)
        return true;
    if (r->overlong == OVERLONG_CLAMP && left > 0 && r->kind != GEN_SCORE) {
        q->max_tokens = left;
        q->is_clamped = true;
        return true;
    }
    q->fail_class = FAIL_CONTEXT;
    q->http_status = 400;
    err_set(
        &q->err, ERR_INPUT,
        "This model's maximum context length is %d tokens. However, you requested %d tokens (%d in "
        "the "
        "messages, %d in the completion). Please reduce the length of the messages or completion.",
        s->base.max_model_len, q->prompt.n + wanted, q->prompt.n, wanted);
    return false;
}

/* Cuts the reply at the first stop string that is whole after min_tokens tokens, at a stop token,
 * at max_tokens. */
static void apply_limits(struct seq *q, const struct gen_request *r)
{
    const struct sampling *s = &r->sampling;
    size_t from =
        s->min_tokens > 0 && s->min_tokens < q->tokens.n ? q->tokens.ends[s->min_tokens - 1] : 0;
    size_t cut = q->text.len;
    int n = q->tokens.n;

    for (int i = 0; i < s->n_stop; i++) {
        ptrdiff_t at =
            s->stop[i].len > 0 && s->min_tokens < n ? str_find(q->text, s->stop[i], from) : -1;

        if (at >= 0 && (size_t)at < cut) {
            cut = (size_t)at;
            q->stop_text = str_dup(&q->arena, s->stop[i]);
        }
    }
    if (q->stop_text.len > 0) {
        size_t whole = cut + q->stop_text.len;

        for (n = 0; n < q->tokens.n && (n == 0 || q->tokens.ends[n - 1] < whole); n++)
            ;
        if (s->include_stop_str)
            cut = whole;
    }
    for (int t = s->min_tokens; t < n; t++)
        for (int i = 0; i < s->n_stop_token_ids; i++)
            if (q->tokens.ids[t] == s->stop_token_ids[i] && q->stop_token_id < 0) {
                q->stop_token_id = q->tokens.ids[t];
                n = t + 1;
                cut = s->include_stop_str ? q->tokens.ends[t] : t > 0 ? q->tokens.ends[t - 1] : 0;
                q->stop_text = STR("");
            }
    if (n > q->max_tokens) {
        n = q->max_tokens;
        cut = MIN(cut, (size_t)(n > 0 ? q->tokens.ends[n - 1] : 0));
        q->finish = FINISH_LENGTH;
        q->stop_text = STR("");
        q->stop_token_id = -1;
    }
    q->tokens.n = n;
    /* Tokens may end inside a character; what the client sees does not. */
    q->text.len = cut - utf8_unfinished(str_slice(q->text, 0, cut));
}

static void make_reply(struct scripted *s, struct seq *q, const struct gen_request *r,
                       struct str prompt, const struct fault *fault)
{
    bool is_fixed = r->sampling.temperature <= 0 || (fault && fault->kind == FAULT_DUPLICATE);
    struct reply reply = reply_book_find(s->book, question_of(r, prompt, &q->arena),
                                         is_fixed ? 0 : q->seed, &q->arena);
    struct buf text = {0};

    q->finish = reply.is_cut ? FINISH_LENGTH : FINISH_STOP;
    buf_add_str(&text, reply.text);
    if (fault && fault->kind == FAULT_EMPTY)
        buf_reset(&text);
    /* Without an end of sequence the reply goes on until something else ends it. */
    while (r->sampling.ignore_eos && text.len < 4 * (size_t)q->max_tokens && text.len < 1 << 26)
        buf_addz(&text, " and so on");
    q->text = str_dup(&q->arena, buf_str(&text));
    buf_clear(&text);
    scripted_encode(q->text, &q->arena, &q->tokens);
    if (fault && fault->kind == FAULT_LENGTH)
        q->max_tokens = MIN(q->max_tokens, MAX(1, q->tokens.n / 2));
    apply_limits(q, r);
}

static void score(struct seq *q, const struct gen_request *r)
{
    uint64_t d = q->prompt_digest;

    if (r->continuation_ids)
        for (int i = 0; i < r->n_continuation_ids; i++)
            scripted_push(&q->tokens, r->continuation_ids[i], 0, &q->arena);
    else
        scripted_encode(str_dup(&q->arena, r->continuation), &q->arena, &q->tokens);
    q->is_greedy = true;
    q->finish = FINISH_STOP;
    for (int i = 0; i < q->tokens.n; i++) {
        q->score += (double)scripted_logprob(d, q->tokens.ids[i]);
        q->is_greedy = q->is_greedy && scripted_is_likeliest(d, q->tokens.ids[i]);
        d = scripted_extend(d, q->tokens.ids[i]);
    }
}

static void truncate_prompt(const struct scripted *s, struct seq *q, const struct gen_request *r)
{
    int keep = r->truncate_prompt_tokens;

    if (keep < 0)
        keep = MAX(s->base.max_model_len - MAX(r->sampling.max_tokens, 1), 1);
    if (r->kind == GEN_SCORE || keep == 0 || keep >= q->prompt.n)
        return;
    q->n_truncated = q->prompt.n - keep;
    if (r->truncation_side == TRUNCATE_LEFT) {
        q->prompt.ids += q->n_truncated;
        q->prompt.ends += q->n_truncated;
    }
    q->prompt.n = q->prompt.cap = keep;
}

static void take_wanted(struct seq *q, const struct sampling *s)
{
    char piece[16];
    size_t n;

    for (int i = 0; i < s->n_logprob_token_ids; i++) {
        scripted_push(&q->wanted, s->logprob_token_ids[i], 0, &q->arena);
        if (q->fail_class == FAIL_NONE && !scripted_piece(s->logprob_token_ids[i], piece, &n)) {
            q->fail_class = FAIL_REQUEST;
            q->http_status = 400;
            err_set(&q->err, ERR_INPUT,
                    "logprob_token_ids holds %d, which is not in the vocabulary",
                    s->logprob_token_ids[i]);
        }
    }
}

static const struct fault *fault_of(struct scripted *s, const struct gen_request *r,
                                    struct str prompt)
{
    if (s->has_chosen && s->chosen_id == r->id) {
        s->has_chosen = false;
        return s->chosen;
    }
    return fault_plan_next(s->faults, attempt_key(prompt, r), STR(""));
}

static void prepare(struct scripted *s, struct seq *q, const struct gen_request *r)
{
    struct str prompt = STR("");
    const struct fault *fault;

    if (!scripted_prompt(r, s->opts.add_bos, &q->arena, &q->prompt, &prompt, &q->err)) {
        q->fail_class = FAIL_REQUEST;
        q->http_status = 400;
        return;
    }
    if (r->constraint.kind != CONSTRAINT_NONE) {
        fail_seq(q, FAIL_REQUEST, 400,
                 "the scripted generator does not obey constraints on the form of an answer");
        return;
    }
    truncate_prompt(s, q, r);
    take_wanted(q, &r->sampling);
    if (r->sampling.has_thinking_budget)
        fail_seq(q, FAIL_REQUEST, 400,
                 "thinking_token_budget needs a reasoning model, and this is a script");
    q->prompt_digest = SCRIPTED_START;
    for (int i = 0; i < q->prompt.n; i++)
        q->prompt_digest = scripted_extend(q->prompt_digest, q->prompt.ids[i]);
    q->digest = q->prompt_digest;
    fault = fault_of(s, r, prompt);
    if (fault && fault->kind == FAULT_WIRE && fault->fail_class != FAIL_NONE)
        fail_seq(q, fault->fail_class, fault->http_status, fault->help);
    if (fault && fault->kind == FAULT_CONTEXT)
        fail_seq(q, FAIL_CONTEXT, 400,
                 "This model's maximum context length is said to be exceeded (a fault on demand).");
    if (q->fail_class != FAIL_NONE || !fit_context(s, q, r))
        return;
    if (r->kind == GEN_SCORE)
        score(q, r);
    else
        make_reply(s, q, r, prompt, fault);
}

static bool comes_before(const struct seq *a, const struct seq *b)
{
    if (a->priority != b->priority)
        return a->priority < b->priority;
    if (a->round != b->round)
        return a->round < b->round;
    return a->order < b->order;
}

static void enqueue(struct scripted *s, struct seq *q)
{
    struct seq **at = &s->waiting;

    if (s->waiting_end && !comes_before(q, s->waiting_end))
        at = &s->waiting_end->next;
    while (*at && !comes_before(q, *at))
        at = &(*at)->next;
    q->next = *at;
    *at = q;
    if (!q->next)
        s->waiting_end = q;
    s->n_waiting++;
}

static bool scripted_submit(struct generator *g, const struct gen_request *r, struct err *e)
{
    struct scripted *s = of(g);
    struct seq *q;

    if (s->n_waiting >= ROOM)
        return err_set(e, ERR_BUSY, "%d requests are waiting already", s->n_waiting);
    q = xcalloc(1, sizeof(*q));
    arena_init(&q->arena, 0);
    q->id = r->id;
    q->is_score = r->kind == GEN_SCORE;
    q->streams = r->stream && r->kind != GEN_SCORE;
    q->priority = r->priority;
    q->round = r->round;
    q->order = s->n_submitted++;
    q->seed = effective_seed(s, r);
    q->n_logprobs = r->sampling.n_logprobs;
    q->n_prompt_logprobs = r->sampling.n_prompt_logprobs;
    q->logprobs_start = r->sampling.logprobs_start;
    q->stop_token_id = -1;
    q->started_us = clock_us();
    prepare(s, q, r);
    enqueue(s, q);
    return true;
}

/* --- Events. ---------------------------------------------------------------------------------- */

static int64_t token_us(const struct scripted *s, int n)
{
    return (int64_t)(s->opts.token_ms * 1000 * n);
}

static void admit(struct scripted *s, int64_t now)
{
    while (s->waiting && s->n_running < s->opts.max_num_seqs) {
        struct seq *q = s->waiting;

        s->waiting = q->next;
        if (!s->waiting)
            s->waiting_end = NULL;
        s->n_waiting--;
        q->next = NULL;
        q->due_us = now + (int64_t)(s->opts.ttft_ms * 1000);
        if (!q->streams && q->tokens.n > 1)
            q->due_us += token_us(s, q->tokens.n - 1);
        if (q->fail_class != FAIL_NONE)
            q->due_us = now;
        s->running[s->n_running++] = q;
    }
}

/* wanted: these instead of the n_top likeliest, unless it is empty. */
static const struct token_logprob *logprobs_of(struct seq *q, const struct token_list *t, int from,
                                               int to, uint64_t digest, int n_top,
                                               const struct token_list *wanted)
{
    struct token_logprob *out;

    if (n_top < 0 || to <= from)
        return NULL;
    out = arena_array(&q->arena, (size_t)(to - from), sizeof(*out));
    for (int i = from; i < to; i++) {
        out[i - from] = wanted->n > 0 ? scripted_logprobs_of_ids(digest, t->ids[i], wanted->ids,
                                                                 wanted->n, &q->arena)
                                      : scripted_alternatives(digest, t->ids[i], n_top, &q->arena);
        digest = scripted_extend(digest, t->ids[i]);
    }
    return out;
}

/* One token more, or as many as it takes to end a character. */
static void fill_delta(struct seq *q, struct gen_event *ev, int64_t now)
{
    int from = q->n_shown, to = from;
    size_t end = q->n_text;
    uint64_t digest = q->digest;

    while (to < q->tokens.n && end == q->n_text) {
        end = MIN((size_t)q->tokens.ends[to], q->text.len);
        end -= utf8_unfinished(str_slice(q->text, q->n_text, end));
        digest = scripted_extend(digest, q->tokens.ids[to]);
        to++;
    }
    if (q->first_us == 0)
        q->first_us = now;
    *ev = (struct gen_event){
        .id = q->id,
        .kind = GEN_DELTA,
        .text = str_slice(q->text, q->n_text, end),
        .token_ids = q->tokens.ids + from,
        .n_token_ids = to - from,
        .stop_token_id = -1,
        .n_prompt_tokens = q->prompt.n,
        .n_completion_tokens = to,
        .n_cached_tokens = -1,
        .n_reasoning_tokens = -1,
        .logprobs = logprobs_of(q, &q->tokens, from, to, q->digest, q->n_logprobs, &q->wanted),
        .n_logprobs = q->n_logprobs >= 0 ? to - from : 0,
        .n_attempts = 1,
    };
    q->n_shown = to;
    q->n_text = end;
    q->digest = digest;
}

static void fill_done(struct scripted *s, struct seq *q, struct gen_event *ev, int64_t now)
{
    bool failed = q->is_cancelled || q->fail_class != FAIL_NONE;
    int start = MIN(MAX(q->logprobs_start, 0), q->prompt.n);
    uint64_t digest = SCRIPTED_START;
    const struct token_list no_ids = {0};

    *ev = (struct gen_event){
        .id = q->id,
        .kind = failed ? GEN_FAILED : GEN_DONE,
        .finish_reason = q->finish,
        .finish_reason_text = STR(finish_reason_name(q->finish)),
        .stop_token_id = -1,
        .n_prompt_tokens = q->prompt.n,
        .n_cached_tokens = -1,
        .n_reasoning_tokens = -1,
        .n_truncated_tokens = q->n_truncated,
        .n_attempts = 1,
        .seed = q->seed,
        .model = STR(s->model_name),
        .latency_us = now - q->started_us,
        .first_token_us = q->first_us ? q->first_us - q->started_us : now - q->started_us,
    };
    s->stats.n_prompt_tokens += (uint64_t)q->prompt.n;
    if (failed) {
        s->stats.n_failed++;
        if (q->is_cancelled) {
            q->fail_class = FAIL_CANCELLED;
            err_clear(&q->err);
            err_set(&q->err, ERR_CANCELLED, "the request was cancelled");
        }
        ev->fail_class = q->fail_class;
        ev->http_status = q->http_status;
        ev->err = &q->err;
        ev->finish_reason = q->is_cancelled ? FINISH_ABORT : FINISH_NONE;
        ev->finish_reason_text = STR(finish_reason_name(ev->finish_reason));
        return;
    }
    s->stats.n_done++;
    s->stats.n_completion_tokens += (uint64_t)q->tokens.n;
    ev->text = q->is_score ? STR("") : q->text;
    ev->stop_text = q->stop_text;
    ev->stop_token_id = q->stop_token_id;
    ev->n_completion_tokens = q->tokens.n;
    ev->token_ids = q->tokens.ids;
    ev->n_token_ids = q->tokens.n;
    ev->prompt_ids = q->prompt.ids;
    ev->n_prompt_ids = q->prompt.n;
    ev->logprobs =
        logprobs_of(q, &q->tokens, 0, q->tokens.n, q->prompt_digest, q->n_logprobs, &q->wanted);
    ev->n_logprobs = q->n_logprobs >= 0 ? q->tokens.n : 0;
    for (int i = 0; i < start; i++)
        digest = scripted_extend(digest, q->prompt.ids[i]);
    ev->prompt_logprobs =
        logprobs_of(q, &q->prompt, start, q->prompt.n, digest, q->n_prompt_logprobs, &no_ids);
    ev->n_prompt_logprobs = q->n_prompt_logprobs >= 0 ? q->prompt.n - start : 0;
    ev->score = q->score;
    ev->is_greedy = q->is_greedy;
    ev->max_tokens = q->max_tokens;
    ev->is_clamped = q->is_clamped;
}

/* The next event of a sequence that is due. */
static void step(struct scripted *s, struct seq *q, struct gen_event *ev, int64_t now)
{
    bool lives = !q->is_cancelled && q->fail_class == FAIL_NONE;

    if (lives && q->streams && q->n_shown < q->tokens.n) {
        fill_delta(q, ev, now);
        q->due_us = q->n_shown < q->tokens.n ? q->due_us + token_us(s, 1) : now;
        return;
    }
    fill_done(s, q, ev, now);
    q->is_over = true;
}

/* One round over the running sequences from the cursor on, until the events are full. */
static int take_turns(struct scripted *s, struct gen_event *ev, int cap, int64_t now,
                      int64_t *next_due)
{
    int n = 0, seen = 0, todo = s->n_running;

    *next_due = INT64_MAX;
    while (n < cap && s->cancelled) {
        struct seq *q = s->cancelled;

        s->cancelled = q->next;
        step(s, q, &ev[n++], now);
        q->next = s->spent;
        s->spent = q;
    }
    while (n < cap && seen++ < todo && s->n_running > 0) {
        struct seq *q;

        if (s->cursor >= s->n_running)
            s->cursor = 0;
        q = s->running[s->cursor];
        if (q->due_us <= now || q->is_cancelled)
            step(s, q, &ev[n++], now);
        if (q->is_over) {
            s->running[s->cursor] = s->running[--s->n_running];
            q->next = s->spent;
            s->spent = q;
            continue;
        }
        *next_due = MIN(*next_due, q->due_us);
        s->cursor++;
    }
    return n;
}

static bool scripted_poll(struct generator *g, int timeout_ms, struct gen_event *ev, int cap,
                          int *n, struct err *e)
{
    struct scripted *s = of(g);
    int64_t end = clock_us() + timeout_ms * 1000LL, next_due;

    free_list(&s->spent);
    for (;;) {
        struct pollfd fd = {.fd = s->wake_fd, .events = POLLIN};
        int64_t now = clock_us(), wait;
        struct timespec ts;
        uint64_t count;

        admit(s, now);
        *n = take_turns(s, ev, cap, now, &next_due);
        if (*n > 0 || now >= end)
            return true;
        wait = MIN(MAX(next_due, now), end) - now;
        ts = (struct timespec){wait / 1000000, wait % 1000000 * 1000};
        if (ppoll(&fd, 1, &ts, NULL) < 0 && errno != EINTR)
            return err_set_errno(e, "the scripted generator cannot wait");
        if (fd.revents && read(s->wake_fd, &count, sizeof(count)) > 0)
            return true;
    }
}

static int scripted_room(const struct generator *g)
{
    return MAX(0, ROOM - of(g)->n_waiting);
}

/* The sequence fails at the next poll, also from the waiting list and without waiting for a place.
 */
static void scripted_cancel(struct generator *g, uint64_t id)
{
    struct scripted *s = of(g);

    for (int i = 0; i < s->n_running; i++)
        if (s->running[i]->id == id) {
            s->running[i]->is_cancelled = true;
            return;
        }
    for (struct seq **at = &s->waiting, *before = NULL; *at; before = *at, at = &(*at)->next) {
        struct seq *q = *at;

        if (q->id != id)
            continue;
        *at = q->next;
        if (s->waiting_end == q)
            s->waiting_end = before;
        s->n_waiting--;
        q->is_cancelled = true;
        q->next = s->cancelled;
        s->cancelled = q;
        return;
    }
}

static void scripted_wake(struct generator *g)
{
    uint64_t one = 1;

    if (write(of(g)->wake_fd, &one, sizeof(one)) < 0)
        return; /* the counter is full, so a wake-up is pending */
}

static void scripted_stats(const struct generator *g, struct gen_stats *out)
{
    const struct scripted *s = of(g);

    *out = s->stats;
    out->n_running = s->n_running;
    out->n_waiting = s->n_waiting;
}

static void scripted_close(struct generator *g)
{
    struct scripted *s = of(g);

    for (int i = 0; i < s->n_running; i++)
        free_list(&s->running[i]);
    free_list(&s->waiting);
    free_list(&s->cancelled);
    free_list(&s->spent);
    reply_book_close(s->book);
    fault_plan_close(s->faults);
    json_close(s->info);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    free(s->running);
    free(s->model_name);
    free(s);
}

/* --- Text to tokens and back. ----------------------------------------------------------------- */

static bool text_encode(const struct generator *g, struct str text, bool add_special_tokens,
                        struct arena *a, int32_t **ids, int *n, struct err *e)
{
    struct token_list t = {0};

    if (add_special_tokens && of(g)->opts.add_bos)
        scripted_push(&t, SCRIPTED_BOS, 0, a);
    scripted_encode(text, a, &t);
    *ids = t.ids;
    *n = t.n;
    return true;
}

static bool text_encode_chat(const struct generator *g, const struct gen_request *chat,
                             struct arena *a, int32_t **ids, int *n, struct str *rendered,
                             struct err *e)
{
    *rendered = scripted_render(chat, a);
    return text_encode(g, *rendered, chat->add_special_tokens, a, ids, n, e);
}

static bool text_decode(const struct generator *g, const int32_t *ids, int n,
                        bool skip_special_tokens, struct arena *a, struct str *text, struct err *e)
{
    return scripted_decode(ids, n, skip_special_tokens, a, text, e);
}

static const struct json *text_info(const struct generator *g)
{
    return of(g)->info;
}

static struct json *make_info(void)
{
    struct json *info = json_new_object();

    json_set(info, "tokenizer_class", json_new_str(STR("ScriptedTokenizer")));
    json_set(info, "bos_token", json_new_str(STR("<s>")));
    json_set(info, "eos_token", json_new_str(STR("</s>")));
    json_set(info, "pad_token", json_new_str(STR("</s>")));
    json_set(info, "chat_template",
             json_new_str(
                 STR("{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}<|end|>\n{% endfor %}"
                     "{% if add_generation_prompt %}<|assistant|>\n{% endif %}")));
    return info;
}

static const struct generator_text_ops text_ops = {
    .encode = text_encode,
    .encode_chat = text_encode_chat,
    .decode = text_decode,
    .tokenizer_info = text_info,
};

static const struct generator_ops scripted_ops = {
    .name = "scripted",
    .room = scripted_room,
    .submit = scripted_submit,
    .poll = scripted_poll,
    .cancel = scripted_cancel,
    .wake = scripted_wake,
    .stats = scripted_stats,
    .close = scripted_close,
};

struct generator *generator_scripted_open(const struct scripted_opts *o, const char *model_name,
                                          int max_model_len, struct err *e)
{
    struct scripted *s = xcalloc(1, sizeof(*s));
    struct reply_book_opts book = {.script = o->script,
                                   .rule = o->rule,
                                   .answers = o->answers,
                                   .accuracy = o->accuracy,
                                   .reply_tokens = o->reply_tokens};

    s->opts = *o;
    s->model_name = xstrdup(model_name);
    s->base = (struct generator){.ops = &scripted_ops,
                                 .text = &text_ops,
                                 .model_name = s->model_name,
                                 .max_model_len = max_model_len,
                                 .can_score = true,
                                 .accepts_images = true};
    s->running = xcalloc((size_t)o->max_num_seqs, sizeof(struct seq *));
    s->info = make_info();
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (s->wake_fd < 0) {
        err_set_errno(e, "eventfd");
        goto fail;
    }
    s->book = reply_book_open(&book, e);
    s->faults = s->book ? fault_plan_open(&o->fault, o->fault_seed, e) : NULL;
    if (!s->faults)
        goto fail;
    return &s->base;

fail:
    scripted_close(&s->base);
    return NULL;
}

const char *scripted_wire_fault(struct generator *g, const struct gen_request *r, struct str wanted)
{
    struct scripted *s = of(g);
    struct arena a;
    struct token_list ids = {0};
    struct str prompt = STR("");
    struct err e = ERR_INIT;
    const struct fault *f;

    arena_init(&a, 0);
    if (!scripted_prompt(r, s->opts.add_bos, &a, &ids, &prompt, &e))
        prompt = STR(""); /* the submit that follows reports it */
    f = fault_plan_next(s->faults, attempt_key(prompt, r), wanted);
    arena_clear(&a);
    s->has_chosen = true;
    s->chosen_id = r->id;
    s->chosen = f && f->kind != FAULT_WIRE ? f : NULL;
    return f && f->kind == FAULT_WIRE ? f->name : NULL;
}

const char *scripted_fault_name(int i, bool *is_wire, const char **help)
{
    const struct fault *f = fault_at(i);

    if (!f)
        return NULL;
    *is_wire = f->kind == FAULT_WIRE;
    *help = f->help;
    return f->name;
}
