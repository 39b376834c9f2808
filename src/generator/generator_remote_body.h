/* generator_remote_body.h - a request as the JSON that a server reads.
 *
 * Every sampling value is sent, so that no server fills one in from its model's defaults. The limit
 * of tokens stands last, so that clamping it means writing a few bytes anew. */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "generator/generator.h"

struct json;

struct remote_body_opts {
    const char *model;
    bool stream, send_seed;
    bool strict_openai; /* only fields of OpenAI's own API, and max_completion_tokens */
    const struct json
        *extra; /* --extra_body: fields that come instead of ours; null leaves ours out */
};

struct remote_body_info {
    int max_tokens; /* the limit, which extra fields may have changed; 0: none, and its name is not
                       written */
    size_t
        n_prompt; /* bytes that say model and prompt: equal ones have equally many prompt tokens */
};

/* Appends everything up to the value of the limit. */
bool remote_body_write(struct buf *out, const struct remote_body_opts *o,
                       const struct gen_request *r, struct remote_body_info *info,
                       struct err *e) MUST_CHECK;

/* The end of such a body: the limit and the closing brace. */
void remote_body_finish(struct buf *out, int max_tokens);
