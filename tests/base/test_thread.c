/* The pool runs every part once, on any number of threads, however short the loops are. */
#include "base/thread.h"

#include <stdatomic.h>

#include "base/macros.h"
#include "test.h"

enum { MAX_PARTS = 1000 };

struct job {
    _Atomic int n_runs[MAX_PARTS];
    _Atomic int n_bad_workers;
    int n_workers;
    int plain[MAX_PARTS]; /* written without atomics: pool_for makes it visible */
};

static void run_part(void *ctx, int part, int worker)
{
    struct job *job = ctx;

    job->n_runs[part]++;
    job->n_bad_workers += worker < 0 || worker >= job->n_workers;
    job->plain[part] = part * 3;
}

TEST(every_part_runs_once)
{
    static const int threads[] = {1, 2, 4}, parts[] = {0, 1, 2, 7, MAX_PARTS};

    for (size_t t = 0; t < LEN(threads); t++) {
        struct err e = ERR_INIT;
        struct pool *p = pool_open(threads[t], &e);

        CHECK_OK("pool", p, &e);
        CHECK_INT("size", pool_size(p), threads[t]);
        for (int round = 0; round < 300; round++) {
            int n = parts[(size_t)round % LEN(parts)];
            struct job job = {.n_workers = threads[t]};

            pool_for(p, n, run_part, &job);
            CHECK_INT("workers", job.n_bad_workers, 0);
            for (int i = 0; i < MAX_PARTS; i++) {
                CHECK_INT("runs of a part", job.n_runs[i], i < n);
                CHECK_INT("what it wrote", job.plain[i], i < n ? i * 3 : 0);
            }
        }
        pool_close(p);
    }
}

static void flush_part(void *ctx, int part, int worker)
{
    volatile float tiny = 1e-38f;

    (void)worker;
    ((float *)ctx)[part] = tiny * 1e-3f;
}

TEST(denormals_are_flushed_inside_and_kept_outside)
{
    struct err e = ERR_INIT;
    struct pool *p = pool_open(2, &e);
    volatile float tiny = 1e-38f;
    float out[64];

    CHECK_OK("pool", p, &e);
    pool_for(p, 64, flush_part, out);
    for (int i = 0; i < 64; i++)
        CHECK("flushed", out[i] == 0);
    CHECK("the caller's own mode is back", tiny * 1e-3f != 0);
    pool_close(p);
}

TEST(too_many_threads_are_refused)
{
    struct err e = ERR_INIT;

    CHECK("refused", pool_open(100000, &e) == NULL && e.code == ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_runs_once),
        cmocka_unit_test(denormals_are_flushed_inside_and_kept_outside),
        cmocka_unit_test(too_many_threads_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
