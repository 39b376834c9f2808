#include "test.h"

#include "base/clock.h"
#include "net/fake_server.h"
#include "net/http_client.h"

/* Far more than anything here takes: a machine may stand still for seconds. */
enum { LONG_MS = 600000 };

static struct fake_server server;
static struct http_client *client;
static struct http_headers *headers;

/* What to do is said by the path. */
static bool answer(void *ctx UNUSED, const struct fake_request *q)
{
    if (str_starts(q->head, "GET /plain"))
        fake_reply(q->fd, "200 OK", "", "hello");
    else if (str_starts(q->head, "POST /echo"))
        fake_reply(q->fd, "200 OK", "Content-Type: text/event-stream; charset=utf-8\r\n",
                   q->body.ptr);
    else if (str_starts(q->head, "GET /missing"))
        fake_reply(q->fd, "404 Not Found", "", "no");
    else if (str_starts(q->head, "GET /later"))
        fake_reply(q->fd, "429 Too Many", "Retry-After: 7\r\n", "");
    else if (str_starts(q->head, "GET /cut")) {
        fake_write(q->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        return false;
    } else if (str_starts(q->head, "GET /closed")) {
        return false;
    } else if (str_starts(q->head, "GET /silent")) {
        fake_write(q->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    } else if (str_starts(q->head, "GET /slow")) {
        fake_write(q->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        while (fake_write(q->fd, "x")) /* until the client has gone */
            usleep(20000);
        return false;
    } /* /mute: nothing at all */
    return true;
}

static int setup(void **state UNUSED)
{
    struct err e = ERR_INIT;

    fake_server_start(&server, 0, answer, NULL);
    headers = http_headers_open();
    client = http_client_open(64, &e);
    return client == NULL || !http_headers_add(headers, "X-Test: yes", &e);
}

static int teardown(void **state UNUSED)
{
    http_client_close(client);
    http_headers_close(headers);
    fake_server_stop(&server);
    return 0;
}

struct got {
    struct buf body;
    struct http_head head;
    bool refuses;
};

static bool on_body(void *ctx, const struct http_head *head, struct str bytes)
{
    struct got *g = ctx;

    g->head = *head;
    buf_add_str(&g->body, bytes);
    return !g->refuses;
}

static struct http_request request(const char *path, struct got *g, char *url, size_t size)
{
    snprintf(url, size, "%s%s", server.url, path);
    return (struct http_request){
        .url = url, .headers = headers, .on_body = on_body, .ctx = g, .connect_ms = LONG_MS};
}

static struct http_done wait_done(void)
{
    struct http_done done = {0};
    int64_t until = clock_ms() + LONG_MS;

    while (clock_ms() < until)
        if (http_client_poll(client, 100, &done, 1) == 1)
            return done;
    fail_msg("no end");
    return done;
}

static const struct {
    const char *path;
    int first_byte_ms, silence_ms, total_ms;
    bool refuses;
    enum http_outcome want;
    int status;
    const char *body;
} cases[] = {
    {"/plain", 0, 0, 0, false, HTTP_COMPLETE, 200, "hello"},
    {"/missing", 0, 0, 0, false, HTTP_COMPLETE, 404, "no"},
    {"/cut", 0, 0, 0, false, HTTP_BROKEN, 200, "half"},
    {"/closed", 0, 0, 0, false, HTTP_BROKEN, 0, ""},
    {"/mute", 100, 0, 0, false, HTTP_SLOW_FIRST_BYTE, 0, ""},
    {"/silent", 0, 100, 0, false, HTTP_SILENT, 200, "half"},
    {"/slow", 0, LONG_MS, 500, false, HTTP_SLOW_TOTAL, 200, NULL},
    {"/plain", 0, 0, 0, true, HTTP_REFUSED, 200, "hello"},
    {"/plain", LONG_MS, LONG_MS, LONG_MS, false, HTTP_COMPLETE, 200, "hello"},
};

TEST(outcomes)
{
    for (size_t i = 0; i < LEN(cases); i++) {
        struct got g = {.refuses = cases[i].refuses};
        char url[100];
        struct http_request r = request(cases[i].path, &g, url, sizeof(url));
        struct http_done done;

        r.first_byte_ms = cases[i].first_byte_ms;
        r.silence_ms = cases[i].silence_ms;
        r.total_ms = cases[i].total_ms;
        http_client_start(client, &r);
        done = wait_done();
        CHECK_INT(cases[i].path, done.outcome, cases[i].want);
        /* On a machine that stood still the whole time may be over before the head has come. */
        if (done.outcome != HTTP_SLOW_TOTAL || done.status != 0 || done.first_byte_us >= 0)
            CHECK_INT(cases[i].path, done.status, cases[i].status);
        CHECK(cases[i].path, done.ctx == &g);
        if (cases[i].body)
            CHECK_STR(cases[i].path, buf_str(&g.body), STR(cases[i].body));
        if (done.outcome != HTTP_COMPLETE)
            CHECK(cases[i].path, done.detail[0]);
        buf_clear(&g.body);
    }
}

TEST(nobody_listens)
{
    struct got g = {0};
    struct http_request r = {
        .url = "http://127.0.0.1:1/", .headers = headers, .on_body = on_body, .ctx = &g};

    http_client_start(client, &r);
    CHECK_INT("unreachable", wait_done().outcome, HTTP_UNREACHABLE);
    /* No label of a name is longer than 63 letters: this one is refused without asking a name
     * server, which may answer late, never, or with an address for everything. */
    r.url = "http://no-such-name-no-such-name-no-such-name-no-such-name-no-such-name.invalid/";
    http_client_start(client, &r);
    CHECK_INT("no such name", wait_done().outcome, HTTP_UNREACHABLE);
}

TEST(retry_after)
{
    struct got g = {0};
    char url[100];
    struct http_request r = request("/later", &g, url, sizeof(url));

    http_client_start(client, &r);
    CHECK_INT("seconds", wait_done().retry_after_ms, 7000);
}

TEST(sends_bodies_and_knows_streams)
{
    struct got g = {0};
    char url[100];
    struct http_request r = request("/echo", &g, url, sizeof(url));

    r.is_post = true;
    r.body = STR("a body");
    http_client_start(client, &r);
    CHECK_INT("complete", wait_done().outcome, HTTP_COMPLETE);
    CHECK_STR("echo", buf_str(&g.body), STR("a body"));
    CHECK("a stream", g.head.is_event_stream);
    buf_clear(&g.body);
}

TEST(many_at_once_over_kept_connections)
{
    struct got g[50] = {0};
    char url[50][100];
    struct http_done done[8];

    for (int round = 0; round < 3; round++) {
        int n_done = 0;

        for (int i = 0; i < 50; i++) {
            struct http_request r = request("/plain", &g[i], url[i], sizeof(url[i]));

            http_client_start(client, &r);
        }
        for (int64_t until = clock_ms() + LONG_MS; n_done < 50 && clock_ms() < until;) {
            int n = http_client_poll(client, 100, done, LEN(done));

            for (int i = 0; i < n; i++)
                CHECK_INT("complete", done[i].outcome, HTTP_COMPLETE);
            n_done += n;
        }
        CHECK_INT("all", n_done, 50);
    }
    CHECK("connections were kept", server.n_threads <= 60);
    for (int i = 0; i < 50; i++) {
        CHECK_STR("three times", buf_str(&g[i].body), STR("hellohellohello"));
        buf_clear(&g[i].body);
    }
}

TEST(cancelled_ones_say_nothing_more)
{
    struct got g = {0};
    char url[100];
    struct http_request r = request("/mute", &g, url, sizeof(url));
    struct http_transfer *t;
    struct http_done done;
    int n_tries = 0;

    r.first_byte_ms = 400;
    do { /* one that ended before it could be cancelled says nothing of cancelling */
        CHECK("nothing yet", n_tries++ < 100);
        t = http_client_start(client, &r);
    } while (http_client_poll(client, 20, &done, 1) > 0);
    http_client_cancel(client, t);
    for (int i = 0; i < 30; i++)
        CHECK_INT("nothing", http_client_poll(client, 20, &done, 1), 0);
}

static void *wake_soon(void *ctx UNUSED)
{
    usleep(50000);
    http_client_wake(client);
    return NULL;
}

TEST(a_poll_can_be_woken)
{
    pthread_t thread;
    struct http_done done;
    int64_t began = clock_ms();

    assert_int_equal(pthread_create(&thread, NULL, wake_soon, NULL), 0);
    http_client_poll(client, LONG_MS, &done, 1);
    CHECK("before its time", clock_ms() - began < LONG_MS);
    pthread_join(thread, NULL);
}

TEST(headers_with_line_ends)
{
    struct err e = ERR_INIT;

    assert_false(http_headers_add(headers, "A: b\r\nC: d", &e));
    CHECK_INT("input", e.code, ERR_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(outcomes, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_listens, setup, teardown),
        cmocka_unit_test_setup_teardown(retry_after, setup, teardown),
        cmocka_unit_test_setup_teardown(sends_bodies_and_knows_streams, setup, teardown),
        cmocka_unit_test_setup_teardown(many_at_once_over_kept_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelled_ones_say_nothing_more, setup, teardown),
        cmocka_unit_test_setup_teardown(a_poll_can_be_woken, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_with_line_ends, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
