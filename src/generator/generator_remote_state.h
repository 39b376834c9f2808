/* generator_remote_state.h - what the files of the remote generator share. Not for others. */
#pragma once

#include <stdatomic.h>

#include "base/map.h"
#include "generator/generator.h"
#include "generator/generator_remote_body.h"
#include "generator/generator_remote_call.h"
#include "generator/generator_remote_policy.h"
#include "net/http_client.h"

struct json;

enum { REMOTE_PROBE_MS = 15000 };

struct remote {
    struct generator base; /* first, so that a struct generator * is one of these */
    char *model, *api_key;
    struct json *extra;
    struct remote_body_opts body_opts;
    bool stream;
    int max_workers, max_retries;
    int request_ms, connect_ms, first_byte_ms, silence_ms;
    int64_t rate_limit_wait_ms, max_outage_ms;

    struct http_client *http;
    struct http_headers *headers;
    struct remote_server *servers;
    int n_servers;
    struct remote_window window;
    struct remote_heap waiting, resting;
    struct remote_call *calls;  /* all */
    struct remote_call **ended; /* in order of ending, [n_ended], from ended_at on */
    int n_ended, ended_at, cap_ended;
    struct remote_call **news; /* calls with untold text, [n_news]; NULL: it has ended */
    int n_news, cap_news;
    int n_running;
    int64_t n_submitted;
    struct map prompt_tokens; /* prompt_key to tokens, as servers told: later samples are clamped
                                 beforehand */
    struct gen_stats stats;
    bool has_told[N_FAIL_CLASSES]; /* each class of failure is told once */
    atomic_bool is_woken;
};

extern const struct generator_ops remote_ops;

/* Servers quote the key that they refuse: it must not reach a log, an error or a file. */
void remote_hide_key(const struct remote *r, char *text);

/* The words of a server's error body, without the key. */
void remote_words(const struct remote *r, struct str body, char *out, size_t size);

/* The end of a probe: the server is up or stays down. */
void remote_take_probe(struct remote_server *s, const struct http_done *d);
