/* generator_remote_reply.h - what a server sends back, whole or streamed, into one answer.
 *
 * The bytes come in pieces of any size. Chat completions and completions are read, with reasoning
 * under either of its names. A stream may also bring an error after its status 200. */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "generator/generator.h"
#include "net/http_client.h"
#include "net/sse.h"

struct remote_reply {
    struct buf text, reasoning, finish_reason, stop_text, model;
    bool has_reasoning, has_content, has_finish_reason, has_done_mark;
    int n_prompt_tokens, n_completion_tokens, n_cached_tokens, n_reasoning_tokens,
        n_truncated_tokens; /* -1: not said */
    int n_chunks;           /* pieces of text so far: about as many tokens */
    struct buf body;        /* a body that is no stream */
    struct sse_reader sse;
    enum fail_class fail_class; /* of an error inside a stream */
    int error_status;           /* its code; 0: none */
    struct buf error;           /* in words: of a refused or failed reply */
};

void remote_reply_init(struct remote_reply *r);
void remote_reply_clear(struct remote_reply *r);
void remote_reply_reset(struct remote_reply *r); /* for the next try; keeps memory */

/* The next bytes of the body; false: the reply is beyond saving, fail_class and error say why. */
bool remote_reply_take(struct remote_reply *r, const struct http_head *head, struct str bytes);

/* The body has ended, `is_whole` as HTTP promised or not. False as above. */
bool remote_reply_end(struct remote_reply *r, const struct http_head *head, bool is_whole);

/* The words of an error body of any known form, else its first line; added to out. */
void remote_error_text(struct str body, struct buf *out);
