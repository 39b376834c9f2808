/* http_client.h - thousands of HTTP requests at once in one thread (libcurl multi over epoll).
 *
 * HTTP/1.1 with keep-alive; redirects are not followed. Everything happens inside http_client_poll,
 * the visitors of bodies included. One thread; http_client_wake is the one call for others and for
 * signal handlers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct http_client;
struct http_transfer;

/* Opens a client that keeps up to max_connections connections. */
struct http_client *http_client_open(int max_connections, struct err *e) MUST_CHECK;
void http_client_close(struct http_client *c); /* NULL is fine; what is under way is dropped */

/* How many connections this process may hold, after raising its limit of open files as far as it
 * goes; at most n_wanted. Some are left for files. */
int http_max_connections(int n_wanted);

/* A list of header lines for many requests. Lines with line ends inside are refused. */
struct http_headers;
struct http_headers *http_headers_open(void);
bool http_headers_add(struct http_headers *h, const char *line, struct err *e) MUST_CHECK;
void http_headers_close(struct http_headers *h); /* NULL is fine; after the requests that use it */

struct http_head {
    int status;
    bool is_event_stream; /* Content-Type: text/event-stream */
};

/* A piece of the body. False gives the transfer up: HTTP_REFUSED. */
typedef bool http_on_body(void *ctx, const struct http_head *head, struct str bytes);

struct http_request {
    const char *url;
    const struct http_headers *headers; /* borrowed until the end, as are url and body */
    bool is_post;
    struct str body;
    http_on_body *on_body;
    void *ctx;
    /* Limits in milliseconds; 0: none. */
    int connect_ms;    /* name, connection, TLS */
    int first_byte_ms; /* from the start to the first byte of the body */
    int silence_ms;    /* between two pieces of the body */
    int total_ms;
};

enum http_outcome {
    HTTP_COMPLETE,    /* a whole response, of any status */
    HTTP_UNREACHABLE, /* nothing was sent: no such name, no connection, no TLS */
    HTTP_BROKEN,      /* the connection ended before the response did */
    HTTP_SLOW_FIRST_BYTE,
    HTTP_SILENT,
    HTTP_SLOW_TOTAL,
    HTTP_REFUSED, /* by on_body */
};

struct http_done {
    void *ctx;
    enum http_outcome outcome;
    int status;                      /* 0: no response line came */
    int64_t retry_after_ms;          /* Retry-After, in seconds or as a date; -1: absent */
    int64_t first_byte_us, total_us; /* since the start; first_byte_us -1: none came */
    char detail[160];                /* in words, for all but HTTP_COMPLETE */
};

/* Starts a request. It lives until its http_done or until http_client_cancel. */
struct http_transfer *http_client_start(struct http_client *c, const struct http_request *r);
void http_client_cancel(struct http_client *c, struct http_transfer *t); /* no http_done follows */

/* Waits up to timeout_ms for traffic, moves it, and hands out what ended: up to cap. */
int http_client_poll(struct http_client *c, int timeout_ms, struct http_done *done, int cap);
void http_client_wake(
    struct http_client *c); /* ends a poll early; any thread, any signal handler */
