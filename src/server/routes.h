/* routes.h - the paths of the API, and those answers that need no generation. */
#pragma once

#include "server/api.h"

enum route_id {
    ROUTE_CHAT,
    ROUTE_COMPLETIONS,
    ROUTE_SCORE,
    ROUTE_MODELS,
    ROUTE_MODEL,
    ROUTE_HEALTH,
    ROUTE_VERSION,
    ROUTE_METRICS,
    ROUTE_TOKENIZE,
    ROUTE_DETOKENIZE,
    ROUTE_TOKENIZER_INFO,
};

struct route {
    const char *method, *path; /* a '*' at the end stands for one or more bytes */
    enum route_id id;
    bool is_open;   /* needs no key */
    bool is_always; /* is answered while the model is being loaded, too */
};

const struct route *route_find(struct str path); /* NULL: 404. A slash at the end is overlooked. */
struct str route_rest(const struct route *r, struct str path); /* what its '*' stands for */
bool route_takes(const struct route *r, const char *method);   /* HEAD goes wherever GET does */

/* /tokenize, /detokenize, /tokenizer_info: 501 without the generator's text operations. */
bool route_text(enum route_id id, struct str body, const struct api_limits *limits, struct buf *out,
                struct api_error *err) MUST_CHECK;
