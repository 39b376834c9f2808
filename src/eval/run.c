/* run.c - see run.h. A job's id is round * n_docs + doc, counted over all tasks, and says where an
 * answer belongs. Rounds are sent one after another; within a round, once two are out, the problems
 * whose answers have been longest go first, so that what ends a run is short. */
#include "eval/run.h"

#include <math.h>
#include <signal.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "eval/progress.h"
#include "eval/store.h"

enum { POLL_MS = 500, N_EVENTS = 256, N_FAILURES_SHOWN = 5 };

enum { FIRST_ORDERED_ROUND = 2 };

/* A problem's answers so far, of this process. */
struct lengths {
    int64_t n_tokens;
    int n_answers;
};

enum job_state { JOB_UNSENT, JOB_UNDER_WAY, JOB_ENDED };

/* How many problems of a task have each round's sample. */
struct rounds {
    int *n_stored; /* [n_samples] */
    int n_done;    /* rounds that are complete, and all before them */
};

struct run {
    struct run_task *tasks;
    struct rounds *rounds; /* [n_tasks] */
    int n_tasks;
    const struct run_opts *o;
    struct generator *g;
    struct run_result *result;
    int64_t n_docs;          /* of all tasks */
    int64_t n_ids;           /* n_docs * most samples; some stand for no job */
    unsigned char *jobs;     /* [n_ids], enum job_state */
    int64_t n_passed;        /* places of the queue that were sent or had nothing to send */
    int32_t *order;          /* [n_docs] the problems of the round that is being sent */
    struct lengths *lengths; /* [n_docs] */
    int64_t n_under_way, n_in_a_row;
    bool is_ending; /* nothing more is sent */
    struct arena arena;
    struct progress progress;
};

static volatile sig_atomic_t n_signals; /* a handler has no other place */
static struct generator *signalled;

static void on_signal(int number)
{
    (void)number;
    if (++n_signals > 1)
        _exit(130);
    if (signalled)
        generator_wake(signalled);
}

void run_catch_signals(struct generator *g)
{
    struct sigaction action = {.sa_handler = g ? on_signal : SIG_DFL};

    signalled = g;
    n_signals = 0;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

struct place {
    struct run_task *task;
    int doc, sample;
};

static struct place place_of(const struct run *r, int64_t id)
{
    int64_t doc = id % r->n_docs;
    int i = 0;

    while (doc >= r->tasks[i].n_docs)
        doc -= r->tasks[i++].n_docs;
    return (struct place){&r->tasks[i], (int)doc, (int)(id / r->n_docs)};
}

static bool is_job(const struct place *p)
{
    return p->sample < p->task->n_samples;
}

static bool send_job(struct run *r, int64_t id, struct err *e)
{
    struct place p = place_of(r, id);
    struct gen_request q = {0};

    arena_reset(&r->arena);
    if (!p.task->request(p.task->ctx, p.doc, p.sample, &r->arena, &q, e))
        return false;
    q.id = (uint64_t)id;
    q.round = p.sample;
    if (!generator_submit(r->g, &q, e))
        return false;
    r->jobs[id] = JOB_UNDER_WAY;
    r->n_under_way++;
    return true;
}

struct expected {
    double n_tokens;
    int32_t doc;
};

/* Longest first; equal ones, and those of which nothing is known, in their own order in front. */
static int compare_expected(const void *a, const void *b)
{
    const struct expected *x = a, *y = b;

    if (x->n_tokens != y->n_tokens)
        return x->n_tokens > y->n_tokens ? -1 : 1;
    return (x->doc > y->doc) - (x->doc < y->doc);
}

static void order_round(struct run *r)
{
    struct expected *all = xcalloc((size_t)r->n_docs, sizeof(*all));

    for (int32_t d = 0; d < r->n_docs; d++) {
        const struct lengths *l = &r->lengths[d];

        all[d] =
            (struct expected){l->n_answers > 0 ? (double)l->n_tokens / l->n_answers : INFINITY, d};
    }
    qsort(all, (size_t)r->n_docs, sizeof(*all), compare_expected);
    for (int32_t d = 0; d < r->n_docs; d++)
        r->order[d] = all[d].doc;
    free(all);
}

/* Beyond what runs at once, a waiting round keeps the generator busy; more would fix the order too
 * early. */
static bool has_room(const struct run *r)
{
    int n = r->g->max_running;

    return generator_room(r->g) > 0 && (n == 0 || r->n_under_way < 2 * (int64_t)n);
}

static bool send_jobs(struct run *r, struct err *e)
{
    while (!r->is_ending && r->n_passed < r->n_ids && has_room(r)) {
        int64_t round = r->n_passed / r->n_docs, at = r->n_passed % r->n_docs, id;
        struct place p;

        if (at == 0 && round >= FIRST_ORDERED_ROUND)
            order_round(r);
        id = round * r->n_docs + r->order[at];
        p = place_of(r, id);
        if (is_job(&p) && !store_has(p.task->store, p.doc, p.sample) && !send_job(r, id, e))
            return false;
        r->n_passed++;
    }
    return true;
}

static void end_run(struct run *r, enum run_end end)
{
    if (r->is_ending)
        return;
    r->is_ending = true;
    r->result->end = end;
    progress_hide(&r->progress);
    for (int64_t id = 0; id < r->n_ids; id++)
        if (r->jobs[id] == JOB_UNDER_WAY)
            generator_cancel(r->g, (uint64_t)id);
}

static void count_round(struct run *r, const struct place *p)
{
    struct rounds *rounds = &r->rounds[p->task - r->tasks];
    int before = rounds->n_done;

    rounds->n_stored[p->sample]++;
    while (rounds->n_done < p->task->n_samples &&
           rounds->n_stored[rounds->n_done] == p->task->n_docs)
        rounds->n_done++;
    if (rounds->n_done > before && p->task->round_done)
        p->task->round_done(p->task->ctx, rounds->n_done);
}

static bool take_answer(struct run *r, const struct place *p, const struct gen_event *ev,
                        struct err *e)
{
    struct run_result *s = r->result;
    struct lengths *l = &r->lengths[(int64_t)ev->id % r->n_docs];

    if (!store_append(p->task->store, p->doc, p->sample, ev, e))
        return false;
    s->n_stored++;
    s->n_prompt_tokens += MAX(0, ev->n_prompt_tokens);
    s->n_completion_tokens += MAX(0, ev->n_completion_tokens);
    s->n_reasoning_only += ev->text.len == 0 && ev->reasoning.len > 0;
    l->n_tokens += MAX(0, ev->n_completion_tokens);
    l->n_answers++;
    progress_answer(&r->progress, ev->n_completion_tokens);
    count_round(r, p);
    r->n_in_a_row = 0;
    return true;
}

static void take_failure(struct run *r, const struct place *p, const struct gen_event *ev)
{
    struct run_result *s = r->result;
    const char *words = ev->err ? ev->err->msg : "";

    if (r->is_ending && ev->fail_class == FAIL_CANCELLED)
        return;
    s->n_failed++;
    s->n_by_class[ev->fail_class]++;
    r->n_in_a_row +=
        ev->fail_class != FAIL_CONTEXT; /* a long prompt says nothing about the next one */
    if (s->n_failed <= N_FAILURES_SHOWN) {
        progress_hide(&r->progress);
        log_warn("doc_id %s, sample %d failed: %s", p->task->doc_name(p->task->ctx, p->doc),
                 p->sample, words);
        if (s->n_failed == N_FAILURES_SHOWN)
            log_warn("further failures are only counted");
    }
    if (r->is_ending)
        return;
    if (r->o->max_consecutive_failures > 0 && r->n_in_a_row >= r->o->max_consecutive_failures)
        snprintf(s->why, sizeof(s->why), "%lld samples in a row failed, the last by: %.150s",
                 (long long)r->n_in_a_row, words);
    else if (r->o->max_failures > 0 && s->n_failed >= r->o->max_failures)
        snprintf(s->why, sizeof(s->why), "%lld samples failed, the last by: %.150s",
                 (long long)s->n_failed, words);
    if (s->why[0])
        end_run(r, RUN_STOPPED);
}

static bool take_event(struct run *r, const struct gen_event *ev, struct err *e)
{
    struct place p;

    if (ev->kind == GEN_DELTA)
        return true;
    p = place_of(r, (int64_t)ev->id);
    r->jobs[ev->id] = JOB_ENDED;
    r->n_under_way--;
    if (ev->kind == GEN_DONE)
        return take_answer(r, &p, ev, e);
    take_failure(r, &p, ev);
    return true;
}

static bool tick(struct run *r, struct err *e)
{
    struct gen_stats stats;

    for (int i = 0; i < r->n_tasks; i++)
        if (!store_tick(r->tasks[i].store, e))
            return false;
    if (!progress_is_due(&r->progress, clock_ms()))
        return true;
    generator_stats(r->g, &stats);
    progress_show(&r->progress, r->result, &stats, clock_ms());
    return true;
}

static bool run_all(struct run *r, struct err *e)
{
    struct gen_event events[N_EVENTS];
    int n;

    for (;;) {
        if (n_signals > 0)
            end_run(r, RUN_INTERRUPTED);
        if (!send_jobs(r, e))
            return false;
        if (r->n_under_way == 0 && (r->is_ending || r->n_passed == r->n_ids))
            return true;
        if (!generator_poll(r->g, POLL_MS, events, N_EVENTS, &n, e))
            return false;
        for (int i = 0; i < n; i++)
            if (!take_event(r, &events[i], e))
                return false;
        if (!tick(r, e))
            return false;
    }
}

static void count_jobs(struct run *r)
{
    int most_samples = 0;

    for (int i = 0; i < r->n_tasks; i++) {
        const struct run_task *t = &r->tasks[i];
        struct store_counts counts;

        r->n_docs += t->n_docs;
        r->result->n_jobs += (int64_t)t->n_docs * t->n_samples;
        most_samples = MAX(most_samples, t->n_samples);
        store_counts(t->store, &counts);
        r->result->n_found += counts.n_rows;
    }
    r->n_ids = r->n_docs * most_samples;
}

static void open_rounds(struct run *r)
{
    r->rounds = xcalloc((size_t)r->n_tasks, sizeof(*r->rounds));
    for (int i = 0; i < r->n_tasks; i++) {
        const struct run_task *t = &r->tasks[i];
        struct rounds *rounds = &r->rounds[i];

        rounds->n_stored = xcalloc((size_t)t->n_samples, sizeof(int));
        for (int sample = 0; sample < t->n_samples; sample++)
            for (int doc = 0; doc < t->n_docs; doc++)
                rounds->n_stored[sample] += store_has(t->store, doc, sample);
        while (rounds->n_done < t->n_samples && rounds->n_stored[rounds->n_done] == t->n_docs)
            rounds->n_done++;
    }
}

static void close_rounds(struct run *r)
{
    for (int i = 0; i < r->n_tasks; i++)
        free(r->rounds[i].n_stored);
    free(r->rounds);
}

bool run_jobs(struct run_task *tasks, int n_tasks, const struct run_opts *o, struct generator *g,
              struct run_result *result, struct err *e)
{
    struct run r = {.tasks = tasks, .n_tasks = n_tasks, .o = o, .g = g, .result = result};
    int64_t began = clock_ms();
    bool ok;

    *result = (struct run_result){.end = RUN_COMPLETE};
    arena_init(&r.arena, 0);
    count_jobs(&r);
    r.jobs = xcalloc((size_t)MAX(1, r.n_ids), 1);
    r.order = xcalloc((size_t)MAX(1, r.n_docs), sizeof(*r.order));
    r.lengths = xcalloc((size_t)MAX(1, r.n_docs), sizeof(*r.lengths));
    for (int32_t d = 0; d < r.n_docs; d++)
        r.order[d] = d;
    open_rounds(&r);
    progress_init(&r.progress, STDERR_FILENO, began);
    ok = run_all(&r, e);
    if (!ok)
        result->end = RUN_BROKEN;
    progress_hide(&r.progress);
    result->elapsed_ms = clock_ms() - began;
    close_rounds(&r);
    free(r.lengths);
    free(r.order);
    free(r.jobs);
    arena_clear(&r.arena);
    return ok;
}
