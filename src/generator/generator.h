/* generator.h - the waist: requests in, events out.
 *
 * Everything that needs a model speaks to a generator, and nothing above this line knows which one:
 * remote (an OpenAI-compatible server), local (the engine of this program) or scripted (replies
 * from a file or made by rule). Events are pulled. A generator belongs to one thread;
 * generator_wake is the one call for others. What an event points to lives until the next poll.
 *
 * Every id that submit took ends in exactly one GEN_DONE or GEN_FAILED, also after a cancel. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct json;

enum gen_kind {
    GEN_CHAT,     /* msgs; the chat template is applied behind this line */
    GEN_COMPLETE, /* prompt (or prompt_ids), as it stands */
    GEN_SCORE,    /* log p(continuation | prompt); nothing is sampled */
};

enum part_kind { PART_TEXT, PART_IMAGE };

struct chat_part {
    enum part_kind kind;
    struct str data; /* UTF-8 text, or the bytes of a PNG, JPEG or WebP */
};

struct chat_msg {
    struct str role; /* "system", "user", "assistant", "tool", "developer" */
    const struct chat_part *parts;
    int n_parts;
    const struct json
        *raw; /* the message as it came over HTTP, for templates that read more; may be NULL */
};

/* How tokens are drawn. The order of the steps and their meaning are vLLM's. */
struct sampling {
    double temperature;        /* 0: greedy */
    double top_p;              /* (0, 1] */
    double min_p;              /* [0, 1]; 0: off */
    int top_k;                 /* 0: all */
    double repetition_penalty; /* 1: none */
    double presence_penalty;   /* 0: none */
    double frequency_penalty;  /* 0: none */
    int max_tokens;            /* 0: whatever the context leaves */
    int min_tokens;
    uint64_t seed; /* this sample's own; with the prompt it fixes every draw, in any batch */
    bool has_seed; /* false: the generator picks one and reports it */
    const struct str *stop;
    int n_stop;
    const int32_t *stop_token_ids;
    int n_stop_token_ids;
    bool include_stop_str, ignore_eos, keep_special_tokens;
    int n_logprobs; /* alternatives for each generated token; -1: no logprobs, 0: the chosen one
                       only */
    int n_prompt_logprobs; /* the same for prompt tokens; -1: none */
    int logprobs_start;    /* first prompt position whose logprob is wanted */
    const int32_t
        *logprob_token_ids;  /* with n_logprobs >= 0: the alternatives of generated tokens are */
    int n_logprob_token_ids; /* these, in this order, not the likeliest; 0: the likeliest */
    const int32_t *bias_ids; /* logit_bias */
    const float *bias;
    int n_bias;
    const int32_t *allowed_token_ids;
    int n_allowed_token_ids; /* 0: all */
    const struct str *bad_words;
    int n_bad_words;
    bool has_thinking_budget;
    int thinking_budget; /* tokens of thought, after which the thoughts are closed */
};

/* What the answer must look like. Obeyed or refused, never dropped. */
enum constraint_kind {
    CONSTRAINT_NONE,
    CONSTRAINT_CHOICE,      /* json: a list of strings, of which the answer is one */
    CONSTRAINT_REGEX,       /* regex: matches the whole answer */
    CONSTRAINT_JSON_OBJECT, /* any JSON object */
    CONSTRAINT_JSON_SCHEMA, /* json: the schema */
    CONSTRAINT_EBNF,        /* in value alone: a grammar in EBNF, */
    CONSTRAINT_TAG,         /* or structural tags */
};

/* Thoughts before the answer, to which the constraint does not apply. */
enum constraint_lead {
    CONSTRAINT_AT_ONCE,
    CONSTRAINT_MAY_THINK, /* if the reply begins with <think>, up to </think> */
    CONSTRAINT_THINKS,    /* up to </think> */
};

struct constraint {
    enum constraint_kind kind;
    enum constraint_lead lead;
    struct str regex;
    const struct json *json;
    const char *field;        /* of the API, as the request spelled it, */
    const struct json *value; /* and what it held: for servers further on */
};

enum overlong {
    OVERLONG_CLAMP,  /* prompt + max_tokens over the context: fewer tokens, reported as effective */
    OVERLONG_REJECT, /* ... the request fails */
};

enum truncation_side { TRUNCATE_LEFT, TRUNCATE_RIGHT }; /* where the tokens are cut off */

struct gen_request {
    uint64_t id; /* the caller's; comes back with every event */
    enum gen_kind kind;
    const struct chat_msg *msgs;
    int n_msgs;
    struct str prompt, continuation;
    const int32_t *prompt_ids; /* instead of prompt, when not NULL */
    int n_prompt_ids;
    const int32_t *continuation_ids;
    int n_continuation_ids;
    /* GEN_CHAT, GEN_COMPLETE: at most so many tokens of the prompt are kept. 0: all of them; -1: as
     * many as the context leaves beside max_tokens, or beside one token where that is 0. */
    int truncate_prompt_tokens;
    enum truncation_side truncation_side;
    bool add_special_tokens; /* GEN_COMPLETE and GEN_SCORE with text: BOS and the like */
    bool no_generation_prompt, continue_final_message; /* GEN_CHAT */
    const struct json *template_kwargs;                /* chat_template_kwargs; may be NULL */
    const struct json *tools;                          /* may be NULL */
    const struct json *documents;                      /* may be NULL */
    struct str chat_template;      /* instead of the model's own; "" : the model's */
    const struct json *extra_body; /* further fields for a remote server; may be NULL */
    struct sampling sampling;
    struct constraint constraint; /* not of GEN_SCORE */
    enum overlong overlong;
    bool stream;  /* report text as it appears */
    int priority; /* lower first; then round, then order of submission */
    int round;    /* sample index: round 0 of every problem goes before round 1 */
};

enum gen_event_kind { GEN_DELTA, GEN_DONE, GEN_FAILED };

enum finish_reason {
    FINISH_NONE,
    FINISH_STOP,   /* end of sequence, stop string or stop token */
    FINISH_LENGTH, /* max_tokens or the context */
    FINISH_ABORT,  /* cancelled */
    FINISH_OTHER, /* content_filter, tool_calls, kv_exhausted, ...: finish_reason_text has the words
                   */
};

struct top_logprob {
    int32_t token_id; /* -1: unknown (remote) */
    float logprob;
    struct str bytes; /* of the token; may be part of a character */
    int rank;         /* 1: the likeliest; 0: unknown */
};

struct token_logprob {
    struct top_logprob chosen;
    const struct top_logprob *top; /* n_top alternatives, likeliest first; those asked for by id in
                                      their order, without rank */
    int n_top;
};

/* Why a request failed and whether it was worth another try: counted in summaries. */
enum fail_class {
    FAIL_NONE,
    FAIL_CONNECT,   /* no connection, reset, closed early */
    FAIL_TIMEOUT,   /* first byte, silence between tokens, whole request */
    FAIL_RATE,      /* 408, 409, 425, 429 */
    FAIL_SERVER,    /* 5xx */
    FAIL_MALFORMED, /* not JSON, a field is missing, the stream was cut */
    FAIL_REQUEST,   /* other 4xx: will not get better */
    FAIL_CONTEXT,   /* the prompt does not fit the context */
    FAIL_CANCELLED,
    FAIL_ENGINE,
    N_FAIL_CLASSES,
};

struct gen_event {
    uint64_t id;
    enum gen_event_kind kind;
    struct str text;      /* DELTA: new whole characters; DONE: all of it */
    struct str reasoning; /* what the server reported apart from text; "" if it did not */
    bool has_reasoning;
    enum finish_reason finish_reason;
    struct str finish_reason_text; /* "stop", "length", ... as recorded */
    struct str stop_text;          /* stop string that ended it; "" : none */
    int32_t stop_token_id;         /* stop token that ended it; -1: none */
    int n_prompt_tokens, n_completion_tokens, n_cached_tokens; /* -1: not reported */
    int n_reasoning_tokens;                                    /* -1: not reported */
    int n_truncated_tokens;   /* DONE: prompt tokens that were cut off as asked; -1: not reported */
    const int32_t *token_ids; /* DONE, and DELTA for the new ones; NULL: unknown (remote) */
    int n_token_ids;
    const int32_t *prompt_ids; /* DONE; NULL: unknown (remote) */
    int n_prompt_ids;
    const struct token_logprob *logprobs; /* DONE: all; DELTA: those of the new tokens */
    int n_logprobs;
    const struct token_logprob *prompt_logprobs; /* [n_prompt_logprobs], from logprobs_start on */
    int n_prompt_logprobs;
    double score;   /* GEN_SCORE: sum of log p over n_completion_tokens */
    bool is_greedy; /* GEN_SCORE: each token was the likeliest */
    int max_tokens; /* DONE: the effective limit, after clamping */
    bool is_clamped;
    int n_forced_tokens; /* DONE: ends of thoughts that thinking_budget brought about; -1: unknown
                          */
    uint64_t seed;       /* DONE: the seed that was used */
    int n_attempts;      /* DONE, FAILED: 1 without retries */
    struct str server;   /* remote: which base URL answered; "" otherwise */
    struct str model;    /* as the server names it */
    int64_t first_token_us, latency_us; /* from the attempt's start; -1: unknown */
    enum fail_class fail_class;         /* FAILED */
    int http_status;                    /* remote: 0 if there was none */
    const struct err *err;              /* FAILED */
};

/* What happened since open; for progress lines, summaries and /metrics. */
struct gen_stats {
    int n_running, n_waiting;
    uint64_t n_done, n_failed;
    uint64_t n_prompt_tokens, n_completion_tokens, n_cached_tokens;
    uint64_t n_retries[N_FAIL_CLASSES]; /* remote: attempts that failed and were tried again */
    uint64_t n_preemptions, n_prefix_queries,
        n_prefix_hits; /* local; in tokens for the prefix cache */
    double kv_usage;   /* local: share of KV blocks in use, 0 to 1 */
    int concurrency;   /* remote: the present window */
};

struct generator;

struct generator_ops {
    const char *name;                       /* "remote", "local", "scripted" */
    int (*room)(const struct generator *g); /* how many more requests it takes now */
    bool (*submit)(struct generator *g, const struct gen_request *r, struct err *e); /* copies r */
    bool (*poll)(struct generator *g, int timeout_ms, struct gen_event *ev, int cap, int *n,
                 struct err *e);
    void (*cancel)(struct generator *g, uint64_t id);
    void (*wake)(struct generator *g); /* ends a poll early; from any thread or signal handler */
    void (*stats)(const struct generator *g, struct gen_stats *out);
    void (*close)(struct generator *g);
};

/* Text to tokens and back, where the generator knows the model's tokenizer (local). May be NULL in
 * struct generator. Read-only and safe from any thread. Results live in the arena. */
struct arena;
struct generator_text_ops {
    bool (*encode)(const struct generator *g, struct str text, bool add_special_tokens,
                   struct arena *a, int32_t **ids, int *n, struct err *e);
    bool (*encode_chat)(const struct generator *g, const struct gen_request *chat, struct arena *a,
                        int32_t **ids, int *n, struct str *rendered, struct err *e);
    bool (*decode)(const struct generator *g, const int32_t *ids, int n, bool skip_special_tokens,
                   struct arena *a, struct str *text, struct err *e);
    const struct json *(*tokenizer_info)(const struct generator *g);
};

struct generator {
    const struct generator_ops *ops;
    const struct generator_text_ops *text; /* NULL: not available */
    const char *model_name;                /* served name */
    int max_model_len;                     /* tokens; 0: unknown */
    int max_running; /* requests that are computed at once, the others wait; 0: unknown */
    bool can_score, accepts_images;
    unsigned constraints; /* bit 1 << CONSTRAINT_x: constraints of this kind are obeyed */
};

static inline int generator_room(const struct generator *g)
{
    return g->ops->room(g);
}

static inline bool generator_submit(struct generator *g, const struct gen_request *r, struct err *e)
{
    return g->ops->submit(g, r, e);
}

/* Waits up to timeout_ms for at least one event; *n may be 0. False: the generator itself is
 * broken. */
static inline bool generator_poll(struct generator *g, int timeout_ms, struct gen_event *ev,
                                  int cap, int *n, struct err *e)
{
    return g->ops->poll(g, timeout_ms, ev, cap, n, e);
}

static inline void generator_cancel(struct generator *g, uint64_t id)
{
    g->ops->cancel(g, id);
}

static inline void generator_wake(struct generator *g)
{
    g->ops->wake(g);
}

static inline void generator_stats(const struct generator *g, struct gen_stats *out)
{
    g->ops->stats(g, out);
}

void generator_close(struct generator *g); /* NULL is fine */

/* Sampling as a request that says nothing: OpenAI's defaults, no logprobs, no limits. */
struct sampling sampling_default(void);
const char *finish_reason_name(enum finish_reason r); /* "stop", "length", "abort", "other" */
const char *fail_class_name(enum fail_class c);       /* "connect", "timeout", "rate_limit", ... */
