/* generator_remote_reply.c - see generator_remote_reply.h. Chunks are many and small, so they are
 * read by the scanner and not into trees. */
#include "generator/generator_remote_reply.h"

#include "formats/json_scan.h"
#include "generator/generator_remote_policy.h"

/* No answer is as long: such a body is a fault of the server. */
enum { MAX_REPLY_BYTES = 64 << 20, MAX_ERROR_BYTES = 1 << 16 };

void remote_reply_init(struct remote_reply *r)
{
    *r = (struct remote_reply){0};
    buf_init(&r->text, MAX_REPLY_BYTES);
    buf_init(&r->reasoning, MAX_REPLY_BYTES);
    buf_init(&r->body, MAX_REPLY_BYTES);
    sse_reader_init(&r->sse, MAX_REPLY_BYTES);
    remote_reply_reset(r);
}

void remote_reply_clear(struct remote_reply *r)
{
    buf_clear(&r->text);
    buf_clear(&r->reasoning);
    buf_clear(&r->finish_reason);
    buf_clear(&r->stop_text);
    buf_clear(&r->model);
    buf_clear(&r->body);
    buf_clear(&r->error);
    sse_reader_clear(&r->sse);
}

void remote_reply_reset(struct remote_reply *r)
{
    buf_reset(&r->text);
    buf_reset(&r->reasoning);
    buf_reset(&r->finish_reason);
    buf_reset(&r->stop_text);
    buf_reset(&r->model);
    buf_reset(&r->body);
    buf_reset(&r->error);
    sse_reader_clear(&r->sse);
    sse_reader_init(&r->sse, MAX_REPLY_BYTES);
    r->has_reasoning = r->has_content = r->has_finish_reason = r->has_done_mark = false;
    r->n_prompt_tokens = r->n_completion_tokens = r->n_cached_tokens = r->n_reasoning_tokens = -1;
    r->n_truncated_tokens = -1;
    r->n_chunks = r->error_status = 0;
    r->fail_class = FAIL_NONE;
}

static bool fail(struct remote_reply *r, enum fail_class c, const char *fmt, ...) PRINTF_LIKE(3, 4);

static bool fail(struct remote_reply *r, enum fail_class c, const char *fmt, ...)
{
    va_list args;

    if (r->fail_class != FAIL_NONE)
        return false;
    r->fail_class = c;
    va_start(args, fmt);
    buf_addv(&r->error, fmt, args);
    va_end(args);
    return false;
}

void remote_error_text(struct str body, struct buf *out)
{
    static const char *const keys[] = {"message", "detail", "error", "msg"};
    struct str inner = json_scan_get(body, "error");
    struct str where = inner.len > 0 && inner.ptr[0] == '{' ? inner : body;

    for (size_t i = 0; i < LEN(keys); i++) {
        struct str raw = json_scan_get(where, keys[i]);

        if (json_raw_str(raw, out))
            return;
    }
    body = str_trim(body);
    body.len = MIN(body.len, 300);
    for (size_t i = 0; i < body.len; i++)
        buf_addc(out, (unsigned char)body.ptr[i] < 0x20 ? ' ' : body.ptr[i]);
}

/* --- pieces of the JSON ----------------------------------------------------------------------- */

static int small_int(struct str raw)
{
    int64_t value;

    return json_raw_int(raw, &value) && value >= 0 && value <= INT32_MAX ? (int)value : -1;
}

static void read_usage(struct remote_reply *r, struct str raw)
{
    if (raw.len == 0 || raw.ptr[0] != '{')
        return;
    r->n_prompt_tokens = small_int(json_scan_get(raw, "prompt_tokens"));
    r->n_completion_tokens = small_int(json_scan_get(raw, "completion_tokens"));
    r->n_cached_tokens =
        small_int(json_scan_get(json_scan_get(raw, "prompt_tokens_details"), "cached_tokens"));
    r->n_truncated_tokens =
        small_int(json_scan_get(json_scan_get(raw, "prompt_tokens_details"), "truncated_tokens"));
    r->n_reasoning_tokens = small_int(
        json_scan_get(json_scan_get(raw, "completion_tokens_details"), "reasoning_tokens"));
}

/* content, reasoning and the like of a message or a delta. Servers that send reasoning under both
 * of its names mean one text. */
static bool read_message(struct remote_reply *r, struct str message)
{
    struct json_scan s = json_scan(message);
    struct str reasoning = {"", 0};
    bool has_text = false;

    while (json_scan_next(&s)) {
        if (json_scan_key_is(&s, "content")) {
            if (json_raw_str(s.value, &r->text))
                r->has_content = has_text = true;
            else if (!json_raw_is_null(s.value))
                return fail(r, FAIL_MALFORMED, "content is not a string");
        } else if (json_scan_key_is(&s, "reasoning") && json_raw_is_string(s.value)) {
            reasoning = s.value;
        } else if (json_scan_key_is(&s, "reasoning_content") && json_raw_is_string(s.value) &&
                   reasoning.len == 0) {
            reasoning = s.value;
        } else if (json_scan_key_is(&s, "tool_calls") && s.value.len > 2 && s.value.ptr[0] == '[') {
            r->has_content = true;
        }
    }
    if (reasoning.len > 2) {
        json_raw_str(reasoning, &r->reasoning);
        r->has_reasoning = has_text = true;
    }
    r->n_chunks += has_text;
    return !(r->text.failed || r->reasoning.failed) ||
           fail(r, FAIL_MALFORMED, "the answer is longer than %d bytes", MAX_REPLY_BYTES);
}

static bool read_choice(struct remote_reply *r, struct str choice)
{
    struct json_scan s = json_scan(choice);

    if (choice.ptr[0] != '{')
        return fail(r, FAIL_MALFORMED, "a choice is not an object");
    while (json_scan_next(&s)) {
        if (json_scan_key_is(&s, "delta") || json_scan_key_is(&s, "message")) {
            if (s.value.ptr[0] == '{' && !read_message(r, s.value))
                return false;
        } else if (json_scan_key_is(&s, "text") &&
                   json_raw_str(s.value, &r->text)) { /* of /v1/completions */
            r->has_content = true;
            r->n_chunks++;
        } else if (json_scan_key_is(&s, "finish_reason") && json_raw_is_string(s.value)) {
            buf_reset(&r->finish_reason);
            json_raw_str(s.value, &r->finish_reason);
            r->has_finish_reason = true;
        } else if (json_scan_key_is(&s, "stop_reason") && json_raw_is_string(s.value)) {
            buf_reset(&r->stop_text);
            json_raw_str(s.value, &r->stop_text);
        }
    }
    return true;
}

static bool read_choices(struct remote_reply *r, struct str raw)
{
    struct json_scan s = json_scan(raw);

    if (raw.ptr[0] != '[')
        return fail(r, FAIL_MALFORMED, "choices is not an array");
    return !json_scan_next(&s) || read_choice(r, s.value); /* one answer was asked for */
}

/* An error object where an answer was expected. */
static bool read_error(struct remote_reply *r, struct str text)
{
    struct str inner = json_scan_get(text, "error");
    int code =
        small_int(json_scan_get(inner.len > 0 && inner.ptr[0] == '{' ? inner : text, "code"));

    r->error_status = code >= 400 && code < 600 ? code : 500;
    r->fail_class = remote_class_of_status(r->error_status);
    remote_error_text(text, &r->error);
    return false;
}

/* One chunk or the whole body. */
static bool read_object(struct remote_reply *r, struct str text, bool *has_choices)
{
    struct json_scan s = json_scan(text);
    size_t n_text = r->text.len, n_reasoning = r->reasoning.len;

    *has_choices = false;
    while (json_scan_next(&s)) {
        if (s.close != '}')
            return fail(r, FAIL_MALFORMED, "an array where an object was expected");
        if (json_scan_key_is(&s, "choices")) {
            *has_choices = true;
            if (!read_choices(r, s.value))
                return false;
        } else if (json_scan_key_is(&s, "usage")) {
            read_usage(r, s.value);
        } else if (json_scan_key_is(&s, "model") && r->model.len == 0) {
            json_raw_str(s.value, &r->model);
        } else if (json_scan_key_is(&s, "error") && !json_raw_is_null(s.value)) {
            return read_error(r, text);
        } else if (json_scan_key_is(&s, "object") && str_eqz(s.value, "\"error\"")) {
            return read_error(r, text);
        }
    }
    if (s.fault) {
        r->text.len = n_text; /* nothing of a broken object counts */
        r->reasoning.len = n_reasoning;
        return fail(r, FAIL_MALFORMED, "not JSON: %s at byte %zu", s.fault, s.at + 1);
    }
    return true;
}

/* --- the two forms ---------------------------------------------------------------------------- */

static bool take_events(struct remote_reply *r, struct str bytes)
{
    struct str data;
    bool has_choices;

    while (sse_next(&r->sse, &bytes, &data)) {
        if (str_eqz(data, "[DONE]")) {
            r->has_done_mark = true;
            continue;
        }
        if (!read_object(r, data, &has_choices))
            return false;
    }
    return !r->sse.failed ||
           fail(r, FAIL_MALFORMED, "an event is longer than %d bytes", MAX_REPLY_BYTES);
}

bool remote_reply_take(struct remote_reply *r, const struct http_head *head, struct str bytes)
{
    if (head->status < 200 || head->status > 299) {
        if (r->body.len < MAX_ERROR_BYTES)
            buf_add_str(&r->body, bytes);
        return true;
    }
    if (head->is_event_stream)
        return take_events(r, bytes);
    buf_add_str(&r->body, bytes);
    return !r->body.failed ||
           fail(r, FAIL_MALFORMED, "the body is longer than %d bytes", MAX_REPLY_BYTES);
}

static bool end_stream(struct remote_reply *r, bool is_whole)
{
    if (r->has_finish_reason || (r->has_done_mark && (r->has_content || r->has_reasoning)))
        return true;
    if (!is_whole)
        return fail(r, FAIL_CONNECT, "the stream broke off");
    return fail(r, FAIL_MALFORMED, "the stream ended without finish_reason and without [DONE]");
}

static bool end_body(struct remote_reply *r, bool is_whole)
{
    bool has_choices;

    if (!is_whole)
        return fail(r, FAIL_CONNECT, "the body broke off");
    if (r->body.len == 0)
        return fail(r, FAIL_MALFORMED, "the body is empty");
    if (!read_object(r, buf_str(&r->body), &has_choices))
        return false;
    if (!has_choices)
        return fail(r, FAIL_MALFORMED, "the reply has no choices");
    if (!r->has_content && !r->has_reasoning)
        return fail(r, FAIL_MALFORMED, "the reply has neither content nor reasoning");
    return r->has_finish_reason || fail(r, FAIL_MALFORMED, "the reply has no finish_reason");
}

bool remote_reply_end(struct remote_reply *r, const struct http_head *head, bool is_whole)
{
    if (r->fail_class != FAIL_NONE)
        return false;
    if (!(head->is_event_stream ? end_stream(r, is_whole) : end_body(r, is_whole)))
        return false;
    if (str_eqz(buf_str(&r->finish_reason), "abort") ||
        str_eqz(buf_str(&r->finish_reason), "error"))
        return fail(r, FAIL_SERVER, "the server gave the answer up (finish_reason \"%s\")",
                    buf_z(&r->finish_reason));
    return true;
}
