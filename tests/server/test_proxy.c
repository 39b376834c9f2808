/* test_proxy.c - a server in front of a server answers as the one behind it. */
#include "api_check.h"

static struct test_server behind, proxy;

static int start(void **state UNUSED)
{
    static const char *const back[] = {"--generator", "scripted", "--served-model-name", "tiny",
                                       NULL};
    static char url[64];
    static const char *const front[] = {"--base_url", url, NULL};

    test_server_start(&behind, back);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1", behind.port);
    test_server_start(&proxy, front);
    return 0;
}

static int stop(void **state UNUSED)
{
    int a = test_server_stop(&proxy), b = test_server_stop(&behind);

    return a != 0 ? a : b;
}

static const char *const bodies[] = {
    "\"messages\":[{\"role\":\"user\",\"content\":\"Find x.\"}],\"seed\":3,\"max_tokens\":200",
    "\"messages\":[{\"role\":\"user\",\"content\":\"Find "
    "y.\"}],\"seed\":3,\"max_tokens\":200,\"n\":3,\"temperature\":0.5",
    "\"messages\":[{\"role\":\"user\",\"content\":\"Find "
    "z.\"}],\"seed\":3,\"max_tokens\":9,\"stop\":[\"e\"]",
};

TEST(the_same_through_a_proxy)
{
    for (size_t i = 0; i < LEN(bodies); i++) {
        char whole[512], streamed[512];
        struct json *a, *b;
        struct stream s;

        snprintf(whole, sizeof(whole), "{%s}", bodies[i]);
        snprintf(streamed, sizeof(streamed), "{%s,\"stream\":true}", bodies[i]);
        a = http_post_json(behind.port, "/v1/chat/completions", whole, 200);
        b = http_post_json(proxy.port, "/v1/chat/completions", whole, 200);
        stream_call(proxy.port, "/v1/chat/completions", streamed, &s);
        CHECK_INT("choices", json_len(json_get(a, "choices")), json_len(json_get(b, "choices")));
        CHECK("usage", json_same(at_path(a, "usage.completion_tokens"),
                                 at_path(b, "usage.completion_tokens")));
        CHECK_STR("name", json_str(json_get(b, "model")), STR("tiny"));
        for (size_t k = 0; k < json_len(json_get(a, "choices")); k++) {
            const struct json *ca = json_at(json_get(a, "choices"), k),
                              *cb = json_at(json_get(b, "choices"), k);

            CHECK_STR(whole, json_str(at_path(cb, "message.content")),
                      json_str(at_path(ca, "message.content")));
            CHECK_STR(whole, json_str(at_path(cb, "finish_reason")),
                      json_str(at_path(ca, "finish_reason")));
            CHECK_STR(streamed, buf_str(&s.texts[k]), json_str(at_path(ca, "message.content")));
        }
        stream_clear(&s);
        json_close(a);
        json_close(b);
    }
}

TEST(truncation_and_bias_pass_a_proxy)
{
    static const char body[] =
        "{\"messages\":[{\"role\":\"user\",\"content\":\"Find x, then y.\"}],\"seed\":3,"
        "\"max_tokens\":20,\"truncate_prompt_tokens\":4,\"logit_bias\":{\"65\":-1}}";
    struct json *a = http_post_json(behind.port, "/v1/chat/completions", body, 200);
    struct json *b = http_post_json(proxy.port, "/v1/chat/completions", body, 200);

    CHECK("something is cut off", json_int(at_path(a, "choices.0.truncated_prompt_tokens"), 0) > 0);
    CHECK("the same number", json_same(at_path(a, "choices.0.truncated_prompt_tokens"),
                                       at_path(b, "choices.0.truncated_prompt_tokens")));
    CHECK_INT("four are left", json_int(at_path(b, "usage.prompt_tokens"), 0), 4);
    json_close(a);
    json_close(b);
}

TEST(what_a_proxy_cannot_do)
{
    struct json *v = http_post_json(proxy.port, "/tokenize", "{\"prompt\":\"x\"}", 501);

    CHECK_STR("501", json_str(at_path(v, "error.type")), STR("NotImplementedError"));
    json_close(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_through_a_proxy),
        cmocka_unit_test(truncation_and_bias_pass_a_proxy),
        cmocka_unit_test(what_a_proxy_cannot_do),
    };

    signal(SIGPIPE, SIG_IGN);
    return RUN_GROUP(tests, start, stop);
}
