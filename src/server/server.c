/* server.c - routes, the two threads, and what passes between them.
 *
 *   HTTP thread                                      generator thread
 *   request -> parse -> struct call -> queue ------> submit its choices -> poll -> call_take ->
 * http_send client gone ------------------------> gone ----> cancel its choices
 *
 * A call belongs to the generator's thread once it is queued. The HTTP thread reaches it by the
 * exchange's user pointer, under the lock, and only to put it on the gone list. */
#include "server/server.h"

#include <fcntl.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "server/call.h"
#include "server/routes.h"

#define N_EVENTS 1024
#define POLL_MS  500

const struct opt server_table[] = {
    OPT_STR(struct server_opts, host, "0.0.0.0", "address to listen on"),
    OPT_INT(struct server_opts, port, "8090", 0, 65535, "0 picks a free one"),
    OPT_STR(struct server_opts, port_file, "",
            "file to write the port to, once requests are answered"),
    OPT_LIST(struct server_opts, served_model_name,
             "name of the model in the API; may be given again for further names"),
    OPT_STR(struct server_opts, api_key, "",
            "required as Authorization: Bearer; \"\" takes every client", .flags = OPT_SECRET),
    OPT_CHOICE(struct server_opts, reasoning_parser, "", "|none|qwen3|deepseek_r1",
               "tell thoughts from answers in chat"),
    OPT_INT(struct server_opts, max_logprobs, "20", 0, 1000,
            "most alternatives per token that a request may ask for"),
    OPT_INT(struct server_opts, max_n, "1024", 1, 65536, "most choices of one prompt"),
    OPT_INT(struct server_opts, max_prompts, "1024", 1, 65536,
            "most prompts or continuations of one request"),
    OPT_INT(struct server_opts, max_queue, "8192", 1, 1000000,
            "requests in hand; beyond, 503 with Retry-After"),
    OPT_INT(struct server_opts, max_body_mb, "64", 1, 4096,
            "largest request body in MiB; beyond, 413"),
    OPT_INT(struct server_opts, max_header_kb, "32", 8, 1024, "largest request header in KiB"),
    OPT_INT(struct server_opts, max_unsent_mb, "64", 1, 4096,
            "MiB of a stream that may wait for a slow client; beyond, it is cut"),
    OPT_INT(struct server_opts, max_connections, "16384", 1, 1000000, "open connections"),
    OPT_INT(struct server_opts, request_timeout, "60", 1, 86400,
            "seconds in which a request must arrive whole"),
    OPT_INT(struct server_opts, idle_timeout, "300", 1, 86400,
            "seconds that a connection may idle between requests"),
    {0},
};

enum server_state { SERVER_LOADING, SERVER_READY, SERVER_DEAD };

struct server {
    struct server_opts opts;
    struct http_server *http;
    struct api_limits limits; /* complete once the state is READY */
    const char *fallback_name;
    enum reasoning_parser parser;
    uint64_t key_seed[2]; /* of the hashes by which keys are compared */
    struct metrics metrics;
    int64_t started;
    struct server_source source;
    struct err err; /* of the generator's thread; read after it has ended */

    struct generator *g; /* set before the state becomes READY */
    atomic_int state;
    atomic_int n_calls;
    atomic_bool is_stopping;

    pthread_mutex_t lock;
    /* guarded by lock: */
    struct call *queue, **queue_end; /* by call->next */
    struct call *gone;               /* by call->next_gone */

    /* generator's thread only */
    struct call *pending, **pending_end; /* not all choices submitted; by call->next */
    int n_pending;
};

/* --- The generator's thread. ------------------------------------------------------------------ */

/* Closes a call that is settled and whose choices have all ended, unless it still stands on the
 * gone list, where it will be found. */
static void close_if_over(struct server *s, struct call *c)
{
    struct http_exchange *x = c->x;
    bool is_awaited;

    if (!c->is_settled || !call_is_over(c) || c->is_listed)
        return;
    pthread_mutex_lock(&s->lock);
    is_awaited = c->is_gone;
    if (!is_awaited)
        http_set_user(x, NULL);
    pthread_mutex_unlock(&s->lock);
    if (is_awaited)
        return;
    call_close(c);
    http_release(x);
    atomic_fetch_sub(&s->n_calls, 1);
}

static void cancel_rest(struct server *s, struct call *c)
{
    for (int i = 0; i < c->req.n_reqs; i++)
        if (c->subs[i].is_submitted && !c->subs[i].has_ended)
            generator_cancel(s->g, (uint64_t)(uintptr_t)&c->subs[i]);
}

/* Takes over what the HTTP thread has put down. */
static void take_messages(struct server *s)
{
    struct call *queue, *gone;

    pthread_mutex_lock(&s->lock);
    queue = s->queue;
    s->queue = NULL;
    s->queue_end = &s->queue;
    gone = s->gone;
    s->gone = NULL;
    for (struct call *c = gone; c; c = c->next_gone) {
        c->is_gone = false;
        http_set_user(c->x, NULL);
    }
    pthread_mutex_unlock(&s->lock);
    while (queue) {
        struct call *c = queue;

        queue = c->next;
        c->next = NULL;
        c->is_listed = true;
        *s->pending_end = c;
        s->pending_end = &c->next;
        s->n_pending++;
    }
    while (gone) {
        struct call *c = gone;

        gone = c->next_gone;
        c->is_settled = true;
        cancel_rest(s, c);
        close_if_over(s, c);
    }
}

/* The fault that this attempt meets. True: it was the whole answer. */
static bool meet_fault(struct server *s, struct call *c)
{
    const char *name;

    if (!s->source.faults.choose || c->n_submitted > 0)
        return false;
    name = s->source.faults.choose(s->g, &c->req.reqs[0], c->wanted_fault);
    c->fault = wire_fault_find(name);
    c->is_settled = wire_fault_answers(c->fault, c->req.stream, c->x);
    return c->is_settled;
}

/* Submits choices until all are or the generator is full. True: the call needs no more submitting.
 */
static bool submit_some(struct server *s, struct call *c)
{
    if (c->is_settled || meet_fault(s, c))
        return true;
    while (c->n_submitted < c->req.n_reqs && generator_room(s->g) > 0) {
        struct err e = ERR_INIT;
        struct api_error err = {0};

        if (!generator_submit(s->g, &c->req.reqs[c->n_submitted], &e)) {
            bool is_input = e.code == ERR_INPUT || e.code == ERR_UNSUPPORTED;

            api_fail(&err,
                     is_input             ? 400
                     : e.code == ERR_BUSY ? 503
                                          : 500,
                     is_input             ? BAD_REQUEST
                     : e.code == ERR_BUSY ? "ServiceUnavailableError"
                                          : "InternalServerError",
                     NULL, "%s", e.msg);
            call_fail(c, &err);
            cancel_rest(s, c);
            return true;
        }
        c->subs[c->n_submitted++].is_submitted = true;
    }
    return c->n_submitted == c->req.n_reqs;
}

static void submit_pending(struct server *s)
{
    while (s->pending && submit_some(s, s->pending)) {
        struct call *c = s->pending;

        s->pending = c->next;
        if (!s->pending)
            s->pending_end = &s->pending;
        c->next = NULL;
        c->is_listed = false;
        s->n_pending--;
        close_if_over(s, c);
    }
}

static void take_event(struct server *s, const struct gen_event *ev)
{
    struct sub *sub = (struct sub *)(uintptr_t)ev->id;
    struct call *c = sub->call;
    bool was_settled = c->is_settled;

    call_take(c, sub, ev);
    if (c->is_settled && !was_settled)
        cancel_rest(s, c);
    close_if_over(s, c);
}

static void report_ready(struct server *s)
{
    struct err e = ERR_INIT;
    char port[16];

    log_info("serving %s at http://%s:%d/v1 (%s, max_model_len %d)", s->limits.models[0],
             s->opts.host, http_server_port(s->http), s->g->ops->name, s->g->max_model_len);
    snprintf(port, sizeof(port), "%d\n", http_server_port(s->http));
    if (s->opts.port_file[0] && !file_replace(s->opts.port_file, STR(port), &e))
        log_warn("%s; the port is not written down", e.msg);
}

static void publish(struct server *s)
{
    s->limits.max_model_len = s->g->max_model_len;
    s->limits.accepts_images = s->g->accepts_images;
    s->limits.can_score = s->g->can_score;
    s->limits.constraints = s->g->constraints;
    s->limits.text = s->g->text ? s->g : NULL;
    if (s->fallback_name[0] == '\0' && s->g->model_name)
        s->fallback_name = s->g->model_name;
    /* Release: whoever reads READY sees the fields above. */
    atomic_store_explicit(&s->state, SERVER_READY, memory_order_release);
    report_ready(s);
}

/* Polls until told to stop and then until nothing is left. Settles what is left if the generator
 * breaks. */
static bool serve_generator(struct server *s, struct gen_event *ev)
{
    struct gen_stats stats;
    int n;

    for (;;) {
        take_messages(s);
        submit_pending(s);
        if (atomic_load(&s->is_stopping))
            return true;
        if (!generator_poll(s->g, POLL_MS, ev, N_EVENTS, &n, &s->err))
            return false;
        for (int i = 0; i < n; i++)
            take_event(s, &ev[i]);
        generator_stats(s->g, &stats);
        stats.n_waiting += s->n_pending;
        metrics_generator(&s->metrics, &stats);
    }
}

static void *generator_thread(void *arg)
{
    struct server *s = arg;
    struct gen_event *ev = xcalloc(N_EVENTS, sizeof(*ev));

    s->g = s->source.open(s->source.ctx, &s->err);
    if (s->g) {
        publish(s);
        if (!serve_generator(s, ev))
            log_error("the generator failed: %s", s->err.msg);
    }
    if (s->err.code != ERR_NONE) {
        atomic_store(&s->state, SERVER_DEAD);
        http_server_stop(s->http);
        http_server_stop(s->http);
    }
    free(ev);
    return NULL;
}

/* --- The HTTP thread. ------------------------------------------------------------------------- */

static void answer_error(struct http_exchange *x, const struct api_error *err)
{
    struct buf body = {0};

    api_error_write(&body, err);
    if (err->status == 503 || err->status == 429)
        http_header_add(x, "Retry-After", "1");
    if (err->status == 401)
        http_header_add(x, "WWW-Authenticate", "Bearer");
    http_answer(x, err->status, "application/json", buf_str(&body));
    buf_clear(&body);
    http_release(x);
}

/* Equal hashes under a key that no client knows, compared without an early way out: the time tells
 * nothing of the right key. */
static bool is_authorized(const struct server *s, struct str header)
{
    struct str given = str_starts(header, "Bearer ") ? str_slice(header, 7, header.len) : STR("");
    struct str key = STR(s->opts.api_key);
    struct hash128 a = siphash128(s->key_seed[0], s->key_seed[1], given.ptr, given.len);
    struct hash128 b = siphash128(s->key_seed[0], s->key_seed[1], key.ptr, key.len);

    return ((a.lo ^ b.lo) | (a.hi ^ b.hi)) == 0;
}

/* Acquire: what publish wrote before is seen. */
static bool has_generator(const struct server *s)
{
    return atomic_load_explicit(&s->state, memory_order_acquire) == SERVER_READY;
}

static bool is_ready(const struct server *s, struct api_error *err)
{
    if (http_server_is_draining(s->http))
        return api_fail(err, 503, "ServiceUnavailableError", NULL, "the server is shutting down");
    if (!has_generator(s))
        return api_fail(err, 503, "ServiceUnavailableError", NULL, "the model is being loaded");
    return true;
}

static void enqueue(struct server *s, struct call *c)
{
    pthread_mutex_lock(&s->lock);
    http_set_user(c->x, c);
    *s->queue_end = c;
    s->queue_end = &c->next;
    pthread_mutex_unlock(&s->lock);
    generator_wake(s->g);
}

static void generate(struct server *s, struct http_exchange *x, enum api_kind kind)
{
    struct api_request req = {0};
    struct api_error err = {0};
    struct call *c;

    if (atomic_load(&s->n_calls) >= s->opts.max_queue) {
        metrics_rejected(&s->metrics);
        api_fail(&err, 503, "ServiceUnavailableError", NULL, "%d requests are in hand already",
                 s->opts.max_queue);
        answer_error(x, &err);
        return;
    }
    if (!api_request_parse(http_body(x), kind, &s->limits, &req, &err)) {
        api_request_clear(&req);
        answer_error(x, &err);
        return;
    }
    if (req.ignored.len > 0)
        http_header_add(x, "x-llmeval-ignored-fields", req.ignored.ptr);
    c = call_open(x, &req, s->parser, &s->metrics);
    c->text = s->limits.text;
    if (s->source.faults.choose)
        c->wanted_fault = str_dup(&c->req.arena, http_request_header(x, "x-llmeval-fault"));
    atomic_fetch_add(&s->n_calls, 1);
    enqueue(s, c);
}

static bool answer_model(const struct server *s, struct str name, struct buf *body,
                         struct api_error *err)
{
    for (int i = 0; i < s->limits.n_models; i++)
        if (str_eqz(name, s->limits.models[i])) {
            render_model(body, &s->limits, i, s->started);
            return true;
        }
    return api_fail(err, 404, "NotFoundError", "model", "The model `" STR_FMT "` does not exist.",
                    STR_ARG(str_slice(name, 0, 200)));
}

static void answer_now(struct server *s, struct http_exchange *x, const struct route *route)
{
    struct buf body = {0};
    struct api_error err = {0};
    const char *type = "application/json";

    switch (route->id) {
    case ROUTE_HEALTH:
        break;
    case ROUTE_VERSION:
        buf_addz(&body, "{\"version\":\"" LLMEVAL_VERSION "\"}");
        break;
    case ROUTE_METRICS:
        type = "text/plain; version=0.0.4; charset=utf-8";
        metrics_write(&s->metrics, has_generator(s) ? STR(s->limits.models[0]) : STR(""), &body);
        break;
    case ROUTE_MODELS:
        render_models(&body, &s->limits, s->started);
        break;
    case ROUTE_MODEL:
        if (!answer_model(s, route_rest(route, http_path(x)), &body, &err)) {
            answer_error(x, &err);
            return;
        }
        break;
    default:
        if (!route_text(route->id, http_body(x), &s->limits, &body, &err)) {
            buf_clear(&body);
            answer_error(x, &err);
            return;
        }
        break;
    }
    http_answer(x, 200, type, buf_str(&body));
    buf_clear(&body);
    http_release(x);
}

static bool check_request(struct server *s, struct http_exchange *x, const struct route *route,
                          struct api_error *err)
{
    if (s->opts.api_key[0] && !(route && route->is_open) &&
        !is_authorized(s, http_request_header(x, "Authorization")))
        return api_fail(err, 401, "Unauthorized", NULL, "Unauthorized");
    if (http_is_too_large(x))
        return api_fail(err, 413, "RequestEntityTooLarge", NULL, "the body is larger than %d MiB",
                        s->opts.max_body_mb);
    if (!route)
        return api_fail(err, 404, "NotFoundError", NULL,
                        "There is no path " STR_FMT " on this server.",
                        STR_ARG(str_slice(http_path(x), 0, 200)));
    if (!route_takes(route, http_method(x))) {
        http_header_add(x, "Allow", route->method);
        return api_fail(err, 405, "MethodNotAllowedError", NULL, "Method Not Allowed: %s takes %s",
                        route->path, route->method);
    }
    return route->is_always || is_ready(s, err);
}

static void on_request(void *ctx, struct http_exchange *x)
{
    struct server *s = ctx;
    const struct route *route = route_find(http_path(x));
    struct str request_id = http_request_header(x, "X-Request-Id");
    struct api_error err = {0};

    if (request_id.len > 0 && request_id.len <= 256)
        http_header_add(x, "X-Request-Id", request_id.ptr);
    if (!check_request(s, x, route, &err)) {
        answer_error(x, &err);
        return;
    }
    switch (route->id) {
    case ROUTE_CHAT:
        generate(s, x, API_CHAT);
        break;
    case ROUTE_COMPLETIONS:
        generate(s, x, API_COMPLETIONS);
        break;
    case ROUTE_SCORE:
        generate(s, x, API_SCORE);
        break;
    default:
        answer_now(s, x, route);
        break;
    }
}

static void on_gone(void *ctx, struct http_exchange *x)
{
    struct server *s = ctx;
    struct call *c;

    pthread_mutex_lock(&s->lock);
    c = http_user(x);
    if (c && !c->is_gone) {
        c->is_gone = true;
        c->next_gone = s->gone;
        s->gone = c;
    }
    pthread_mutex_unlock(&s->lock);
    if (c)
        generator_wake(s->g);
}

/* --- Open, run, close. ------------------------------------------------------------------------ */

/* The keys of generation_config.json that are defaults of a request. */
static bool take_defaults(struct server *s, const struct json *config, struct err *e)
{
    struct sampling *d = &s->limits.defaults;
    int64_t max_new = json_int(json_get(config, "max_new_tokens"), 0);

    d->temperature = json_num(json_get(config, "temperature"), d->temperature);
    d->top_p = json_num(json_get(config, "top_p"), d->top_p);
    d->min_p = json_num(json_get(config, "min_p"), d->min_p);
    d->repetition_penalty = json_num(json_get(config, "repetition_penalty"), d->repetition_penalty);
    d->top_k = (int)MAX(0, MIN(json_int(json_get(config, "top_k"), d->top_k), INT32_MAX));
    s->limits.default_max_tokens = (int)MAX(0, MIN(max_new, INT32_MAX));
    if (!(d->temperature >= 0 && d->top_p > 0 && d->top_p <= 1 && d->min_p >= 0 && d->min_p <= 1 &&
          d->repetition_penalty > 0))
        return err_set(e, ERR_INPUT,
                       "the model's generation config holds sampling values out of range");
    return true;
}

struct server *server_open(const struct server_opts *o, const char *fallback_name, struct err *e)
{
    struct server *s = xcalloc(1, sizeof(*s));
    struct http_handlers handlers = {.request = on_request, .gone = on_gone, .ctx = s};
    struct http_server_opts http = {
        .host = o->host,
        .port = o->port,
        .max_body_bytes = (size_t)o->max_body_mb << 20,
        .max_header_bytes = (size_t)o->max_header_kb << 10,
        .max_unsent_bytes = (size_t)o->max_unsent_mb << 20,
        .max_connections = o->max_connections,
        .request_timeout_s = o->request_timeout,
        .idle_timeout_s = o->idle_timeout,
    };

    s->opts = *o;
    s->fallback_name = fallback_name;
    s->queue_end = &s->queue;
    s->pending_end = &s->pending;
    s->started = (int64_t)time(NULL);
    pthread_mutex_init(&s->lock, NULL);
    metrics_init(&s->metrics);
    s->limits = (struct api_limits){
        .models = o->served_model_name.n > 0 ? o->served_model_name.items : &s->fallback_name,
        .n_models = MAX(o->served_model_name.n, 1),
        .max_logprobs = o->max_logprobs,
        .max_n = o->max_n,
        .max_prompts = o->max_prompts,
        .defaults = sampling_default(),
    };
    if (!reasoning_parser_find(o->reasoning_parser, &s->parser)) {
        err_set(e, ERR_INPUT, "--reasoning_parser %s: there is no such parser",
                o->reasoning_parser);
        goto fail;
    }
    s->limits.lead = s->parser == REASONING_QWEN3         ? CONSTRAINT_MAY_THINK
                     : s->parser == REASONING_DEEPSEEK_R1 ? CONSTRAINT_THINKS
                                                          : CONSTRAINT_AT_ONCE;
    if (getrandom(s->key_seed, sizeof(s->key_seed), 0) != (ssize_t)sizeof(s->key_seed)) {
        err_set_errno(e, "getrandom");
        goto fail;
    }
    s->http = http_server_open(&http, &handlers, e);
    if (!s->http)
        goto fail;
    return s;

fail:
    server_close(s);
    return NULL;
}

int server_port(const struct server *s)
{
    return http_server_port(s->http);
}

bool server_run(struct server *s, const struct server_source *source, struct err *e)
{
    pthread_t thread;
    bool ok;

    s->source = *source;
    if (source->generation_defaults && !take_defaults(s, source->generation_defaults, e))
        return false;
    if (pthread_create(&thread, NULL, generator_thread, s) != 0)
        return err_set(e, ERR_MEMORY, "no thread for the generator");
    ok = http_server_run(s->http, e);
    atomic_store(&s->is_stopping, true);
    if (has_generator(s))
        generator_wake(s->g);
    pthread_join(thread, NULL);
    if (s->err.code != ERR_NONE) {
        *e = s->err;
        return false;
    }
    return ok;
}

void server_stop(struct server *s)
{
    http_server_stop(s->http);
}

/* Both threads have ended. What is still in hand was cut off by a second stop: closing the HTTP
 * server puts it on the gone list, and its choices end with the generator. */
static void abandon_calls(struct server *s)
{
    struct gen_event ev[64];
    struct err e = ERR_INIT;
    int n;

    if (!s->g)
        return;
    take_messages(s);
    submit_pending(s);
    while (atomic_load(&s->n_calls) > 0 && generator_poll(s->g, 100, ev, LEN(ev), &n, &e))
        for (int i = 0; i < n; i++)
            take_event(s, &ev[i]);
}

void server_close(struct server *s)
{
    if (!s)
        return;
    http_server_close(s->http);
    abandon_calls(s);
    generator_close(s->g);
    metrics_clear(&s->metrics);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
