/* http_client.h - a raw-socket HTTP client for tests, and `llmeval serve` as a child process.
 *
 * It does what it is told, well-formed or not, and reports what came back byte for byte. Every wait
 * has a limit; a test that runs into one fails. Included by one .c file for each test program. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/num.h"
#include "base/str.h"
#include "formats/json.h"
#include "test.h"

struct http_reply {
    int status; /* 0: no status line came */
    struct buf raw;
    struct buf body;   /* without chunk framing */
    size_t head_len;   /* bytes of raw up to and with the blank line; 0: not all of it came */
    bool is_whole;     /* framed to its end */
    bool is_closed;    /* the server ended the connection */
    bool is_reset;     /* ... by a reset */
    bool is_timed_out; /* ... or nothing came for too long */
};

static UNUSED void http_reply_clear(struct http_reply *r)
{
    buf_clear(&r->raw);
    buf_clear(&r->body);
    *r = (struct http_reply){0};
}

/* A connected socket, or -1. */
static UNUSED int http_dial(int port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return fd;
}

/* False: the other side is gone. */
static UNUSED bool http_write(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes = str_slice(bytes, (size_t)n, bytes.len);
    }
    return true;
}

/* headers: whole lines with CR LF, or "". */
static UNUSED void http_request_write(struct buf *out, const char *method, const char *path,
                                      const char *headers, struct str body)
{
    buf_addf(out, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, path, headers);
    if (body.len > 0 || strcmp(method, "POST") == 0)
        buf_addf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
    buf_addz(out, "\r\n");
    buf_add_str(out, body);
}

/* The value of a response header, "" when it is not there. */
static UNUSED struct str http_reply_header(const struct http_reply *r, const char *name)
{
    struct str head = {buf_z(&r->raw), r->head_len}, line;

    while (str_cut(&head, '\n', &line)) {
        ptrdiff_t colon = str_find_char(line, ':', 0);

        if (colon > 0 && str_eq_nocase(str_slice(line, 0, (size_t)colon), STR(name)))
            return str_trim(str_slice(line, (size_t)colon + 1, line.len));
    }
    return STR("");
}

/* Undoes chunked framing as far as it came; true: the last chunk is there. */
static UNUSED bool http_unchunk(struct str in, struct buf *out)
{
    buf_reset(out);
    for (;;) {
        ptrdiff_t eol = str_find(in, STR("\r\n"), 0);
        size_t n = 0;

        if (eol <= 0)
            return false;
        for (ptrdiff_t i = 0; i < eol && strchr("0123456789abcdefABCDEF", in.ptr[i]); i++)
            n = n * 16 + (size_t)(in.ptr[i] <= '9' ? in.ptr[i] - '0' : (in.ptr[i] | 32) - 'a' + 10);
        in = str_slice(in, (size_t)eol + 2, in.len);
        if (n == 0)
            return in.len >= 2;
        buf_add_str(out, str_slice(in, 0, n));
        if (in.len < n + 2)
            return false;
        in = str_slice(in, n + 2, in.len);
    }
}

/* Looks at what has come; true: the reply is whole. */
static UNUSED bool http_reply_examine(struct http_reply *r)
{
    struct str all = {buf_z(&r->raw), r->raw.len};
    ptrdiff_t end = str_find(all, STR("\r\n\r\n"), 0);
    struct str length, body;
    uint64_t n;
    int64_t status;

    if (r->head_len == 0 && end < 0)
        return false;
    if (r->head_len == 0) {
        r->head_len = (size_t)end + 4;
        if (all.len > 12 && parse_i64(str_slice(all, 9, 12), &status))
            r->status = (int)status;
    }
    body = str_slice(all, r->head_len, all.len);
    length = http_reply_header(r, "Content-Length");
    if (parse_u64(length, &n)) {
        buf_reset(&r->body);
        buf_add_str(&r->body, str_slice(body, 0, n));
        return body.len >= n;
    }
    if (str_eq_nocase(http_reply_header(r, "Transfer-Encoding"), STR("chunked")))
        return body.len >= 5 && (r->is_closed || str_ends(body, "0\r\n\r\n")) &&
               http_unchunk(body, &r->body);
    return false;
}

/* Reads one reply. Ends when it is whole, when the server closes, or after timeout_ms without a
 * byte. */
static UNUSED void http_read_reply(int fd, struct http_reply *r, int timeout_ms)
{
    char chunk[65536];

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ssize_t n;

        r->is_whole = http_reply_examine(r);
        if (r->is_whole)
            break;
        if (poll(&p, 1, timeout_ms) == 0) {
            r->is_timed_out = true;
            break;
        }
        n = recv(fd, chunk, sizeof(chunk), 0);
        if (n <= 0) {
            r->is_closed = true;
            r->is_reset = n < 0;
            r->is_whole = http_reply_examine(r);
            break;
        }
        buf_add(&r->raw, chunk, (size_t)n);
    }
    if (!r->is_whole && r->head_len > 0 && http_reply_header(r, "Content-Length").len == 0)
        http_unchunk(str_slice(buf_str(&r->raw), r->head_len, r->raw.len), &r->body);
}

/* One request on a connection of its own, ten minutes at most between bytes. */
static UNUSED void http_call(int port, const char *method, const char *path, const char *headers,
                             struct str body, struct http_reply *r)
{
    struct buf out = {0};
    int fd = http_dial(port);

    *r = (struct http_reply){0};
    if (fd < 0)
        fail_msg("no connection to port %d", port);
    http_request_write(&out, method, path, headers, body);
    http_write(fd, buf_str(&out));
    http_read_reply(fd, r, 600000);
    buf_clear(&out);
    close(fd);
}

/* POST, expected to answer with this status; the body as JSON, to be closed. */
static UNUSED struct json *http_post_json(int port, const char *path, const char *body, int status)
{
    struct http_reply r;
    struct err e = ERR_INIT;
    struct json *v;

    http_call(port, "POST", path, "", STR(body), &r);
    if (r.status != status)
        fail_msg("%s %s: status %d, expected %d: %s", path, body, r.status, status, buf_z(&r.body));
    v = json_parse(buf_str(&r.body), &e);
    if (!v)
        fail_msg("%s %s: the answer is not JSON: %s: %s", path, body, e.msg, buf_z(&r.body));
    http_reply_clear(&r);
    return v;
}

/* --- llmeval serve as a child. ---------------------------------------------------------------- */

struct test_server {
    pid_t pid;
    int port;
    char port_file[64];
};

/* args end in NULL and follow "serve --port 0 --host 127.0.0.1". Waits until requests are answered.
 */
static UNUSED void test_server_start(struct test_server *s, const char *const *args)
{
    const char *argv[64] = {LLMEVAL_BIN, "serve", "--host",      "127.0.0.1",
                            "--port",    "0",     "--port_file", s->port_file};
    int n = 8;
    struct buf text = {0};
    struct err e = ERR_INIT;
    bool names_source = false;
    int64_t port = 0, end = clock_ms() + 600000;

    snprintf(s->port_file, sizeof(s->port_file), "/tmp/llmeval_port_%d_%lld", (int)getpid(),
             (long long)clock_us());
    for (int i = 0; args && args[i] && n < 61; i++) {
        names_source |= strcmp(args[i], "--model") == 0 || strcmp(args[i], "--base_url") == 0 ||
                        strcmp(args[i], "--generator") == 0;
        argv[n++] = args[i];
    }
    if (!names_source) {
        argv[n++] = "--generator";
        argv[n] = "scripted";
    }
    s->pid = fork();
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no server behind */
        execv(LLMEVAL_BIN, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    while (!file_exists(s->port_file)) {
        int status;

        if (waitpid(s->pid, &status, WNOHANG) == s->pid || clock_ms() > end)
            fail_msg("llmeval serve did not start");
        poll(NULL, 0, 10);
    }
    if (!file_read(s->port_file, 64, &text, &e) || !parse_i64(str_trim(buf_str(&text)), &port))
        fail_msg("the port file cannot be read");
    s->port = (int)port;
    buf_clear(&text);
}

/* SIGTERM, and the exit status: 0 says that everything drained and, under a sanitizer, that nothing
 * leaked. */
static UNUSED int test_server_stop(struct test_server *s)
{
    int status = -1;
    int64_t end = clock_ms() + 600000;

    kill(s->pid, SIGTERM);
    while (waitpid(s->pid, &status, WNOHANG) == 0) {
        if (clock_ms() > end) {
            kill(s->pid, SIGKILL);
            waitpid(s->pid, &status, 0);
            break;
        }
        poll(NULL, 0, 10);
    }
    unlink(s->port_file);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
