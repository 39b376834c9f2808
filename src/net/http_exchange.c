/* http_exchange.c - an exchange's life, the sending of its answer, and what the application calls.
 *
 * The application may call from any thread: it appends to the output under the exchange's lock and,
 * if the connection sleeps, puts the exchange on the server's ready list. */
#include "net/http_exchange.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"

enum { DRAIN_MS = 200 }; /* beyond the delay of an acknowledgement, 40 ms */

/* --- Wake-ups and life of an exchange. -------------------------------------------------------- */

static void wake(struct http_server *s)
{
    uint64_t one = 1;

    /* Relaxed is enough for the flag: the lists behind it have a lock, and the loop clears the flag
     * before it looks at them. */
    if (!atomic_exchange(&s->is_woken, true) && write(s->wake_fd, &one, sizeof(one)) < 0)
        return; /* only EAGAIN is possible, and then the loop is awake already */
}

void exchange_drop(struct http_exchange *x)
{
    if (atomic_fetch_sub(&x->n_holders, 1) > 1)
        return;
    buf_clear(&x->body);
    buf_clear(&x->out);
    arena_clear(&x->headers_arena);
    free(x->path);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

/* Has the loop look at x again. Called with x's lock held. */
static void make_ready(struct http_exchange *x, enum ready_kind kind)
{
    struct http_server *s = x->s;
    bool is_news = false;

    if (!x->is_waiting)
        return;
    pthread_mutex_lock(&s->lock);
    if (!x->is_ready[kind]) {
        is_news = kind == READY_NOW || !s->ready[kind];
        x->is_ready[kind] = true;
        x->ready_next[kind] = s->ready[kind];
        s->ready[kind] = x;
        atomic_fetch_add(&x->n_holders, 1);
    }
    pthread_mutex_unlock(&s->lock);
    if (is_news)
        wake(s);
}

void exchange_suspend(struct http_exchange *x)
{
    x->is_suspended = true;
    MHD_suspend_connection(x->mhd);
}

void exchange_resume(struct http_exchange *x)
{
    if (!x->is_suspended || !x->mhd)
        return;
    x->is_suspended = false;
    MHD_resume_connection(x->mhd);
}

void exchange_mark_gone(struct http_exchange *x)
{
    bool is_news;

    pthread_mutex_lock(&x->lock);
    is_news = !x->is_gone;
    x->is_gone = true;
    if (x->state != ANSWER_WHOLE) { /* the library may still read a whole answer */
        buf_clear(&x->out);
        x->n_taken = 0;
    }
    pthread_mutex_unlock(&x->lock);
    if (is_news && x->is_delivered && x->s->handlers.gone)
        x->s->handlers.gone(x->s->handlers.ctx, x);
}

/* --- Sending. --------------------------------------------------------------------------------- */

/* Waits until the peer has acknowledged all that was sent, DRAIN_MS at most: a reset throws away
 * what has not left yet. */
static void drain(int fd)
{
    const struct timespec pause = {.tv_nsec = 100000};
    int n_unsent = 0;

    for (int64_t end_us = clock_us() + DRAIN_MS * 1000; clock_us() < end_us;
         nanosleep(&pause, NULL))
        if (ioctl(fd, SIOCOUTQ, &n_unsent) != 0 || n_unsent == 0)
            return;
}

void http_reset_socket(int fd)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};

    drain(fd);
    if (connect(fd, &none, sizeof(none)) != 0)
        log_debug("http: a connection could not be reset: errno %d", errno);
}

/* Puts x on the list of exchanges that the clock wakes. */
static void wait_until(struct http_exchange *x, int64_t when_us)
{
    x->next_write_us = when_us;
    if (!x->is_timed) {
        x->is_timed = true;
        x->timed_next = x->s->timed;
        x->s->timed = x;
        atomic_fetch_add(&x->n_holders, 1);
    }
}

/* The time for mischief has come; with x's lock held, which it gives back. */
static ssize_t act_up(struct http_exchange *x)
{
    enum http_mischief what = x->mischief;

    pthread_mutex_unlock(&x->lock);
    if (what == HTTP_STALL && atomic_load(&x->s->n_stops) == 0) {
        exchange_suspend(x);
        return 0;
    }
    if (what == HTTP_RESET)
        http_reset_socket(x->conn->fd);
    return what == HTTP_CUT ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t read_stream(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct http_exchange *x = cls;
    size_t n;
    bool at_mischief;

    pthread_mutex_lock(&x->lock);
    if (x->is_gone || x->is_cut) {
        pthread_mutex_unlock(&x->lock);
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    n = MIN(x->out.len - x->n_taken, max);
    at_mischief = x->has_mischief && x->mischief_after < HTTP_AFTER_BODY &&
                  (pos >= x->mischief_after || (n == 0 && x->is_ended));
    if (at_mischief)
        return act_up(x);
    if (x->has_mischief && x->mischief_after < HTTP_AFTER_BODY)
        n = MIN(n, x->mischief_after - (size_t)pos);
    if (n > 0 && x->trickle_ms > 0) {
        int64_t now = clock_us();

        if (now < x->next_write_us) {
            wait_until(x, x->next_write_us);
            pthread_mutex_unlock(&x->lock);
            exchange_suspend(x);
            return 0;
        }
        x->next_write_us = now + (int64_t)x->trickle_ms * 1000;
        n = MIN(n, x->trickle_bytes);
    }
    if (n == 0 && !x->is_ended) {
        x->is_waiting = true;
        pthread_mutex_unlock(&x->lock);
        exchange_suspend(x);
        return 0;
    }
    memcpy(buf, x->out.ptr + x->n_taken, n);
    x->n_taken += n;
    if (x->n_taken == x->out.len && x->state == ANSWER_STREAM) {
        buf_reset(&x->out);
        x->n_taken = 0;
    }
    pthread_mutex_unlock(&x->lock);
    return n > 0 ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

/* A whole answer goes out from its buffer in one write, unless something is to go wrong on the way.
 * A body that is cut in good order still claims its whole length. */
static struct MHD_Response *make_response(struct http_exchange *x)
{
    bool plain = !x->has_mischief && x->trickle_ms == 0;

    if (x->state == ANSWER_WHOLE && (plain || x->mischief_after == HTTP_AFTER_BODY))
        return MHD_create_response_from_buffer(x->out.len, (void *)(uintptr_t)buf_z(&x->out),
                                               MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_callback(x->state == ANSWER_WHOLE ? x->out.len
                                                                      : MHD_SIZE_UNKNOWN,
                                             STREAM_BLOCK, read_stream, x, NULL);
}

enum MHD_Result exchange_queue_answer(struct http_exchange *x)
{
    struct MHD_Response *r;
    enum MHD_Result ok;
    int status;

    pthread_mutex_lock(&x->lock);
    if (x->has_mischief && x->mischief_after == HTTP_BEFORE_HEADERS) {
        bool stalls = act_up(x) == 0;

        return stalls ? MHD_YES : MHD_NO;
    }
    r = make_response(x);
    status = x->status;
    for (struct http_header *h = x->headers; r && h; h = h->next)
        MHD_add_response_header(r, h->name, h->value);
    if (r && x->content_type)
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, x->content_type);
    pthread_mutex_unlock(&x->lock);
    if (!r)
        return MHD_NO;
    if (atomic_load(&x->s->n_stops) > 0)
        MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    x->is_queued = true;
    ok = MHD_queue_response(x->mhd, (unsigned)status, r);
    MHD_destroy_response(r);
    return ok;
}

/* --- What the application calls. -------------------------------------------------------------- */

const char *http_method(const struct http_exchange *x)
{
    return x->method;
}

struct str http_path(const struct http_exchange *x)
{
    return STR(x->path);
}

struct str http_body(const struct http_exchange *x)
{
    return x->is_too_large ? STR("") : (struct str){buf_z(&x->body), x->body.len};
}

bool http_is_too_large(const struct http_exchange *x)
{
    return x->is_too_large;
}

struct str http_request_header(const struct http_exchange *x, const char *name)
{
    const char *z = MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, name);

    return z ? STR(z) : STR("");
}

void http_set_user(struct http_exchange *x, void *user)
{
    x->user = user;
}

void *http_user(const struct http_exchange *x)
{
    return x->user;
}

void http_header_add(struct http_exchange *x, const char *name, const char *value)
{
    struct http_header *h;

    pthread_mutex_lock(&x->lock);
    h = arena_new(&x->headers_arena, struct http_header);
    h->name = arena_strndup(&x->headers_arena, name, strlen(name));
    h->value = arena_strndup(&x->headers_arena, value, strlen(value));
    h->next = x->headers;
    x->headers = h;
    pthread_mutex_unlock(&x->lock);
}

static void begin_answer(struct http_exchange *x, enum answer_state state, int status,
                         const char *content_type)
{
    x->state = state;
    x->status = status;
    x->content_type = arena_strndup(&x->headers_arena, content_type, strlen(content_type));
    make_ready(x, READY_NOW);
}

void http_answer(struct http_exchange *x, int status, const char *content_type, struct str body)
{
    pthread_mutex_lock(&x->lock);
    if (!x->is_gone) {
        buf_add_str(&x->out, body);
        x->is_ended = true;
    }
    begin_answer(x, ANSWER_WHOLE, status, content_type);
    pthread_mutex_unlock(&x->lock);
}

void http_stream(struct http_exchange *x, int status, const char *content_type)
{
    pthread_mutex_lock(&x->lock);
    begin_answer(x, ANSWER_STREAM, status, content_type);
    pthread_mutex_unlock(&x->lock);
}

bool http_send(struct http_exchange *x, struct str bytes)
{
    bool is_taken;

    pthread_mutex_lock(&x->lock);
    if (x->out.len - x->n_taken > x->s->opts.max_unsent_bytes)
        x->is_cut = true;
    is_taken = !x->is_gone && !x->is_cut;
    if (is_taken)
        buf_add_str(&x->out, bytes);
    if (!x->is_gone)
        make_ready(x, x->is_cut ? READY_NOW : READY_SOON);
    pthread_mutex_unlock(&x->lock);
    return is_taken;
}

void http_end(struct http_exchange *x)
{
    pthread_mutex_lock(&x->lock);
    x->is_ended = true;
    make_ready(x, READY_NOW);
    pthread_mutex_unlock(&x->lock);
}

void http_release(struct http_exchange *x)
{
    exchange_drop(x);
}

void http_misbehave(struct http_exchange *x, enum http_mischief what, size_t after)
{
    pthread_mutex_lock(&x->lock);
    x->has_mischief = true;
    x->mischief = what;
    x->mischief_after = after;
    pthread_mutex_unlock(&x->lock);
}

void http_trickle(struct http_exchange *x, size_t n_bytes, int every_ms)
{
    pthread_mutex_lock(&x->lock);
    x->trickle_bytes = n_bytes;
    x->trickle_ms = every_ms;
    pthread_mutex_unlock(&x->lock);
}
