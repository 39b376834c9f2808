/* server.h - the OpenAI-compatible API over any generator.
 *
 * Two threads: the one in server_run speaks HTTP and parses, another opens and polls the generator.
 * The server listens at once; until the generator is open, /health and generation answer 503. It
 * knows nothing of tensors: everything below the waist is the generator's. */
#pragma once

#include "base/opt.h"
#include "formats/json.h"
#include "generator/generator.h"

struct server_opts {
    const char *host;
    int port;
    const char *port_file;
    struct opt_list served_model_name;
    const char *api_key;
    const char *reasoning_parser;
    int max_logprobs, max_n, max_prompts;
    int max_queue;
    int max_body_mb, max_header_kb, max_unsent_mb, max_connections;
    int request_timeout, idle_timeout;
};

extern const struct opt server_table[];

/* Faults of the wire, for servers that test their clients: the name of the fault that this attempt
 * meets, or NULL. `wanted` is the header x-llmeval-fault. On the generator's thread, once for each
 * request before it is submitted. */
struct server_faults {
    const char *(*choose)(struct generator *g, const struct gen_request *r, struct str wanted);
};

struct server_source {
    struct generator *(*open)(void *ctx, struct err *e); /* on the thread that will poll it */
    void *ctx;
    struct server_faults faults; /* choose NULL: none */
    const struct json
        *generation_defaults; /* keys of generation_config.json; NULL: OpenAI's defaults */
};

struct server;

/* Listens. The names in opts are the served ones; with none, fallback_name is, and if that is ""
 * the generator's. */
struct server *server_open(const struct server_opts *o, const char *fallback_name,
                           struct err *e) MUST_CHECK;
int server_port(const struct server *s);
/* Opens the generator and serves until stopped. False: the generator could not be opened or broke.
 */
bool server_run(struct server *s, const struct server_source *source, struct err *e) MUST_CHECK;
/* First call: drain; second: end at once. From any thread or signal handler. */
void server_stop(struct server *s);
void server_close(struct server *s); /* NULL is fine */
