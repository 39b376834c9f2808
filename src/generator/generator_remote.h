/* generator_remote.h - a generator whose model is behind one or several OpenAI-compatible servers.
 *
 * One thread: everything happens inside generator_poll. Requests wait here until the window of
 * concurrency has room, go to the server with the fewest requests under way, and are tried again by
 * the class of what went wrong; generator_remote.c draws their life. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "generator/generator.h"

struct remote_opts {
    struct opt_list base_url;
    const char *model_name; /* "": the one that the server serves */
    const char *api_key;    /* "": OPENAI_API_KEY, or else EMPTY */
    const char *organization;
    const char *extra_body; /* a JSON object */
    bool stream;
    bool send_seed;
    bool strict_openai;
    int max_workers;
    int max_retries;
    double request_timeout, connect_timeout, first_token_timeout,
        silence_timeout;                /* seconds; 0: none */
    double rate_limit_wait, max_outage; /* seconds */
};

extern const struct opt remote_server_table[]; /* which server, which model */
extern const struct opt remote_limits_table[]; /* concurrency, retries, time-outs */

/* The first address: of --base_url, else of OPENAI_BASE_URL; NULL: neither is given. */
const char *remote_first_url(const struct remote_opts *o);

/* Probes every server (GET /v1/models), says in one line each what it found, and fails when none
 * answers, the key is refused, or a server does not serve the model. The options are copied. */
struct generator *generator_remote_open(const struct remote_opts *o, struct err *e) MUST_CHECK;
