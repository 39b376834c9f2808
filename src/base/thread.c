/* thread.c - the worker pool.
 *
 * A loop is published as one 64-bit ticket, generation << 32 | parts left to take. Taking a part is
 * a compare-and-swap that lowers the count; only afterwards are fn and ctx read, and they stay as
 * they are until that part is reported done, because pool_for returns only when all parts are. So a
 * helper that wakes late finds nothing to take and harms nobody, and the caller never waits for
 * helpers without work. */
#include "base/thread.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define FLUSH_BITS 0x8040u /* FTZ and DAZ of MXCSR */
#endif

/* Helpers look for the next loop this long before they sleep; the caller waits for the last part so
 * long before it sleeps. Longer than the gap between two operations of a step, far below a time
 * slice. */
enum { SPIN_US = 40, MAX_THREADS = 256 };

struct helper {
    struct pool *pool;
    pthread_t thread;
    int worker;
    bool is_started;
};

struct pool {
    int n_threads;
    struct helper *helpers; /* [n_threads - 1] */
    pool_fn *fn;
    void *ctx;
    int n_parts;
    _Atomic uint64_t ticket;
    _Atomic uint32_t generation; /* futex of helpers */
    _Atomic int n_sleeping;
    _Atomic uint32_t n_left; /* parts not reported done; futex of the caller */
    _Atomic bool is_waiting; /* the caller sleeps on n_left */
    _Atomic bool is_stopping;
};

static void futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

static void relax(void)
{
#if defined(__x86_64__)
    _mm_pause();
#else
    sched_yield();
#endif
}

bool thread_flush_denormals(void)
{
#if defined(__x86_64__)
    _mm_setcsr(_mm_getcsr() | FLUSH_BITS);
    return true;
#else
    return false;
#endif
}

int thread_n_cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}

/* Takes and runs parts until none is left. */
static void run_parts(struct pool *p, int worker)
{
    uint64_t t = atomic_load_explicit(&p->ticket, memory_order_acquire);

    while ((uint32_t)t != 0) {
        if (!atomic_compare_exchange_weak_explicit(&p->ticket, &t, t - 1, memory_order_acq_rel,
                                                   memory_order_acquire))
            continue;
        p->fn(p->ctx, p->n_parts - (int)(uint32_t)t, worker);
        if (atomic_fetch_sub(&p->n_left, 1) == 1 && atomic_load(&p->is_waiting))
            futex_wake(&p->n_left, 1);
        t = atomic_load_explicit(&p->ticket, memory_order_acquire);
    }
}

static bool has_work(struct pool *p)
{
    return (uint32_t)atomic_load(&p->ticket) != 0 || atomic_load(&p->is_stopping);
}

/* Returns when there may be work: after a short spin, or after a sleep that pool_for ends. */
static void await_work(struct pool *p)
{
    int64_t until = clock_us() + SPIN_US;
    uint32_t g;

    do {
        for (int i = 0; i < 64; i++) {
            if (has_work(p))
                return;
            relax();
        }
    } while (clock_us() < until);
    g = atomic_load(&p->generation);
    atomic_fetch_add(&p->n_sleeping, 1);
    if (!has_work(p))
        futex_wait(&p->generation, g);
    atomic_fetch_sub(&p->n_sleeping, 1);
}

static void *helper_main(void *arg)
{
    struct helper *h = arg;

    thread_flush_denormals();
    while (!atomic_load(&h->pool->is_stopping)) {
        await_work(h->pool);
        run_parts(h->pool, h->worker);
    }
    return NULL;
}

static void await_parts(struct pool *p)
{
    int64_t until = clock_us() + SPIN_US;
    uint32_t left;

    for (;;) {
        for (int i = 0; i < 64; i++) {
            if (atomic_load(&p->n_left) == 0)
                return;
            relax();
        }
        if (clock_us() > until)
            break;
    }
    atomic_store(&p->is_waiting, true);
    while ((left = atomic_load(&p->n_left)) != 0)
        futex_wait(&p->n_left, left);
    atomic_store(&p->is_waiting, false);
}

static void publish(struct pool *p, int n_parts, pool_fn *fn, void *ctx)
{
    uint64_t generation = (uint64_t)atomic_load(&p->generation) + 1;

    p->fn = fn;
    p->ctx = ctx;
    p->n_parts = n_parts;
    atomic_store(&p->n_left, (uint32_t)n_parts);
    atomic_store(&p->ticket, generation << 32 | (uint32_t)n_parts);
    atomic_store(&p->generation, (uint32_t)generation);
    if (atomic_load(&p->n_sleeping) > 0)
        futex_wake(&p->generation, p->n_threads);
}

void pool_for(struct pool *p, int n_parts, pool_fn *fn, void *ctx)
{
#if defined(__x86_64__)
    unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | FLUSH_BITS);
#endif
    if (p->n_threads == 1 || n_parts == 1) {
        for (int i = 0; i < n_parts; i++)
            fn(ctx, i, 0);
    } else if (n_parts > 0) {
        publish(p, n_parts, fn, ctx);
        run_parts(p, 0);
        await_parts(p);
    }
#if defined(__x86_64__)
    _mm_setcsr(mode);
#endif
}

struct pool *pool_open(int n_threads, struct err *e)
{
    struct pool *p = xcalloc(1, sizeof(*p));

    p->n_threads = n_threads > 0 ? n_threads : thread_n_cpus();
    if (p->n_threads > MAX_THREADS) {
        err_set(e, ERR_INPUT, "%d threads are too many; the limit is %d", p->n_threads,
                MAX_THREADS);
        pool_close(p);
        return NULL;
    }
    p->helpers = xcalloc((size_t)p->n_threads, sizeof(*p->helpers));
    for (int i = 0; i < p->n_threads - 1; i++) {
        struct helper *h = &p->helpers[i];
        int rc;

        *h = (struct helper){.pool = p, .worker = i + 1};
        rc = pthread_create(&h->thread, NULL, helper_main, h);
        if (rc != 0) {
            errno = rc;
            err_set_errno(e, "cannot start worker thread %d of %d", i + 1, p->n_threads);
            pool_close(p);
            return NULL;
        }
        h->is_started = true;
    }
    return p;
}

void pool_close(struct pool *p)
{
    if (!p)
        return;
    atomic_store(&p->is_stopping, true);
    atomic_fetch_add(&p->generation, 1);
    futex_wake(&p->generation, p->n_threads);
    for (int i = 0; p->helpers && i < p->n_threads - 1; i++)
        if (p->helpers[i].is_started)
            pthread_join(p->helpers[i].thread, NULL);
    free(p->helpers);
    free(p);
}

int pool_size(const struct pool *p)
{
    return p->n_threads;
}
