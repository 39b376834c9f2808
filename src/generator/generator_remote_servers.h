/* generator_remote_servers.h - the servers behind a remote generator: addresses, health, choice.
 *
 *            probe answers                 two failures to connect in a row
 *   (new) -------------------> UP -------------------------------------------> DOWN
 *                               ^                                               |
 *                               +--------- a probe (GET models) answers --------+
 *                                    probed after 1, 2, 4, ... 10 s
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "net/http_client.h"

struct remote_server {
    int kind;   /* REMOTE_SERVER: tells an http_done's ctx from that of a call */
    char *name; /* the base URL without user and password: for people and result rows */
    char *chat_url, *completions_url, *models_url;
    bool is_up;
    int n_running;             /* requests under way */
    uint64_t n_begun;          /* breaks ties: the one that had fewer */
    int n_refused_connections; /* in a row */
    int64_t down_since_ms, next_probe_ms;
    int probe_delay_ms;
    bool is_probing;
    struct buf body; /* of the probe's answer */
    int status;      /* of the probe's answer */
    int max_model_len;
    char detail[160]; /* why it is down */
};

enum remote_ctx_kind { REMOTE_CALL, REMOTE_SERVER };

/* From a base URL as users write it: the root, with /v1, or the full path of an endpoint; without a
 * scheme it is http://. */
bool remote_server_init(struct remote_server *s, const char *base_url, struct err *e) MUST_CHECK;
void remote_server_clear(struct remote_server *s);

/* Asks for the list of models; the answer comes as an http_done with the server as ctx. */
void remote_server_probe(struct remote_server *s, struct http_client *http,
                         const struct http_headers *headers, int timeout_ms);

/* Reads the list that a probe brought: whether `model` is served (max_model_len is then set);
 * `names` gets what is served, with commas. *n_served -1: the answer is no list. */
bool remote_server_serves(struct remote_server *s, const char *model, struct buf *names,
                          int *n_served, struct buf *only_name);

void remote_server_unreachable(struct remote_server *s, const char *detail, int64_t now_ms);
void remote_server_reached(struct remote_server *s);

/* The healthy server with the fewest requests under way; NULL: all are down. */
struct remote_server *remote_servers_choose(struct remote_server *servers, int n);
