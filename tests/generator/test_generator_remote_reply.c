/* Replies in every form, cut into pieces at every byte: the pieces must not matter. */
#include "test.h"

#include "generator/generator_remote_reply.h"

#define CHUNK(delta) \
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":" delta \
    ",\"finish_reason\":null}]}\n\n"
#define END(reason) \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n\n"
#define USAGE \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5,\"total_tokens\":12,\"prompt_tokens_details\":{\"cached_tokens\":3},\"completion_tokens_details\":{\"reasoning_tokens\":2}}}\n\n"
#define DONE "data: [DONE]\n\n"
#define BODY(message, reason) \
    "{\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":" message \
    ",\"finish_reason\":" reason "}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}"

static const struct {
    const char *name, *body;
    bool is_stream;
    enum fail_class want;
    const char *text, *reasoning, *finish; /* of a good one */
    const char *error;                     /* words of a bad one */
    int n_completion_tokens;
} cases[] = {
    {"a stream",
     CHUNK("{\"role\":\"assistant\",\"content\":\"\"}")
         CHUNK("{\"content\":\"He\"}") ": ping\n\n" CHUNK("{\"content\":\"llo \xe4\xbd\xa0\"}")
             END("stop") USAGE DONE,
     true, FAIL_NONE, "Hello \xe4\xbd\xa0", "", "stop", NULL, 5},
    {"without usage", CHUNK("{\"content\":\"x\"}") END("length") DONE, true, FAIL_NONE, "x", "",
     "length", NULL, -1},
    {"without [DONE]", CHUNK("{\"content\":\"x\"}") END("stop"), true, FAIL_NONE, "x", "", "stop",
     NULL, -1},
    {"[DONE] without finish_reason", CHUNK("{\"content\":\"x\"}") DONE, true, FAIL_NONE, "x", "",
     "", NULL, -1},
    {"reasoning", CHUNK("{\"reasoning\":\"why\"}") CHUNK("{\"content\":\"x\"}") END("stop") DONE,
     true, FAIL_NONE, "x", "why", "stop", NULL, -1},
    {"reasoning under its old name", CHUNK("{\"reasoning_content\":\"why\"}") END("stop") DONE,
     true, FAIL_NONE, "", "why", "stop", NULL, -1},
    {"reasoning under both names",
     CHUNK("{\"reasoning_content\":\"why\",\"reasoning\":\"why\"}") END("stop") DONE, true,
     FAIL_NONE, "", "why", "stop", NULL, -1},
    {"null content in deltas",
     CHUNK("{\"content\":null,\"reasoning\":\"r\"}") CHUNK("{\"content\":\"x\"}") END("stop") DONE,
     true, FAIL_NONE, "x", "r", "stop", NULL, -1},
    {"an empty answer", CHUNK("{\"role\":\"assistant\",\"content\":\"\"}") END("stop") DONE, true,
     FAIL_NONE, "", "", "stop", NULL, -1},
    {"of /v1/completions",
     "data: {\"choices\":[{\"index\":0,\"text\":\"ab\",\"finish_reason\":null}]}\n\ndata: {\"choices\":[{\"text\":\"c\",\"finish_reason\":\"stop\"}]}\n\n" DONE,
     true, FAIL_NONE, "abc", "", "stop", NULL, -1},
    {"CR LF",
     "data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\r\n\r\ndata: [DONE]\r\n\r\n",
     true, FAIL_NONE, "x", "", "stop", NULL, -1},
    {"escapes", CHUNK("{\"content\":\"\\u4f60\\ud83d\\ude00\\n\"}") END("stop") DONE, true,
     FAIL_NONE, "\xe4\xbd\xa0\xf0\x9f\x98\x80\n", "", "stop", NULL, -1},
    {"truncated", CHUNK("{\"content\":\"x\"}"), true, FAIL_MALFORMED, NULL, NULL, NULL,
     "without finish_reason", 0},
    {"nothing", "", true, FAIL_MALFORMED, NULL, NULL, NULL, "without finish_reason", 0},
    {"half a character", CHUNK("{\"content\":\"\xe4\xbd\"}") END("stop") DONE, true, FAIL_MALFORMED,
     NULL, NULL, NULL, "not UTF-8", 0},
    {"not JSON", "data: {\"choices\":[{\n\n" DONE, true, FAIL_MALFORMED, NULL, NULL, NULL,
     "not JSON", 0},
    {"content of another type", CHUNK("{\"content\":5}") END("stop"), true, FAIL_MALFORMED, NULL,
     NULL, NULL, "content is not a string", 0},
    {"an error inside",
     CHUNK(
         "{\"content\":\"x\"}") "data: {\"error\":{\"message\":\"engine died\",\"code\":500}}\n\n" DONE,
     true, FAIL_SERVER, NULL, NULL, NULL, "engine died", 0},
    {"a refusal inside", "data: {\"error\":{\"message\":\"slow down\",\"code\":429}}\n\n" DONE,
     true, FAIL_RATE, NULL, NULL, NULL, "slow down", 0},
    {"an error of old servers", "data: {\"object\":\"error\",\"message\":\"bad\",\"code\":400}\n\n",
     true, FAIL_REQUEST, NULL, NULL, NULL, "bad", 0},
    {"given up", CHUNK("{\"content\":\"x\"}") END("abort") DONE, true, FAIL_SERVER, NULL, NULL,
     NULL, "gave the answer up", 0},
    {"a body", BODY("{\"role\":\"assistant\",\"content\":\"x\"}", "\"stop\""), false, FAIL_NONE,
     "x", "", "stop", NULL, 5},
    {"null content with reasoning", BODY("{\"content\":null,\"reasoning\":\"why\"}", "\"length\""),
     false, FAIL_NONE, "", "why", "length", NULL, 5},
    {"null content alone", BODY("{\"content\":null}", "\"stop\""), false, FAIL_MALFORMED, NULL,
     NULL, NULL, "neither content nor reasoning", 0},
    {"tool calls", BODY("{\"content\":null,\"tool_calls\":[{\"id\":\"x\"}]}", "\"tool_calls\""),
     false, FAIL_NONE, "", "", "tool_calls", NULL, 5},
    {"no finish_reason", BODY("{\"content\":\"x\"}", "null"), false, FAIL_MALFORMED, NULL, NULL,
     NULL, "no finish_reason", 0},
    {"no choices", "{\"id\":1}", false, FAIL_MALFORMED, NULL, NULL, NULL, "no choices", 0},
    {"no choice", "{\"choices\":[]}", false, FAIL_MALFORMED, NULL, NULL, NULL, "neither content",
     0},
    {"choices of another type", "{\"choices\":{}}", false, FAIL_MALFORMED, NULL, NULL, NULL,
     "choices is not an array", 0},
    {"an empty body", "", false, FAIL_MALFORMED, NULL, NULL, NULL, "the body is empty", 0},
    {"a body cut short",
     "{\"choices\":[{\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]", false,
     FAIL_MALFORMED, NULL, NULL, NULL, "not JSON", 0},
    {"HTML", "<html>", false, FAIL_MALFORMED, NULL, NULL, NULL, "not JSON", 0},
    {"an array", "[1]", false, FAIL_MALFORMED, NULL, NULL, NULL, "an array", 0},
};

static void check_case(size_t i, struct remote_reply *r, size_t cut)
{
    struct http_head head = {200, cases[i].is_stream};
    struct str body = STR(cases[i].body);
    bool ok;

    remote_reply_reset(r);
    ok = remote_reply_take(r, &head, str_slice(body, 0, cut)) &&
         remote_reply_take(r, &head, str_slice(body, cut, body.len)) &&
         remote_reply_end(r, &head, true);
    CHECK_INT(cases[i].name, r->fail_class, cases[i].want);
    CHECK_INT(cases[i].name, ok, cases[i].want == FAIL_NONE);
    if (!ok) {
        CHECK(cases[i].name, strstr(buf_z(&r->error), cases[i].error));
        return;
    }
    CHECK_STR(cases[i].name, buf_str(&r->text), STR(cases[i].text));
    CHECK_STR(cases[i].name, buf_str(&r->reasoning), STR(cases[i].reasoning));
    CHECK_STR(cases[i].name, buf_str(&r->finish_reason), STR(cases[i].finish));
    CHECK_INT(cases[i].name, r->n_completion_tokens, cases[i].n_completion_tokens);
}

TEST(reads_replies_in_any_pieces)
{
    struct remote_reply r;

    remote_reply_init(&r);
    for (size_t i = 0; i < LEN(cases); i++)
        for (size_t cut = 0; cut <= strlen(cases[i].body); cut++)
            check_case(i, &r, cut);
    remote_reply_clear(&r);
}

TEST(reads_usage)
{
    struct remote_reply r;
    struct http_head head = {200, true};

    remote_reply_init(&r);
    assert_true(remote_reply_take(&r, &head, STR(cases[0].body)));
    CHECK_INT("prompt", r.n_prompt_tokens, 7);
    CHECK_INT("cached", r.n_cached_tokens, 3);
    CHECK_INT("reasoning", r.n_reasoning_tokens, 2);
    CHECK_INT("pieces of text", r.n_chunks, 3);
    CHECK_STR("model", buf_str(&r.model), STR("m"));
    remote_reply_clear(&r);
}

TEST(a_broken_connection)
{
    struct remote_reply r;
    struct http_head head = {200, true};

    remote_reply_init(&r);
    assert_true(remote_reply_take(&r, &head, STR(CHUNK("{\"content\":\"x\"}"))));
    assert_false(remote_reply_end(&r, &head, false));
    CHECK_INT("before the end", r.fail_class, FAIL_CONNECT);
    remote_reply_reset(&r);
    assert_true(remote_reply_take(&r, &head, STR(CHUNK("{\"content\":\"x\"}") END("stop"))));
    CHECK("after the end", remote_reply_end(&r, &head, false));
    remote_reply_reset(&r);
    head.is_event_stream = false;
    assert_true(remote_reply_take(&r, &head, STR("{\"choices\":[")));
    assert_false(remote_reply_end(&r, &head, false));
    CHECK_INT("a body", r.fail_class, FAIL_CONNECT);
    remote_reply_clear(&r);
}

TEST(finds_the_words_of_errors)
{
    static const struct {
        const char *body, *words;
    } errors[] = {
        {"{\"error\":{\"message\":\"m\",\"type\":\"t\"}}", "m"},
        {"{\"error\":\"Unauthorized\"}", "Unauthorized"},
        {"{\"object\":\"error\",\"message\":\"m\"}", "m"},
        {"{\"detail\":\"Not Found\"}", "Not Found"},
        {"<html>\n502</html>", "<html> 502</html>"},
        {"", ""},
        {"{\"detail\":[1]}", "{\"detail\":[1]}"},
    };

    for (size_t i = 0; i < LEN(errors); i++) {
        struct buf out = {0};

        remote_error_text(STR(errors[i].body), &out);
        CHECK_STR(errors[i].body, buf_str(&out), STR(errors[i].words));
        buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_replies_in_any_pieces),
        cmocka_unit_test(reads_usage),
        cmocka_unit_test(a_broken_connection),
        cmocka_unit_test(finds_the_words_of_errors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
