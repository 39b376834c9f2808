/* http_server.h - an HTTP/1.1 server, behind which stands libmicrohttpd.
 *
 * One thread, the one in http_server_run, speaks with all connections. It hands every whole request
 * to the application as a struct http_exchange, and the application answers at once or later, from
 * any thread, in one piece or as a stream. While an answer is awaited the connection sleeps,
 * without a time limit, and only its end is watched for: a client that closes or half-closes is
 * taken to be gone.
 *
 *   (new) -- request() --> AWAITING -- http_answer / http_stream --> SENDING -- all sent --> over
 *                             +------------- client gone: gone() -------+--------------------> over
 *
 * An exchange has two holders: the server until the connection is done with it, and the application
 * until http_release. Whatever is sent after the client went is dropped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct http_server;
struct http_exchange;

struct http_server_opts {
    const char *host; /* numeric or a name; "" : all addresses */
    int port;         /* 0: the system picks one */
    size_t max_body_bytes;
    size_t max_header_bytes;
    size_t max_unsent_bytes; /* of a stream whose client reads too slowly: it is cut there */
    int max_connections;
    int request_timeout_s; /* from the first byte of a request to its last */
    int idle_timeout_s;    /* between requests, and without progress while sending */
};

struct http_handlers {
    /* A request arrived whole. On the server's thread; must not block. The application holds x from
     * here on and gives it back with http_release. */
    void (*request)(void *ctx, struct http_exchange *x);
    /* The client went before the answer was whole. On the server's thread, at most once for an
     * exchange. */
    void (*gone)(void *ctx, struct http_exchange *x);
    void *ctx;
};

struct http_server *http_server_open(const struct http_server_opts *o,
                                     const struct http_handlers *h, struct err *e) MUST_CHECK;
int http_server_port(const struct http_server *s);
/* Serves until stopped and, after the first stop, until the last running answer has been sent. */
bool http_server_run(struct http_server *s, struct err *e) MUST_CHECK;
/* First call: takes no new connections or requests, finishes those that run. Second: ends at once.
 * From any thread or signal handler. */
void http_server_stop(struct http_server *s);
bool http_server_is_draining(const struct http_server *s); /* from any thread */
/* After run has returned and the application has released all exchanges that it is going to. */
void http_server_close(struct http_server *s); /* NULL is fine */

/* --- The request. Valid until http_release; only http_request_header is bound to the request
 * callback. ------------------------------------------------------------------------------------ */

const char *http_method(const struct http_exchange *x);
struct str http_path(const struct http_exchange *x); /* without the query */
struct str http_body(const struct http_exchange *x);
bool http_is_too_large(
    const struct http_exchange *x); /* over max_body_bytes: body is "", answer 413 */
struct str http_request_header(const struct http_exchange *x,
                               const char *name); /* "" : not there */
void http_set_user(struct http_exchange *x, void *user);
void *http_user(const struct http_exchange *x);

/* --- The answer, from any thread, by one thread at a time. ------------------------------------ */

void http_header_add(struct http_exchange *x, const char *name,
                     const char *value); /* before the answer */
void http_answer(struct http_exchange *x, int status, const char *content_type, struct str body);
void http_stream(struct http_exchange *x, int status, const char *content_type);
bool http_send(struct http_exchange *x, struct str bytes); /* false: nobody will get it */
void http_end(struct http_exchange *x);                    /* of a stream */
void http_release(struct http_exchange *x);

/* --- Bad behaviour on demand, for servers that test their clients. Before the answer. --------- */

enum http_mischief {
    HTTP_RESET, /* the connection is reset */
    HTTP_CUT,   /* the connection is closed in good order, although the answer is not whole */
    HTTP_STALL, /* nothing more is sent; the connection stays open */
};

#define HTTP_BEFORE_HEADERS ((size_t)-1)
#define HTTP_AFTER_BODY     ((size_t)-2)

/* Happens once `after` bytes of the body are sent, or at the body's last byte if it is shorter. */
void http_misbehave(struct http_exchange *x, enum http_mischief what, size_t after);
void http_trickle(struct http_exchange *x, size_t n_bytes, int every_ms); /* no faster than this */
