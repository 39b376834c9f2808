/* test_hostile.c - clients that do what none should. After each the server answers as
 * before, no sequence is left running, and in the end the process exits with 0 under the leak
 * checker. */
#include <sys/resource.h>

#include "api_check.h"

/* Far more than any answer takes: a machine may stand still for seconds. */
enum { LONG_MS = 600000 };

static struct test_server server;
static rlim_t max_files; /* that a process may have open */

static int start(void **state UNUSED)
{
    static const char *const args[] = {
        "--max_unsent_mb", "1",  "--max_body_mb", "8", "--max_queue", "500",
        "--max_num_seqs",  "64", "--token_ms",    "1", NULL};

    test_server_start(&server, args);
    return 0;
}

static int stop(void **state UNUSED)
{
    return test_server_stop(&server);
}

static double gauge(const char *name)
{
    struct http_reply r;
    ptrdiff_t at;
    double x = -1;
    struct str rest, line;

    http_call(server.port, "GET", "/metrics", "", STR(""), &r);
    at = str_find(buf_str(&r.body), STR(name), 0);
    if (at >= 0 && str_cut(&(struct str){r.body.ptr + at, r.body.len - (size_t)at}, '\n', &line)) {
        at = str_rfind(line, STR(" "));
        rest = str_slice(line, (size_t)at + 1, line.len);
        if (!parse_f64(rest, &x))
            x = -1;
    }
    http_reply_clear(&r);
    return x;
}

/* The server becomes idle and answers a plain request. */
static void check_healthy(const char *name)
{
    int64_t end = clock_ms() + LONG_MS;
    struct http_reply r;

    while (gauge("vllm:num_requests_running{") + gauge("vllm:num_requests_waiting{") > 0) {
        if (clock_ms() > end)
            fail_msg("%s: sequences are left running", name);
        poll(NULL, 0, 50);
    }
    http_call(server.port, "POST", "/v1/chat/completions", "",
              STR("{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":3}"), &r);
    CHECK_INT(name, r.status, 200);
    http_reply_clear(&r);
}

#define LONG_STREAM \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":30000,\"ignore_eos\":" \
    "true,\"stream\":true}"
#define LONG_WHOLE \
    "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}],\"max_tokens\":30000,\"ignore_eos\":" \
    "true}"

/* The server ends the connection. */
static void check_ended(const char *name, int fd)
{
    struct http_reply r = {0};

    http_read_reply(fd, &r, LONG_MS);
    CHECK(name, r.is_closed || r.is_whole);
    http_reply_clear(&r);
    close(fd);
}

/* Sends a byte or a line after the other until the server ends the connection. */
static bool is_cut(int fd, const char *drop)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    for (int64_t end = clock_ms() + LONG_MS; clock_ms() < end;)
        if (!http_write(fd, STR(drop)) || poll(&p, 1, 100) == 1)
            return true;
    return false;
}

/* --- Clients that make no progress, on a server that waits for seconds instead of minutes. ---- */

static int start_impatient(void **state UNUSED)
{
    static const char *const args[] = {"--request_timeout",
                                       "2",
                                       "--idle_timeout",
                                       "3",
                                       "--max_unsent_mb",
                                       "1",
                                       "--token_ms",
                                       "1",
                                       NULL};

    test_server_start(&server, args);
    return 0;
}

TEST(slow_headers)
{
    int fd = http_dial(server.port);

    http_write(fd, STR("POST /v1/chat/completions HTTP/1.1\r\n"));
    CHECK("cut after request_timeout", is_cut(fd, "X: y\r\n"));
    close(fd);
    check_healthy("slow headers");
}

TEST(slow_body)
{
    int fd = http_dial(server.port);

    http_write(
        fd, STR("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"));
    CHECK("cut after request_timeout", is_cut(fd, "{"));
    close(fd);
    check_healthy("slow body");
}

TEST(nothing_sent)
{
    int fd = http_dial(server.port);

    check_ended("an idle connection", fd);
    check_healthy("nothing sent");
}

TEST(half_a_request)
{
    int fd = http_dial(server.port);

    http_write(fd, STR("POST /v1/chat/compl"));
    shutdown(fd, SHUT_WR);
    check_ended("half a request", fd);
    check_healthy("half a request");
}

static const struct {
    const char *name, *bytes;
} garbage[] = {
    {"no HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n\r\n\r\n"},
    {"a negative length",
     "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{}"},
    {"a length beyond numbers",
     "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n{}"},
    {"bad chunks",
     "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n"},
    {"a chunk beyond numbers", "POST /v1/chat/completions HTTP/1.1\r\nHost: "
                               "x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n"},
    {"NUL in the path", "GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"bytes over 127 in the path", "GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n"},
    {"a version of its own", "GET / HTTP/9.9\r\n\r\n"},
    {"garbage after a request",
     "GET /health HTTP/1.1\r\nHost: x\r\n\r\n\x01\x02\x03 garbage\r\n\r\n"},
    {"invalid UTF-8",
     "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\"\xc3(\""},
};

TEST(garbage_on_the_line)
{
    for (size_t i = 0; i < LEN(garbage); i++) {
        int fd = http_dial(server.port);

        http_write(fd, STR(garbage[i].bytes));
        shutdown(fd, SHUT_WR);
        check_ended(garbage[i].name, fd);
    }
    check_healthy("garbage");
}

/* A client that does not read: beyond max_unsent_mb its stream is cut, and it goes once it makes no
 * progress. */
TEST(deaf_client)
{
    int fd = http_dial(server.port), small = 4096;
    int64_t end = clock_ms() + 10000;
    struct buf out = {0};
    const char *ended =
        "vllm:request_success_total{model_name=\"scripted\",finished_reason=\"length\"}";
    double n_ended = gauge(ended);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    http_request_write(
        &out, "POST", "/v1/completions", "",
        STR("{\"prompt\":\"x\",\"max_tokens\":30000,\"ignore_eos\":true,\"stream\":true,"
            "\"logprobs\":20}"));
    http_write(fd, buf_str(&out));
    buf_clear(&out);
    while (gauge("vllm:num_requests_running{") < 1 && clock_ms() < end)
        poll(NULL, 0, 20);
    check_healthy("deaf client");
    CHECK_INT("its answer never ended", gauge(ended), n_ended + 1); /* the healthy one */
    close(fd);
}

/* --- Clients of all kinds, on a server that is busy only with them. --------------------------- */

static int send_long(const char *body)
{
    struct buf out = {0};
    int fd = http_dial(server.port);

    http_request_write(&out, "POST", "/v1/chat/completions", "", STR(body));
    http_write(fd, buf_str(&out));
    buf_clear(&out);
    return fd;
}

/* Until so many requests run at once. */
static void wait_running(int n)
{
    int64_t end = clock_ms() + LONG_MS;
    double running;

    while ((running = gauge("vllm:num_requests_running{")) < n) {
        if (clock_ms() > end)
            fail_msg("%d requests never ran at once, at last %g", n, running);
        poll(NULL, 0, 20);
    }
}

TEST(half_close)
{
    struct http_reply r = {0};
    int fd = send_long(LONG_WHOLE);

    wait_running(1);
    shutdown(fd, SHUT_WR);
    http_read_reply(fd, &r, LONG_MS);
    CHECK("a half-closed client is gone", r.is_closed && r.status == 0);
    http_reply_clear(&r);
    close(fd);
    check_healthy("half close");
}

TEST(gone_while_waiting)
{
    int fds[40];

    for (size_t i = 0; i < LEN(fds); i++)
        fds[i] = send_long(i % 2 ? LONG_WHOLE : LONG_STREAM);
    wait_running(40);
    for (size_t i = 0; i < LEN(fds); i++)
        close(fds[i]);
    check_healthy("gone while waiting");
}

TEST(reset_in_mid_stream)
{
    for (int i = 0; i < 20; i++) {
        int fd = send_long(LONG_STREAM);
        struct linger l = {1, 0};
        char bytes[512];

        CHECK("some of it came", recv(fd, bytes, sizeof(bytes), 0) > 0);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
        close(fd);
    }
    check_healthy("reset in mid stream");
}

TEST(body_of_100_mb)
{
    struct http_reply r = {0};
    struct buf out = {0};
    int fd = http_dial(server.port);
    char *block = xcalloc(1, 1 << 20);

    memset(block, 'a', 1 << 20);
    buf_addz(&out,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n");
    http_write(fd, buf_str(&out));
    for (int i = 0; i < 100 && http_write(fd, (struct str){block, 1 << 20}); i++)
        ;
    http_read_reply(fd, &r, LONG_MS);
    CHECK("413, or the connection is gone", r.status == 413 || r.is_closed);
    http_reply_clear(&r);
    close(fd);
    free(block);
    buf_clear(&out);
    check_healthy("100 MB");
}

TEST(announced_100_mb)
{
    struct http_reply r = {0};
    int fd = http_dial(server.port);

    http_write(fd, STR("POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nExpect: "
                       "100-continue\r\nContent-Length: 104857600\r\n\r\n"));
    http_read_reply(fd, &r, LONG_MS);
    CHECK_INT("413 before the body", r.status, 413);
    http_reply_clear(&r);
    close(fd);
    check_healthy("announced 100 MB");
}

TEST(deep_json)
{
    struct buf body = {0};
    struct http_reply r;

    for (int i = 0; i < 10000; i++)
        buf_addc(&body, '[');
    http_call(server.port, "POST", "/v1/chat/completions", "", buf_str(&body), &r);
    CHECK_INT("depth 10,000", r.status, 400);
    http_reply_clear(&r);
    buf_reset(&body);
    for (int i = 0; i < 10000; i++)
        buf_addz(&body, "{\"a\":");
    http_call(server.port, "POST", "/v1/chat/completions", "", buf_str(&body), &r);
    CHECK_INT("objects too", r.status, 400);
    http_reply_clear(&r);
    buf_clear(&body);
    check_healthy("deep JSON");
}

TEST(pipelined_requests)
{
    struct buf out = {0};
    int fd = http_dial(server.port);
    struct str rest = STR("");
    struct http_reply r = {0};

    for (int i = 0; i < 50; i++)
        http_request_write(&out, "POST", "/v1/completions", "",
                           STR("{\"prompt\":\"x\",\"max_tokens\":1}"));
    http_request_write(&out, "GET", "/health", "Connection: close\r\n", STR(""));
    http_write(fd, buf_str(&out));
    do {
        http_read_reply(fd, &r, LONG_MS);
        r.head_len = r.raw.len + 1; /* look for no end: read until the server closes */
    } while (!r.is_closed && !r.is_timed_out);
    rest = buf_str(&r.raw);
    for (int i = 0; i < 51; i++) {
        ptrdiff_t at = str_find(rest, STR("HTTP/1.1 200 OK"), 0);

        CHECK("51 answers in order", at >= 0);
        rest = str_slice(rest, (size_t)at + 10, rest.len);
    }
    CHECK("and no more", str_find(rest, STR("HTTP/1.1 "), 0) < 0);
    http_reply_clear(&r);
    buf_clear(&out);
    close(fd);
    check_healthy("pipelined");
}

TEST(header_too_long)
{
    struct buf out = {0};
    struct http_reply r = {0};
    int fd = http_dial(server.port);

    buf_addz(&out, "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ");
    while (out.len < 200000)
        buf_addz(&out, "0123456789");
    buf_addz(&out, "\r\n\r\n");
    http_write(fd, buf_str(&out));
    http_read_reply(fd, &r, LONG_MS);
    CHECK("refused", r.is_closed || r.status >= 400);
    http_reply_clear(&r);
    buf_clear(&out);
    close(fd);
    check_healthy("header too long");
}

/* max_queue is 500: of 10,000 at once some are answered, the others told to come back; none is
 * forgotten. */
TEST(ten_thousand_requests)
{
    const int n = (int)MIN(10000, max_files - 100); /* connections: a system may allow fewer */
    int *fds = xcalloc((size_t)n, sizeof(*fds)), n_ok = 0, n_busy = 0, n_dialed = 0;
    struct buf out = {0};

    http_request_write(&out, "POST", "/v1/completions", "",
                       STR("{\"prompt\":\"x\",\"max_tokens\":1000,\"ignore_eos\":true}"));
    for (; n_dialed < n; n_dialed++) {
        fds[n_dialed] = http_dial(server.port);
        if (fds[n_dialed] < 0)
            break;
        http_write(fds[n_dialed], buf_str(&out));
    }
    CHECK_INT("connections", n_dialed, n);
    for (int i = 0; i < n_dialed; i++) {
        struct http_reply r = {0};

        http_read_reply(fds[i], &r, LONG_MS);
        n_ok += r.status == 200;
        n_busy += r.status == 503 && str_eqz(http_reply_header(&r, "Retry-After"), "1");
        http_reply_clear(&r);
        close(fds[i]);
    }
    CHECK_INT("every one is answered", n_ok + n_busy, n);
    CHECK("some at once", n_ok >= 400);
    CHECK("503 with Retry-After beyond the queue", n_busy > 0);
    free(fds);
    buf_clear(&out);
    check_healthy("ten thousand");
}

/* A stream of so many tokens, of which some have come. */
static int begin_stream(int port, int n_tokens)
{
    struct buf body = {0}, out = {0};
    int fd = http_dial(port);
    struct pollfd p = {.fd = fd, .events = POLLIN};

    buf_addf(&body, "{\"prompt\":\"x\",\"max_tokens\":%d,\"ignore_eos\":true,\"stream\":true}",
             n_tokens);
    http_request_write(&out, "POST", "/v1/completions", "", buf_str(&body));
    http_write(fd, buf_str(&out));
    CHECK_INT("the stream begins", poll(&p, 1, LONG_MS), 1);
    buf_clear(&out);
    buf_clear(&body);
    return fd;
}

/* SIGTERM lets a running stream finish and takes no new connection; a second one ends at once. */
TEST(drain_and_stop)
{
    static const char *const args[] = {"--token_ms", "5", NULL};
    struct test_server s;
    struct http_reply r = {0};
    int64_t end = clock_ms() + LONG_MS;
    int fd, other, status = 0;

    test_server_start(&s, args);
    fd = begin_stream(s.port, 100);
    kill(s.pid, SIGTERM);
    http_read_reply(fd, &r, LONG_MS);
    CHECK("the stream is whole", r.is_whole && str_find(buf_str(&r.body), STR("[DONE]"), 0) > 0);
    waitpid(s.pid, &status, 0);
    CHECK_INT("drained", status, 0);
    http_reply_clear(&r);
    close(fd);
    unlink(s.port_file);

    test_server_start(&s, args);
    fd = begin_stream(s.port, 30000); /* 150 seconds */
    kill(s.pid, SIGTERM);
    while ((other = http_dial(s.port)) >= 0) { /* until the signal has been taken */
        close(other);
        CHECK("no new connections", clock_ms() < end);
        poll(NULL, 0, 20);
    }
    kill(s.pid, SIGTERM);
    waitpid(s.pid, &status, 0);
    CHECK_INT("in good order", status, 0);
    http_read_reply(fd, &r, LONG_MS);
    CHECK("at once",
          r.is_closed && !r.is_whole && str_find(buf_str(&r.body), STR("[DONE]"), 0) < 0);
    http_reply_clear(&r);
    close(fd);
    unlink(s.port_file);
}

int main(void)
{
    const struct CMUnitTest stalling[] = {
        cmocka_unit_test(slow_headers),        cmocka_unit_test(slow_body),
        cmocka_unit_test(nothing_sent),        cmocka_unit_test(half_a_request),
        cmocka_unit_test(garbage_on_the_line), cmocka_unit_test(deaf_client),
    };
    const struct CMUnitTest others[] = {
        cmocka_unit_test(half_close),
        cmocka_unit_test(gone_while_waiting),
        cmocka_unit_test(reset_in_mid_stream),
        cmocka_unit_test(body_of_100_mb),
        cmocka_unit_test(announced_100_mb),
        cmocka_unit_test(deep_json),
        cmocka_unit_test(pipelined_requests),
        cmocka_unit_test(header_too_long),
        cmocka_unit_test(ten_thousand_requests),
        cmocka_unit_test(drain_and_stop),
    };
    struct rlimit files;
    int n_failed;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    max_files = files.rlim_max;
    signal(SIGPIPE, SIG_IGN);
    n_failed = RUN_GROUP(stalling, start_impatient, stop);
    return n_failed + RUN_GROUP(others, start, stop);
}
