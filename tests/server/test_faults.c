/* test_faults.c - every fault looks to a client as its name says, strikes when it should, and
 * leaves the server whole. */
#include "api_check.h"

static struct test_server server;

#define BODY \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Find $x$.\"}],\"seed\":3,\"max_tokens\":400}"
#define STREAM_BODY \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"Find $x$.\"}],\"seed\":3,\"max_tokens\":30,\"stream\":true}"

static int start(void **state UNUSED)
{
    static const char *const args[] = {"--reply_tokens", "400", NULL};

    test_server_start(&server, args);
    return 0;
}

static int stop(void **state UNUSED)
{
    return test_server_stop(&server);
}

/* No byte for STALL_MS is a stall where one is expected; everywhere else a machine may stand still
 * for as long. */
enum { STALL_MS = 700, LONG_MS = 600000 };

static void call_with(const char *fault, bool is_stream, struct http_reply *r)
{
    struct buf out = {0};
    char header[128];
    int fd = http_dial(server.port);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    *r = (struct http_reply){0};
    snprintf(header, sizeof(header), "x-llmeval-fault: %s\r\n", fault);
    http_request_write(&out, "POST", "/v1/chat/completions", fault[0] ? header : "",
                       STR(is_stream ? STREAM_BODY : BODY));
    http_write(fd, buf_str(&out));
    if (strcmp(fault, "stall") == 0)
        poll(&p, 1, LONG_MS); /* it stalls after its first bytes */
    http_read_reply(fd, r, strncmp(fault, "stall", 5) == 0 ? STALL_MS : LONG_MS);
    if (r->is_whole && !r->is_closed) { /* what comes after the body */
        char byte;

        if (poll(&p, 1, strcmp(fault, "reset_after") == 0 ? LONG_MS : 50) == 1)
            r->is_reset = recv(fd, &byte, 1, 0) < 0;
    }
    buf_clear(&out);
    close(fd);
}

/* What a client sees; -1: not looked at. */
static const struct {
    const char *fault;
    int status, is_whole, is_reset, is_closed, is_timed_out, is_json, is_utf8;
    const char *header, *value;
} cases[] = {
    {"429", 429, 1, 0, 0, 0, 1, 1, "Retry-After", ""},
    {"429_retry_after", 429, 1, 0, 0, 0, 1, 1, "Retry-After", "1"},
    {"500", 500, 1, 0, 0, 0, 1, 1, NULL, NULL},
    {"503", 503, 1, 0, 0, 0, 1, 1, "Retry-After", "1"},
    {"reset_before", 0, 0, 1, 1, 0, 0, 1, NULL, NULL},
    {"close_before", 0, 0, 0, 1, 0, 0, 1, NULL, NULL},
    {"stall_before", 0, 0, 0, 0, 1, 0, 1, NULL, NULL},
    {"reset_inside", 200, 0, 1, 1, 0, 0, 1, NULL, NULL},
    {"reset_after", 200, 1, 1, -1, 0, 1, 1, NULL, NULL},
    {"stall", 200, 0, 0, 0, 1, 0, 1, NULL, NULL},
    {"truncated", 200, 0, 0, 1, 0, 0, 1, NULL, NULL},
    {"malformed", 200, 1, 0, 0, 0, 0, 1, NULL, NULL},
    {"half_utf8", 200, 1, 0, 0, 0, 0, 0, NULL, NULL},
    {"trickle", 200, 1, 0, 0, 0, 1, 1, NULL, NULL},
    {"stream_error", 500, 1, 0, 0, 0, 1, 1, NULL, NULL},
    {"context", 400, 1, 0, 0, 0, 1, 1, NULL, NULL},
};

static void check(const char *name, const char *what, int got, int want)
{
    char both[96];

    snprintf(both, sizeof(both), "%s: %s", name, what);
    if (want >= 0)
        CHECK_INT(both, got, want);
}

TEST(whole_answers)
{
    for (size_t i = 0; i < LEN(cases); i++) {
        struct http_reply r;
        struct err e = ERR_INIT;
        struct json *v;

        call_with(cases[i].fault, false, &r);
        v = json_parse(buf_str(&r.body), &e);
        check(cases[i].fault, "status", r.status, cases[i].status);
        check(cases[i].fault, "whole", r.is_whole, cases[i].is_whole);
        check(cases[i].fault, "reset", r.is_reset, cases[i].is_reset);
        check(cases[i].fault, "closed", r.is_closed, cases[i].is_closed);
        check(cases[i].fault, "timed out", r.is_timed_out, cases[i].is_timed_out);
        check(cases[i].fault, "JSON", v != NULL, cases[i].is_json);
        check(cases[i].fault, "UTF-8", utf8_valid(buf_str(&r.body)), cases[i].is_utf8);
        if (cases[i].header)
            CHECK_STR(cases[i].fault, http_reply_header(&r, cases[i].header), STR(cases[i].value));
        json_close(v);
        http_reply_clear(&r);
    }
}

static const struct {
    const char *fault;
    int status, is_whole, is_reset, is_timed_out;
    bool has_done, all_json, is_utf8, has_error;
} streams[] = {
    {"", 200, 1, 0, 0, true, true, true, false},
    {"429", 429, 1, 0, 0, false, true, true, true},
    {"reset_inside", 200, 0, 1, 0, false, true, true, false},
    {"reset_after", 200, 1, 1, 0, true, true, true, false},
    {"stall", 200, 0, 0, 1, false, true, true, false},
    {"truncated", 200, 1, 0, 0, false, true, true, false},
    {"malformed", 200, 1, 0, 0, true, false, true, false},
    {"half_utf8", 200, 1, 0, 0, true, false, false, false},
    {"trickle", 200, 1, 0, 0, true, true, true, false},
    {"stream_error", 200, 1, 0, 0, true, true, true, true},
};

TEST(streamed_answers)
{
    for (size_t i = 0; i < LEN(streams); i++) {
        struct http_reply r;
        struct sse_reader reader;
        struct str bytes, data;
        bool all_json = true, has_done = false, has_error = false;

        call_with(streams[i].fault, true, &r);
        sse_reader_init(&reader, 0);
        bytes = buf_str(&r.body);
        while (sse_next(&reader, &bytes, &data)) {
            struct err e = ERR_INIT;
            struct json *v = json_parse(data, &e);

            has_done = str_eqz(data, "[DONE]");
            all_json = all_json && (v || has_done);
            has_error = has_error || json_get(v, "error") != NULL;
            json_close(v);
        }
        sse_reader_clear(&reader);
        has_error = has_error || r.status == 429;
        check(streams[i].fault, "status", r.status, streams[i].status);
        check(streams[i].fault, "whole", r.is_whole, streams[i].is_whole);
        check(streams[i].fault, "reset", r.is_reset, streams[i].is_reset);
        check(streams[i].fault, "timed out", r.is_timed_out, streams[i].is_timed_out);
        check(streams[i].fault, "[DONE]", has_done, streams[i].has_done);
        check(streams[i].fault, "JSON", all_json, streams[i].all_json);
        check(streams[i].fault, "UTF-8", utf8_valid(buf_str(&r.body)), streams[i].is_utf8);
        check(streams[i].fault, "error", has_error, streams[i].has_error);
        http_reply_clear(&r);
    }
}

static struct json *post_with(const char *fault, const char *body)
{
    struct http_reply r;
    struct err e = ERR_INIT;
    char header[128];
    struct json *v;

    snprintf(header, sizeof(header), "x-llmeval-fault: %s\r\n", fault);
    http_call(server.port, "POST", "/v1/chat/completions", header, STR(body), &r);
    v = json_parse(buf_str(&r.body), &e);
    CHECK(fault, v != NULL);
    http_reply_clear(&r);
    return v;
}

#define CONTENT "choices.0.message.content"

TEST(faults_of_the_generator)
{
    const char *other =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Find $x$.\"}],\"seed\":4,\"max_tokens\":400}";
    struct json *plain = http_post_json(server.port, "/v1/chat/completions", BODY, 200);
    struct json *plain4 = http_post_json(server.port, "/v1/chat/completions", other, 200);
    struct json *empty = post_with("empty", BODY), *length = post_with("length", BODY);
    struct json *twin = post_with("duplicate", BODY), *twin4 = post_with("duplicate", other);
    struct json *context = post_with("context", BODY);

    CHECK_INT("empty", json_str(at_path(empty, CONTENT)).len, 0);
    CHECK_STR("empty", json_str(at_path(empty, "choices.0.finish_reason")), STR("stop"));
    CHECK_STR("length", json_str(at_path(length, "choices.0.finish_reason")), STR("length"));
    CHECK("length", json_str(at_path(length, CONTENT)).len < json_str(at_path(plain, CONTENT)).len);
    CHECK("seeds differ",
          !str_eq(json_str(at_path(plain, CONTENT)), json_str(at_path(plain4, CONTENT))));
    CHECK_STR("duplicate", json_str(at_path(twin, CONTENT)), json_str(at_path(twin4, CONTENT)));
    CHECK("context", str_find(json_str(at_path(context, "error.message")),
                              STR("maximum context length"), 0) >= 0);
    json_close(plain);
    json_close(plain4);
    json_close(empty);
    json_close(length);
    json_close(twin);
    json_close(twin4);
    json_close(context);
}

static int status_of(int port, int seed)
{
    char body[160];
    struct http_reply r;
    int status;

    snprintf(body, sizeof(body),
             "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"seed\":%d,\"max_tokens\":3}",
             seed);
    http_call(port, "POST", "/v1/chat/completions", "", STR(body), &r);
    status = r.status;
    http_reply_clear(&r);
    return status;
}

/* NAME@2: the first attempt of every request fails, the second does not, and so on. */
TEST(every_second_attempt)
{
    static const char *const args[] = {"--fault", "500@2", NULL};
    struct test_server s;

    test_server_start(&s, args);
    for (int attempt = 0; attempt < 4; attempt++)
        for (int seed = 0; seed < 5; seed++)
            CHECK_INT("status", status_of(s.port, seed), attempt % 2 == 0 ? 500 : 200);
    assert_int_equal(test_server_stop(&s), 0);
}

/* The same requests meet the same faults in another order and another process; the share is as
 * asked. */
TEST(dice_follow_the_request)
{
    static const char *const args[] = {"--fault",      "429:0.1", "--fault", "500:0.1",
                                       "--fault_seed", "7",       NULL};
    int first[400], n_429 = 0, n_500 = 0;
    struct test_server s;

    test_server_start(&s, args);
    for (int i = 0; i < 400; i++)
        first[i] = status_of(s.port, i);
    assert_int_equal(test_server_stop(&s), 0);
    test_server_start(&s, args);
    for (int i = 399; i >= 0; i--)
        CHECK_INT("status", status_of(s.port, i), first[i]);
    assert_int_equal(test_server_stop(&s), 0);
    for (int i = 0; i < 400; i++) {
        n_429 += first[i] == 429;
        n_500 += first[i] == 500;
    }
    CHECK("429 in about a tenth", n_429 > 20 && n_429 < 65);
    CHECK("500 in about a tenth", n_500 > 20 && n_500 < 65);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_answers),           cmocka_unit_test(streamed_answers),
        cmocka_unit_test(faults_of_the_generator), cmocka_unit_test(every_second_attempt),
        cmocka_unit_test(dice_follow_the_request),
    };

    signal(SIGPIPE, SIG_IGN);
    return RUN_GROUP(tests, start, stop);
}
