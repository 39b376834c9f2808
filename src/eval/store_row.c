/* store_row.c - see store_row.h. */
#include "eval/store_row.h"

#include "formats/json.h"
#include "formats/json_scan.h"

const char *const store_row_refused[] = {"sample_index", "n_samples", NULL};

const char *const store_row_renamed[] = {
    "reasoning",  "finish_reason", "stop_text",           "usage",  "seed",     "max_tokens",
    "is_clamped", "latency",       "first_token_latency", "server", "attempts", "error",
    NULL,
};

static void add_key(struct buf *out, const char *key)
{
    if (out->len > 0 && out->ptr[out->len - 1] != '{')
        buf_addc(out, ',');
    json_write_str(out, STR(key));
    buf_addc(out, ':');
}

static void add_int(struct buf *out, const char *key, int64_t value)
{
    add_key(out, key);
    buf_addf(out, "%lld", (long long)value);
}

static void add_str(struct buf *out, const char *key, struct str value)
{
    add_key(out, key);
    json_write_str(out, value);
}

/* Microseconds as seconds; null when they are not known. */
static void add_seconds(struct buf *out, const char *key, int64_t us)
{
    add_key(out, key);
    if (us < 0)
        buf_addz(out, "null");
    else
        buf_add_f64(out, (double)us / 1e6);
}

static void add_usage(struct buf *out, const struct gen_event *reply)
{
    add_key(out, "usage");
    if (reply->n_prompt_tokens < 0 && reply->n_completion_tokens < 0) {
        buf_addz(out, "null");
        return;
    }
    buf_addc(out, '{');
    if (reply->n_prompt_tokens >= 0)
        add_int(out, "prompt_tokens", reply->n_prompt_tokens);
    if (reply->n_completion_tokens >= 0)
        add_int(out, "completion_tokens", reply->n_completion_tokens);
    if (reply->n_prompt_tokens >= 0 && reply->n_completion_tokens >= 0)
        add_int(out, "total_tokens", (int64_t)reply->n_prompt_tokens + reply->n_completion_tokens);
    if (reply->n_cached_tokens >= 0)
        add_int(out, "cached_tokens", reply->n_cached_tokens);
    if (reply->n_reasoning_tokens >= 0)
        add_int(out, "reasoning_tokens", reply->n_reasoning_tokens);
    buf_addc(out, '}');
}

void store_row_write(struct buf *out, const struct doc *doc, int sample, int n_samples,
                     const char *response_key, const struct gen_event *reply)
{
    buf_addc(out, '{');
    buf_add_str(out, doc->fields);
    if (!doc->has_id)
        add_str(out, "doc_id", doc->id);
    add_int(out, "sample_index", sample);
    add_int(out, "n_samples", n_samples);
    add_str(out, response_key, reply->text);
    if (reply->has_reasoning)
        add_str(out, "reasoning", reply->reasoning);
    add_str(out, "finish_reason", reply->finish_reason_text);
    if (reply->stop_text.len > 0)
        add_str(out, "stop_text", reply->stop_text);
    add_usage(out, reply);
    add_int(out, "seed", (int64_t)reply->seed);
    add_int(out, "max_tokens", reply->max_tokens);
    add_key(out, "is_clamped");
    buf_addz(out, reply->is_clamped ? "true" : "false");
    add_seconds(out, "latency", reply->latency_us);
    add_seconds(out, "first_token_latency", reply->first_token_us);
    if (reply->server.len > 0)
        add_str(out, "server", reply->server);
    add_int(out, "attempts", reply->n_attempts);
    buf_addz(out, "}\n");
}

struct str store_row_text(struct str raw_gen)
{
    struct json_scan s;
    struct str text = {"", 0};

    if (json_raw_is_string(raw_gen))
        return raw_gen;
    if (raw_gen.len > 0 && raw_gen.ptr[0] == '{')
        return store_row_text(json_scan_get(raw_gen, "gen"));
    s = json_scan(raw_gen);
    if (raw_gen.len > 0 && raw_gen.ptr[0] == '[' && json_scan_next(&s))
        text = s.value;
    return json_raw_is_string(text) || (text.len > 0 && text.ptr[0] == '{') ? store_row_text(text)
                                                                            : (struct str){"", 0};
}

static bool is_gen(struct str raw, const char **fault)
{
    struct json_scan s = json_scan(raw);
    int n = 0;

    if (json_raw_is_string(raw) || raw.ptr[0] == '{')
        return true;
    *fault = "the answer is neither a string nor a list";
    if (raw.ptr[0] != '[')
        return false;
    for (; json_scan_next(&s); n++)
        if (!json_raw_is_string(s.value) && s.value.ptr[0] != '{')
            return false;
    *fault = "the answer is a list of several; one answer on each line is read";
    return n < 2;
}

/* Today's and the 2025 tool's mark of an answer that hit the context. */
static bool has_end_reason(struct str raw_gen)
{
    struct json_scan s = json_scan(raw_gen);

    if (raw_gen.ptr[0] == '[' && json_scan_next(&s))
        raw_gen = s.value;
    return raw_gen.ptr[0] == '{' && json_scan_get(raw_gen, "end_reason").len > 0;
}

static bool read_field(const struct json_scan *s, const char *prompt_key, const char *response_key,
                       struct store_row *row, const char **fault)
{
    if (json_scan_key_is(s, response_key)) {
        row->gen = s->value;
        return is_gen(s->value, fault);
    }
    if (json_scan_key_is(s, prompt_key)) {
        row->prompt = s->value;
    } else if (json_scan_key_is(s, "doc_id")) {
        row->doc_id = s->value;
    } else if (json_scan_key_is(s, "sample_index")) {
        *fault = "sample_index is not a whole number from 0 on";
        return json_raw_int(s->value, &row->sample_index) && row->sample_index >= 0;
    } else if (json_scan_key_is(s, "n_samples")) {
        *fault = "n_samples is not a whole number from 1 on";
        return json_raw_int(s->value, &row->n_samples) && row->n_samples > 0;
    } else if (json_scan_key_is(s, "error")) {
        row->has_error = json_raw_is_truthy(s->value);
    } else if (json_scan_key_is(s, "finish_reason")) {
        row->is_truncated = str_eqz(s->value, "\"length\"");
    } else if (json_scan_key_is(s, "is_clamped")) {
        row->is_clamped = str_eqz(s->value, "true");
    } else if (json_scan_key_is(s, "usage")) {
        if (!json_raw_int(json_scan_get(s->value, "completion_tokens"), &row->n_completion_tokens))
            row->n_completion_tokens = -1;
    }
    return true;
}

bool store_row_read(struct str line, const char *prompt_key, const char *response_key,
                    struct store_row *row, const char **fault)
{
    struct json_scan s = json_scan(line);

    *row = (struct store_row){.doc_id = {"", 0},
                              .prompt = {"", 0},
                              .gen = {"", 0},
                              .sample_index = -1,
                              .n_samples = -1,
                              .n_completion_tokens = -1};
    while (json_scan_next(&s)) {
        if (s.close != '}') {
            *fault = "an array, not an object";
            return false;
        }
        if (!read_field(&s, prompt_key, response_key, row, fault))
            return false;
    }
    *fault = s.fault;
    if (s.fault)
        return false;
    if (row->has_error)
        return true;
    *fault = "the answer is missing";
    if (row->gen.len == 0)
        return false;
    row->is_empty = store_row_text(row->gen).len <= 2;
    row->is_truncated = row->is_truncated || has_end_reason(row->gen);
    return true;
}
