/* run_jobs over the scripted generator, in one process: what is sent, in which order, with which
 * seeds, and when it stops. */
#include "test.h"

#include <signal.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "eval/run.h"
#include "eval/store.h"
#include "formats/json.h"
#include "formats/jsonl.h"
#include "generator/generator_scripted.h"
#include "task/docs.h"

static char folder[64], input[96], output[96];
static struct docs *docs;
static const struct docs_keys keys = {"prompt", "answer", NULL, NULL};

/* A generator that hands everything on to another and keeps a diary. */
struct diary {
    struct generator base;
    struct generator *inner;
    int n_submitted, n_open, rounds[64], fail_from, fail_to; /* submissions in [from, to) fail */
    uint64_t seeds[64], failed_id[64];
    int n_failed, raise_at, most_open, docs[64];
    uint64_t last_id;
    enum fail_class fail_class;
    struct err err;
};

static struct diary *diary_of(const struct generator *g)
{
    return (struct diary *)(uintptr_t)g;
}

static int diary_room(const struct generator *g)
{
    return 4 - diary_of(g)->n_open;
}

static bool diary_submit(struct generator *g, const struct gen_request *r, struct err *e)
{
    struct diary *d = diary_of(g);
    int n = d->n_submitted++;

    d->n_open++;
    d->most_open = MAX(d->most_open, d->n_open);
    if (n < (int)LEN(d->rounds)) {
        d->rounds[n] = r->round;
        d->seeds[n] = r->sampling.seed;
    }
    if (n + 1 == d->raise_at)
        raise(SIGINT);
    if (n >= d->fail_from && n < d->fail_to) {
        d->failed_id[d->n_failed++] = r->id;
        return true;
    }
    return generator_submit(d->inner, r, e);
}

static bool diary_poll(struct generator *g, int timeout_ms, struct gen_event *ev, int cap, int *n,
                       struct err *e)
{
    struct diary *d = diary_of(g);

    *n = 0;
    if (d->n_failed > 0) {
        err_clear(&d->err);
        err_set(&d->err, ERR_REMOTE, "by plan");
        ev[(*n)++] = (struct gen_event){.id = d->failed_id[--d->n_failed],
                                        .kind = GEN_FAILED,
                                        .fail_class = d->fail_class,
                                        .err = &d->err,
                                        .n_attempts = 1};
        d->n_open--;
        return true;
    }
    if (!generator_poll(d->inner, MIN(timeout_ms, 50), ev, cap, n, e))
        return false;
    d->n_open -= *n;
    return true;
}

static void diary_cancel(struct generator *g, uint64_t id)
{
    generator_cancel(diary_of(g)->inner, id);
}

static void diary_wake(struct generator *g)
{
    generator_wake(diary_of(g)->inner);
}

static void diary_stats(const struct generator *g, struct gen_stats *out)
{
    generator_stats(diary_of(g)->inner, out);
}

static void diary_close(struct generator *g)
{
    generator_close(diary_of(g)->inner);
}

static const struct generator_ops diary_ops = {"diary",      diary_room, diary_submit, diary_poll,
                                               diary_cancel, diary_wake, diary_stats,  diary_close};

static struct diary diary;

static void open_diary(double ttft_ms)
{
    struct scripted_opts o = {
        .script = "", .rule = "echo", .reply_tokens = 5, .ttft_ms = ttft_ms, .max_num_seqs = 16};
    struct err e = ERR_INIT;

    diary = (struct diary){.base = {.ops = &diary_ops}, .fail_class = FAIL_SERVER};
    diary.inner = generator_scripted_open(&o, "m", 4096, &e);
    CHECK_OK("open", diary.inner != NULL, &e);
}

static int setup(void **state UNUSED)
{
    struct err e = ERR_INIT;

    log_set_level(LOG_ERROR);
    snprintf(folder, sizeof(folder), "/tmp/test_run_XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    snprintf(input, sizeof(input), "%s/in.jsonl", folder);
    snprintf(output, sizeof(output), "%s/out.jsonl", folder);
    if (!file_replace(input,
                      STR("{\"prompt\":\"one\",\"doc_id\":\"a\"}\n{\"prompt\":\"two\",\"doc_id\":"
                          "\"b\"}\n{\"prompt\":\"three\",\"doc_id\":\"c\"}\n"),
                      &e))
        return 1;
    docs = docs_open(input, &keys, &e);
    return docs == NULL;
}

static int teardown(void **state UNUSED)
{
    char command[128];

    docs_close(docs);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

static bool make_request(void *ctx UNUSED, int doc, int sample, struct arena *a,
                         struct gen_request *r, struct err *e UNUSED)
{
    struct chat_part *part = arena_new(a, struct chat_part);
    struct chat_msg *msg = arena_new(a, struct chat_msg);

    *part = (struct chat_part){PART_TEXT, docs->items[doc].prompt};
    *msg = (struct chat_msg){.role = STR("user"), .parts = part, .n_parts = 1};
    r->kind = GEN_CHAT;
    r->msgs = msg;
    r->n_msgs = 1;
    r->sampling = sampling_default();
    r->sampling.seed = sample_seed(5, docs->items[doc].id, (uint32_t)sample);
    r->sampling.has_seed = true;
    r->sampling.max_tokens = 100;
    return true;
}

static const char *doc_name(void *ctx UNUSED, int doc)
{
    return docs->items[doc].id.ptr;
}

static struct run_result result;

static bool run_once(int n_samples, const struct run_opts *o, struct err *e)
{
    struct store_opts so = {
        .docs = docs, .n_samples = n_samples, .prompt_key = "prompt", .response_key = "gen"};
    struct store *s = store_open(output, &so, e);
    struct run_task task = {.store = s,
                            .n_docs = docs->n,
                            .n_samples = n_samples,
                            .request = make_request,
                            .doc_name = doc_name};
    bool ok;

    if (!s)
        return false;
    ok = run_jobs(&task, 1, o, &diary.base, &result, e);
    return store_close(s, e) && ok;
}

static void must_run(int n_samples, const struct run_opts *o)
{
    struct err e = ERR_INIT;

    CHECK_OK("run", run_once(n_samples, o, &e), &e);
}

static const struct run_opts no_limits;

/* Within a round the order may follow what earlier answers were like. */
static bool is_seed_of(const struct str *ids, uint64_t seed, int round)
{
    for (int d = 0; d < 3; d++)
        if (seed == sample_seed(5, ids[d], (uint32_t)round))
            return true;
    return false;
}

TEST(sends_round_by_round_with_seeds_of_their_own)
{
    static const struct str ids[] = {STR_LIT("a"), STR_LIT("b"), STR_LIT("c")};

    open_diary(0);
    must_run(4, &no_limits);
    CHECK_INT("complete", result.end, RUN_COMPLETE);
    CHECK_INT("jobs", result.n_jobs, 12);
    CHECK_INT("stored", result.n_stored, 12);
    CHECK_INT("sent", diary.n_submitted, 12);
    for (int i = 0; i < 12; i++) {
        CHECK_INT("round", diary.rounds[i], i / 3);
        CHECK_INT("a sample of each problem", is_seed_of(ids, diary.seeds[i], i / 3), true);
        for (int k = 0; k < i; k++)
            CHECK("no seed twice", diary.seeds[k] != diary.seeds[i]);
    }
    generator_close(&diary.base);
}

/* Answers of 10, 30 and 20 tokens, one after another: from the third round on the longest goes
 * first. */
static bool one_by_one_poll(struct generator *g, int timeout_ms UNUSED, struct gen_event *ev,
                            int cap UNUSED, int *n, struct err *e UNUSED)
{
    static const int lengths[] = {10, 30, 20};
    struct diary *d = diary_of(g);

    *n = d->n_open > 0;
    if (*n == 0)
        return true;
    ev[0] = (struct gen_event){.id = d->last_id,
                               .kind = GEN_DONE,
                               .text = STR("x"),
                               .finish_reason = FINISH_STOP,
                               .finish_reason_text = STR("stop"),
                               .n_prompt_tokens = 1,
                               .n_cached_tokens = -1,
                               .n_completion_tokens = lengths[d->last_id % LEN(lengths)],
                               .n_reasoning_tokens = -1};
    d->n_open = 0;
    return true;
}

static int one_by_one_room(const struct generator *g)
{
    return 1 - diary_of(g)->n_open;
}

static bool one_by_one_submit(struct generator *g, const struct gen_request *r,
                              struct err *e UNUSED)
{
    struct diary *d = diary_of(g);

    d->last_id = r->id;
    d->n_open = 1;
    d->docs[d->n_submitted++] = (int)(r->id % 3);
    return true;
}

TEST(later_rounds_send_the_longest_first)
{
    static const int want[] = {0, 1, 2, 0, 1, 2, 1, 2, 0, 1, 2, 0};
    struct generator_ops ops = diary_ops;

    open_diary(0);
    ops.room = one_by_one_room;
    ops.submit = one_by_one_submit;
    ops.poll = one_by_one_poll;
    diary.base.ops = &ops;
    must_run(4, &no_limits);
    CHECK_INT("stored", result.n_stored, 12);
    for (size_t i = 0; i < LEN(want); i++)
        CHECK_INT("order", diary.docs[i], want[i]);
    diary.base.ops = &diary_ops;
    generator_close(&diary.base);
}

/* What runs at once is known: twice as much is sent, so that the order of later rounds is still
 * open. */
TEST(sends_no_more_than_twice_what_runs)
{
    open_diary(0);
    diary.base.max_running = 1;
    must_run(4, &no_limits);
    CHECK_INT("stored", result.n_stored, 12);
    CHECK_INT("at most two at once", diary.most_open, 2);
    generator_close(&diary.base);
}

TEST(asks_only_for_what_is_missing)
{
    struct run_opts o = {.max_failures = 3};

    open_diary(0);
    diary.fail_from = 5;
    diary.fail_to = 7;
    must_run(4, &o);
    CHECK_INT("complete", result.end, RUN_COMPLETE);
    CHECK_INT("failed", result.n_failed, 2);
    CHECK_INT("by class", result.n_by_class[FAIL_SERVER], 2);
    CHECK_INT("stored", result.n_stored, 10);
    diary.fail_to = diary.n_submitted = 0;
    must_run(4, &o);
    CHECK_INT("found", result.n_found, 10);
    CHECK_INT("sent", diary.n_submitted, 2);
    CHECK_INT("round", diary.rounds[0], 1);
    CHECK_INT("stored", result.n_stored, 2);
    diary.n_submitted = 0;
    must_run(4, &o);
    CHECK_INT("nothing left", diary.n_submitted, 0);
    generator_close(&diary.base);
}

TEST(stops_when_too_many_fail)
{
    struct run_opts in_a_row = {.max_consecutive_failures = 3}, in_all = {.max_failures = 2};

    open_diary(0);
    diary.fail_to = 1000;
    must_run(20, &in_a_row);
    CHECK_INT("stopped", result.end, RUN_STOPPED);
    CHECK("why", strstr(result.why, "3 samples in a row failed, the last by: by plan"));
    CHECK("at once", diary.n_submitted < 12);
    generator_close(&diary.base);

    open_diary(0);
    diary.fail_from = 2;
    diary.fail_to = 4;
    must_run(20, &in_all);
    CHECK_INT("stopped", result.end, RUN_STOPPED);
    CHECK("why", strstr(result.why, "2 samples failed"));
    generator_close(&diary.base);
}

TEST(prompts_over_the_context_do_not_stop_a_run)
{
    struct run_opts o = {.max_consecutive_failures = 3};

    open_diary(0);
    diary.fail_to = 8;
    diary.fail_class = FAIL_CONTEXT;
    must_run(4, &o);
    CHECK_INT("complete", result.end, RUN_COMPLETE);
    CHECK_INT("failed", result.n_by_class[FAIL_CONTEXT], 8);
    generator_close(&diary.base);
}

TEST(a_success_ends_the_row_of_failures)
{
    struct run_opts o = {.max_consecutive_failures = 3};

    open_diary(0);
    diary.fail_from = 0;
    diary.fail_to = 2;
    must_run(4, &o);
    CHECK_INT("complete", result.end, RUN_COMPLETE);
    CHECK_INT("failed", result.n_failed, 2);
    generator_close(&diary.base);
}

/* A signal while requests are under way: they are cancelled and not counted as failed, and what has
 * arrived stays. */
TEST(a_signal_interrupts)
{
    struct err e = ERR_INIT;
    struct buf text = {0};
    struct jsonl lines;
    struct str line;
    int n_lines = 0;

    open_diary(20);
    diary.raise_at = 9;
    run_catch_signals(&diary.base);
    must_run(20, &no_limits);
    run_catch_signals(NULL);
    CHECK_INT("interrupted", result.end, RUN_INTERRUPTED);
    CHECK_INT("failed", result.n_failed, 0);
    CHECK("something arrived", result.n_stored > 0 && result.n_stored < 60);
    CHECK_OK("read", file_read(output, 0, &text, &e), &e);
    jsonl_init(&lines, buf_str(&text));
    while (jsonl_next(&lines, &line))
        n_lines++;
    CHECK_INT("lines", n_lines, result.n_stored);
    buf_clear(&text);
    generator_close(&diary.base);
}

/* Two tasks of different size and number of samples share one queue. */
TEST(several_tasks_share_the_queue)
{
    char second[96];
    struct store_opts so = {
        .docs = docs, .n_samples = 2, .prompt_key = "prompt", .response_key = "gen"};
    struct err e = ERR_INIT;
    struct run_task tasks[2];
    struct store_counts counts;

    snprintf(second, sizeof(second), "%s/out2.jsonl", folder);
    open_diary(0);
    tasks[0] = (struct run_task){.store = store_open(output, &so, &e),
                                 .n_docs = docs->n,
                                 .n_samples = 2,
                                 .request = make_request,
                                 .doc_name = doc_name};
    so.n_samples = 4;
    tasks[1] = (struct run_task){.store = store_open(second, &so, &e),
                                 .n_docs = docs->n,
                                 .n_samples = 4,
                                 .request = make_request,
                                 .doc_name = doc_name};
    CHECK_OK("run", run_jobs(tasks, 2, &no_limits, &diary.base, &result, &e), &e);
    CHECK_INT("jobs", result.n_jobs, 18);
    CHECK_INT("stored", result.n_stored, 18);
    store_counts(tasks[0].store, &counts);
    CHECK_INT("first", counts.n_rows, 6);
    store_counts(tasks[1].store, &counts);
    CHECK_INT("second", counts.n_rows, 12);
    for (int i = 1; i < 18; i++)
        CHECK("by rounds", diary.rounds[i] >= diary.rounds[i - 1]);
    assert_true(store_close(tasks[0].store, &e) && store_close(tasks[1].store, &e));
    generator_close(&diary.base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sends_round_by_round_with_seeds_of_their_own, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(later_rounds_send_the_longest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(sends_no_more_than_twice_what_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_only_for_what_is_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_when_too_many_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(prompts_over_the_context_do_not_stop_a_run, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_success_ends_the_row_of_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signal_interrupts, setup, teardown),
        cmocka_unit_test_setup_teardown(several_tasks_share_the_queue, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
