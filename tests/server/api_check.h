/* api_check.h - fields of an answer by path, and streams gathered back into texts. */
#pragma once

#include "http_client.h"
#include "net/sse.h"

/* "choices.0.message.content"; NULL when a step is missing. */
static UNUSED const struct json *at_path(const struct json *v, const char *path)
{
    struct str rest = STR(path), step;

    while (v && str_cut(&rest, '.', &step)) {
        int64_t i;

        v = json_type(v) == JSON_ARRAY && parse_i64(step, &i) ? json_at(v, (size_t)i)
                                                              : json_get_str(v, step);
    }
    return v;
}

/* Every path is there with its type: s string, i integer, r real, n null, b bool, a array, o
 * object, f number; several letters allow several types. */
static UNUSED void check_fields(const char *name, const struct json *v,
                                const char *const (*fields)[2], size_t n)
{
    static const char letters[] = {
        [JSON_ABSENT] = '-', [JSON_NULL] = 'n',   [JSON_BOOL] = 'b',  [JSON_INT] = 'i',
        [JSON_REAL] = 'r',   [JSON_STRING] = 's', [JSON_ARRAY] = 'a', [JSON_OBJECT] = 'o'};

    for (size_t i = 0; i < n; i++) {
        enum json_type t = json_type(at_path(v, fields[i][0]));

        if (!strchr(fields[i][1], letters[t]))
            fail_msg("%s: %s is %s, expected one of \"%s\"", name, fields[i][0], json_type_name(t),
                     fields[i][1]);
    }
}

struct stream {
    int status;
    bool is_done; /* [DONE] was the last event */
    int n_chunks;
    struct buf texts[8], reasonings[8]; /* by index of the choice */
    char finish[8][16];
    struct json *usage; /* of the last chunk that had one */
    struct json *error; /* an event that held an error */
    double logprob_sum[8];
    double top_sum[8]; /* of all alternatives */
    int n_logprobs[8];
};

static UNUSED void stream_clear(struct stream *s)
{
    for (int i = 0; i < 8; i++) {
        buf_clear(&s->texts[i]);
        buf_clear(&s->reasonings[i]);
    }
    json_close(s->usage);
    json_close(s->error);
    *s = (struct stream){0};
}

/* The sum of all alternatives' logprobs of a choice, whichever form it has. */
static UNUSED double top_sum_of(const struct json *choice)
{
    const struct json *tokens = at_path(choice, "logprobs.content"),
                      *maps = at_path(choice, "logprobs.top_logprobs");
    double sum = 0;

    for (size_t i = 0; i < json_len(tokens); i++) {
        const struct json *top = json_get(json_at(tokens, i), "top_logprobs");

        for (size_t k = 0; k < json_len(top); k++)
            sum += json_num(json_get(json_at(top, k), "logprob"), 0);
    }
    for (size_t i = 0; i < json_len(maps); i++)
        for (struct json_iter it = json_iter(json_at(maps, i)); json_next(&it);)
            sum += json_num(it.value, 0);
    return sum;
}

static UNUSED void stream_take(struct stream *s, struct str data)
{
    struct err e = ERR_INIT;
    struct json *v;

    s->is_done = str_eqz(data, "[DONE]");
    if (s->is_done)
        return;
    CHECK("an event is valid UTF-8", utf8_valid(data));
    v = json_parse(data, &e);
    if (!v)
        fail_msg("an event is not JSON: %s: %.*s", e.msg, STR_ARG(data));
    s->n_chunks++;
    if (json_get(v, "error"))
        s->error = json_clone(v);
    if (json_get(v, "usage")) {
        json_close(s->usage);
        s->usage = json_clone(json_get(v, "usage"));
    }
    for (size_t k = 0; k < json_len(json_get(v, "choices")); k++) {
        const struct json *c = json_at(json_get(v, "choices"), k);
        int64_t i = json_int(json_get(c, "index"), 0);
        const struct json *tokens = at_path(c, "logprobs.content"),
                          *numbers = at_path(c, "logprobs.token_logprobs");

        CHECK("index", i >= 0 && i < 8);
        buf_add_str(&s->texts[i], json_str(at_path(c, "delta.content")));
        buf_add_str(&s->texts[i], json_str(json_get(c, "text")));
        buf_add_str(&s->reasonings[i], json_str(at_path(c, "delta.reasoning")));
        CHECK_STR("both names of reasoning", json_str(at_path(c, "delta.reasoning")),
                  json_str(at_path(c, "delta.reasoning_content")));
        if (json_type(json_get(c, "finish_reason")) == JSON_STRING)
            snprintf(s->finish[i], sizeof(s->finish[i]), "%s",
                     json_str(json_get(c, "finish_reason")).ptr);
        s->top_sum[i] += top_sum_of(c);
        for (size_t t = 0; t < json_len(tokens); t++, s->n_logprobs[i]++)
            s->logprob_sum[i] += json_num(json_get(json_at(tokens, t), "logprob"), 0);
        for (size_t t = 0; t < json_len(numbers); t++, s->n_logprobs[i]++)
            s->logprob_sum[i] += json_num(json_at(numbers, t), 0);
    }
    json_close(v);
}

/* One streamed request, gathered. */
static UNUSED void stream_call(int port, const char *path, const char *body, struct stream *s)
{
    struct http_reply r;
    struct sse_reader reader;
    struct str bytes, data;

    *s = (struct stream){0};
    http_call(port, "POST", path, "", STR(body), &r);
    s->status = r.status;
    if (r.status == 200) {
        CHECK_STR(body, http_reply_header(&r, "Content-Type"),
                  STR("text/event-stream; charset=utf-8"));
        CHECK(body, r.is_whole);
        sse_reader_init(&reader, 0);
        bytes = buf_str(&r.body);
        while (sse_next(&reader, &bytes, &data))
            stream_take(s, data);
        CHECK("no torn event", sse_reader_is_clean(&reader));
        sse_reader_clear(&reader);
    }
    http_reply_clear(&r);
}
