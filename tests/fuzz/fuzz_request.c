/* fuzz_request.c - the body of any request kind to requests at the waist.
 *
 * The first byte chooses the kind. Whatever the body, the parser ends with a request whose values
 * are in range, or with an error that renders as valid JSON. */
#include "generator/generator_scripted.h"
#include "server/api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const models[] = {"m", "n"};

static void check(bool claim)
{
    if (!claim)
        abort();
}

static void check_request(const struct api_request *r, const struct api_limits *l)
{
    check(r->n_reqs == r->n * r->n_prompts && r->n_reqs >= 1);
    for (int i = 0; i < r->n_reqs; i++) {
        const struct gen_request *q = &r->reqs[i];
        const struct sampling *s = &q->sampling;

        if (r->kind == API_TOKENIZE || r->kind == API_DETOKENIZE)
            continue;
        check(s->temperature >= 0 && s->top_p > 0 && s->top_p <= 1 && s->min_p >= 0 &&
              s->min_p <= 1 && s->top_k >= 0);
        check(s->repetition_penalty > 0 && s->max_tokens >= 0 && s->min_tokens >= 0);
        check(s->n_logprobs >= -1 && s->n_logprobs <= l->max_logprobs &&
              s->n_prompt_logprobs <= l->max_logprobs);
        check(q->kind != GEN_CHAT || q->n_msgs >= 1);
        check(q->kind != GEN_SCORE || q->n_continuation_ids > 0 || q->continuation.len > 0);
        for (int k = 0; k < s->n_stop; k++)
            check(s->stop[k].len > 0);
        for (int k = 0; k < q->n_prompt_ids; k++)
            check(q->prompt_ids[k] >= 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct api_limits l = {.models = models,
                           .n_models = 2,
                           .max_model_len = 4096,
                           .max_logprobs = 20,
                           .max_n = 16,
                           .max_prompts = 64,
                           .defaults = sampling_default(),
                           .accepts_images = true,
                           .can_score = true,
                           .constraints = ~0u};
    struct api_request r;
    struct api_error err;
    struct err e = ERR_INIT;
    struct buf body = {0};
    struct json *v;

    if (size == 0)
        return 0;
    if (api_request_parse((struct str){(const char *)data + 1, size - 1},
                          (enum api_kind)(data[0] % 5), &l, &r, &err)) {
        check_request(&r, &l);
    } else {
        check(err.status >= 400 && err.status < 600 && err.type && err.message[0]);
        api_error_write(&body, &err);
        v = json_parse(buf_str(&body), &e);
        check(v != NULL);
        json_close(v);
        buf_clear(&body);
    }
    api_request_clear(&r);
    return 0;
}
