/* test_errors.c - status, type, parameter and words of every refusal, byte for byte where clients
 * look. */
#include "http_client.h"

static struct test_server server;

static const struct {
    const char *name, *method, *path, *body;
    int status;
    const char *type;    /* NULL: the error is a bare string */
    const char *param;   /* NULL: null */
    const char *message; /* a part of it; the whole where it begins with '=' */
} cases[] = {
    {"not JSON", "POST", "/v1/chat/completions", "{", 400, "Bad Request", NULL,
     "The body is not JSON"},
    {"no body", "POST", "/v1/chat/completions", "", 400, "Bad Request", NULL,
     "The body is not JSON"},
    {"not an object", "POST", "/v1/chat/completions", "[]", 400, "Bad Request", NULL,
     "must be a JSON object"},
    {"not UTF-8", "POST", "/v1/chat/completions",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\"}]}", 400, "Bad Request", NULL,
     "The body is not JSON"},
    {"no messages", "POST", "/v1/chat/completions", "{}", 400, "Bad Request", "messages",
     "`messages` must be a list"},
    {"messages of a wrong type", "POST", "/v1/chat/completions", "{\"messages\":3}", 400,
     "Bad Request", "messages", "found an integer"},
    {"an empty list", "POST", "/v1/chat/completions", "{\"messages\":[]}", 400, "BadRequestError",
     "messages", "got 0"},
    {"a message without role", "POST", "/v1/chat/completions",
     "{\"messages\":[{\"content\":\"x\"}]}", 400, "Bad Request", "messages", "needs \"role\""},
    {"an unknown role", "POST", "/v1/chat/completions",
     "{\"messages\":[{\"role\":\"king\",\"content\":\"x\"}]}", 400, "BadRequestError", "messages",
     "=Unknown role: king"},
#define CHAT(fields) "{\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]," fields "}"
    {"a wrong type", "POST", "/v1/chat/completions", CHAT("\"temperature\":\"hot\""), 400,
     "Bad Request", "temperature", "=`temperature` must be a number, found a string"},
    {"temperature below 0", "POST", "/v1/chat/completions", CHAT("\"temperature\":-1"), 400,
     "BadRequestError", "temperature", "=temperature must be non-negative, got -1."},
    {"top_p 0", "POST", "/v1/chat/completions", CHAT("\"top_p\":0"), 400, "BadRequestError",
     "top_p", "=top_p must be in (0, 1], got 0."},
    {"top_p above 1", "POST", "/v1/chat/completions", CHAT("\"top_p\":1.5"), 400, "BadRequestError",
     "top_p", "got 1.5."},
    {"top_k -2", "POST", "/v1/chat/completions", CHAT("\"top_k\":-2"), 400, "BadRequestError",
     "top_k", "got -2."},
    {"top_k of a wrong type", "POST", "/v1/chat/completions", CHAT("\"top_k\":1.5"), 400,
     "Bad Request", "top_k", "must be an integer"},
    {"min_p above 1", "POST", "/v1/chat/completions", CHAT("\"min_p\":2"), 400, "BadRequestError",
     "min_p", "in [0, 1]"},
    {"repetition_penalty 0", "POST", "/v1/chat/completions", CHAT("\"repetition_penalty\":0"), 400,
     "BadRequestError", "repetition_penalty", "greater than zero"},
    {"presence_penalty 3", "POST", "/v1/chat/completions", CHAT("\"presence_penalty\":3"), 400,
     "BadRequestError", "presence_penalty", "in [-2, 2]"},
    {"frequency_penalty -3", "POST", "/v1/chat/completions", CHAT("\"frequency_penalty\":-3"), 400,
     "BadRequestError", "frequency_penalty", "in [-2, 2]"},
    {"max_tokens 0", "POST", "/v1/chat/completions", CHAT("\"max_tokens\":0"), 400,
     "BadRequestError", "max_tokens", "=max_tokens must be at least 1, got 0."},
    {"max_completion_tokens -1", "POST", "/v1/chat/completions",
     CHAT("\"max_completion_tokens\":-1"), 400, "BadRequestError", "max_completion_tokens",
     "must be at least 1"},
    {"min_tokens over max_tokens", "POST", "/v1/chat/completions",
     CHAT("\"max_tokens\":2,\"min_tokens\":3"), 400, "BadRequestError", "min_tokens",
     "less than or equal to max_tokens=2"},
    {"n 0", "POST", "/v1/chat/completions", CHAT("\"n\":0"), 400, "BadRequestError", "n", "got 0"},
    {"an empty stop string", "POST", "/v1/chat/completions", CHAT("\"stop\":[\"a\",\"\"]"), 400,
     "BadRequestError", "stop", "=stop cannot contain an empty string."},
    {"stop of a wrong type", "POST", "/v1/chat/completions", CHAT("\"stop\":[1]"), 400,
     "Bad Request", "stop", "a string or a list of strings"},
    {"seed of a wrong type", "POST", "/v1/chat/completions", CHAT("\"seed\":\"1\""), 400,
     "Bad Request", "seed", "must be an integer"},
    {"logit_bias of no token", "POST", "/v1/chat/completions", CHAT("\"logit_bias\":{\"x\":1}"),
     400, "BadRequestError", "logit_bias", "no token id"},
    {"no allowed tokens", "POST", "/v1/chat/completions", CHAT("\"allowed_token_ids\":[]"), 400,
     "BadRequestError", "allowed_token_ids", "empty"},
    {"top_logprobs without logprobs", "POST", "/v1/chat/completions", CHAT("\"top_logprobs\":2"),
     400, "BadRequestError", "top_logprobs",
     "=when using `top_logprobs`, `logprobs` must be set to true."},
    {"top_logprobs over the cap", "POST", "/v1/chat/completions",
     CHAT("\"logprobs\":true,\"top_logprobs\":21"), 400, "BadRequestError", "top_logprobs",
     "maximum allowed: 20"},
    {"logprob_token_ids without logprobs", "POST", "/v1/chat/completions",
     CHAT("\"logprob_token_ids\":[65]"), 400, "BadRequestError", "logprob_token_ids",
     "=when using `logprob_token_ids`, `logprobs` must be set to true."},
    {"logprob_token_ids without logprobs, completions", "POST", "/v1/completions",
     "{\"prompt\":\"x\",\"logprob_token_ids\":[65]}", 400, "BadRequestError", "logprob_token_ids",
     "=when using `logprob_token_ids`, `logprobs` must be set."},
    {"no logprob_token_ids", "POST", "/v1/chat/completions",
     CHAT("\"logprobs\":true,\"logprob_token_ids\":[]"), 400, "BadRequestError",
     "logprob_token_ids", "=`logprob_token_ids` must not be an empty list."},
    {"logprob_token_ids of a wrong type", "POST", "/v1/chat/completions",
     CHAT("\"logprobs\":true,\"logprob_token_ids\":[\"A\"]"), 400, "Bad Request",
     "logprob_token_ids", "a list of integers, found a string"},
    {"logprob_token_ids below 0", "POST", "/v1/completions",
     "{\"prompt\":\"x\",\"logprobs\":0,\"logprob_token_ids\":[-1]}", 400, "BadRequestError",
     "logprob_token_ids", "no token id"},
    {"logprob_token_ids outside the vocabulary", "POST", "/v1/completions",
     "{\"prompt\":\"x\",\"logprobs\":0,\"logprob_token_ids\":[2000000000]}", 400, "BadRequestError",
     NULL, "logprob_token_ids holds 2000000000, which is not in the vocabulary"},
    {"truncate_prompt_tokens 0", "POST", "/v1/chat/completions",
     CHAT("\"truncate_prompt_tokens\":0"), 400, "BadRequestError", "truncate_prompt_tokens",
     "=truncate_prompt_tokens must be at least 1, or -1, got 0."},
    {"truncate_prompt_tokens -2", "POST", "/v1/chat/completions",
     CHAT("\"truncate_prompt_tokens\":-2"), 400, "BadRequestError", "truncate_prompt_tokens",
     "got -2"},
    {"truncate_prompt_tokens of a wrong type", "POST", "/v1/completions",
     "{\"prompt\":\"x\",\"truncate_prompt_tokens\":\"9\"}", 400, "Bad Request",
     "truncate_prompt_tokens", "must be an integer"},
    {"truncate_prompt_tokens over the context", "POST", "/v1/completions",
     "{\"prompt\":\"x\",\"truncate_prompt_tokens\":2033}", 400, "BadRequestError",
     "truncate_prompt_tokens",
     "=truncate_prompt_tokens=2033 cannot be greater than max_model_len - max_tokens = 2032. Please "
     "request a smaller truncation size."},
    {"an unknown truncation_side", "POST", "/v1/chat/completions",
     CHAT("\"truncate_prompt_tokens\":9,\"truncation_side\":\"middle\""), 400, "Bad Request",
     "truncation_side", "\"left\" or \"right\""},
    {"thinking_token_budget -2", "POST", "/v1/chat/completions",
     CHAT("\"thinking_token_budget\":-2"), 400, "BadRequestError", "thinking_token_budget",
     "=`thinking_token_budget` must be a non-negative integer or -1 for unlimited."},
    {"thinking_token_budget of a wrong type", "POST", "/v1/chat/completions",
     CHAT("\"thinking_token_budget\":true"), 400, "Bad Request", "thinking_token_budget",
     "must be an integer"},
    {"a budget for a script", "POST", "/v1/chat/completions", CHAT("\"thinking_token_budget\":5"),
     400, "BadRequestError", NULL, "needs a reasoning model"},
    {"prompt_logprobs in a stream", "POST", "/v1/chat/completions",
     CHAT("\"stream\":true,\"prompt_logprobs\":1"), 400, "BadRequestError", "prompt_logprobs",
     "`prompt_logprobs` are not available when `stream=True`."},
    {"stream_options without stream", "POST", "/v1/chat/completions", CHAT("\"stream_options\":{}"),
     400, "BadRequestError", "stream_options",
     "=Stream options can only be defined when `stream=True`."},
    {"no tools", "POST", "/v1/chat/completions", CHAT("\"tools\":[]"), 400, "BadRequestError",
     "tools", "empty array"},
    {"both prompt flags", "POST", "/v1/chat/completions",
     CHAT("\"add_generation_prompt\":true,\"continue_final_message\":true"), 400, "BadRequestError",
     "continue_final_message",
     "=Cannot set both `continue_final_message` and `add_generation_prompt` to True."},
    {"an image by URL", "POST", "/v1/chat/completions",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
     "\"url\":\"http://h/x.png\"}}]}]}",
     400, "BadRequestError", "messages", "fetches nothing"},
    {"an image that is not base64", "POST", "/v1/chat/completions",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{"
     "\"url\":\"data:image/png;base64,%%\"}}]}]}",
     422, "UnprocessableEntityError", "messages", "broken"},
    {"context too long", "POST", "/v1/chat/completions", CHAT("\"max_tokens\":5000"), 400,
     "BadRequestError", NULL,
     "This model's maximum context length is 2048 tokens. However, you requested"},
    {"context too long, streamed", "POST", "/v1/chat/completions",
     CHAT("\"stream\":true,\"max_tokens\":5000"), 400, "BadRequestError", NULL,
     "maximum context length"},
    {"a model that is not served", "POST", "/v1/chat/completions", CHAT("\"model\":\"gpt\""), 404,
     "NotFoundError", "model", "=The model `gpt` does not exist."},
    {"an unknown path", "POST", "/v1/nothing", "{}", 404, "NotFoundError", NULL, "/v1/nothing"},
    {"an unknown model's page", "GET", "/v1/models/gpt", "", 404, "NotFoundError", "model",
     "=The model `gpt` does not exist."},
    {"a wrong method", "GET", "/v1/chat/completions", "", 405, "MethodNotAllowedError", NULL,
     "takes POST"},
    {"a wrong method on a GET path", "POST", "/v1/models", "{}", 405, "MethodNotAllowedError", NULL,
     "takes GET"},
    {"constrained decoding", "POST", "/v1/chat/completions",
     CHAT("\"response_format\":{\"type\":\"json_object\"}"), 501, "NotImplementedError",
     "response_format", "json_object"},
    {"structured outputs", "POST", "/v1/chat/completions",
     CHAT("\"structured_outputs\":{\"regex\":\"a\"}"), 501, "NotImplementedError",
     "structured_outputs", "not supported"},
    {"a suffix", "POST", "/v1/completions", "{\"prompt\":\"x\",\"suffix\":\"y\"}", 501,
     "NotImplementedError", "suffix", "not supported"},
    {"no prompt", "POST", "/v1/completions", "{}", 400, "Bad Request", "prompt", "found nothing"},
    {"a prompt of a wrong type", "POST", "/v1/completions", "{\"prompt\":{}}", 400, "Bad Request",
     "prompt", "found an object"},
    {"mixed prompts", "POST", "/v1/completions", "{\"prompt\":[\"a\",1]}", 400, "Bad Request",
     "prompt", "found an integer"},
    {"no token ids", "POST", "/v1/completions", "{\"prompt\":[[]]}", 400, "BadRequestError",
     "prompt", "empty list"},
    {"a negative token id", "POST", "/v1/completions", "{\"prompt\":[-1]}", 400, "BadRequestError",
     "prompt", "no token id"},
    {"an id outside the vocabulary", "POST", "/v1/completions", "{\"prompt\":[2000000000]}", 400,
     "BadRequestError", NULL, "not in the vocabulary"},
    {"max_tokens 0 without echo", "POST", "/v1/completions", "{\"prompt\":\"x\",\"max_tokens\":0}",
     400, "BadRequestError", "max_tokens", "at least 1"},
    {"logprobs over the cap", "POST", "/v1/completions", "{\"prompt\":\"x\",\"logprobs\":21}", 400,
     "BadRequestError", "logprobs", "maximum allowed: 20"},
    {"no continuations", "POST", "/v1/score", "{\"context\":\"x\"}", 400, "Bad Request",
     "continuations", "must be a list"},
    {"an empty continuation", "POST", "/v1/score",
     "{\"context\":\"x\",\"continuations\":[\"a\",\"\"]}", 400, "BadRequestError", "continuations",
     "continuation 1 is empty"},
    {"no tokens to detokenize", "POST", "/detokenize", "{}", 400, "Bad Request", "tokens",
     "found nothing"},
    {"nothing to tokenize", "POST", "/tokenize", "{}", 400, "Bad Request", "prompt",
     "give `prompt`"},
};

static void check_case(size_t i)
{
    struct http_reply r;
    struct err e = ERR_INIT;
    struct json *v;
    const struct json *err;
    struct str message;
    bool is_exact = cases[i].message[0] == '=';

    http_call(server.port, cases[i].method, cases[i].path, "", STR(cases[i].body), &r);
    CHECK_INT(cases[i].name, r.status, cases[i].status);
    CHECK_STR(cases[i].name, http_reply_header(&r, "Content-Type"), STR("application/json"));
    v = json_parse(buf_str(&r.body), &e);
    CHECK(cases[i].name, v != NULL);
    err = json_get(v, "error");
    CHECK_INT(cases[i].name, json_len(v), 1);
    CHECK_INT(cases[i].name, json_len(err), 4);
    CHECK_STR(cases[i].name, json_str(json_get(err, "type")), STR(cases[i].type));
    CHECK_INT(cases[i].name, json_int(json_get(err, "code"), 0), cases[i].status);
    if (cases[i].param)
        CHECK_STR(cases[i].name, json_str(json_get(err, "param")), STR(cases[i].param));
    else
        CHECK_INT(cases[i].name, json_type(json_get(err, "param")), JSON_NULL);
    message = json_str(json_get(err, "message"));
    if (is_exact)
        CHECK_STR(cases[i].name, message, STR(cases[i].message + 1));
    else if (str_find(message, STR(cases[i].message), 0) < 0)
        fail_msg("%s: \"%s\" is not in \"%s\"", cases[i].name, cases[i].message, message.ptr);
    json_close(v);
    http_reply_clear(&r);
}

TEST(refusals)
{
    static const char *const args[] = {"--generator", "scripted", "--max_model_len", "2048", NULL};

    test_server_start(&server, args);
    for (size_t i = 0; i < LEN(cases); i++)
        check_case(i);
    assert_int_equal(test_server_stop(&server), 0);
}

TEST(a_golden_body)
{
    static const char want[] =
        "{\"error\":{\"message\":\"The model `gpt` does not exist.\",\"type\":\"NotFoundError\","
        "\"param\":\"model\",\"code\":404}}";
    struct http_reply r;

    test_server_start(&server, NULL);
    http_call(server.port, "POST", "/v1/chat/completions", "",
              STR("{\"model\":\"gpt\",\"messages\":[]}"), &r);
    CHECK_STR("body", buf_str(&r.body), STR(want));
    http_reply_clear(&r);
    assert_int_equal(test_server_stop(&server), 0);
}

static const struct {
    const char *name, *path, *headers;
    int status;
} key_cases[] = {
    {"the key", "/v1/models", "Authorization: Bearer canary-7f3a\r\n", 200},
    {"no key", "/v1/models", "", 401},
    {"an empty one", "/v1/models", "Authorization: Bearer \r\n", 401},
    {"a wrong one", "/v1/models", "Authorization: Bearer canary-7f3b\r\n", 401},
    {"a beginning", "/v1/models", "Authorization: Bearer canary\r\n", 401},
    {"more than the key", "/v1/models", "Authorization: Bearer canary-7f3a0\r\n", 401},
    {"another scheme", "/v1/models", "Authorization: Basic canary-7f3a\r\n", 401},
    {"health is open", "/health", "", 200},
    {"version is open", "/version", "", 200},
    {"metrics are open", "/metrics", "", 200},
    {"the tokenizer is not", "/tokenizer_info", "", 401},
};

/* Answers to every kind of request never show the key. */
TEST(keys)
{
    static const char *const args[] = {"--api-key", "canary-7f3a", NULL};
    struct http_reply r;

    test_server_start(&server, args);
    for (size_t i = 0; i < LEN(key_cases); i++) {
        http_call(server.port, "GET", key_cases[i].path, key_cases[i].headers, STR(""), &r);
        CHECK_INT(key_cases[i].name, r.status, key_cases[i].status);
        CHECK(key_cases[i].name, str_find(buf_str(&r.raw), STR("canary"), 0) < 0);
        if (r.status == 401)
            CHECK_STR(key_cases[i].name, buf_str(&r.body), STR("{\"error\":\"Unauthorized\"}"));
        http_reply_clear(&r);
    }
    assert_int_equal(test_server_stop(&server), 0);
}

TEST(a_body_over_the_limit)
{
    static const char *const args[] = {"--max_body_mb", "1", NULL};
    struct buf body = {0};
    struct http_reply r;

    test_server_start(&server, args);
    while (body.len < (size_t)2 << 20)
        buf_addz(&body, "0123456789abcdef");
    http_call(server.port, "POST", "/v1/chat/completions", "", buf_str(&body), &r);
    CHECK_INT("413", r.status, 413);
    CHECK("says so", str_find(buf_str(&r.body), STR("larger than 1 MiB"), 0) >= 0);
    http_reply_clear(&r);
    buf_clear(&body);
    assert_int_equal(test_server_stop(&server), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(a_golden_body),
        cmocka_unit_test(keys),
        cmocka_unit_test(a_body_over_the_limit),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
