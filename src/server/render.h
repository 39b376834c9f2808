/* render.h - answers of the API as JSON, appended to a buffer. No sockets, no state. */
#pragma once

#include "formats/json.h"
#include "generator/generator.h"
#include "server/api.h"

/* What one answer's chunks or body have in common. */
struct render_head {
    enum api_kind kind;
    bool is_chunk;
    const char *id;
    int64_t created;
    struct str model;
};

struct render_usage {
    int64_t n_prompt, n_completion;
    int64_t n_cached, n_reasoning; /* -1: unknown */
    int64_t n_truncated;           /* prompt tokens cut off; -1: unknown, or nobody asked for it */
};

/* The part of a choice that goes into one body or chunk. */
struct render_choice {
    int index;
    bool has_role;                               /* chunk: the first of its choice */
    struct str content, reasoning;               /* chunk: what is new */
    bool has_reasoning;                          /* body: a parser is on */
    bool has_finish;                             /* chunk: the last of its choice */
    const struct gen_event *ev;                  /* finish, stop reason, ids, logprobs */
    const struct token_logprob *prompt_logprobs; /* completions, echo; NULL: none */
    int n_prompt_logprobs;
    const struct token_logprob *logprobs;
    int n_logprobs;
    size_t text_offset; /* completions: characters before the first of these tokens */
};

/* {"id":...,"choices":[ ; the choices follow, divided by commas, then render_end. */
void render_begin(struct buf *out, const struct render_head *h);
/* usage NULL: none. extras: further fields, each with a comma before it. */
void render_end(struct buf *out, const struct render_head *h, const struct render_usage *u,
                struct str extras);
void render_choice(struct buf *out, const struct render_head *h, const struct api_request *r,
                   const struct render_choice *c);
void render_usage(struct buf *out, const struct render_usage *u);
/* Fields beside the choices of a chat answer, with a comma before each. */
void render_prompt_logprobs(struct buf *out, const struct gen_event *ev);
void render_prompt_ids(struct buf *out, const struct gen_event *ev);
void render_model(struct buf *out, const struct api_limits *l, int i, int64_t created);
void render_models(struct buf *out, const struct api_limits *l, int64_t created);
void render_score(struct buf *out, int index, const struct gen_event *ev, int64_t n_bytes);

/* A log probability as JSON: what is below -9999 (or no number) is -9999.0. */
void render_logprob(struct buf *out, double logprob);
/* Characters of a token list's texts, as text_offset counts them. */
size_t render_text_length(const struct api_request *r, const struct token_logprob *t, int n);
