/* fake_server.h - a small HTTP server for tests of clients: one thread for each connection, and a
 * function of the test that writes whatever bytes it likes. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/str.h"

struct fake_request {
    int number; /* of the requests to this server, from 0 */
    int fd;
    struct str head; /* request line and headers */
    struct str body;
};

/* Answers one request by writing to q->fd. False: the connection is closed afterwards. */
typedef bool fake_answer(void *ctx, const struct fake_request *q);

enum { FAKE_MAX_CONNECTIONS = 256 };

struct fake_server {
    int listen_fd, port;
    char url[64];
    fake_answer *answer;
    void *ctx;
    pthread_t acceptor, threads[FAKE_MAX_CONNECTIONS];
    int fds[FAKE_MAX_CONNECTIONS];
    int n_threads; /* the acceptor's, until it has ended */
    atomic_int n_requests;
};

struct fake_connection {
    struct fake_server *s;
    int fd;
};

/* False: the client is gone. */
static inline bool fake_write(int fd, const char *text)
{
    size_t n = strlen(text);

    while (n > 0) {
        ssize_t k = send(fd, text, n, MSG_NOSIGNAL);

        if (k <= 0)
            return false;
        text += k;
        n -= (size_t)k;
    }
    return true;
}

/* A whole response with Content-Length; `headers` are lines that end in CR LF, or "". */
static inline void fake_reply(int fd, const char *status, const char *headers, const char *body)
{
    struct buf b = {0};

    buf_addf(&b, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body), headers,
             body);
    fake_write(fd, buf_z(&b));
    buf_clear(&b);
}

static inline size_t fake_content_length(const char *head)
{
    const char *at = strcasestr(head, "content-length:");

    return at ? strtoul(at + 15, NULL, 10) : 0;
}

static inline void *fake_serve(void *ctx)
{
    struct fake_connection *c = ctx;
    struct buf in = {0};
    bool is_open = true;

    while (is_open) {
        char block[4096], *end;
        size_t n_head, n_body;
        ssize_t n;

        while (!(in.len > 0 && (end = strstr(in.ptr, "\r\n\r\n")) &&
                 (n_head = (size_t)(end - in.ptr) + 4) &&
                 in.len >= n_head + (n_body = fake_content_length(in.ptr)))) {
            n = recv(c->fd, block, sizeof(block), 0);
            if (n <= 0)
                goto out;
            buf_add(&in, block, (size_t)n);
        }
        {
            struct fake_request q = {
                .number = atomic_fetch_add(&c->s->n_requests, 1),
                .fd = c->fd,
                .head = {in.ptr, n_head},
                .body = {in.ptr + n_head, n_body},
            };

            is_open = c->s->answer(c->s->ctx, &q);
        }
        memmove(in.ptr, in.ptr + n_head + n_body, in.len - n_head - n_body);
        in.len -= n_head + n_body;
        in.ptr[in.len] = '\0';
    }
out:
    shutdown(c->fd, SHUT_RDWR);
    buf_clear(&in);
    free(c);
    return NULL;
}

static inline void *fake_accept(void *ctx)
{
    struct fake_server *s = ctx;

    while (s->n_threads < FAKE_MAX_CONNECTIONS) {
        struct fake_connection *c;
        int fd = accept(s->listen_fd, NULL, NULL);

        if (fd < 0)
            break;
        c = xcalloc(1, sizeof(*c));
        *c = (struct fake_connection){s, fd};
        s->fds[s->n_threads] = fd;
        if (pthread_create(&s->threads[s->n_threads++], NULL, fake_serve, c) != 0)
            abort();
    }
    return NULL;
}

/* Port 0 picks a free one. */
static inline void fake_server_start(struct fake_server *s, int port, fake_answer *answer,
                                     void *ctx)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int yes = 1;

    memset(s, 0, sizeof(*s));
    s->answer = answer;
    s->ctx = ctx;
    s->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(s->listen_fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(s->listen_fd, 128) != 0 ||
        getsockname(s->listen_fd, (struct sockaddr *)&at, &size) != 0 ||
        pthread_create(&s->acceptor, NULL, fake_accept, s) != 0)
        abort();
    s->port = ntohs(at.sin_port);
    snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", s->port);
}

static inline void fake_server_stop(struct fake_server *s)
{
    shutdown(s->listen_fd, SHUT_RDWR);
    pthread_join(s->acceptor, NULL);
    close(s->listen_fd);
    for (int i = 0; i < s->n_threads; i++) {
        shutdown(s->fds[i], SHUT_RDWR);
        pthread_join(s->threads[i], NULL);
        close(s->fds[i]);
    }
}
