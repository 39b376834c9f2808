/* local_event.c - from the engine's results to what the waist reports. */
#include <math.h>

#include "base/clock.h"
#include "generator/local_task.h"

static int n_output(const struct local_task *t)
{
    return t->seq->seq->n_tokens - t->seq->seq->n_prompt;
}

static int32_t *copy_ids(struct arena *a, const int32_t *ids, int n)
{
    int32_t *copy = arena_array(a, (size_t)n + 1, sizeof(*copy));

    memcpy(copy, ids, (size_t)n * sizeof(*ids));
    return copy;
}

/* Rows [from, to) of a table as the waist's logprobs. is_ranked: the alternatives are the
 * likeliest, in order. */
static struct token_logprob *logprobs_of(const struct logprob_table *t, bool is_ranked,
                                         const int32_t *ids, int from, int to,
                                         const struct local_source *src, struct arena *a)
{
    struct token_logprob *out = arena_array(a, (size_t)(to - from) + 1, sizeof(*out));

    for (int i = from; i < to; i++) {
        struct token_logprob *o = &out[i - from];
        struct top_logprob *top = arena_array(a, (size_t)MAX(t->n_top, 0) + 1, sizeof(*top));

        o->chosen = (struct top_logprob){ids[i], t->logprob[i],
                                         tokenizer_piece(src->tokenizer, ids[i]), t->rank[i]};
        for (int k = 0; k < t->n_top; k++) {
            size_t at = (size_t)i * (size_t)t->n_top + (size_t)k;

            top[k] = (struct top_logprob){t->top_ids[at], t->top_logprobs[at],
                                          tokenizer_piece(src->tokenizer, t->top_ids[at]),
                                          is_ranked ? k + 1 : 0};
        }
        o->top = top;
        o->n_top = MAX(t->n_top, 0);
    }
    return out;
}

struct local_event *local_event_delta(struct local_task *t, const struct local_source *src,
                                      bool is_finished)
{
    const struct seq *q = t->seq->seq;
    struct str text = local_text_new(&t->text, is_finished);
    int from = t->n_emitted, to = n_output(t);
    struct local_event *out;

    if (text.len == 0 && !(is_finished && to > from))
        return NULL;
    out = xcalloc(1, sizeof(*out));
    arena_init(&out->memory, 0);
    t->n_emitted = to;
    out->ev = (struct gen_event){
        .id = t->id,
        .kind = GEN_DELTA,
        .text = str_dup(&out->memory, text),
        .reasoning = STR(""),
        .finish_reason_text = STR(""),
        .stop_text = STR(""),
        .server = STR(""),
        .model = STR(src->model_name),
        .token_ids = copy_ids(&out->memory, q->token_ids + q->n_prompt + from, to - from),
        .n_token_ids = to - from,
        .stop_token_id = -1,
        .n_prompt_tokens = q->n_prompt,
        .n_completion_tokens = to,
        .n_cached_tokens = q->n_cached,
        .n_reasoning_tokens = -1,
        .n_attempts = 1,
    };
    if (t->seq->output.n_top >= 0) {
        out->ev.logprobs = logprobs_of(&t->seq->output, !t->seq->logprob_ids,
                                       q->token_ids + q->n_prompt, from, to, src, &out->memory);
        out->ev.n_logprobs = to - from;
    }
    return out;
}

static void fill_finish(struct gen_event *ev, const struct local_task *t)
{
    switch (t->seq->finish) {
    case ENGINE_LENGTH:
        ev->finish_reason = FINISH_LENGTH;
        break;
    case ENGINE_EXHAUSTED:
        ev->finish_reason = FINISH_OTHER;
        ev->finish_reason_text = STR("kv_exhausted");
        return;
    default:
        ev->finish_reason = FINISH_STOP;
    }
    ev->finish_reason_text = STR(finish_reason_name(ev->finish_reason));
    if (t->text.stop_index >= 0)
        ev->stop_text = t->text.spec.stop[t->text.stop_index];
    if (t->seq->finish == ENGINE_STOP_TOKEN)
        ev->stop_token_id = t->seq->stop_token_id;
}

/* The prompt's logprobs from logprobs_start on. Position 0 follows nothing: its logprob is NaN. */
static void fill_prompt_logprobs(struct gen_event *ev, struct local_task *t,
                                 const struct local_source *src)
{
    const struct logprob_table *table = &t->seq->prompt;
    const int32_t *ids = t->request.prompt_ids;
    int lead = t->request.logprobs_start <= 0, n = table->n;
    struct token_logprob *out = arena_array(&t->memory, (size_t)(n + lead) + 1, sizeof(*out));

    if (lead)
        out[0].chosen =
            (struct top_logprob){ids[0], NAN, tokenizer_piece(src->tokenizer, ids[0]), 0};
    if (n > 0)
        memcpy(out + lead, logprobs_of(table, true, ids + table->first, 0, n, src, &t->memory),
               (size_t)n * sizeof(*out));
    ev->prompt_logprobs = out;
    ev->n_prompt_logprobs = n + lead;
}

static void fill_generated(struct gen_event *ev, struct local_task *t,
                           const struct local_source *src)
{
    const struct seq *q = t->seq->seq;

    ev->text = (struct str){buf_z(&t->text.bytes), t->text.bytes.len};
    ev->n_completion_tokens = ev->n_token_ids = n_output(t);
    ev->token_ids = copy_ids(&t->memory, q->token_ids + q->n_prompt, ev->n_token_ids);
    ev->prompt_ids = t->request.prompt_ids;
    ev->n_prompt_ids = q->n_prompt;
    if (t->seq->output.n_top >= 0) {
        ev->logprobs = logprobs_of(&t->seq->output, !t->seq->logprob_ids, ev->token_ids, 0,
                                   ev->n_token_ids, src, &t->memory);
        ev->n_logprobs = ev->n_token_ids;
    }
    if (t->seq->prompt.n_top >= 0 && t->request.n_prompt_logprobs >= 0)
        fill_prompt_logprobs(ev, t, src);
}

static void fill_score(struct gen_event *ev, struct local_task *t, const struct local_source *src)
{
    ev->prompt_ids = t->request.prompt_ids;
    ev->n_prompt_ids = ev->n_prompt_tokens = t->n_context;
    ev->token_ids = t->request.prompt_ids + t->n_context;
    ev->n_token_ids = ev->n_completion_tokens = t->request.n_prompt - t->n_context;
    ev->score = t->seq->score;
    ev->is_greedy = t->seq->is_greedy;
    if (t->request.n_prompt_logprobs >= 0) {
        ev->logprobs =
            logprobs_of(&t->seq->prompt, true, ev->token_ids, 0, t->seq->prompt.n, src, &t->memory);
        ev->n_logprobs = t->seq->prompt.n;
    }
}

static const char *why_no_token(const struct engine_seq *s)
{
    switch (s->grammar ? s->verdict : GRAMMAR_SOME) {
    case GRAMMAR_NONE:
        return "the constraint allows no token of the vocabulary here: the vocabulary lacks bytes that "
               "it asks for";
    case GRAMMAR_OVERRUN:
        return "the constraint leaves too many ways open at once to follow them all: make its "
               "alternatives differ earlier";
    default:
        return s->grammar
                   ? "no token could be drawn: the constraint and other fields "
                     "(min_tokens, logit_bias, "
                     "bad_words, allowed_token_ids) forbid all together, or the model's logits "
                     "are not numbers"
                   : "no token could be drawn: all were forbidden, or the model's logits are "
                     "not numbers";
    }
}

struct local_event *local_event_last(struct local_task *t, const struct local_source *src)
{
    struct local_event *out = xcalloc(1, sizeof(*out));
    int64_t now = clock_us();
    struct gen_event *ev = &out->ev;

    if (t->seq && t->seq->finish == ENGINE_NO_TOKEN)
        local_task_fail(t, FAIL_ENGINE, 500, why_no_token(t->seq));
    out->task = t;
    *ev = (struct gen_event){
        .id = t->id,
        .text = STR(""),
        .reasoning = STR(""),
        .stop_text = STR(""),
        .server = STR(""),
        .kind = t->fail_class == FAIL_NONE ? GEN_DONE : GEN_FAILED,
        .stop_token_id = -1,
        .n_prompt_tokens = t->request.n_prompt,
        .n_completion_tokens = t->seq ? n_output(t) : 0,
        .n_cached_tokens = t->seq ? t->seq->seq->n_cached : 0,
        .n_reasoning_tokens = -1,
        .n_truncated_tokens = t->n_truncated,
        .max_tokens = t->max_tokens,
        .is_clamped = t->is_clamped,
        .n_forced_tokens = t->seq ? t->seq->thinking.n_forced : 0,
        .seed = t->request.params.seed,
        .n_attempts = 1,
        .model = STR(src->model_name),
        .first_token_us = t->first_us ? t->first_us - t->submitted_us : now - t->submitted_us,
        .latency_us = now - t->submitted_us,
    };
    if (t->fail_class != FAIL_NONE) {
        ev->fail_class = t->fail_class;
        ev->http_status = t->http_status;
        ev->err = &t->err;
        ev->finish_reason = t->fail_class == FAIL_CANCELLED ? FINISH_ABORT : FINISH_NONE;
        ev->finish_reason_text = STR(finish_reason_name(ev->finish_reason));
        return out;
    }
    fill_finish(ev, t);
    if (t->request.is_score)
        fill_score(ev, t, src);
    else
        fill_generated(ev, t, src);
    return out;
}

void local_event_close(struct local_event *ev)
{
    if (!ev)
        return;
    local_task_close(ev->task);
    arena_clear(&ev->memory);
    free(ev);
}
