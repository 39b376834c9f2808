/* http_client.c - see http_client.h.
 *
 * libcurl says which sockets to watch and when its timer is due; epoll watches them, so that a poll
 * costs what is ready and not what is open. Easy handles are kept and used again: making one costs
 * more than a request. The limits that libcurl lacks (first byte, silence) are checked every
 * LIMITS_MS. */
#include "net/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"

enum { LIMITS_MS = 20, N_EPOLL_EVENTS = 512, FILES_FOR_OTHERS = 64 };

struct http_transfer {
    struct http_client *client;
    struct http_request r;
    struct http_head head;
    bool has_head;
    CURL *easy;
    int64_t started_us, first_byte_us, last_byte_us;
    struct http_transfer *prev, *next; /* in client->active, or client->idle (next only) */
    char curl_error[CURL_ERROR_SIZE];
};

struct http_client {
    CURLM *multi;
    int epoll_fd, wake_fd;
    int64_t timer_us;  /* when libcurl wants to be called; -1: not */
    int64_t limits_us; /* of the last check */
    struct http_transfer *active, *idle;
    struct http_transfer *
        *late; /* those that the last check found over a limit: still to be handed out */
    enum http_outcome *late_why;
    int n_late, cap_late;
};

struct http_headers {
    struct curl_slist *list;
};

int http_max_connections(int n_wanted)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)n_wanted + FILES_FOR_OTHERS;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return n_wanted;
    if (limit.rlim_cur < need) {
        limit.rlim_cur = MIN(need, limit.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
            return n_wanted;
    }
    if (limit.rlim_cur >= need)
        return n_wanted;
    return limit.rlim_cur > FILES_FOR_OTHERS ? (int)(limit.rlim_cur - FILES_FOR_OTHERS) : 1;
}

struct http_headers *http_headers_open(void)
{
    return xcalloc(1, sizeof(struct http_headers));
}

bool http_headers_add(struct http_headers *h, const char *line, struct err *e)
{
    struct curl_slist *longer;

    if (strpbrk(line, "\r\n"))
        return err_set(e, ERR_INPUT, "a header has a line end inside");
    longer = curl_slist_append(h->list, line);
    if (!longer)
        return err_set(e, ERR_MEMORY, "no memory for a header");
    h->list = longer;
    return true;
}

void http_headers_close(struct http_headers *h)
{
    if (!h)
        return;
    curl_slist_free_all(h->list);
    free(h);
}

/* --- what libcurl calls ----------------------------------------------------------------------- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct http_client *c = ctx;
    struct epoll_event ev = {.data.fd = fd};

    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(c->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
        curl_multi_assign(c->multi, fd, NULL);
        return 0;
    }
    ev.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(c->epoll_fd, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &ev) != 0 &&
        errno == EEXIST)
        epoll_ctl(c->epoll_fd, EPOLL_CTL_MOD, fd, &ev);
    curl_multi_assign(c->multi, fd, c);
    return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct http_client *c = ctx;

    c->timer_us = timeout_ms < 0 ? -1 : clock_us() + timeout_ms * 1000;
    return 0;
}

static void read_head(struct http_transfer *t)
{
    const char *type = NULL;
    long status = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
    t->head =
        (struct http_head){(int)status, type && strncasecmp(type, "text/event-stream", 17) == 0};
    t->has_head = true;
}

static size_t on_write(char *ptr, size_t size, size_t n, void *ctx)
{
    struct http_transfer *t = ctx;

    t->last_byte_us = clock_us();
    if (t->first_byte_us < 0)
        t->first_byte_us = t->last_byte_us;
    if (!t->has_head)
        read_head(t);
    return t->r.on_body(t->r.ctx, &t->head, (struct str){ptr, size * n}) ? size * n : 0;
}

/* --- transfers -------------------------------------------------------------------------------- */

static struct http_transfer *take_transfer(struct http_client *c)
{
    struct http_transfer *t = c->idle;

    if (t) {
        c->idle = t->next;
    } else {
        t = xcalloc(1, sizeof(*t));
        t->easy = curl_easy_init();
        if (!t->easy)
            abort(); /* out of memory, as xcalloc has it */
        t->client = c;
        curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
        curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
        curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(t->easy, CURLOPT_TCP_KEEPALIVE, 1L);
        curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "llmeval/" LLMEVAL_VERSION);
        curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_write);
        curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
        curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->curl_error);
        curl_easy_setopt(t->easy, CURLOPT_DNS_CACHE_TIMEOUT, 300L);
    }
    t->prev = NULL;
    t->next = c->active;
    if (c->active)
        c->active->prev = t;
    c->active = t;
    return t;
}

static void give_transfer(struct http_client *c, struct http_transfer *t)
{
    curl_multi_remove_handle(c->multi, t->easy);
    if (t->prev)
        t->prev->next = t->next;
    else
        c->active = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->next = c->idle;
    c->idle = t;
}

struct http_transfer *http_client_start(struct http_client *c, const struct http_request *r)
{
    struct http_transfer *t = take_transfer(c);

    t->r = *r;
    t->has_head = false;
    t->started_us = t->last_byte_us = clock_us();
    t->first_byte_us = -1;
    t->curl_error[0] = '\0';
    curl_easy_setopt(t->easy, CURLOPT_URL, r->url);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, r->headers->list);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
                     r->connect_ms > 0 ? (long)r->connect_ms : 300000L);
    if (r->is_post) {
        curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, r->body.ptr);
    } else {
        curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
    }
    curl_multi_add_handle(c->multi, t->easy);
    return t;
}

void http_client_cancel(struct http_client *c, struct http_transfer *t)
{
    for (int i = 0; i < c->n_late; i++)
        if (c->late[i] == t)
            c->late[i] = NULL;
    give_transfer(c, t);
}

/* --- what ended ------------------------------------------------------------------------------- */

static enum http_outcome outcome_of(CURLcode code, const struct http_transfer *t)
{
    switch (code) {
    case CURLE_OK:
        return HTTP_COMPLETE;
    case CURLE_WRITE_ERROR:
        return HTTP_REFUSED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_OPERATION_TIMEDOUT: /* the one timeout that libcurl keeps is that of connecting */
        return HTTP_UNREACHABLE;
    default:
        return HTTP_BROKEN;
    }
}

static void fill_done(struct http_transfer *t, enum http_outcome outcome, const char *detail,
                      struct http_done *d)
{
    long status = 0;
    curl_off_t retry_after = 0;
    int64_t now = clock_us();

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
    *d = (struct http_done){
        .ctx = t->r.ctx,
        .outcome = outcome,
        .status = (int)status,
        .retry_after_ms = retry_after > 0 ? (int64_t)retry_after * 1000 : -1,
        .first_byte_us = t->first_byte_us < 0 ? -1 : t->first_byte_us - t->started_us,
        .total_us = now - t->started_us,
    };
    snprintf(d->detail, sizeof(d->detail), "%s", detail);
}

static int take_ended(struct http_client *c, struct http_done *done, int cap)
{
    CURLMsg *msg;
    int n = 0, n_queued;

    while (n < cap && (msg = curl_multi_info_read(c->multi, &n_queued))) {
        struct http_transfer *t;
        CURLcode code = msg->data.result;
        char *private;

        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
        t = (struct http_transfer *)(void *)private;
        fill_done(t, outcome_of(code, t),
                  t->curl_error[0] ? t->curl_error : curl_easy_strerror(code), &done[n++]);
        http_client_cancel(c, t);
    }
    return n;
}

static bool is_over(int64_t now, int64_t since, int limit_ms)
{
    return limit_ms > 0 && now - since > (int64_t)limit_ms * 1000;
}

static bool is_late(const struct http_transfer *t, int64_t now, enum http_outcome *why)
{
    *why = HTTP_SLOW_TOTAL;
    if (is_over(now, t->started_us, t->r.total_ms))
        return true;
    *why = HTTP_SLOW_FIRST_BYTE;
    if (t->first_byte_us < 0)
        return is_over(now, t->started_us, t->r.first_byte_ms);
    *why = HTTP_SILENT;
    return is_over(now, t->last_byte_us, t->r.silence_ms);
}

static void check_limits(struct http_client *c)
{
    int64_t now = clock_us();
    enum http_outcome why;

    if (c->n_late > 0 || now - c->limits_us < LIMITS_MS * 1000)
        return;
    c->limits_us = now;
    for (struct http_transfer *t = c->active; t; t = t->next)
        if (is_late(t, now, &why)) {
            if (c->n_late == c->cap_late) {
                c->cap_late = c->cap_late ? 2 * c->cap_late : 64;
                c->late = xrealloc(c->late, (size_t)c->cap_late * sizeof(struct http_transfer *));
                c->late_why =
                    xrealloc(c->late_why, (size_t)c->cap_late * sizeof(enum http_outcome));
            }
            c->late[c->n_late] = t;
            c->late_why[c->n_late++] = why;
        }
}

static int take_late(struct http_client *c, struct http_done *done, int cap)
{
    int n = 0;

    while (n < cap && c->n_late > 0) {
        struct http_transfer *t = c->late[--c->n_late];
        enum http_outcome why = c->late_why[c->n_late];
        char detail[160];

        if (!t) /* it ended or was cancelled since */
            continue;
        if (why == HTTP_SLOW_TOTAL)
            snprintf(detail, sizeof(detail), "no end of the response within %.3g s",
                     t->r.total_ms / 1e3);
        else if (why == HTTP_SLOW_FIRST_BYTE)
            snprintf(detail, sizeof(detail), "no first byte within %.3g s",
                     t->r.first_byte_ms / 1e3);
        else
            snprintf(detail, sizeof(detail), "nothing arrived for %.3g s", t->r.silence_ms / 1e3);
        fill_done(t, why, detail, &done[n++]);
        give_transfer(c, t);
    }
    return n;
}

/* --- polling ---------------------------------------------------------------------------------- */

static int wait_ms(const struct http_client *c, int timeout_ms)
{
    int64_t ms = timeout_ms;

    if (c->active)
        ms = MIN(ms, LIMITS_MS);
    if (c->timer_us >= 0)
        ms = MIN(ms, MAX(0, (c->timer_us - clock_us() + 999) / 1000));
    return (int)ms;
}

static void move_traffic(struct http_client *c, int timeout_ms)
{
    struct epoll_event events[N_EPOLL_EVENTS];
    int n = epoll_wait(c->epoll_fd, events, N_EPOLL_EVENTS, wait_ms(c, timeout_ms));
    int n_running;

    for (int i = 0; i < n; i++) {
        uint64_t count;
        int mask = 0;

        if (events[i].data.fd == c->wake_fd) {
            if (read(c->wake_fd, &count, sizeof(count)) < 0)
                continue; /* another poll took it */
            continue;
        }
        if (events[i].events & EPOLLIN)
            mask |= CURL_CSELECT_IN;
        if (events[i].events & EPOLLOUT)
            mask |= CURL_CSELECT_OUT;
        if (events[i].events & (EPOLLERR | EPOLLHUP))
            mask |= CURL_CSELECT_ERR;
        curl_multi_socket_action(c->multi, events[i].data.fd, mask, &n_running);
    }
    if (c->timer_us >= 0 && clock_us() >= c->timer_us) {
        c->timer_us = -1;
        curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
    }
}

int http_client_poll(struct http_client *c, int timeout_ms, struct http_done *done, int cap)
{
    int n = take_ended(c, done, cap);

    if (n == cap)
        return n;
    move_traffic(c, n > 0 ? 0 : timeout_ms);
    n += take_ended(c, done + n, cap - n);
    check_limits(c);
    return n + take_late(c, done + n, cap - n);
}

void http_client_wake(struct http_client *c)
{
    uint64_t one = 1;

    if (write(c->wake_fd, &one, sizeof(one)) < 0)
        return; /* the counter is full: a wake-up is pending anyway */
}

/* --- life ------------------------------------------------------------------------------------- */

struct http_client *http_client_open(int max_connections, struct err *e)
{
    struct http_client *c = xcalloc(1, sizeof(*c));
    struct epoll_event ev = {.events = EPOLLIN};

    c->timer_us = -1;
    c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ev.data.fd = c->wake_fd;
    if (c->epoll_fd < 0 || c->wake_fd < 0 ||
        epoll_ctl(c->epoll_fd, EPOLL_CTL_ADD, c->wake_fd, &ev) != 0) {
        err_set_errno(e, "epoll");
        goto fail;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(c->multi = curl_multi_init())) {
        err_set(e, ERR_MEMORY, "libcurl does not start");
        goto fail;
    }
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)max_connections);
    curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return c;

fail:
    http_client_close(c);
    return NULL;
}

void http_client_close(struct http_client *c)
{
    struct http_transfer *t;

    if (!c)
        return;
    while (c->active)
        give_transfer(c, c->active);
    while ((t = c->idle)) {
        c->idle = t->next;
        curl_easy_cleanup(t->easy);
        free(t);
    }
    if (c->multi)
        curl_multi_cleanup(c->multi);
    if (c->epoll_fd >= 0)
        close(c->epoll_fd);
    if (c->wake_fd >= 0)
        close(c->wake_fd);
    free(c->late);
    free(c->late_why);
    free(c);
}
