#include "test.h"

#include <signal.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/workers.h"

enum { N_ITEMS = 100 };

/* What an item does to its worker. */
enum fate { FINE, CRASHES, EXITS, SPINS, SLEEPS, EATS_MEMORY, ANSWERS_TOO_MUCH };

struct plan {
    enum fate fate[N_ITEMS];
    size_t n_taken;
    size_t n_outcome[3];
    enum worker_outcome outcome[N_ITEMS];
    struct buf all; /* answers in the order in which they were taken */
    bool stop_at_ten;
};

static void work(void *ctx, size_t item, struct buf *out)
{
    struct plan *p = ctx;
    volatile unsigned n = 0;

    switch (p->fate[item]) {
    case FINE:
        break;
    case CRASHES:
        kill(getpid(), SIGSEGV);
        break;
    case EXITS:
        _exit(0);
    case SPINS:
        for (;;)
            n++;
    case SLEEPS:
        pause();
        break;
    case EATS_MEMORY:
        for (;;) { /* touched, so that it is really taken */
            char *ptr = xmalloc((size_t)64 << 20);

            memset(ptr, 1, (size_t)64 << 20);
            n += (unsigned)ptr[0];
        }
    case ANSWERS_TOO_MUCH:
        for (int i = 0; i < 1 << 20; i++)
            buf_addf(out, "%d\n", i);
        break;
    }
    buf_addf(out, "item %zu squared is %zu\n", item, item * item);
}

static bool take(void *ctx, size_t item, enum worker_outcome outcome, struct str answer,
                 struct err *e)
{
    struct plan *p = ctx;

    if (item != p->n_taken)
        return err_set(e, ERR_INPUT, "item %zu came after %zu", item, p->n_taken);
    p->n_taken++;
    p->outcome[item] = outcome;
    p->n_outcome[outcome]++;
    buf_add_str(&p->all, answer);
    if (p->stop_at_ten && item == 10)
        return err_set(e, ERR_CANCELLED, "enough");
    return true;
}

static struct workers_opts test_opts(int n_workers)
{
    struct workers_opts o = workers_opts_default();

    o.n_workers = n_workers;
    o.item_cpu_ms = 800; /* far more than taking the memory below needs, on a busy machine too */
    o.item_wall_ms =
        600000; /* a machine may stand still for seconds; where an item sleeps it is less */
    o.max_bytes = (size_t)160 << 20;
    o.max_answer_bytes = 1 << 20;
    return o;
}

static void run_plan(const char *name, struct plan *p, int n_workers)
{
    struct workers_opts o = test_opts(n_workers);
    struct err e = ERR_INIT;

    if (p->fate[0] == SLEEPS)
        o.item_wall_ms = 3000;
    CHECK_OK(name, workers_run(&o, N_ITEMS, work, take, p, &e), &e);
    CHECK_INT(name, p->n_taken, N_ITEMS);
}

TEST(same_answers_from_any_number_of_workers)
{
    static const int counts[] = {1, 2, 3, 5, 16, 200};
    struct plan one = {0};

    run_plan("1 worker", &one, 1);
    CHECK_INT("1 worker", one.n_outcome[WORKER_DONE], N_ITEMS);
    for (size_t i = 1; i < LEN(counts); i++) {
        struct plan p = {0};

        run_plan("more workers", &p, counts[i]);
        CHECK_STR("more workers", buf_str(&p.all), buf_str(&one.all));
        buf_clear(&p.all);
    }
    buf_clear(&one.all);
}

static const struct {
    const char *name;
    enum fate fate;
    enum worker_outcome want;
    bool needs_memory_limit;
} fates[] = {
    {"a worker crashes", CRASHES, WORKER_DIED, false},
    {"a worker exits", EXITS, WORKER_DIED, false},
    {"a worker spins", SPINS, WORKER_OVER_TIME, false},
    {"a worker sleeps", SLEEPS, WORKER_OVER_TIME, false},
    {"a worker eats memory", EATS_MEMORY, WORKER_DIED, true},
    {"an answer is too long", ANSWERS_TOO_MUCH, WORKER_DIED, false},
};

static bool limits_memory(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return false;
#else
    return true;
#endif
}

TEST(a_lost_worker_costs_only_its_item)
{
    for (size_t i = 0; i < LEN(fates); i++) {
        if (fates[i].needs_memory_limit && !limits_memory())
            continue;
        for (int n_workers = 1; n_workers <= 2; n_workers++) {
            struct plan p = {0};

            p.fate[0] = p.fate[41] = p.fate[99] = fates[i].fate;
            run_plan(fates[i].name, &p, n_workers);
            CHECK_INT(fates[i].name, p.n_outcome[fates[i].want], 3);
            CHECK_INT(fates[i].name, p.n_outcome[WORKER_DONE], N_ITEMS - 3);
            CHECK_INT(fates[i].name, p.outcome[41], fates[i].want);
            CHECK_INT(fates[i].name, p.outcome[42], WORKER_DONE);
            buf_clear(&p.all);
        }
    }
}

TEST(every_item_may_be_lost)
{
    struct plan p = {0};

    for (int i = 0; i < N_ITEMS; i++)
        p.fate[i] = i % 2 ? CRASHES : EXITS;
    run_plan("all lost", &p, 3);
    CHECK_INT("all lost", p.n_outcome[WORKER_DIED], N_ITEMS);
    buf_clear(&p.all);
}

TEST(taking_may_stop_the_batch)
{
    struct plan p = {.stop_at_ten = true};
    struct workers_opts o = test_opts(2);
    struct err e = ERR_INIT;

    p.fate[50] = SLEEPS; /* nobody waits for it */
    CHECK("stopped", !workers_run(&o, N_ITEMS, work, take, &p, &e));
    CHECK_INT("stopped", e.code, ERR_CANCELLED);
    CHECK_INT("stopped", p.n_taken, 11);
    buf_clear(&p.all);
}

TEST(no_items_need_no_workers)
{
    struct plan p = {0};
    struct workers_opts o = test_opts(2);
    struct err e = ERR_INIT;

    CHECK_OK("none", workers_run(&o, 0, work, take, &p, &e), &e);
    CHECK_INT("none", p.n_taken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_answers_from_any_number_of_workers),
        cmocka_unit_test(a_lost_worker_costs_only_its_item),
        cmocka_unit_test(every_item_may_be_lost),
        cmocka_unit_test(taking_may_stop_the_batch),
        cmocka_unit_test(no_items_need_no_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
