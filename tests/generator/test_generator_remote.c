/* The remote generator against servers of the test's own making, over real sockets. */
#include "test.h"

#include <limits.h>

#include "base/clock.h"
#include "base/log.h"
#include "generator/generator_remote.h"
#include "net/fake_server.h"

/* LONG_MS: far more than anything here takes; a machine may stand still for seconds. */
enum { N_SERVERS = 2, LONG_MS = 600000 };

/* What the next requests meet; behaviours are given by test, numbers count chat requests alone. */
struct behaviour {
    const char *models; /* body of /v1/models; NULL: 404 */
    const char *models_status;
    bool (*chat)(struct behaviour *b, const struct fake_request *q, int number);
    atomic_int n_chats, n_at_once, most_at_once;
    char last_head[2048], last_body[4096];
    int64_t times[64]; /* of the chat requests */
    pthread_mutex_t lock;
};

/* What behaviours of the servers wait for. */
static atomic_int n_heard;  /* deltas that the test has been told */
static atomic_bool is_open; /* held requests go on */

static struct fake_server servers[N_SERVERS];
static struct behaviour behaviours[N_SERVERS];
static struct remote_opts opts;
static const struct opt_group groups[] = {{"Server", remote_server_table, &opts},
                                          {"Limits", remote_limits_table, &opts}};
static const char *urls[N_SERVERS];

#define MODELS \
    "{\"object\":\"list\",\"data\":[{\"id\":\"m\",\"object\":\"model\",\"max_model_len\":4096}]}"
#define STREAM_HEAD \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
#define PIECE(text) \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text \
    "\"},\"finish_reason\":null}]}\n\n"
#define LAST \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n"
#define CONTEXT_400 \
    "{\"error\":{\"message\":\"This model's maximum context length is 4096 tokens. However, you requested 5096 tokens (1000 in the messages, 4096 in the completion).\",\"type\":\"BadRequestError\",\"code\":400}}"

static bool good(struct behaviour *b UNUSED, const struct fake_request *q, int number UNUSED)
{
    fake_write(q->fd, STREAM_HEAD PIECE("Hel") PIECE("lo") LAST);
    return false;
}

static bool answer(void *ctx, const struct fake_request *q)
{
    struct behaviour *b = ctx;
    int n;
    bool stays;

    if (str_starts(q->head, "GET ")) {
        fake_reply(q->fd,
                   b->models_status ? b->models_status
                   : b->models      ? "200 OK"
                                    : "404 Not Found",
                   "", b->models ? b->models : "{\"detail\":\"Not Found\"}");
        return true;
    }
    n = atomic_fetch_add(&b->n_chats, 1);
    pthread_mutex_lock(&b->lock);
    snprintf(b->last_head, sizeof(b->last_head), STR_FMT, STR_ARG(q->head));
    snprintf(b->last_body, sizeof(b->last_body), STR_FMT, STR_ARG(q->body));
    if (n < (int)LEN(b->times))
        b->times[n] = clock_ms();
    pthread_mutex_unlock(&b->lock);
    n = atomic_fetch_add(&b->n_at_once, 1) + 1;
    if (n > atomic_load(&b->most_at_once))
        atomic_store(&b->most_at_once, n);
    stays = b->chat(b, q, atomic_load(&b->n_chats) - 1);
    atomic_fetch_sub(&b->n_at_once, 1);
    return stays;
}

static int setup(void **state UNUSED)
{
    log_set_level(getenv("LLMEVAL_LOG") ? LOG_DEBUG : LOG_ERROR);
    opts_defaults(groups, LEN(groups));
    for (int i = 0; i < N_SERVERS; i++) {
        memset(&behaviours[i], 0, sizeof(behaviours[i]));
        atomic_store(&n_heard, 0);
        atomic_store(&is_open, false);
        pthread_mutex_init(&behaviours[i].lock, NULL);
        behaviours[i].models = MODELS;
        behaviours[i].chat = good;
        fake_server_start(&servers[i], 0, answer, &behaviours[i]);
        urls[i] = servers[i].url;
    }
    opts.base_url = (struct opt_list){urls, 1};
    opts.max_workers = 8;
    opts.max_outage = 5;
    return 0;
}

static int teardown(void **state UNUSED)
{
    atomic_store(&is_open, true); /* whoever still waits, after a failure, goes on */
    atomic_store(&n_heard, INT_MAX / 2);
    opts.base_url = (struct opt_list){0};
    opts_clear(groups, LEN(groups), NULL);
    for (int i = 0; i < N_SERVERS; i++)
        fake_server_stop(&servers[i]);
    return 0;
}

static struct generator *must_open(void)
{
    struct err e = ERR_INIT;
    struct generator *g = generator_remote_open(&opts, &e);

    CHECK_OK("open", g != NULL, &e);
    return g;
}

static const struct chat_part hello[] = {{PART_TEXT, STR_LIT("hello")}};
static const struct chat_msg msgs[] = {{STR_LIT("user"), hello, 1, NULL}};

static struct gen_request request(uint64_t id)
{
    struct gen_request r = {
        .id = id, .kind = GEN_CHAT, .msgs = msgs, .n_msgs = 1, .sampling = sampling_default()};

    r.sampling.max_tokens = 4096;
    r.sampling.seed = id;
    r.sampling.has_seed = true;
    return r;
}

static void submit(struct generator *g, const struct gen_request *r)
{
    struct err e = ERR_INIT;

    CHECK_OK("submit", generator_submit(g, r, &e), &e);
}

/* What ended, copied, since events live only until the next poll. */
struct ended {
    uint64_t id;
    enum gen_event_kind kind;
    enum fail_class fail_class;
    int http_status, n_attempts, max_tokens;
    bool is_clamped;
    char text[200], server[64], words[512];
};

static struct ended ended[64];
static struct buf deltas;

static int wait_ended(struct generator *g, int n_wanted)
{
    struct gen_event ev[4];
    struct err e = ERR_INIT;
    int64_t until = clock_ms() + LONG_MS;
    int n, n_ended = 0;

    buf_reset(&deltas);
    while (n_ended < n_wanted && clock_ms() < until) {
        CHECK_OK("poll", generator_poll(g, 50, ev, LEN(ev), &n, &e), &e);
        for (int i = 0; i < n; i++) {
            struct ended *d = &ended[n_ended];

            if (ev[i].kind == GEN_DELTA) {
                buf_add_str(&deltas, ev[i].text);
                buf_addc(&deltas, '|');
                atomic_fetch_add(&n_heard, 1);
                continue;
            }
            *d = (struct ended){ev[i].id,
                                ev[i].kind,
                                ev[i].fail_class,
                                ev[i].http_status,
                                ev[i].n_attempts,
                                ev[i].max_tokens,
                                ev[i].is_clamped,
                                "",
                                "",
                                ""};
            snprintf(d->text, sizeof(d->text), STR_FMT, STR_ARG(ev[i].text));
            snprintf(d->server, sizeof(d->server), STR_FMT, STR_ARG(ev[i].server));
            snprintf(d->words, sizeof(d->words), "%s", ev[i].err ? ev[i].err->msg : "");
            n_ended++;
        }
    }
    return n_ended;
}

static const struct ended *one(struct generator *g)
{
    CHECK_INT("one end", wait_ended(g, 1), 1);
    return &ended[0];
}

static const struct ended *ask_one(struct generator *g)
{
    struct gen_request r = request(1);

    submit(g, &r);
    return one(g);
}

/* --- opening ---------------------------------------------------------------------------------- */

TEST(finds_the_model)
{
    struct generator *g = must_open();

    CHECK_STR("name", STR(g->model_name), STR("m"));
    CHECK_INT("context", g->max_model_len, 4096);
    generator_close(g);
}

static const struct {
    const char *name, *status, *models, *model_name, *words; /* words NULL: it opens */
} probes[] = {
    {"another name", NULL, MODELS, "x", "/v1 does not serve \"x\"; it serves: m"},
    {"several", NULL, "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", "",
     "serves several models: choose one with --model_name (a, b)"},
    {"one of several", NULL, "{\"data\":[{\"id\":\"a\"},{\"id\":\"b\"}]}", "b", NULL},
    {"no list, but a name", NULL, NULL, "m", NULL},
    {"no list, no name", NULL, NULL, "", "give --model_name"},
    {"not JSON", NULL, "hello", "m", NULL},
    {"no key", "401 Unauthorized", "{\"error\":\"Unauthorized\"}", "m",
     "refuses the key (HTTP 401: Unauthorized)"},
    {"still loading", "503 Service Unavailable", "{}", "m", "no server at"},
};

TEST(probes_at_start)
{
    for (size_t i = 0; i < LEN(probes); i++) {
        struct err e = ERR_INIT;
        struct generator *g;

        behaviours[0].models = probes[i].models;
        behaviours[0].models_status = probes[i].status;
        free((char *)(uintptr_t)opts.model_name);
        opts.model_name = xstrdup(probes[i].model_name);
        g = generator_remote_open(&opts, &e);
        CHECK_INT(probes[i].name, g != NULL, probes[i].words == NULL);
        if (probes[i].words && !strstr(e.msg, probes[i].words))
            fail_msg("%s: \"%s\" lacks \"%s\"", probes[i].name, e.msg, probes[i].words);
        generator_close(g);
    }
}

TEST(takes_addresses_as_users_write_them)
{
    static const char *const forms[] = {
        "%s", "%s/", "%s/v1", "%s/v1/", "%s/v1/chat/completions", "%s/v1/completions", "+%s"};

    for (size_t i = 0; i < LEN(forms); i++) {
        char url[128];
        const char *list[] = {url};
        struct generator *g;

        snprintf(url, sizeof(url), forms[i][0] == '+' ? "127.0.0.1:%s" : forms[i],
                 forms[i][0] == '+' ? strrchr(servers[0].url, ':') + 1 : servers[0].url);
        opts.base_url = (struct opt_list){list, 1};
        g = must_open();
        CHECK_STR(url, STR(ask_one(g)->text), STR("Hello"));
        CHECK(url, strncmp(behaviours[0].last_head, "POST /v1/chat/completions HTTP/1.1", 34) == 0);
        generator_close(g);
    }
}

TEST(hides_user_and_password)
{
    char url[128];
    const char *list[] = {url};
    struct generator *g;

    snprintf(url, sizeof(url), "http://user:secret@127.0.0.1:%d", servers[0].port);
    opts.base_url = (struct opt_list){list, 1};
    g = must_open();
    CHECK("in records", !strstr(ask_one(g)->server, "secret"));
    generator_close(g);
}

/* --- one request ------------------------------------------------------------------------------ */

TEST(asks_and_hears)
{
    struct generator *g;
    const struct ended *d;
    struct gen_stats stats;

    free((char *)(uintptr_t)opts.api_key);
    opts.api_key = xstrdup("sk-test");
    free((char *)(uintptr_t)opts.organization);
    opts.organization = xstrdup("org-1");
    g = must_open();
    d = ask_one(g);
    CHECK_INT("done", d->kind, GEN_DONE);
    CHECK_STR("text", STR(d->text), STR("Hello"));
    CHECK_INT("tries", d->n_attempts, 1);
    CHECK("server", strncmp(d->server, servers[0].url, strlen(servers[0].url)) == 0);
    CHECK("key", strstr(behaviours[0].last_head, "Authorization: Bearer sk-test\r\n"));
    CHECK("organization", strstr(behaviours[0].last_head, "OpenAI-Organization: org-1\r\n"));
    CHECK("no Expect", !strstr(behaviours[0].last_head, "Expect:"));
    CHECK("streamed", strstr(behaviours[0].last_body, "\"stream\":true"));
    generator_stats(g, &stats);
    CHECK_INT("tokens", stats.n_completion_tokens, 2);
    CHECK_INT("done", stats.n_done, 1);
    generator_close(g);
}

static bool whole(struct behaviour *b UNUSED, const struct fake_request *q, int number UNUSED)
{
    fake_reply(q->fd, "200 OK", "Content-Type: application/json\r\n",
               "{\"choices\":[{\"message\":{\"content\":\"all\"},\"finish_reason\":\"stop\"}]}");
    return true;
}

TEST(takes_whole_answers)
{
    struct generator *g;

    opts.stream = false;
    behaviours[0].chat = whole;
    g = must_open();
    CHECK_STR("text", STR(ask_one(g)->text), STR("all"));
    CHECK("not streamed", !strstr(behaviours[0].last_body, "\"stream\""));
    CHECK_STR("over a kept connection", STR(ask_one(g)->text), STR("all"));
    generator_close(g);
    opts.stream = true; /* a server that does not stream is understood too */
    g = must_open();
    CHECK_STR("text", STR(ask_one(g)->text), STR("all"));
    generator_close(g);
}

/* Until the test has been told so many deltas; not for ever, since they may never be told. */
static void wait_heard(int n)
{
    for (int64_t until = clock_ms() + LONG_MS; atomic_load(&n_heard) < n && clock_ms() < until;)
        usleep(1000);
}

static bool slow_pieces(struct behaviour *b UNUSED, const struct fake_request *q, int number UNUSED)
{
    fake_write(q->fd, STREAM_HEAD PIECE("a\xe4\xbd\xa0"));
    wait_heard(1);
    fake_write(q->fd, "data: {\"choices\":[{\"delta\":{\"con");
    usleep(100000); /* most often the half is read on its own */
    fake_write(q->fd, "tent\":\"b\"}}]}\n\n");
    wait_heard(2);
    fake_write(q->fd, PIECE("c") LAST);
    return false;
}

TEST(tells_text_as_it_appears)
{
    struct generator *g = must_open();
    struct gen_request r = request(1);

    behaviours[0].chat = slow_pieces;
    r.stream = true;
    submit(g, &r);
    CHECK_STR("all of it", STR(one(g)->text),
              STR("a\xe4\xbd\xa0"
                  "bc"));
    CHECK_STR("in pieces", buf_str(&deltas), STR("a\xe4\xbd\xa0|b|c|"));
    buf_clear(&deltas);
    generator_close(g);
}

/* --- trying again ----------------------------------------------------------------------------- */

static const char *fault_status, *fault_headers, *fault_body;
static int n_faults;

static bool faulty(struct behaviour *b, const struct fake_request *q, int number)
{
    if (number >= n_faults)
        return good(b, q, number);
    fake_reply(q->fd, fault_status, fault_headers, fault_body);
    return true;
}

static void fault(int n, const char *status, const char *headers, const char *body)
{
    behaviours[0].chat = faulty;
    n_faults = n;
    fault_status = status;
    fault_headers = headers;
    fault_body = body;
}

TEST(tries_again_after_a_while)
{
    struct generator *g;
    struct gen_stats stats;
    int64_t gap;

    fault(2, "500 Oops", "", "{}");
    g = must_open();
    CHECK_INT("third try", ask_one(g)->n_attempts, 3);
    gap = behaviours[0].times[1] - behaviours[0].times[0];
    CHECK("first wait", gap >= 240); /* how long at most: test_generator_remote_policy.c */
    gap = behaviours[0].times[2] - behaviours[0].times[1];
    CHECK("second wait", gap >= 490);
    generator_stats(g, &stats);
    CHECK_INT("counted", stats.n_retries[FAIL_SERVER], 2);
    generator_close(g);
}

TEST(gives_up_after_max_retries)
{
    struct generator *g;
    const struct ended *d;

    opts.max_retries = 1;
    fault(99, "500 Oops", "", "{\"error\":{\"message\":\"boom\"}}");
    g = must_open();
    d = ask_one(g);
    CHECK_INT("failed", d->kind, GEN_FAILED);
    CHECK_INT("class", d->fail_class, FAIL_SERVER);
    CHECK_INT("status", d->http_status, 500);
    CHECK_STR("words", STR(d->words), STR("HTTP 500: boom (2 tries)"));
    generator_close(g);
}

static _Atomic time_t busy_until, asked_again;

static bool busy_until_a_date(struct behaviour *b, const struct fake_request *q, int number)
{
    char date[64];
    time_t then = time(NULL) + 3;
    struct tm tm;

    if (number > 0) {
        atomic_store(&asked_again, time(NULL));
        return good(b, q, number);
    }
    atomic_store(&busy_until, then);
    strftime(date, sizeof(date), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n",
             gmtime_r(&then, &tm));
    fake_reply(q->fd, "503 Busy", date, "{}");
    return true;
}

TEST(waits_as_long_as_the_server_says)
{
    struct generator *g = must_open();

    fault(1, "429 Too Many", "Retry-After: 1\r\n", "{}");
    CHECK_INT("second try", ask_one(g)->n_attempts, 2);
    CHECK("a second", behaviours[0].times[1] - behaviours[0].times[0] >= 990);

    atomic_store(&behaviours[0].n_chats, 0);
    behaviours[0].chat = busy_until_a_date;
    CHECK_INT("second try", ask_one(g)->n_attempts, 2);
    CHECK("until the date", atomic_load(&asked_again) >= atomic_load(&busy_until));
    generator_close(g);
}

TEST(refusals_use_up_no_tries_but_time)
{
    struct generator *g;
    struct gen_stats stats;
    const struct ended *d;

    opts.max_retries = 0;
    opts.rate_limit_wait = 30;
    fault(3, "429 Too Many", "", "{}");
    g = must_open();
    CHECK_INT("fourth try", ask_one(g)->n_attempts, 4);
    generator_stats(g, &stats);
    CHECK("the window has shrunk", stats.concurrency < 8);
    generator_close(g);

    atomic_store(&behaviours[0].n_chats, 0);
    opts.rate_limit_wait = 0.1;
    fault(99, "429 Too Many", "", "{}");
    g = must_open();
    d = ask_one(g);
    CHECK_INT("time is up", d->fail_class, FAIL_RATE);
    generator_close(g);
}

TEST(does_not_try_what_will_not_get_better)
{
    struct generator *g;
    const struct ended *d;

    fault(99, "400 Bad Request", "", "{\"error\":{\"message\":\"temperature must be positive\"}}");
    g = must_open();
    d = ask_one(g);
    CHECK_INT("one try", d->n_attempts, 1);
    CHECK_INT("class", d->fail_class, FAIL_REQUEST);
    CHECK_STR("words", STR(d->words), STR("HTTP 400: temperature must be positive"));
    generator_close(g);
}

TEST(never_repeats_the_key)
{
    struct generator *g;
    const struct ended *d;

    free((char *)(uintptr_t)opts.api_key);
    opts.api_key = xstrdup("sk-canary");
    opts.max_retries = 0;
    fault(99, "500 Oops", "",
          "{\"error\":{\"message\":\"bad key sk-canary and Bearer sk-canary\"}}");
    g = must_open();
    d = ask_one(g);
    CHECK_STR("words", STR(d->words), STR("HTTP 500: bad key ********* and Bearer *********"));
    generator_close(g);
}

static bool stalls_first(struct behaviour *b, const struct fake_request *q, int number)
{
    if (number > 0)
        return good(b, q, number);
    fake_write(q->fd, STREAM_HEAD PIECE("Hel"));
    usleep(700000);
    return true;
}

TEST(cuts_what_stalls)
{
    struct generator *g;
    const struct ended *d;
    struct gen_stats stats;

    opts.silence_timeout = 0.2;
    opts.max_retries = 100;
    behaviours[0].chat = stalls_first;
    g = must_open();
    d = ask_one(g);
    CHECK_STR("text", STR(d->text), STR("Hello"));
    CHECK("tried again",
          d->n_attempts >= 2); /* on a slow machine the good answer may come in too late as well */
    generator_stats(g, &stats);
    CHECK_INT("counted", stats.n_retries[FAIL_TIMEOUT], d->n_attempts - 1);
    generator_close(g);
}

TEST(a_text_half_told_is_not_told_anew)
{
    struct generator *g;
    struct gen_request r = request(1);

    opts.silence_timeout = 0.2;
    behaviours[0].chat = stalls_first;
    g = must_open();
    r.stream = true;
    submit(g, &r);
    CHECK_INT("failed", one(g)->fail_class, FAIL_TIMEOUT);
    buf_clear(&deltas);
    generator_close(g);
}

/* --- context ---------------------------------------------------------------------------------- */

TEST(clamps_the_limit)
{
    struct generator *g;
    const struct ended *d;
    struct gen_stats stats;

    fault(1, "400 Bad Request", "", CONTEXT_400);
    g = must_open();
    d = ask_one(g);
    CHECK_INT("done", d->kind, GEN_DONE);
    CHECK("recorded", d->is_clamped && d->max_tokens == 3096);
    CHECK("sent", strstr(behaviours[0].last_body, "\"max_tokens\":3096}"));
    CHECK("the prompt is whole", strstr(behaviours[0].last_body, "\"content\":\"hello\""));
    generator_stats(g, &stats);
    CHECK_INT("counted", stats.n_retries[FAIL_CONTEXT], 1);
    generator_close(g);
}

/* What one sample has taught spares the next ones the refusal. */
TEST(clamps_beforehand_what_it_knows)
{
    struct generator *g;
    const struct ended *d;

    fault(1, "400 Bad Request", "", CONTEXT_400);
    g = must_open();
    CHECK_INT("taught by a refusal", ask_one(g)->n_attempts, 2);
    d = ask_one(g); /* the answer has told 3 prompt tokens since */
    CHECK("one try", d->n_attempts == 1);
    CHECK("recorded", d->is_clamped && d->max_tokens == 4093);
    CHECK("sent", strstr(behaviours[0].last_body, "\"max_tokens\":4093}"));
    generator_close(g);
}

TEST(clamps_once_and_only_when_asked_to)
{
    struct generator *g = must_open();
    struct gen_request r = request(2);
    const struct ended *d;

    fault(99, "400 Bad Request", "", CONTEXT_400);
    d = ask_one(g);
    CHECK("twice is too much", d->fail_class == FAIL_CONTEXT && d->n_attempts == 2);
    r.overlong = OVERLONG_REJECT;
    submit(g, &r);
    d = one(g);
    CHECK("refused", d->fail_class == FAIL_CONTEXT && d->n_attempts == 1);
    fault(
        99, "400 Bad Request", "",
        "{\"error\":{\"message\":\"maximum context length is 100 tokens, 500 in the messages\"}}");
    d = ask_one(g);
    CHECK("the prompt alone is too long", d->fail_class == FAIL_CONTEXT && d->n_attempts == 1);
    generator_close(g);
}

/* Without numbers the context of the model list and the length in bytes must do. */
TEST(clamps_without_numbers)
{
    struct generator *g = must_open();
    const struct ended *d;

    fault(1, "400 Bad Request", "", "{\"error\":{\"message\":\"context length exceeded\"}}");
    d = ask_one(g);
    CHECK("done", d->kind == GEN_DONE && d->is_clamped);
    CHECK("no more than the context leaves", d->max_tokens > 3000 && d->max_tokens < 4096 - 5);
    generator_close(g);
}

/* --- several servers -------------------------------------------------------------------------- */

static bool slow(struct behaviour *b, const struct fake_request *q, int number)
{
    usleep(200000);
    return good(b, q, number);
}

TEST(shares_the_work)
{
    struct generator *g;

    opts.base_url = (struct opt_list){urls, 2};
    behaviours[0].chat = behaviours[1].chat = slow;
    g = must_open();
    for (uint64_t id = 0; id < 8; id++) {
        struct gen_request r = request(id);

        submit(g, &r);
    }
    CHECK_INT("no more room", generator_room(g), 0);
    CHECK_INT("all", wait_ended(g, 8), 8);
    CHECK_INT("half to the first", atomic_load(&behaviours[0].n_chats), 4);
    CHECK_INT("half to the second", atomic_load(&behaviours[1].n_chats), 4);
    CHECK_INT("room again", generator_room(g), 8);
    generator_close(g);
}

TEST(goes_on_without_a_server_that_is_gone_and_with_it_again)
{
    struct generator *g;
    int port = servers[0].port;

    opts.base_url = (struct opt_list){urls, 2};
    g = must_open();
    fake_server_stop(&servers[0]);
    for (uint64_t id = 0; id < 8; id++) {
        struct gen_request r = request(id);

        submit(g, &r);
    }
    CHECK_INT("all", wait_ended(g, 8), 8);
    for (int i = 0; i < 8; i++)
        CHECK_INT("done", ended[i].kind, GEN_DONE);
    CHECK_INT("by the second", atomic_load(&behaviours[1].n_chats), 8);
    fake_server_start(&servers[0], port, answer, &behaviours[0]);
    for (int64_t until = clock_ms() + LONG_MS;
         atomic_load(&behaviours[0].n_chats) == 0 && clock_ms() < until;) {
        ask_one(g);
        usleep(100000);
    }
    CHECK("the first is back", atomic_load(&behaviours[0].n_chats) > 0);
    generator_close(g);
}

TEST(says_when_no_server_is_left)
{
    struct generator *g;
    struct gen_request r = request(1);
    struct gen_event ev[4];
    struct err e = ERR_INIT;
    int64_t until = clock_ms() + LONG_MS;
    int n, n_ended = 0;
    bool ok = true;

    opts.max_outage = 1;
    g = must_open();
    fake_server_stop(&servers[0]);
    submit(g, &r);
    while (ok && clock_ms() < until) {
        ok = generator_poll(g, 100, ev, LEN(ev), &n, &e);
        n_ended += ok ? n : 0;
    }
    CHECK("poll fails", !ok);
    CHECK_INT("remote", e.code, ERR_REMOTE);
    CHECK("in words", strstr(e.msg, "no server could be reached for 1 s"));
    CHECK_INT("no try was used up", n_ended, 0);
    generator_close(g);
    fake_server_start(&servers[0], 0, answer, &behaviours[0]);
}

/* --- order and cancelling --------------------------------------------------------------------- */

TEST(sends_by_priority_and_round)
{
    static const struct {
        uint64_t id;
        int priority, round;
    } jobs[] = {{1, 1, 0}, {2, 0, 1}, {3, 0, 0}, {4, 0, 1}};
    static const uint64_t want[] = {3, 2, 4, 1};
    struct generator *g;

    opts.max_workers = 1;
    g = must_open();
    for (size_t i = 0; i < LEN(jobs); i++) {
        struct gen_request r = request(jobs[i].id);

        r.priority = jobs[i].priority;
        r.round = jobs[i].round;
        submit(g, &r);
    }
    CHECK_INT("all", wait_ended(g, 4), 4);
    for (size_t i = 0; i < LEN(want); i++)
        CHECK_INT("order", ended[i].id, want[i]);
    CHECK_INT("one at a time", atomic_load(&behaviours[0].most_at_once), 1);
    generator_close(g);
}

static bool held(struct behaviour *b, const struct fake_request *q, int number)
{
    for (int64_t until = clock_ms() + LONG_MS; !atomic_load(&is_open) && clock_ms() < until;)
        usleep(1000);
    return good(b, q, number);
}

TEST(every_id_ends_once_after_a_cancel)
{
    struct generator *g;
    struct gen_event ev[8];
    struct err e = ERR_INIT;
    int n;

    opts.max_workers = 2;
    behaviours[0].chat = held;
    g = must_open();
    for (uint64_t id = 0; id < 4; id++) {
        struct gen_request r = request(id);

        submit(g, &r);
    }
    CHECK_OK("poll", generator_poll(g, 50, ev, LEN(ev), &n, &e), &e);
    CHECK_INT("nothing yet", n, 0);
    generator_cancel(g, 0);  /* runs */
    generator_cancel(g, 3);  /* waits */
    generator_cancel(g, 3);  /* again: nothing */
    generator_cancel(g, 99); /* unknown: nothing */
    atomic_store(&is_open, true);
    CHECK_INT("all", wait_ended(g, 4), 4);
    for (int i = 0; i < 4; i++) {
        bool was_cancelled = ended[i].id == 0 || ended[i].id == 3;

        CHECK_INT("kind", ended[i].kind, was_cancelled ? GEN_FAILED : GEN_DONE);
        CHECK_INT("class", ended[i].fail_class, was_cancelled ? FAIL_CANCELLED : FAIL_NONE);
    }
    CHECK_OK("poll", generator_poll(g, 300, ev, LEN(ev), &n, &e), &e);
    CHECK_INT("no more", n, 0);
    generator_close(g);
}

TEST(closes_with_requests_under_way)
{
    struct generator *g = must_open();
    struct gen_event ev[8];
    struct err e = ERR_INIT;
    int n;

    behaviours[0].chat = slow;
    for (uint64_t id = 0; id < 8; id++) {
        struct gen_request r = request(id);

        submit(g, &r);
    }
    CHECK_OK("poll", generator_poll(g, 30, ev, LEN(ev), &n, &e), &e);
    generator_close(g);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(finds_the_model),
        T(probes_at_start),
        T(takes_addresses_as_users_write_them),
        T(hides_user_and_password),
        T(asks_and_hears),
        T(takes_whole_answers),
        T(tells_text_as_it_appears),
        T(tries_again_after_a_while),
        T(gives_up_after_max_retries),
        T(waits_as_long_as_the_server_says),
        T(refusals_use_up_no_tries_but_time),
        T(does_not_try_what_will_not_get_better),
        T(never_repeats_the_key),
        T(cuts_what_stalls),
        T(a_text_half_told_is_not_told_anew),
        T(clamps_the_limit),
        T(clamps_beforehand_what_it_knows),
        T(clamps_once_and_only_when_asked_to),
        T(clamps_without_numbers),
        T(shares_the_work),
        T(goes_on_without_a_server_that_is_gone_and_with_it_again),
        T(says_when_no_server_is_left),
        T(sends_by_priority_and_round),
        T(every_id_ends_once_after_a_cancel),
        T(closes_with_requests_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
