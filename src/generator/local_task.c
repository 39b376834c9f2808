/* local_task.c - from a request to what the engine takes. */
#include "generator/local_task.h"

#include <math.h>

#include "base/clock.h"
#include "base/log.h"

enum { STATUS_BAD_REQUEST = 400 };

void local_task_fail(struct local_task *t, enum fail_class c, int http_status, const char *words)
{
    if (t->fail_class != FAIL_NONE)
        return;
    t->fail_class = c;
    t->http_status = http_status;
    err_set(&t->err,
            c == FAIL_ENGINE      ? ERR_MEMORY
            : c == FAIL_CANCELLED ? ERR_CANCELLED
                                  : ERR_INPUT,
            "%s", words);
}

static void *copy_of(struct arena *a, const void *ptr, int n, size_t size)
{
    void *copy;

    if (n <= 0)
        return NULL;
    copy = arena_array(a, (size_t)n, size);
    memcpy(copy, ptr, (size_t)n * size);
    return copy;
}

static bool add_bad_words(struct local_task *t, const struct local_prompt *p,
                          const struct sampling *s)
{
    struct token_seq *bad = arena_array(&t->memory, 2 * (size_t)s->n_bad_words + 1, sizeof(*bad));
    int n = 0;

    for (int i = 0; i < s->n_bad_words; i++) {
        struct token_buf ids[2] = {{0}};
        bool ok = local_prompt_bad_word(p, s->bad_words[i], ids, &t->err);

        for (int k = 0; k < 2; k++) {
            if (ok && ids[k].n > 0)
                bad[n++] = (struct token_seq){
                    copy_of(&t->memory, ids[k].ids, (int)ids[k].n, sizeof(int32_t)), (int)ids[k].n};
            token_buf_clear(&ids[k]);
        }
        if (!ok)
            return false;
    }
    t->request.params.bad_words = bad;
    t->request.params.n_bad_words = n;
    return true;
}

/* The markers of thoughts are tokens of their own, where the model has them. */
static bool set_thinking(struct local_task *t, const struct local_prompt *p,
                         const struct gen_request *r)
{
    const struct tokenizer *tok = local_prompt_tokenizer(p);
    const struct sampling *s = &r->sampling;

    if (!s->has_thinking_budget)
        return true;
    if (r->constraint.kind != CONSTRAINT_NONE) /* what is forced might not be what is allowed */
        return err_set(&t->err, ERR_INPUT,
                       "thinking_token_budget and %s cannot be asked for together",
                       r->constraint.field ? r->constraint.field : "a constraint");
    t->request.thinking = (struct thinking_limit){
        .is_set = true,
        .open_id = tokenizer_find(tok, STR("<think>")),
        .close_id = tokenizer_find(tok, STR("</think>")),
        .budget = s->thinking_budget,
    };
    if (t->request.thinking.open_id >= 0 && t->request.thinking.close_id >= 0)
        return true;
    return err_set(
        &t->err, ERR_INPUT,
        "thinking_token_budget needs a reasoning model: the tokenizer of this one has no "
        "tokens <think> and </think>");
}

static bool set_params(struct local_task *t, const struct local_prompt *p,
                       const struct gen_request *r, uint64_t own_seed)
{
    const struct sampling *s = &r->sampling;
    struct arena *a = &t->memory;

    t->request.params = (struct sample_params){
        .temperature = (float)s->temperature,
        .top_p = (float)s->top_p,
        .min_p = (float)s->min_p,
        .top_k = s->top_k,
        .repetition_penalty = (float)s->repetition_penalty,
        .presence_penalty = (float)s->presence_penalty,
        .frequency_penalty = (float)s->frequency_penalty,
        .seed = s->has_seed ? s->seed : own_seed,
        .min_tokens = s->min_tokens,
        .bias_ids = copy_of(a, s->bias_ids, s->n_bias, sizeof(int32_t)),
        .bias = copy_of(a, s->bias, s->n_bias, sizeof(float)),
        .n_bias = s->n_bias,
        .allowed_ids = copy_of(a, s->allowed_token_ids, s->n_allowed_token_ids, sizeof(int32_t)),
        .n_allowed_ids = s->n_allowed_token_ids,
    };
    t->request.stop_token_ids = copy_of(a, s->stop_token_ids, s->n_stop_token_ids, sizeof(int32_t));
    t->request.n_stop_token_ids = s->n_stop_token_ids;
    t->request.n_logprobs = s->n_logprobs;
    t->request.logprob_token_ids =
        copy_of(a, s->logprob_token_ids, s->n_logprob_token_ids, sizeof(int32_t));
    t->request.n_logprob_token_ids = s->n_logprob_token_ids;
    t->request.n_prompt_logprobs = r->kind == GEN_SCORE ? s->n_logprobs : s->n_prompt_logprobs;
    t->request.logprobs_start = r->kind == GEN_SCORE ? t->n_context : s->logprobs_start;
    t->request.ignore_eos = s->ignore_eos;
    return set_thinking(t, p, r) && add_bad_words(t, p, s);
}

static bool set_text(struct local_task *t, const struct local_prompt *p, const struct sampling *s)
{
    struct str *stop = arena_array(&t->memory, (size_t)s->n_stop + 1, sizeof(*stop));

    for (int i = 0; i < s->n_stop; i++) {
        if (s->stop[i].len == 0)
            return err_set(&t->err, ERR_INPUT, "stop string %d is empty", i);
        stop[i] = str_dup(&t->memory, s->stop[i]);
    }
    t->include_stop = s->include_stop_str;
    local_text_init(&t->text, local_prompt_tokenizer(p),
                    &(struct local_text_spec){.stop = stop,
                                              .n_stop = s->n_stop,
                                              .include_stop = s->include_stop_str,
                                              .skip_special = !s->keep_special_tokens,
                                              .min_tokens = s->min_tokens});
    return true;
}

/* How many tokens may follow the prompt; false: it does not fit, in vLLM's words, which clients
 * look for. */
static bool fit_context(struct local_task *t, const struct gen_request *r, int max_model_len)
{
    int n_prompt = t->request.n_prompt, room = max_model_len - n_prompt,
        wanted = r->sampling.max_tokens;

    if (r->kind == GEN_SCORE) {
        t->max_tokens = 0;
        if (room >= 0)
            return true;
        return err_set(&t->err, ERR_INPUT,
                       "This model's maximum context length is %d tokens. However, context and "
                       "continuation have "
                       "%d tokens.",
                       max_model_len, n_prompt);
    }
    t->max_tokens = wanted > 0 ? MIN(wanted, room) : room;
    t->is_clamped = wanted > room;
    t->request.max_tokens = t->max_tokens;
    if (room >= 1 && (!t->is_clamped || r->overlong == OVERLONG_CLAMP))
        return true;
    return err_set(
        &t->err, ERR_INPUT,
        "This model's maximum context length is %d tokens. However, you requested %d tokens (%d in "
        "the "
        "messages, %d in the completion). Please reduce the length of the messages or completion.",
        max_model_len, n_prompt + MAX(wanted, 1), n_prompt, MAX(wanted, 1));
}

/* The ids of the prompt that are kept. */
static void take_prompt(struct local_task *t, const struct gen_request *r,
                        const struct token_buf *ids, int max_model_len)
{
    int n = (int)ids->n, keep = r->truncate_prompt_tokens;
    const int32_t *from = ids->ids;

    if (keep < 0)
        keep = MAX(max_model_len - MAX(r->sampling.max_tokens, 1), 1);
    if (r->kind == GEN_SCORE || keep == 0 || keep > n)
        keep = n;
    if (r->truncation_side == TRUNCATE_LEFT)
        from += n - keep;
    t->request.prompt_ids = copy_of(&t->memory, from, keep, sizeof(int32_t));
    t->request.n_prompt = keep;
    t->n_truncated = n - keep;
}

static bool set_grammar(struct local_task *t, const struct gen_request *r)
{
    static const struct {
        enum constraint_kind kind;
        enum grammar_kind grammar;
    } kinds[] = {
        {CONSTRAINT_CHOICE, GRAMMAR_CHOICE},
        {CONSTRAINT_REGEX, GRAMMAR_REGEX},
        {CONSTRAINT_JSON_OBJECT, GRAMMAR_JSON_OBJECT},
        {CONSTRAINT_JSON_SCHEMA, GRAMMAR_JSON_SCHEMA},
    };
    static const enum grammar_lead leads[] = {
        [CONSTRAINT_AT_ONCE] = LEAD_NONE,
        [CONSTRAINT_MAY_THINK] = LEAD_MAY_THINK,
        [CONSTRAINT_THINKS] = LEAD_THINKS,
    };
    const struct constraint *c = &r->constraint;
    struct grammar_source s = {.lead = leads[c->lead], .regex = c->regex, .json = c->json};

    if (c->kind == CONSTRAINT_NONE)
        return true;
    for (size_t i = 0; i < LEN(kinds); i++)
        if (kinds[i].kind == c->kind) {
            s.kind = kinds[i].grammar;
            t->request.grammar = grammar_cache_take(t->grammars, &s, &t->err);
            err_prefix(&t->err, "%s", c->field ? c->field : "constraint");
            return t->request.grammar != NULL;
        }
    return err_set(&t->err, ERR_INPUT, "%s: grammars of this kind are not supported",
                   c->field ? c->field : "constraint");
}

static bool prepare(struct local_task *t, const struct local_prompt *p, const struct gen_request *r,
                    int max_model_len, uint64_t own_seed)
{
    struct token_buf ids = {0};
    bool ok = local_prompt_encode(p, r, &ids, &t->n_context, &t->err);

    take_prompt(t, r, &ids, max_model_len);
    token_buf_clear(&ids);
    t->fail_class = FAIL_REQUEST;
    if (!ok || !set_params(t, p, r, own_seed) || !set_text(t, p, &r->sampling) ||
        !set_grammar(t, r))
        return false;
    if (t->request.n_prompt == 0)
        return err_set(&t->err, ERR_INPUT, "the prompt has no tokens");
    if (r->kind == GEN_SCORE && t->n_context == t->request.n_prompt)
        return err_set(&t->err, ERR_INPUT, "the continuation has no tokens");
    t->fail_class = FAIL_CONTEXT;
    if (!fit_context(t, r, max_model_len))
        return false;
    t->fail_class = FAIL_NONE;
    return true;
}

struct local_task *local_task_open(const struct local_prompt *p, struct grammar_cache *grammars,
                                   const struct gen_request *r, int max_model_len,
                                   uint64_t own_seed)
{
    struct local_task *t = xcalloc(1, sizeof(*t));

    arena_init(&t->memory, 0);
    t->grammars = grammars;
    t->id = r->id;
    t->submitted_us = clock_us();
    t->streams = r->stream && r->kind != GEN_SCORE;
    t->request.id = r->id;
    t->request.is_score = r->kind == GEN_SCORE;
    t->request.priority = r->priority;
    t->request.round = r->round;
    t->request.user = t;
    t->text.stop_index = -1;
    if (!prepare(t, p, r, max_model_len, own_seed))
        t->http_status = STATUS_BAD_REQUEST;
    return t;
}

void local_task_close(struct local_task *t)
{
    if (!t)
        return;
    grammar_cache_give(t->grammars, t->request.grammar);
    local_text_clear(&t->text);
    arena_clear(&t->memory);
    free(t);
}
