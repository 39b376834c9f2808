/* api.h - requests of the OpenAI-compatible API, from JSON to the waist.
 *
 * One body becomes one api_request with one gen_request for each choice that will be answered:
 * prompt-major, as the choices are ordered. Parsing knows nothing of sockets. */
#pragma once

#include "base/arena.h"
#include "formats/json.h"
#include "generator/generator.h"

enum api_kind { API_CHAT, API_COMPLETIONS, API_SCORE, API_TOKENIZE, API_DETOKENIZE };

struct api_error {
    int status;
    const char *type; /* "BadRequestError", "Bad Request", "NotFoundError", ... */
    char param[64];   /* the field at fault; "" : none */
    char message[640];
};

/* What the server serves and allows. Read-only. */
struct api_limits {
    const char *const *models; /* served names, n_models of them */
    int n_models;
    int max_model_len;
    int max_logprobs;
    int max_n;                /* choices of one prompt */
    int max_prompts;          /* prompts or continuations of one request */
    struct sampling defaults; /* where the request says nothing or null */
    int default_max_tokens;   /* of chat; 0: the rest of the context */
    bool accepts_images, can_score;
    unsigned constraints;         /* bit 1 << CONSTRAINT_x: the generator obeys them */
    enum constraint_lead lead;    /* of chat answers, where the constraint leaves thoughts free */
    const struct generator *text; /* whose text operations may be used; NULL: none */
};

struct api_request {
    struct arena arena; /* holds everything below */
    struct json *body;
    enum api_kind kind;
    struct str model;
    struct gen_request *reqs; /* [n_prompts * n]; ids are the server's to set */
    int n_reqs, n_prompts, n;
    bool stream, include_usage, continuous_usage;
    bool echo;
    struct str echo_text; /* chat: the last message, put before each choice */
    bool drops_generated; /* completions with max_tokens 0: one token is drawn and not shown */
    bool has_logprobs;
    int n_top_logprobs;
    bool has_prompt_logprobs; /* asked for by name, not by echo */
    bool tokens_as_ids;       /* return_tokens_as_token_ids */
    bool returns_token_ids;   /* return_token_ids */
    bool has_budget;          /* thinking_token_budget: whether it was reached is shown */
    bool truncates;           /* truncate_prompt_tokens: what was cut off is shown */
    bool hides_reasoning;     /* include_reasoning false */
    bool is_raw;              /* reasoning_format "none": content is the raw text */
    bool returns_token_strs;  /* tokenize */
    struct str request_id;
    struct str ignored; /* names of fields that change nothing, with commas */
};

/* False: *err says what to answer. In both cases *out wants api_request_clear. */
bool api_request_parse(struct str body, enum api_kind kind, const struct api_limits *limits,
                       struct api_request *out, struct api_error *err) MUST_CHECK;
void api_request_clear(struct api_request *r);

/* Always false. The first error wins. */
bool api_fail(struct api_error *err, int status, const char *type, const char *param,
              const char *fmt, ...) PRINTF_LIKE(5, 6);
void api_error_write(struct buf *out, const struct api_error *err); /* the JSON body */

#define BAD_REQUEST "BadRequestError" /* a value out of range, a bad combination */
#define BAD_SCHEMA  "Bad Request"     /* not JSON, a wrong type, a missing field */
