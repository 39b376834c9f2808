/* http_server.c - libmicrohttpd driven from a loop of our own.
 *
 * The loop waits on one epoll set that holds the daemon's own epoll descriptor, an eventfd for
 * wake-ups and every client's socket, the last for EPOLLRDHUP only: a suspended connection is
 * unknown to the daemon's set, so that without this its end would go unnoticed. All calls of the
 * library are made by this thread. Other threads append to an exchange's output under its lock and,
 * if the connection sleeps, put the exchange on the ready list; the loop resumes what it finds
 * there. While the loop is busy output piles up, so that a loaded server sends more in each write
 * by itself.
 *
 * A client's socket is watched edge-triggered from accept to close, so a sleep costs no system
 * call. */
#include "net/http_exchange.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"

#define LISTEN_BACKLOG    4096
#define DEADLINE_CHECK_MS 500
#define WRITE_COST_US     20
#define DISCARD_FACTOR \
    4 /* so many times max_body_bytes are read and dropped, to answer in good order */

/* --- The library's callbacks: a connection, its requests, its end. ---------------------------- */

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = cls;
    struct http_conn *c = *socket_context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        struct epoll_event ev = {.events = EPOLLRDHUP | EPOLLET};
        int one = 1;

        c = xcalloc(1, sizeof(*c));
        c->fd = info ? info->connect_fd : -1;
        c->deadline_ms = clock_ms() + s->opts.request_timeout_s * 1000LL;
        c->next = s->conns;
        if (c->next)
            c->next->prev = c;
        s->conns = c;
        ev.data.ptr = c;
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, c->fd, &ev) != 0)
            log_debug("http: a connection's end cannot be watched: errno %d", errno);
        *socket_context = c;
        return;
    }
    if (!c)
        return;
    if (c->next)
        c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        s->conns = c->next;
    if (c->fd >= 0)
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    free(c);
}

/* The request line has been read: from here on an exchange stands for the request. */
static void *on_request_line(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct http_server *s = cls;
    struct http_exchange *x = xcalloc(1, sizeof(*x));
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    x->s = s;
    atomic_init(&x->n_holders, 1);
    x->mhd = mhd;
    x->conn = info->socket_context;
    x->conn->x = x;
    x->conn->deadline_ms = clock_ms() + s->opts.request_timeout_s * 1000LL;
    pthread_mutex_init(&x->lock, NULL);
    buf_init(&x->body, s->opts.max_body_bytes);
    arena_init(&x->headers_arena, 0);
    s->n_exchanges++;
    return x;
}

static enum MHD_Result begin_body(struct http_exchange *x, const char *url, const char *method)
{
    const char *length =
        MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *expect =
        MHD_lookup_connection_value(x->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_EXPECT);
    uint64_t n = 0;

    x->path = xstrdup(url);
    snprintf(x->method, sizeof(x->method), "%s", method);
    if (!length || !parse_u64(STR(length), &n))
        return MHD_YES;
    x->is_too_large = n > x->s->opts.max_body_bytes;
    /* Nothing of the body is worth reading: answer before it comes. */
    if (x->is_too_large && (expect || n / DISCARD_FACTOR > x->s->opts.max_body_bytes)) {
        x->conn->deadline_ms = 0;
        x->is_delivered = true;
        atomic_fetch_add(&x->n_holders, 1);
        x->s->handlers.request(x->s->handlers.ctx, x);
        return x->state == ANSWER_NONE ? MHD_NO : exchange_queue_answer(x);
    }
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_exchange *x, const char *bytes, size_t *n)
{
    x->n_received += *n;
    if (x->n_received > x->s->opts.max_body_bytes)
        x->is_too_large = true;
    if (x->is_too_large && x->n_received / DISCARD_FACTOR > x->s->opts.max_body_bytes)
        return MHD_NO;
    if (x->is_too_large)
        buf_clear(&x->body);
    else
        buf_add(&x->body, bytes, *n);
    *n = 0;
    return MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *n_upload, void **con_cls)
{
    struct http_server *s = cls;
    struct http_exchange *x = *con_cls;
    bool is_answered, is_gone;

    if (!x->path)
        return begin_body(x, url, method);
    if (*n_upload > 0)
        return take_body(x, upload, n_upload);
    if (!x->is_delivered) {
        x->conn->deadline_ms = 0;
        x->is_delivered = true;
        atomic_fetch_add(&x->n_holders, 1);
        s->handlers.request(s->handlers.ctx, x);
    }
    pthread_mutex_lock(&x->lock);
    is_answered = x->state != ANSWER_NONE;
    x->is_waiting = !is_answered;
    is_gone = x->is_gone;
    pthread_mutex_unlock(&x->lock);
    if (is_gone)
        return MHD_NO;
    if (is_answered)
        return exchange_queue_answer(x);
    if (x->conn->is_gone) {
        exchange_mark_gone(x);
        return MHD_NO;
    }
    exchange_suspend(x);
    return MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct http_server *s = cls;
    struct http_exchange *x = *con_cls;

    if (!x)
        return;
    *con_cls = NULL;
    if (code != MHD_REQUEST_TERMINATED_COMPLETED_OK)
        exchange_mark_gone(x);
    else if (x->has_mischief && x->mischief_after == HTTP_AFTER_BODY && x->mischief == HTTP_RESET)
        http_reset_socket(x->conn->fd);
    x->conn->x = NULL;
    x->conn->deadline_ms =
        clock_ms() + (s->opts.idle_timeout_s + s->opts.request_timeout_s) * 1000LL;
    x->conn = NULL;
    x->mhd = NULL;
    s->n_exchanges--;
    exchange_drop(x);
}

static void on_library_log(void *cls, const char *fmt, va_list args)
{
    char line[256];

    vsnprintf(line, sizeof(line), fmt, args);
    line[strcspn(line, "\r\n")] = '\0';
    log_debug("http: %s", line);
}

/* --- Open, run, stop, close. ------------------------------------------------------------------ */

static bool bind_one(struct http_server *s, const struct addrinfo *a)
{
    int one = 1;
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    s->listen_fd =
        socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->ai_protocol);
    if (s->listen_fd < 0)
        return false;
    setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(s->listen_fd, a->ai_addr, a->ai_addrlen) == 0 &&
        listen(s->listen_fd, LISTEN_BACKLOG) == 0 &&
        getsockname(s->listen_fd, (struct sockaddr *)&addr, &len) == 0) {
        s->port = ntohs(addr.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&addr)->sin6_port
                                                   : ((struct sockaddr_in *)&addr)->sin_port);
        return true;
    }
    close(s->listen_fd);
    s->listen_fd = -1;
    return false;
}

static bool bind_socket(struct http_server *s, struct err *e)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *list = NULL;
    const char *host = s->opts.host && s->opts.host[0] ? s->opts.host : "0.0.0.0";
    char port[16];
    int rc;

    snprintf(port, sizeof(port), "%d", s->opts.port);
    rc = getaddrinfo(host, port, &hints, &list);
    if (rc != 0)
        return err_set(e, ERR_INPUT, "--host %s: %s", host, gai_strerror(rc));
    errno = 0;
    for (const struct addrinfo *a = list; a && s->listen_fd < 0; a = a->ai_next)
        if (bind_one(s, a))
            break;
    freeaddrinfo(list);
    if (s->listen_fd < 0 && errno == EADDRINUSE)
        return err_set(e, ERR_INPUT,
                       "port %d of %s is in use; choose another with --port, or 0 for a free one",
                       s->opts.port, host);
    if (s->listen_fd < 0)
        return err_set_errno(e, "cannot listen on %s port %d", host, s->opts.port);
    return true;
}

static bool start_daemon(struct http_server *s, struct err *e)
{
    struct epoll_event ev = {.events = EPOLLIN};
    const union MHD_DaemonInfo *info;

    s->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, s,
        MHD_OPTION_EXTERNAL_LOGGER, on_library_log, NULL, MHD_OPTION_LISTEN_SOCKET, s->listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)s->opts.max_connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)s->opts.idle_timeout_s,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(s->opts.max_header_bytes + STREAM_BLOCK),
        MHD_OPTION_URI_LOG_CALLBACK, on_request_line, s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
    if (!s->daemon)
        return err_set(e, ERR_IO, "the HTTP server could not be started");
    info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    ev.data.ptr = s->daemon;
    if (!info || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, info->epoll_fd, &ev) != 0)
        return err_set_errno(e, "epoll");
    return true;
}

struct http_server *http_server_open(const struct http_server_opts *o,
                                     const struct http_handlers *h, struct err *e)
{
    struct http_server *s = xcalloc(1, sizeof(*s));
    struct epoll_event ev = {.events = EPOLLIN};

    s->opts = *o;
    s->handlers = *h;
    s->listen_fd = -1;
    pthread_mutex_init(&s->lock, NULL);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ev.data.ptr = s;
    if (s->epoll_fd < 0 || s->wake_fd < 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->wake_fd, &ev) != 0) {
        err_set_errno(e, "epoll");
        goto fail;
    }
    if (!bind_socket(s, e) || !start_daemon(s, e))
        goto fail;
    return s;

fail:
    http_server_close(s);
    return NULL;
}

int http_server_port(const struct http_server *s)
{
    return s->port;
}

/* Resumes what is on a ready list; how many there were. */
static int take_ready(struct http_server *s, enum ready_kind kind)
{
    struct http_exchange *x, *next;
    int n = 0;

    pthread_mutex_lock(&s->lock);
    x = s->ready[kind];
    s->ready[kind] = NULL;
    pthread_mutex_unlock(&s->lock);
    for (; x; x = next, n++) {
        pthread_mutex_lock(&x->lock);
        x->is_waiting = false;
        pthread_mutex_unlock(&x->lock);
        pthread_mutex_lock(&s->lock);
        next = x->ready_next[kind];
        x->is_ready[kind] = false; /* from here on it may stand on the next list */
        pthread_mutex_unlock(&s->lock);
        exchange_resume(x);
        exchange_drop(x);
    }
    return n;
}

/* A round of streams, if the rest after the last one is over. */
static void take_soon(struct http_server *s)
{
    int64_t now = clock_us();

    if (now >= s->soon_us)
        s->soon_us = now + (int64_t)take_ready(s, READY_SOON) * WRITE_COST_US;
}

/* A connection's other side has closed. What MHD still reads itself it finds by itself. */
static void take_hangup(struct http_conn *c)
{
    c->is_gone = true;
    if (c->x && c->x->is_delivered && !c->x->is_over) {
        c->x->is_over = true;
        exchange_mark_gone(c->x);
        exchange_resume(c->x);
    }
}

/* Wakes the trickling streams whose time has come. */
static void take_timed(struct http_server *s)
{
    int64_t now = s->timed ? clock_us() : 0;
    struct http_exchange **at = &s->timed, *x;

    while ((x = *at)) {
        if (x->mhd && x->next_write_us > now) {
            at = &x->timed_next;
            continue;
        }
        *at = x->timed_next;
        x->is_timed = false;
        exchange_resume(x);
        exchange_drop(x);
    }
}

/* How long the loop may sleep: until the library, a trickling stream or the next round of streams
 * wants it. */
static int wait_ms(struct http_server *s)
{
    MHD_UNSIGNED_LONG_LONG mhd_ms;
    int64_t now = clock_us(), until = now + DEADLINE_CHECK_MS * 1000;

    if (MHD_get_timeout(s->daemon, &mhd_ms) == MHD_YES && mhd_ms < DEADLINE_CHECK_MS)
        until = now + (int64_t)mhd_ms * 1000;
    for (const struct http_exchange *x = s->timed; x; x = x->timed_next)
        until = MIN(until, x->next_write_us);
    pthread_mutex_lock(&s->lock);
    if (s->ready[READY_SOON])
        until = MIN(until, s->soon_us);
    pthread_mutex_unlock(&s->lock);
    return (int)((MAX(until - now, 0) + 999) / 1000);
}

/* Ends connections whose request takes too long to arrive. */
static void check_deadlines(struct http_server *s)
{
    int64_t now = clock_ms();

    for (struct http_conn *c = s->conns; c; c = c->next)
        if (c->deadline_ms > 0 && now > c->deadline_ms) {
            c->deadline_ms = 0;
            shutdown(c->fd, SHUT_RDWR);
        }
}

static void begin_drain(struct http_server *s)
{
    MHD_socket fd = MHD_quiesce_daemon(s->daemon);

    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    s->listen_fd = -1;
    for (struct http_conn *c = s->conns; c; c = c->next)
        if (c->x && c->x->has_mischief)
            exchange_resume(c->x);
}

static void take_events(struct http_server *s, const struct epoll_event *ev, int n)
{
    uint64_t count;

    for (int i = 0; i < n; i++) {
        if (ev[i].data.ptr == s) {
            if (read(s->wake_fd, &count, sizeof(count)) < 0)
                continue; /* somebody else's wake-up was read before; nothing is lost */
        } else if (ev[i].data.ptr != s->daemon) {
            take_hangup(ev[i].data.ptr);
        }
    }
    atomic_store(&s->is_woken, false);
}

bool http_server_run(struct http_server *s, struct err *e)
{
    struct epoll_event ev[256];
    int64_t next_check = 0;
    bool is_draining = false;

    for (;;) {
        int n = epoll_wait(s->epoll_fd, ev, LEN(ev), wait_ms(s));

        if (n < 0 && errno != EINTR)
            return err_set_errno(e, "epoll_wait");
        take_events(s, ev, MAX(n, 0));
        if (atomic_load(&s->n_stops) > 1)
            return true;
        if (atomic_load(&s->n_stops) == 1 && !is_draining) {
            begin_drain(s);
            is_draining = true;
        }
        take_ready(s, READY_NOW);
        take_soon(s);
        take_timed(s);
        if (MHD_run(s->daemon) != MHD_YES)
            return err_set(e, ERR_IO, "the HTTP server failed while it ran");
        if (clock_ms() >=
            next_check) { /* after what has arrived was read: this process may have stood still */
            check_deadlines(s);
            next_check = clock_ms() + DEADLINE_CHECK_MS;
        }
        if (is_draining && s->n_exchanges == 0)
            return true;
    }
}

void http_server_stop(struct http_server *s)
{
    uint64_t one = 1;

    atomic_fetch_add(&s->n_stops, 1);
    if (write(s->wake_fd, &one, sizeof(one)) < 0)
        return; /* the loop is awake already */
}

bool http_server_is_draining(const struct http_server *s)
{
    return atomic_load(&s->n_stops) > 0;
}

void http_server_close(struct http_server *s)
{
    if (!s)
        return;
    if (s->daemon) {
        atomic_fetch_add(&s->n_stops, 2);
        for (struct http_conn *c = s->conns; c; c = c->next)
            if (c->x) {
                exchange_mark_gone(c->x);
                exchange_resume(c->x);
            }
        MHD_run(s->daemon);
        MHD_stop_daemon(s->daemon);
        s->listen_fd = -1;
    }
    take_ready(s, READY_NOW);
    take_ready(s, READY_SOON);
    take_timed(s);
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    if (s->wake_fd >= 0)
        close(s->wake_fd);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
