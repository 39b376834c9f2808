/* workers.c - forked workers.
 *
 * A worker is given a chunk of items [next, end) as two numbers over a socket and answers each
 * item, in order, with a header and the bytes. When it dies the item `next` is lost and the rest of
 * its chunk goes to the child that takes its place. Answers wait in `results` until their turn.
 *
 *   idle --chunk--> busy --last answer--> idle
 *                    |  dies, or over the wall limit: killed
 *                    +--> item lost, forked again, goes on behind it
 *
 * Processor time is limited by ITIMER_PROF, whose signal ends the child; memory by RLIMIT_AS,
 * beyond which allocations fail and the child aborts. Sanitizers reserve the address space, so
 * there the limit on memory is off. */
#include "base/workers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_MEMORY 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define LIMIT_MEMORY 0
#else
#define LIMIT_MEMORY 1
#endif
#else
#define LIMIT_MEMORY 1
#endif

enum { MAX_CHUNK = 16, MAX_AHEAD = 1 << 16 };

struct header {
    uint64_t item, len;
};

struct worker {
    pid_t pid; /* 0: not started */
    int fd;
    size_t next, end; /* items that it still owes */
    int64_t deadline_ms;
    struct buf in;
};

struct result {
    bool is_ready;
    enum worker_outcome outcome;
    char *ptr;
    size_t len;
};

struct batch {
    const struct workers_opts *o;
    workers_work *work;
    void *ctx;
    size_t n_items, n_given, n_taken;
    struct result *results;
    struct worker *workers;
    int n_workers;
};

struct workers_opts workers_opts_default(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return (struct workers_opts){.n_workers = n < 1 ? 1 : (int)n,
                                 .item_cpu_ms = 10000,
                                 .item_wall_ms = 600000,
                                 .max_bytes = (size_t)2 << 30,
                                 .max_answer_bytes = (size_t)16 << 20};
}

const char *worker_outcome_name(enum worker_outcome outcome)
{
    switch (outcome) {
    case WORKER_DONE:
        return "done";
    case WORKER_DIED:
        return "worker died";
    case WORKER_OVER_TIME:
        return "worker over its time limit";
    }
    return "?";
}

/* --- the child -------------------------------------------------------------------------------- */

static void child_limits(const struct workers_opts *o)
{
    struct rlimit none = {0, 0};
    unsigned long pages = 0;
    FILE *f;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)setrlimit(RLIMIT_CORE, &none);
    if (!LIMIT_MEMORY || o->max_bytes == 0)
        return;
    f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return;
    if (fscanf(f, "%lu", &pages) == 1) {
        rlim_t now = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
        struct rlimit as = {now + o->max_bytes, now + o->max_bytes};

        (void)setrlimit(RLIMIT_AS, &as);
    }
    fclose(f);
}

/* Handlers of this program (or of a test runner) would go on as if the child were it. */
static void child_signals(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS,  SIGFPE,  SIGILL, SIGABRT,
                                SIGPROF, SIGXCPU, SIGTERM, SIGINT, SIGSYS};

    for (size_t i = 0; i < LEN(fatal); i++)
        (void)signal(fatal[i], SIG_DFL);
}

static void child_timer(int ms)
{
    struct itimerval t = {.it_value = {ms / 1000, (ms % 1000) * 1000}};

    (void)setitimer(ITIMER_PROF, &t, NULL);
}

static bool transfer(int fd, void *ptr, size_t len, bool is_write)
{
    char *at = ptr;

    while (len > 0) {
        ssize_t n = is_write ? write(fd, at, len) : read(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static _Noreturn void child_main(const struct batch *b, int fd)
{
    uint64_t chunk[2];
    struct buf out;

    child_signals();
    child_limits(b->o);
    buf_init(&out, b->o->max_answer_bytes);
    while (transfer(fd, chunk, sizeof(chunk), false)) {
        for (uint64_t item = chunk[0]; item < chunk[1]; item++) {
            struct header h;

            buf_reset(&out);
            child_timer(b->o->item_cpu_ms);
            b->work(b->ctx, item, &out);
            child_timer(0);
            if (out.failed)
                _exit(1);
            h = (struct header){item, out.len};
            if (!transfer(fd, &h, sizeof(h), true) || !transfer(fd, out.ptr, out.len, true))
                _exit(1);
        }
    }
    _exit(0);
}

/* --- workers ---------------------------------------------------------------------------------- */

static bool worker_start(struct batch *b, struct worker *w, struct err *e)
{
    int fd[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0)
        return err_set_errno(e, "socketpair for a worker");
    w->pid = fork();
    if (w->pid < 0) {
        close(fd[0]);
        close(fd[1]);
        w->pid = 0;
        return err_set_errno(e, "fork of a worker");
    }
    if (w->pid == 0) {
        close(fd[0]);
        for (int i = 0; i < b->n_workers; i++) {
            if (&b->workers[i] != w && b->workers[i].pid > 0)
                close(b->workers[i].fd);
        }
        child_main(b, fd[1]);
    }
    close(fd[1]);
    w->fd = fd[0];
    buf_reset(&w->in);
    return true;
}

/* Ends the child and says why it ended: a signal of its timer is time, all else is death. */
static enum worker_outcome worker_stop(struct worker *w, bool is_over_time)
{
    int status = 0;

    if (is_over_time)
        kill(w->pid, SIGKILL);
    close(w->fd);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    w->pid = 0;
    if (is_over_time ||
        (WIFSIGNALED(status) && (WTERMSIG(status) == SIGPROF || WTERMSIG(status) == SIGXCPU)))
        return WORKER_OVER_TIME;
    return WORKER_DIED;
}

static bool worker_send(struct batch *b, struct worker *w)
{
    uint64_t chunk[2] = {w->next, w->end};

    w->deadline_ms = clock_ms() + b->o->item_wall_ms;
    return transfer(w->fd, chunk, sizeof(chunk), true);
}

/* The item that the worker was at is lost; another child goes on behind it. */
static bool worker_lost(struct batch *b, struct worker *w, bool is_over_time, struct err *e)
{
    enum worker_outcome outcome = worker_stop(w, is_over_time);

    if (w->next < w->end) {
        b->results[w->next].is_ready = true;
        b->results[w->next].outcome = outcome;
        w->next++;
    }
    if (w->next == w->end)
        return true;
    return worker_start(b, w, e) && (worker_send(b, w) || worker_lost(b, w, false, e));
}

/* Gives an idle worker its next chunk, starting it when it has no process. */
static bool worker_give(struct batch *b, struct worker *w, struct err *e)
{
    size_t left = b->n_items - b->n_given, chunk = left / ((size_t)b->n_workers * 4);

    if (w->next < w->end || left == 0 || b->n_given - b->n_taken > MAX_AHEAD)
        return true;
    chunk = MAX(1, MIN(chunk, MAX_CHUNK));
    if (w->pid == 0 && !worker_start(b, w, e))
        return false;
    w->next = b->n_given;
    w->end = b->n_given += chunk;
    return worker_send(b, w) || worker_lost(b, w, false, e);
}

/* Answers that have arrived whole. */
static void worker_results(struct batch *b, struct worker *w)
{
    size_t at = 0;
    struct header h;

    while (w->in.len - at >= sizeof(h)) {
        struct result *r;

        memcpy(&h, w->in.ptr + at, sizeof(h));
        if (w->in.len - at - sizeof(h) < h.len)
            break;
        r = &b->results[h.item];
        r->ptr = xmalloc(h.len + 1);
        memcpy(r->ptr, w->in.ptr + at + sizeof(h), h.len);
        r->ptr[h.len] = 0;
        r->len = h.len;
        r->outcome = WORKER_DONE;
        r->is_ready = true;
        at += sizeof(h) + h.len;
        w->next = h.item + 1;
        w->deadline_ms = clock_ms() + b->o->item_wall_ms;
    }
    if (at > 0) {
        memmove(w->in.ptr, w->in.ptr + at, w->in.len - at);
        w->in.len -= at;
    }
}

static bool worker_read(struct batch *b, struct worker *w, struct err *e)
{
    char bytes[65536];
    ssize_t n = read(w->fd, bytes, sizeof(bytes));

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (n <= 0)
        return worker_lost(b, w, false, e);
    buf_add(&w->in, bytes, (size_t)n);
    worker_results(b, w);
    return true;
}

/* --- the batch -------------------------------------------------------------------------------- */

static int wait_ms(const struct batch *b)
{
    int64_t now = clock_ms(), least = 1000;

    for (int i = 0; i < b->n_workers; i++) {
        if (b->workers[i].pid > 0 && b->workers[i].next < b->workers[i].end)
            least = MIN(least, b->workers[i].deadline_ms - now);
    }
    return least < 0 ? 0 : (int)least + 1;
}

static bool batch_wait(struct batch *b, struct pollfd *p, struct err *e)
{
    int64_t now;

    for (int i = 0; i < b->n_workers; i++) {
        bool is_busy = b->workers[i].pid > 0 && b->workers[i].next < b->workers[i].end;

        p[i] = (struct pollfd){is_busy ? b->workers[i].fd : -1, POLLIN, 0};
    }
    if (poll(p, (nfds_t)b->n_workers, wait_ms(b)) < 0 && errno != EINTR)
        return err_set_errno(e, "poll for workers");
    now = clock_ms();
    for (int i = 0; i < b->n_workers; i++) {
        struct worker *w = &b->workers[i];

        if (p[i].fd < 0)
            continue;
        if (p[i].revents != 0) {
            if (!worker_read(b, w, e))
                return false;
        } else if (now > w->deadline_ms && !worker_lost(b, w, true, e)) {
            return false;
        }
    }
    return true;
}

static bool batch_take(struct batch *b, workers_take *take, struct err *e)
{
    while (b->n_taken < b->n_items && b->results[b->n_taken].is_ready) {
        struct result *r = &b->results[b->n_taken];
        struct str answer = r->ptr ? (struct str){r->ptr, r->len} : (struct str){"", 0};
        bool ok = take(b->ctx, b->n_taken, r->outcome, answer, e);

        free(r->ptr);
        r->ptr = NULL;
        b->n_taken++;
        if (!ok)
            return false;
    }
    return true;
}

static void batch_close(struct batch *b)
{
    for (int i = 0; i < b->n_workers; i++) {
        struct worker *w = &b->workers[i];

        if (w->pid > 0)
            (void)worker_stop(w, w->next < w->end);
        buf_clear(&w->in);
    }
    for (size_t i = 0; i < b->n_items; i++)
        free(b->results[i].ptr);
    free(b->results);
    free(b->workers);
}

bool workers_run(const struct workers_opts *o, size_t n_items, workers_work *work,
                 workers_take *take, void *ctx, struct err *e)
{
    struct batch b = {.o = o, .work = work, .ctx = ctx, .n_items = n_items};
    struct pollfd *p;
    bool ok = true;

    b.n_workers = (int)MAX((size_t)1, MIN((size_t)MAX(o->n_workers, 1), n_items));
    b.results = xcalloc(n_items + 1, sizeof(*b.results));
    b.workers = xcalloc((size_t)b.n_workers, sizeof(*b.workers));
    p = xcalloc((size_t)b.n_workers, sizeof(*p));
    for (int i = 0; i < b.n_workers; i++)
        buf_init(&b.workers[i].in, o->max_answer_bytes + 2 * 65536);
    fflush(NULL); /* a child must not inherit unwritten output */
    while (ok && b.n_taken < n_items) {
        for (int i = 0; i < b.n_workers && ok; i++)
            ok = worker_give(&b, &b.workers[i], e);
        ok = ok && batch_wait(&b, p, e) && batch_take(&b, take, e);
    }
    batch_close(&b);
    free(p);
    return ok;
}
