/* call.c - choices, streamed or gathered.
 *
 *   OPEN -- first event of a stream --> BEGUN --> all choices ended --> SETTLED
 *     +---- all choices ended, or one failed -------------------------> SETTLED
 *
 * What was sent of a choice is counted in bytes of its raw text, so a generator that does not
 * stream, or streams less than the whole, is completed from its last event. */
#include "server/call.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/hash.h"

#define JSON_TYPE "application/json"
#define SSE_TYPE  "text/event-stream; charset=utf-8"

static void make_id(struct call *c)
{
    static atomic_uint_fast64_t n_calls;
    const char *prefix = c->req.kind == API_CHAT    ? "chatcmpl-"
                         : c->req.kind == API_SCORE ? "score-"
                                                    : "cmpl-";
    int64_t now[2] = {clock_us(), (int64_t)atomic_fetch_add(&n_calls, 1)};
    struct hash128 h = siphash128((uint64_t)(uintptr_t)c, (uint64_t)time(NULL), now, sizeof(now));

    if (c->req.request_id.len > 0)
        snprintf(c->id, sizeof(c->id), "%s" STR_FMT, prefix, STR_ARG(c->req.request_id));
    else
        snprintf(c->id, sizeof(c->id), "%s%016" PRIx64 "%016" PRIx64, prefix, h.hi, h.lo);
}

struct call *call_open(struct http_exchange *x, struct api_request *req,
                       enum reasoning_parser parser, struct metrics *metrics)
{
    struct call *c = xcalloc(1, sizeof(*c));

    c->x = x;
    c->req = *req;
    *req = (struct api_request){0};
    c->parser = c->req.kind == API_CHAT && !c->req.is_raw ? parser : REASONING_NONE;
    c->metrics = metrics;
    c->started_us = clock_us();
    c->usage = (struct render_usage){0, 0, -1, -1, -1};
    make_id(c);
    c->head = (struct render_head){.kind = c->req.kind,
                                   .is_chunk = c->req.stream,
                                   .id = c->id,
                                   .created = (int64_t)time(NULL),
                                   .model = c->req.model};
    c->subs = xcalloc((size_t)MAX(c->req.n_reqs, 1), sizeof(*c->subs));
    for (int i = 0; i < c->req.n_reqs; i++) {
        struct sub *s = &c->subs[i];

        s->call = c;
        s->index = i;
        reasoning_init(&s->split, c->parser);
        c->req.reqs[i].id = (uint64_t)(uintptr_t)s;
        /* The prompt's logprobs come with the last event, and so does what was left of a truncated
         * prompt: an echo of them cannot begin earlier. */
        if (c->req.echo && (c->req.has_logprobs || c->req.truncates) &&
            c->req.kind == API_COMPLETIONS)
            c->req.reqs[i].stream = false;
    }
    return c;
}

void call_close(struct call *c)
{
    if (!c)
        return;
    for (int i = 0; i < c->req.n_reqs; i++) {
        reasoning_clear(&c->subs[i].split);
        buf_clear(&c->subs[i].choice);
    }
    free(c->subs);
    buf_clear(&c->extras);
    buf_clear(&c->scratch);
    buf_clear(&c->prefix);
    buf_clear(&c->content);
    buf_clear(&c->reasoning);
    api_request_clear(&c->req);
    free(c);
}

bool call_is_over(const struct call *c)
{
    return c->n_ended == c->n_submitted;
}

/* --- Streaming. ------------------------------------------------------------------------------- */

static void send_event(struct call *c, struct buf *event)
{
    if (!c->has_begun) {
        c->has_begun = true;
        http_header_add(c->x, "Cache-Control", "no-cache");
        wire_fault_arm(c->fault, c->x, 0);
        http_stream(c->x, 200, SSE_TYPE);
    }
    if (c->fault != WIRE_NONE)
        wire_fault_spoil(c->fault, event, c->n_events);
    c->n_events++;
    http_send(c->x, buf_str(event));
}

static void send_chunk(struct call *c, const struct render_choice *choice,
                       const struct render_usage *usage)
{
    struct buf *b = &c->scratch;

    if (c->prefix.len == 0) {
        buf_add(&c->prefix, "data: ", 6);
        render_begin(&c->prefix, &c->head);
    }
    buf_reset(b);
    buf_add_str(b, buf_str(&c->prefix));
    if (choice)
        render_choice(b, &c->head, &c->req, choice);
    render_end(b, &c->head, usage, STR(""));
    buf_add(b, "\n\n", 2);
    send_event(c, b);
}

static void end_stream(struct call *c)
{
    http_send(c->x, STR("data: [DONE]\n\n"));
    http_end(c->x);
    c->is_settled = true;
}

/* --- Text of a choice. ------------------------------------------------------------------------ */

/* What echo puts before a choice: the last message, or the prompt as text, or what is left of it.
 * In the request's arena. */
static struct str echo_text(struct call *c, const struct sub *s, const struct gen_event *ev)
{
    const struct gen_request *r = &c->req.reqs[s->index];
    const int32_t *ids = c->req.truncates ? ev->prompt_ids : r->prompt_ids;
    int n_ids = c->req.truncates ? ev->n_prompt_ids : r->n_prompt_ids;
    struct err e = ERR_INIT;
    struct str text = STR("");

    if (!c->req.echo)
        return text;
    if (c->req.kind == API_CHAT)
        return c->req.echo_text;
    if (!ids)
        return r->prompt;
    if (!c->text || !c->text->text->decode(c->text, ids, n_ids, true, &c->req.arena, &text, &e))
        return STR("");
    return text;
}

/* New raw text of a choice, told apart. Whatever the generator tells apart itself is left so. */
static void split_text(struct call *c, struct sub *s, const struct gen_event *ev, struct str text,
                       bool is_last, struct buf *reasoning, struct buf *content)
{
    if (ev->has_reasoning) {
        buf_add_str(reasoning, ev->reasoning);
        buf_add_str(content, text);
    } else {
        reasoning_feed(&s->split, text, is_last, reasoning, content);
    }
    s->n_sent += text.len;
}

static void note_tokens(struct call *c, struct sub *s, const struct gen_event *ev)
{
    int64_t now = clock_us();
    int n = MAX(ev->n_token_ids, 1);

    if (s->last_us == 0)
        metrics_first_token(c->metrics, (double)(now - c->started_us) * 1e-6);
    else
        metrics_between_tokens(c->metrics, (double)(now - s->last_us) * 1e-6 / n);
    s->last_us = now;
    s->n_tokens += n;
}

static void begin_choice(struct call *c, struct sub *s)
{
    if (s->has_role)
        return;
    s->has_role = true;
    if (c->req.kind == API_CHAT)
        send_chunk(c, &(struct render_choice){.index = s->index, .has_role = true}, NULL);
}

static void stream_text(struct call *c, struct sub *s, const struct gen_event *ev, struct str text,
                        const struct token_logprob *logprobs, int n_logprobs, bool is_last)
{
    struct buf *reasoning = &c->reasoning, *content = &c->content;
    bool is_first = !s->has_role;
    struct render_choice choice = {
        .index = s->index, .ev = ev, .has_finish = is_last, .text_offset = s->n_chars};
    struct render_usage usage = {ev->n_prompt_tokens, ev->n_completion_tokens, -1, -1, -1};

    buf_reset(reasoning);
    buf_reset(content);
    begin_choice(c, s);
    if (is_first)
        buf_add_str(content, echo_text(c, s, ev));
    if (!c->req.drops_generated)
        split_text(c, s, ev, text, is_last, reasoning, content);
    if (c->req.has_logprobs && !c->req.drops_generated) {
        choice.logprobs = logprobs;
        choice.n_logprobs = n_logprobs;
        s->n_logprobs += n_logprobs;
    }
    if (is_last && c->req.echo && c->req.has_logprobs && c->req.kind == API_COMPLETIONS) {
        choice.prompt_logprobs = ev->prompt_logprobs;
        choice.n_prompt_logprobs = ev->n_prompt_logprobs;
    }
    choice.content = (struct str){buf_z(content), content->len};
    choice.reasoning = (struct str){buf_z(reasoning), reasoning->len};
    if (c->req.kind == API_COMPLETIONS && c->req.has_logprobs)
        s->n_chars += render_text_length(&c->req, choice.logprobs, choice.n_logprobs);
    if (content->len + reasoning->len > 0 || choice.n_logprobs > 0 || is_last)
        send_chunk(c, &choice, c->req.continuous_usage ? &usage : NULL);
}

static void take_delta(struct call *c, struct sub *s, const struct gen_event *ev)
{
    note_tokens(c, s, ev);
    stream_text(c, s, ev, ev->text, ev->logprobs, ev->n_logprobs, false);
    if (wire_fault_ends_stream(c->fault, c->n_events)) {
        struct api_error err = {0};

        api_fail(&err, 500, "InternalServerError", NULL, "Internal error (a fault on demand)");
        call_fail(c, &err);
    }
}

/* --- The end of a choice, and of the call. ---------------------------------------------------- */

static int64_t byte_count(struct call *c, const struct gen_request *r)
{
    struct err e = ERR_INIT;
    struct str text = STR("");

    if (!r->continuation_ids)
        return (int64_t)r->continuation.len;
    if (!c->text || !c->text->text->decode(c->text, r->continuation_ids, r->n_continuation_ids,
                                           false, &c->req.arena, &text, &e))
        return -1;
    return (int64_t)text.len;
}

static void render_whole(struct call *c, struct sub *s, const struct gen_event *ev)
{
    struct buf reasoning = {0}, content = {0};
    struct render_choice choice = {.index = s->index, .ev = ev};

    buf_add_str(&content, echo_text(c, s, ev));
    if (!c->req.drops_generated) {
        split_text(c, s, ev, ev->text, true, &reasoning, &content);
        choice.logprobs = ev->logprobs;
        choice.n_logprobs = ev->n_logprobs;
    }
    if (c->req.echo && c->req.has_logprobs && c->req.kind == API_COMPLETIONS) {
        choice.prompt_logprobs = ev->prompt_logprobs;
        choice.n_prompt_logprobs = ev->n_prompt_logprobs;
    }
    choice.content = (struct str){buf_z(&content), content.len};
    choice.reasoning = (struct str){buf_z(&reasoning), reasoning.len};
    choice.has_reasoning = c->parser != REASONING_NONE || ev->has_reasoning;
    render_choice(&s->choice, &c->head, &c->req, &choice);
    if (c->req.kind == API_CHAT && s->index == 0 && c->req.has_prompt_logprobs &&
        ev->prompt_logprobs)
        render_prompt_logprobs(&c->extras, ev);
    if (c->req.kind == API_CHAT && s->index == 0 && c->req.returns_token_ids && ev->prompt_ids)
        render_prompt_ids(&c->extras, ev);
    buf_clear(&reasoning);
    buf_clear(&content);
}

/* Tokens up to the end of the thoughts, by decoding one after the other. */
static int64_t reasoning_tokens(struct call *c, const struct gen_event *ev)
{
    ptrdiff_t end = str_find(ev->text, STR("</think>"), 0);
    size_t n_bytes = 0;
    int n = 0;

    if (ev->n_reasoning_tokens >= 0)
        return ev->n_reasoning_tokens;
    if (c->parser == REASONING_NONE || !c->text || !ev->token_ids)
        return -1;
    if (end < 0)
        return c->parser == REASONING_DEEPSEEK_R1 || str_starts(str_trim(ev->text), "<think>")
                   ? ev->n_token_ids
                   : 0;
    while (n < ev->n_token_ids && n_bytes < (size_t)end + strlen("</think>")) {
        struct str piece = STR("");
        struct err e = ERR_INIT;

        if (!c->text->text->decode(c->text, &ev->token_ids[n], 1, false, &c->req.arena, &piece, &e))
            return -1;
        n_bytes += piece.len;
        n++;
    }
    return n;
}

static void count_usage(struct call *c, const struct sub *s, const struct gen_event *ev)
{
    int64_t n_reasoning = reasoning_tokens(c, ev);
    int n_completion = c->req.drops_generated ? 0 : MAX(ev->n_completion_tokens, 0);

    if (s->index % c->req.n == 0) {
        c->usage.n_prompt += MAX(ev->n_prompt_tokens, 0);
        if (ev->n_cached_tokens >= 0)
            c->usage.n_cached = MAX(c->usage.n_cached, 0) + ev->n_cached_tokens;
        if (c->req.truncates && ev->n_truncated_tokens >= 0) {
            c->usage.n_truncated = MAX(c->usage.n_truncated, 0) + ev->n_truncated_tokens;
            metrics_truncated(c->metrics, ev->n_truncated_tokens);
        }
    }
    c->usage.n_completion += n_completion;
    if (n_reasoning >= 0)
        c->usage.n_reasoning = MAX(c->usage.n_reasoning, 0) + n_reasoning;
    metrics_finished(c->metrics, ev->finish_reason,
                     s->index % c->req.n == 0 ? ev->n_prompt_tokens : 0, n_completion,
                     (double)(clock_us() - c->started_us) * 1e-6);
}

static void answer_whole(struct call *c)
{
    struct buf *b = &c->scratch;

    buf_reset(b);
    render_begin(b, &c->head);
    for (int i = 0; i < c->req.n_reqs; i++) {
        if (i > 0)
            buf_addc(b, ',');
        buf_add_str(b, buf_str(&c->subs[i].choice));
    }
    render_end(b, &c->head, &c->usage, buf_str(&c->extras));
    wire_fault_spoil(c->fault, b, 0);
    wire_fault_arm(c->fault, c->x, b->len);
    http_answer(c->x, 200, JSON_TYPE, buf_str(b));
    c->is_settled = true;
}

static void take_done(struct call *c, struct sub *s, const struct gen_event *ev)
{
    struct str rest = str_slice(ev->text, s->n_sent, ev->text.len);
    int n_left = MAX(0, ev->n_logprobs - s->n_logprobs);

    count_usage(c, s, ev);
    if (c->req.kind == API_SCORE)
        render_score(&s->choice, s->index, ev, byte_count(c, &c->req.reqs[s->index]));
    else if (c->req.stream)
        stream_text(c, s, ev, rest, n_left > 0 ? ev->logprobs + s->n_logprobs : NULL, n_left, true);
    else
        render_whole(c, s, ev);
    if (c->n_ended < c->req.n_reqs)
        return;
    if (!c->req.stream) {
        answer_whole(c);
        return;
    }
    if (c->req.include_usage)
        send_chunk(c, NULL, &c->usage);
    end_stream(c);
}

static void error_of(const struct gen_event *ev, struct api_error *err)
{
    const char *words = ev->err && ev->err->msg[0] ? ev->err->msg : "the generation failed";

    switch (ev->fail_class) {
    case FAIL_CONTEXT:
        api_fail(err, 400, BAD_REQUEST, NULL, "%s", words);
        break;
    case FAIL_REQUEST:
        api_fail(err, ev->http_status >= 400 && ev->http_status < 500 ? ev->http_status : 400,
                 BAD_REQUEST, NULL, "%s", words);
        break;
    case FAIL_RATE:
        api_fail(err, 429, "RateLimitError", NULL, "%s", words);
        break;
    case FAIL_CANCELLED:
        api_fail(err, 503, "ServiceUnavailableError", NULL, "the server is shutting down");
        break;
    default:
        api_fail(err, 500, "InternalServerError", NULL, "%s", words);
        break;
    }
}

void call_fail(struct call *c, const struct api_error *err)
{
    struct buf body = {0};

    if (c->is_settled)
        return;
    c->is_settled = true;
    api_error_write(&body, err);
    if (c->has_begun) {
        struct buf event = {0};

        buf_addf(&event, "data: " STR_FMT "\n\n", STR_ARG(buf_str(&body)));
        http_send(c->x, buf_str(&event));
        buf_clear(&event);
        end_stream(c);
    } else {
        if (err->status == 429 || err->status == 503)
            http_header_add(c->x, "Retry-After", "1");
        http_answer(c->x, err->status, JSON_TYPE, buf_str(&body));
    }
    buf_clear(&body);
}

void call_take(struct call *c, struct sub *s, const struct gen_event *ev)
{
    struct api_error err = {0};

    if (ev->kind != GEN_DELTA) {
        s->has_ended = true;
        c->n_ended++;
    }
    if (c->is_settled)
        return;
    switch (ev->kind) {
    case GEN_DELTA:
        take_delta(c, s, ev);
        break;
    case GEN_DONE:
        take_done(c, s, ev);
        break;
    case GEN_FAILED:
        error_of(ev, &err);
        call_fail(c, &err);
        break;
    }
}
