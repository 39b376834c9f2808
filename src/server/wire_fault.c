/* wire_fault.c - one table of names, one switch for each moment of an answer. */
#include "server/wire_fault.h"

#include "server/api.h"

#define INSIDE_STREAM 700 /* bytes of a stream before it breaks: some events in */
#define SPOILED_EVENT 2
#define TRICKLE_BYTES 64
#define TRICKLE_MS    20

enum wire_fault wire_fault_find(const char *name)
{
    static const char *const names[] = {
        [WIRE_429] = "429",
        [WIRE_429_RETRY_AFTER] = "429_retry_after",
        [WIRE_500] = "500",
        [WIRE_503] = "503",
        [WIRE_RESET_BEFORE] = "reset_before",
        [WIRE_RESET_INSIDE] = "reset_inside",
        [WIRE_RESET_AFTER] = "reset_after",
        [WIRE_CLOSE_BEFORE] = "close_before",
        [WIRE_STALL] = "stall",
        [WIRE_STALL_BEFORE] = "stall_before",
        [WIRE_TRICKLE] = "trickle",
        [WIRE_HALF_UTF8] = "half_utf8",
        [WIRE_MALFORMED] = "malformed",
        [WIRE_TRUNCATED] = "truncated",
        [WIRE_STREAM_ERROR] = "stream_error",
    };

    for (size_t i = 1; name && i < LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return (enum wire_fault)i;
    return WIRE_NONE;
}

static void answer_error(struct http_exchange *x, int status, const char *type, const char *words)
{
    struct api_error err = {0};
    struct buf body = {0};

    api_fail(&err, status, type, NULL, "%s", words);
    api_error_write(&body, &err);
    http_answer(x, status, "application/json", buf_str(&body));
    buf_clear(&body);
}

bool wire_fault_answers(enum wire_fault f, bool is_stream, struct http_exchange *x)
{
    switch (f) {
    case WIRE_429:
    case WIRE_429_RETRY_AFTER:
        if (f == WIRE_429_RETRY_AFTER)
            http_header_add(x, "Retry-After", "1");
        answer_error(x, 429, "RateLimitError", "Too many requests (a fault on demand)");
        return true;
    case WIRE_STREAM_ERROR:
        if (is_stream)
            return false;
        answer_error(x, 500, "InternalServerError", "Internal error (a fault on demand)");
        return true;
    case WIRE_500:
        answer_error(x, 500, "InternalServerError", "Internal error (a fault on demand)");
        return true;
    case WIRE_503:
        http_header_add(x, "Retry-After", "1");
        answer_error(x, 503, "ServiceUnavailableError", "Overloaded (a fault on demand)");
        return true;
    case WIRE_RESET_BEFORE:
    case WIRE_CLOSE_BEFORE:
    case WIRE_STALL_BEFORE:
        http_misbehave(x,
                       f == WIRE_RESET_BEFORE   ? HTTP_RESET
                       : f == WIRE_CLOSE_BEFORE ? HTTP_CUT
                                                : HTTP_STALL,
                       HTTP_BEFORE_HEADERS);
        http_answer(x, 200, "application/json", STR("{}"));
        return true;
    default:
        return false;
    }
}

void wire_fault_arm(enum wire_fault f, struct http_exchange *x, size_t body_len)
{
    size_t inside = body_len > 0 ? body_len / 2 : INSIDE_STREAM;

    switch (f) {
    case WIRE_RESET_INSIDE:
        http_misbehave(x, HTTP_RESET, inside);
        break;
    case WIRE_RESET_AFTER:
        http_misbehave(x, HTTP_RESET, HTTP_AFTER_BODY);
        break;
    case WIRE_STALL:
        http_misbehave(x, HTTP_STALL, inside);
        break;
    case WIRE_TRUNCATED:
        http_misbehave(x, HTTP_CUT, inside);
        break;
    case WIRE_TRICKLE:
        http_trickle(x, TRICKLE_BYTES, TRICKLE_MS);
        break;
    default:
        break;
    }
}

/* The first two of the three bytes of U+4E2D at the beginning of the first text. */
static void insert_half_character(struct buf *bytes)
{
    static const char *const keys[] = {"\"content\":\"", "\"text\":\"", "\"reasoning\":\""};
    struct buf out = {0};
    ptrdiff_t at = -1;
    size_t cut = 0;

    for (size_t i = 0; i < LEN(keys) && at < 0; i++) {
        at = str_find(buf_str(bytes), STR(keys[i]), 0);
        cut = at < 0 ? 0 : (size_t)at + strlen(keys[i]);
    }
    if (at < 0)
        return;
    buf_add_str(&out, str_slice(buf_str(bytes), 0, cut));
    buf_add(&out, "\xe4\xb8", 2);
    buf_add_str(&out, str_slice(buf_str(bytes), cut, bytes->len));
    buf_reset(bytes);
    buf_add_str(bytes, buf_str(&out));
    buf_clear(&out);
}

void wire_fault_spoil(enum wire_fault f, struct buf *bytes, int n_event)
{
    struct buf out = {0};

    if (n_event != 0 && n_event != SPOILED_EVENT)
        return;
    if (f == WIRE_HALF_UTF8)
        insert_half_character(bytes);
    if (f != WIRE_MALFORMED)
        return;
    buf_add_str(&out, str_slice(buf_str(bytes), 0, bytes->len * 2 / 3));
    if (bytes->len > 0 && str_ends(buf_str(bytes), "\n\n"))
        buf_addz(&out, "\n\n");
    buf_reset(bytes);
    buf_add_str(bytes, buf_str(&out));
    buf_clear(&out);
}

bool wire_fault_ends_stream(enum wire_fault f, int n_event)
{
    return f == WIRE_STREAM_ERROR && n_event >= SPOILED_EVENT;
}
