/* http_exchange.h - one request and its answer: what the server's loop and the application share of
 * it.
 *
 * Used by http_server.c and http_exchange.c alone; http_server.h is what others see. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include <microhttpd.h>

#include "base/arena.h"
#include "net/http_server.h"

#define STREAM_BLOCK 8192 /* bytes that one write of a stream takes from its output */

/* One client's socket, for as long as it is open. Loop thread only. */
struct http_conn {
    int fd;
    bool is_gone;
    int64_t deadline_ms;     /* for the request under way; 0: none */
    struct http_exchange *x; /* the request under way or being answered */
    struct http_conn *prev, *next;
};

/* The ready lists. */
enum ready_kind {
    READY_NOW,  /* an answer begins or ends */
    READY_SOON, /* a stream has more to send */
    N_READY,
};

enum answer_state { ANSWER_NONE, ANSWER_WHOLE, ANSWER_STREAM };

struct http_header {
    const char *name, *value;
    struct http_header *next;
};

struct http_exchange {
    struct http_server *s;
    atomic_int n_holders;
    void *user;

    /* loop thread only */
    struct http_conn *conn;
    struct MHD_Connection *mhd; /* NULL once the connection is done with it */
    bool is_suspended, is_delivered, is_queued, is_over, is_too_large;
    struct buf body;
    uint64_t n_received;
    char *path;
    char method[16];
    int64_t next_write_us; /* trickle */
    bool is_timed;         /* on the loop's list of timed exchanges */
    struct http_exchange *timed_next;

    pthread_mutex_t lock;
    /* guarded by lock: */
    enum answer_state state;
    int status;
    const char *content_type;
    struct arena headers_arena;
    struct http_header *headers;
    struct buf out;
    size_t n_taken; /* bytes of out that were sent */
    bool is_ended, is_gone, is_waiting;
    bool is_cut; /* more than max_unsent_bytes piled up: the connection ends without the rest */
    bool has_mischief;
    enum http_mischief mischief;
    size_t mischief_after;
    size_t trickle_bytes;
    int trickle_ms;

    /* guarded by the server's lock: */
    struct http_exchange *ready_next[N_READY];
    bool is_ready[N_READY];
};

struct http_server {
    struct http_server_opts opts;
    struct http_handlers handlers;
    struct MHD_Daemon *daemon;
    int epoll_fd, wake_fd, listen_fd, port;
    struct http_conn *conns;
    struct http_exchange *timed;
    int n_exchanges; /* on connections */
    int64_t soon_us; /* no round of streams before */
    atomic_int n_stops;
    atomic_bool is_woken;

    pthread_mutex_t lock;
    /* guarded by lock: */
    struct http_exchange *ready[N_READY];
};

/* Called by the loop's thread, but for exchange_drop, which any holder may call. */
void exchange_drop(struct http_exchange *x); /* one holder less; the last one frees it */
void exchange_suspend(struct http_exchange *x);
void exchange_resume(struct http_exchange *x);
void exchange_mark_gone(
    struct http_exchange *x); /* the client is away: tells the application once */
enum MHD_Result exchange_queue_answer(struct http_exchange *x);

/* A reset, now: dissolving the association drops what is unsent and sends RST. */
void http_reset_socket(int fd);
