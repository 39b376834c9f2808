/* generator_remote.c - the life of a request to servers over HTTP.
 *
 *   submit            window has room, a server is up          whole answer
 *   ------> WAITING ------------------------------> RUNNING ------------------> ENDED -> handed out
 *              ^  ^                                  |   |                         ^
 *              |  +-- not connected; clamped --------+   | fails, worth a try      | not worth one
 *              +------------------------- RESTING <------+-------------------------+
 *                       due
 *
 * A request that reached no server used up no try: its server is set down and probed until it
 * answers; when all servers have been down for max_outage, poll fails. A refusal (429, 503) rests
 * on a budget of time, every other failure on max_retries. */
#include "generator/generator_remote_state.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "formats/json.h"

enum { MAX_BODY_BYTES = 256 << 20, MAX_UNREACHABLE = 50, N_DONE = 64 };

static struct remote *remote_of(const struct generator *g)
{
    return (struct remote *)(uintptr_t)g;
}

/* --- words ------------------------------------------------------------------------------------ */

void remote_hide_key(const struct remote *r, char *text)
{
    size_t n = strlen(r->api_key);
    char *at = text;

    if (n < 4 || strcmp(r->api_key, "EMPTY") == 0)
        return;
    while ((at = strstr(at, r->api_key))) {
        memset(at, '*', n);
        at += n;
    }
}

void remote_words(const struct remote *r, struct str body, char *out, size_t size)
{
    struct buf text = {0};

    remote_error_text(body, &text);
    remote_hide_key(r, text.ptr ? text.ptr : (char[]){""});
    snprintf(out, size, "%.*s", (int)MIN(text.len, size - 1), buf_z(&text));
    buf_clear(&text);
}

/* --- ends ------------------------------------------------------------------------------------- */

static void end_call(struct remote *r, struct remote_call *c)
{
    for (int i = 0; c->has_news && i < r->n_news; i++)
        if (r->news[i] == c)
            r->news[i] = NULL;
    if (r->n_ended == r->cap_ended) {
        r->cap_ended = r->cap_ended ? 2 * r->cap_ended : 64;
        r->ended = xrealloc(r->ended, (size_t)r->cap_ended * sizeof(struct remote_call *));
    }
    r->ended[r->n_ended++] = c;
    c->state = CALL_ENDED;
    c->event.id = c->id;
    c->event.n_attempts = MAX(1, c->n_attempts);
    c->event.server = STR(c->server ? c->server->name : "");
    c->event.model = c->reply.model.len ? buf_str(&c->reply.model) : STR(r->model);
    c->event.stop_token_id = -1;
    c->event.max_tokens = c->max_tokens;
    c->event.is_clamped = c->is_clamped;
    c->event.seed = c->seed;
}

static void fail_call(struct remote *r, struct remote_call *c, enum fail_class class, int status,
                      const char *words)
{
    struct err e = ERR_INIT;

    if (c->n_attempts > 1)
        err_set(&e, ERR_REMOTE, "%s (%d tries)", words, c->n_attempts);
    else
        err_set(&e, class == FAIL_CANCELLED ? ERR_CANCELLED : ERR_REMOTE, "%s", words);
    remote_hide_key(r, e.msg);
    c->err = e;
    c->event = (struct gen_event){
        .kind = GEN_FAILED,
        .fail_class = class,
        .http_status = status,
        .err = &c->err,
        .n_prompt_tokens = -1,
        .n_completion_tokens = -1,
        .n_cached_tokens = -1,
        .n_reasoning_tokens = -1,
        .n_truncated_tokens = -1,
        .first_token_us = -1,
        .latency_us = -1,
    };
    r->stats.n_failed++;
    end_call(r, c);
}

static struct str key_bytes(const struct remote_call *c)
{
    return (struct str){(const char *)&c->prompt_key, sizeof(c->prompt_key)};
}

static void remember_prompt(struct remote *r, const struct remote_call *c, int n_tokens)
{
    if (n_tokens > 0)
        map_set(&r->prompt_tokens, key_bytes(c), n_tokens);
}

static enum finish_reason finish_of(struct str text)
{
    if (str_eqz(text, "stop") || str_eqz(text, "eos") || str_eqz(text, "end_turn"))
        return FINISH_STOP;
    if (str_eqz(text, "length") || str_eqz(text, "max_tokens"))
        return FINISH_LENGTH;
    return FINISH_OTHER;
}

static void finish_call(struct remote *r, struct remote_call *c, const struct http_done *d)
{
    const struct remote_reply *y = &c->reply;

    c->event = (struct gen_event){
        .kind = GEN_DONE,
        .text = buf_str(&y->text),
        .reasoning = buf_str(&y->reasoning),
        .has_reasoning = y->has_reasoning,
        .finish_reason = finish_of(buf_str(&y->finish_reason)),
        .finish_reason_text = buf_str(&y->finish_reason),
        .stop_text = buf_str(&y->stop_text),
        .n_prompt_tokens = y->n_prompt_tokens,
        .n_completion_tokens = y->n_completion_tokens,
        .n_cached_tokens = y->n_cached_tokens,
        .n_reasoning_tokens = y->n_reasoning_tokens,
        .n_truncated_tokens = y->n_truncated_tokens,
        .n_forced_tokens = -1,
        .first_token_us = c->head.is_event_stream ? d->first_byte_us : -1,
        .latency_us = d->total_us,
        .http_status = d->status,
    };
    remember_prompt(r, c, y->n_prompt_tokens);
    r->stats.n_done++;
    r->stats.n_prompt_tokens += (uint64_t)MAX(0, y->n_prompt_tokens);
    r->stats.n_cached_tokens += (uint64_t)MAX(0, y->n_cached_tokens);
    r->stats.n_completion_tokens +=
        (uint64_t)(y->n_completion_tokens >= 0 ? y->n_completion_tokens : y->n_chunks);
    end_call(r, c);
}

/* --- trying again ----------------------------------------------------------------------------- */

static void wait_call(struct remote *r, struct remote_call *c)
{
    c->state = CALL_WAITING;
    c->rank[0] = c->priority;
    c->rank[1] = c->round;
    c->rank[2] = c->submission;
    remote_heap_push(&r->waiting, c);
}

static void rest_call(struct remote *r, struct remote_call *c, int64_t ms)
{
    c->state = CALL_RESTING;
    c->rank[0] = clock_ms() + ms;
    c->rank[1] = c->rank[2] = 0;
    remote_heap_push(&r->resting, c);
}

static void tell_once(struct remote *r, enum fail_class class, const struct remote_call *c,
                      const char *words)
{
    char text[400];

    snprintf(text, sizeof(text), "%s", words);
    remote_hide_key(r, text);
    if (r->has_told[class]) {
        log_debug("%s: %s", c->server->name, text);
        return;
    }
    r->has_told[class] = true;
    log_info("%s: %s; such requests are tried again", c->server->name, text);
}

/* A failed attempt: another one, or the end. */
static void try_again(struct remote *r, struct remote_call *c, enum fail_class class,
                      const struct http_done *d, int status, const char *words)
{
    int64_t ms = remote_backoff_ms(c->n_attempts, c->seed ^ c->id);
    bool may;

    if (d->retry_after_ms >= 0)
        ms = d->retry_after_ms;
    if (remote_is_refusal(status)) {
        may = c->rested_for_refusals_ms + ms <= r->rate_limit_wait_ms;
        c->rested_for_refusals_ms += ms;
    } else {
        may = remote_is_retryable(class) && c->n_retries < r->max_retries;
        c->n_retries += may;
    }
    if (c->n_text_told + c->n_reasoning_told > 0) /* a text half told cannot be told anew */
        may = false;
    if (!may) {
        fail_call(r, c, class, status, words);
        return;
    }
    tell_once(r, class, c, words);
    r->stats.n_retries[class]++;
    rest_call(r, c, ms);
}

static void set_limit(struct remote_call *c, int max_tokens)
{
    c->is_clamped = true;
    c->max_tokens = max_tokens;
    c->body.len = c->n_head;
    remote_body_finish(&c->body, max_tokens);
}

/* Before sending: a prompt whose length an earlier sample has taught leaves so much and no more. */
static void clamp_beforehand(struct remote *r, struct remote_call *c, const struct remote_server *s)
{
    int64_t n_prompt = map_find(&r->prompt_tokens, key_bytes(c));

    if (c->overlong == OVERLONG_CLAMP && !c->is_clamped && n_prompt > 0 &&
        n_prompt < s->max_model_len && c->max_tokens > s->max_model_len - n_prompt)
        set_limit(c, (int)(s->max_model_len - n_prompt));
}

/* The server's words say that prompt and answer do not fit: the answer gets what the prompt leaves.
 */
static bool clamp_call(struct remote *r, struct remote_call *c, struct str words)
{
    int n_context, n_prompt, room;

    if (c->overlong == OVERLONG_REJECT || c->was_overlong || c->max_tokens <= 0)
        return false;
    remote_context_numbers(words, c->max_tokens, &n_context, &n_prompt);
    remember_prompt(r, c, n_prompt);
    if (n_context == 0)
        n_context = c->server->max_model_len;
    else if (c->server->max_model_len == 0)
        c->server->max_model_len = n_context;
    if (n_prompt == 0) /* no text has more tokens than bytes */
        n_prompt = (int)MIN(c->n_head, INT32_MAX);
    room = n_context - n_prompt;
    if (room < 1 || room >= c->max_tokens)
        return false;
    c->was_overlong = true;
    set_limit(c, room);
    r->stats.n_retries[FAIL_CONTEXT]++;
    wait_call(r, c);
    return true;
}

static void take_status(struct remote *r, struct remote_call *c, const struct http_done *d)
{
    enum fail_class class = remote_class_of_status(d->status);
    char words[300], line[400];

    remote_words(r, buf_str(&c->reply.body), words, sizeof(words));
    if (remote_is_context_error(buf_str(&c->reply.body)) && !remote_is_refusal(d->status)) {
        if (!clamp_call(r, c, buf_str(&c->reply.body)))
            fail_call(r, c, FAIL_CONTEXT, d->status, words);
        return;
    }
    if (d->status >= 300 && d->status < 400)
        snprintf(line, sizeof(line),
                 "HTTP %d: a redirect; give the address it leads to as --base_url", d->status);
    else
        snprintf(line, sizeof(line), "HTTP %d%s%s", d->status, words[0] ? ": " : "", words);
    if (remote_is_refusal(d->status))
        remote_window_refused(&r->window, r->n_running, clock_ms());
    try_again(r, c, class, d, d->status, line);
}

static void take_broken(struct remote *r, struct remote_call *c, const struct http_done *d)
{
    struct remote_reply *y = &c->reply;
    char line[400];

    if (d->outcome == HTTP_UNREACHABLE) {
        remote_server_unreachable(c->server, d->detail, clock_ms());
        if (++c->n_unreachable > MAX_UNREACHABLE)
            fail_call(r, c, FAIL_CONNECT, 0, d->detail);
        else
            wait_call(r, c);
        return;
    }
    if (d->outcome == HTTP_BROKEN && d->status >= 200 && d->status < 300 &&
        remote_reply_end(y, &c->head, false)) {
        finish_call(r, c, d); /* the answer was whole, only its end mark is missing */
        return;
    }
    if (d->outcome == HTTP_BROKEN) {
        snprintf(line, sizeof(line), "the connection broke off: %s", d->detail);
        try_again(r, c, FAIL_CONNECT, d, d->status, line);
    } else {
        try_again(r, c, FAIL_TIMEOUT, d, 0, d->detail);
    }
}

/* A 200 whose body is no answer. */
static void take_bad_reply(struct remote *r, struct remote_call *c, const struct http_done *d)
{
    struct remote_reply *y = &c->reply;
    char words[300], line[400];

    snprintf(words, sizeof(words), "%s", buf_z(&y->error));
    remote_hide_key(r, words);
    if (y->error_status != 0 && remote_is_context_error(buf_str(&y->error))) {
        struct buf copy = {0};

        buf_add_str(&copy, buf_str(&y->error));
        if (!clamp_call(r, c, buf_str(&copy)))
            fail_call(r, c, FAIL_CONTEXT, y->error_status, words);
        buf_clear(&copy);
        return;
    }
    if (y->error_status != 0)
        snprintf(line, sizeof(line), "error %d inside the stream: %s", y->error_status, words);
    else
        snprintf(line, sizeof(line), "malformed reply: %s", words);
    try_again(r, c, y->fail_class, d, y->error_status, line);
}

static void take_done(struct remote *r, struct remote_call *c, const struct http_done *d)
{
    r->n_running--;
    c->server->n_running--;
    c->transfer = NULL;
    if (d->outcome != HTTP_UNREACHABLE)
        remote_server_reached(c->server);
    if (d->outcome == HTTP_REFUSED)
        take_bad_reply(r, c, d);
    else if (d->outcome != HTTP_COMPLETE)
        take_broken(r, c, d);
    else if (d->status < 200 || d->status > 299)
        take_status(r, c, d);
    else if (remote_reply_end(&c->reply, &c->head, true))
        finish_call(r, c, d);
    else
        take_bad_reply(r, c, d);
}

void remote_take_probe(struct remote_server *s, const struct http_done *d)
{
    s->status = d->status;
    if (d->outcome == HTTP_COMPLETE && d->status < 500)
        remote_server_reached(s);
    else
        remote_server_unreachable(
            s, d->outcome == HTTP_COMPLETE ? "it says that it is not ready" : d->detail,
            clock_ms());
}

/* --- attempts --------------------------------------------------------------------------------- */

static void add_news(struct remote *r, struct remote_call *c)
{
    if (r->n_news == r->cap_news) {
        r->cap_news = r->cap_news ? 2 * r->cap_news : 64;
        r->news = xrealloc(r->news, (size_t)r->cap_news * sizeof(struct remote_call *));
    }
    r->news[r->n_news++] = c;
    c->has_news = true;
}

static bool on_body(void *ctx, const struct http_head *head, struct str bytes)
{
    struct remote_call *c = ctx;

    c->head = *head;
    if (!remote_reply_take(&c->reply, head, bytes))
        return false;
    if (c->wants_deltas && !c->has_news)
        add_news(c->owner, c);
    return true;
}

static void start_call(struct remote *r, struct remote_call *c, struct remote_server *s)
{
    struct http_request q = {
        .url = c->is_chat ? s->chat_url : s->completions_url,
        .headers = r->headers,
        .is_post = true,
        .on_body = on_body,
        .ctx = c,
        .connect_ms = r->connect_ms,
        .first_byte_ms = r->stream ? r->first_byte_ms : 0,
        .silence_ms = r->silence_ms,
        .total_ms = r->request_ms,
    };

    clamp_beforehand(r, c, s);
    q.body = buf_str(&c->body);
    remote_reply_reset(&c->reply);
    c->head = (struct http_head){0};
    c->n_text_told = c->n_reasoning_told = 0;
    c->n_attempts++;
    c->server = s;
    c->state = CALL_RUNNING;
    s->n_running++;
    s->n_begun++;
    r->n_running++;
    c->transfer = http_client_start(r->http, &q);
}

static void start_calls(struct remote *r)
{
    struct remote_server *s;
    struct remote_call *c;

    while (r->n_running < r->window.size && (c = remote_heap_first(&r->waiting)) &&
           (s = remote_servers_choose(r->servers, r->n_servers))) {
        remote_heap_remove(&r->waiting, c);
        start_call(r, c, s);
    }
}

static void wake_rested(struct remote *r, int64_t now)
{
    struct remote_call *c;

    while ((c = remote_heap_first(&r->resting)) && c->rank[0] <= now) {
        remote_heap_remove(&r->resting, c);
        wait_call(r, c);
    }
}

static void probe_servers(struct remote *r, int64_t now)
{
    for (int i = 0; i < r->n_servers; i++) {
        struct remote_server *s = &r->servers[i];

        if (!s->is_up && !s->is_probing && now >= s->next_probe_ms)
            remote_server_probe(s, r->http, r->headers, REMOTE_PROBE_MS);
    }
}

static bool check_outage(const struct remote *r, int64_t now, struct err *e)
{
    const struct remote_server *last = NULL;

    for (int i = 0; i < r->n_servers; i++) {
        const struct remote_server *s = &r->servers[i];

        if (s->is_up)
            return true;
        if (!last || s->down_since_ms > last->down_since_ms)
            last = s;
    }
    if (now - last->down_since_ms <= r->max_outage_ms)
        return true;
    return err_set(e, ERR_REMOTE,
                   "no server could be reached for %lld s; the last to go was %s (%s)",
                   (long long)(r->max_outage_ms / 1000), last->name, last->detail);
}

/* --- events ----------------------------------------------------------------------------------- */

static void unlink_call(struct remote *r, struct remote_call *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        r->calls = c->next;
    if (c->next)
        c->next->prev = c->prev;
    remote_call_close(c);
}

static void free_handed(struct remote *r)
{
    if (r->ended_at == 0)
        return;
    for (int i = 0; i < r->ended_at; i++)
        unlink_call(r, r->ended[i]);
    memmove(r->ended, r->ended + r->ended_at,
            (size_t)(r->n_ended - r->ended_at) * sizeof(r->ended[0]));
    r->n_ended -= r->ended_at;
    r->ended_at = 0;
}

/* What a running call has received since the last delta. */
static bool delta_of(struct remote_call *c, struct gen_event *ev)
{
    struct str text = buf_str(&c->reply.text), reasoning = buf_str(&c->reply.reasoning);

    if (text.len == c->n_text_told && reasoning.len == c->n_reasoning_told)
        return false;
    *ev = (struct gen_event){
        .id = c->id,
        .kind = GEN_DELTA,
        .text = str_slice(text, c->n_text_told, text.len),
        .reasoning = str_slice(reasoning, c->n_reasoning_told, reasoning.len),
        .has_reasoning = c->reply.has_reasoning,
        .n_prompt_tokens = -1,
        .n_completion_tokens = -1,
        .n_cached_tokens = -1,
        .n_reasoning_tokens = -1,
        .n_truncated_tokens = -1,
        .stop_token_id = -1,
        .first_token_us = -1,
        .latency_us = -1,
        .seed = c->seed,
    };
    c->n_text_told = text.len;
    c->n_reasoning_told = reasoning.len;
    return true;
}

static int hand_out_deltas(struct remote *r, struct gen_event *ev, int cap)
{
    int n = 0, i = 0;

    for (; i < r->n_news && n < cap; i++) {
        struct remote_call *c = r->news[i];

        if (!c)
            continue;
        c->has_news = false;
        n += delta_of(c, &ev[n]);
    }
    memmove(r->news, r->news + i, (size_t)(r->n_news - i) * sizeof(r->news[0]));
    r->n_news -= i;
    return n;
}

static int hand_out(struct remote *r, struct gen_event *ev, int cap)
{
    int n = r->n_news > 0 ? hand_out_deltas(r, ev, cap) : 0;

    while (n < cap && r->ended_at < r->n_ended) {
        struct remote_call *c = r->ended[r->ended_at];

        if (c->wants_deltas && c->event.kind == GEN_DONE && delta_of(c, &ev[n])) {
            n++;
            continue;
        }
        ev[n++] = c->event;
        c->state = CALL_HANDED;
        r->ended_at++;
    }
    return n;
}

/* --- the interface ---------------------------------------------------------------------------- */

static int remote_room(const struct generator *g)
{
    const struct remote *r = remote_of(g);

    /* Those that rest leave their place to others, once over. */
    return MAX(0, r->max_workers - r->waiting.n - r->n_running -
                      MAX(0, r->resting.n - r->max_workers));
}

static bool remote_submit(struct generator *g, const struct gen_request *q, struct err *e)
{
    struct remote *r = remote_of(g);
    struct remote_call *c = remote_call_open();
    struct remote_body_info info;

    buf_init(&c->body, MAX_BODY_BYTES);
    if (!remote_body_write(&c->body, &r->body_opts, q, &info, e)) {
        remote_call_close(c);
        return false;
    }
    c->n_head = c->body.len;
    c->max_tokens = info.max_tokens;
    c->prompt_key = siphash64(0, 0, c->body.ptr, info.n_prompt);
    remote_body_finish(&c->body, c->max_tokens);
    c->owner = r;
    c->id = q->id;
    c->is_chat = q->kind == GEN_CHAT;
    c->wants_deltas = q->stream;
    c->overlong = q->overlong;
    c->seed = q->sampling.seed;
    c->has_seed = q->sampling.has_seed;
    c->priority = q->priority;
    c->round = q->round;
    c->submission = r->n_submitted++;
    c->next = r->calls;
    if (r->calls)
        r->calls->prev = c;
    r->calls = c;
    wait_call(r, c);
    return true;
}

/* How long poll may sleep: until something rests no longer, a probe is due, the window may grow. */
static int nap_ms(const struct remote *r, int64_t now, int64_t deadline)
{
    int64_t until = MIN(deadline, now + 200);
    const struct remote_call *c = remote_heap_first(&r->resting);

    if (c)
        until = MIN(until, c->rank[0]);
    return (int)MAX(0, until - now);
}

static void take_traffic(struct remote *r, int timeout_ms)
{
    struct http_done done[N_DONE];
    int n;

    do {
        n = http_client_poll(r->http, timeout_ms, done, N_DONE);
        for (int i = 0; i < n; i++) {
            if (*(const int *)done[i].ctx == REMOTE_SERVER)
                remote_take_probe(done[i].ctx, &done[i]);
            else
                take_done(r, done[i].ctx, &done[i]);
        }
        timeout_ms = 0;
    } while (n == N_DONE);
}

static bool remote_poll(struct generator *g, int timeout_ms, struct gen_event *ev, int cap, int *n,
                        struct err *e)
{
    struct remote *r = remote_of(g);
    int64_t now = clock_ms(), deadline = now + timeout_ms;

    free_handed(r);
    *n = hand_out(r, ev, cap);
    do {
        remote_window_grow(&r->window, now);
        wake_rested(r, now);
        probe_servers(r, now);
        if (!check_outage(r, now, e))
            return false;
        start_calls(r);
        take_traffic(r, *n > 0 ? 0 : nap_ms(r, now, deadline));
        *n += hand_out(r, ev + *n, cap - *n);
        now = clock_ms();
    } while (*n == 0 && now < deadline &&
             !atomic_exchange_explicit(&r->is_woken, false, memory_order_acquire));
    return true;
}

static void remote_cancel(struct generator *g, uint64_t id)
{
    struct remote *r = remote_of(g);
    struct remote_call *c = r->calls;

    while (c && (c->id != id || c->state >= CALL_ENDED))
        c = c->next;
    if (!c)
        return;
    if (c->state == CALL_WAITING)
        remote_heap_remove(&r->waiting, c);
    if (c->state == CALL_RESTING)
        remote_heap_remove(&r->resting, c);
    if (c->state == CALL_RUNNING) {
        http_client_cancel(r->http, c->transfer);
        c->transfer = NULL;
        c->server->n_running--;
        r->n_running--;
    }
    fail_call(r, c, FAIL_CANCELLED, 0, "cancelled");
}

static void remote_wake(struct generator *g)
{
    struct remote *r = remote_of(g);

    atomic_store_explicit(&r->is_woken, true, memory_order_release);
    http_client_wake(r->http);
}

static void remote_stats(const struct generator *g, struct gen_stats *out)
{
    const struct remote *r = remote_of(g);

    *out = r->stats;
    out->n_running = r->n_running;
    out->n_waiting = r->waiting.n + r->resting.n;
    out->concurrency = r->window.size;
    for (const struct remote_call *c = r->calls; c; c = c->next)
        if (c->state == CALL_RUNNING)
            out->n_completion_tokens += (uint64_t)c->reply.n_chunks;
}

static void remote_close(struct generator *g)
{
    struct remote *r = remote_of(g);

    http_client_close(r->http); /* first: it looks at calls and headers */
    while (r->calls)
        unlink_call(r, r->calls);
    remote_heap_clear(&r->waiting);
    remote_heap_clear(&r->resting);
    for (int i = 0; i < r->n_servers; i++)
        remote_server_clear(&r->servers[i]);
    free(r->servers);
    free(r->ended);
    free(r->news);
    map_clear(&r->prompt_tokens);
    http_headers_close(r->headers);
    json_close(r->extra);
    free(r->api_key);
    free(r->model);
    free(r);
}

const struct generator_ops remote_ops = {
    .name = "remote",
    .room = remote_room,
    .submit = remote_submit,
    .poll = remote_poll,
    .cancel = remote_cancel,
    .wake = remote_wake,
    .stats = remote_stats,
    .close = remote_close,
};
