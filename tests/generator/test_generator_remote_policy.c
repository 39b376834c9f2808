#include "test.h"

#include "generator/generator_remote_policy.h"

static const struct {
    int status;
    enum fail_class want;
    bool is_retryable, is_refusal;
} statuses[] = {
    {200, FAIL_NONE, false, false},    {204, FAIL_NONE, false, false},
    {301, FAIL_REQUEST, false, false}, {400, FAIL_REQUEST, false, false},
    {401, FAIL_REQUEST, false, false}, {404, FAIL_REQUEST, false, false},
    {408, FAIL_RATE, true, false},     {409, FAIL_RATE, true, false},
    {413, FAIL_REQUEST, false, false}, {425, FAIL_RATE, true, false},
    {429, FAIL_RATE, true, true},      {500, FAIL_SERVER, true, false},
    {502, FAIL_SERVER, true, false},   {503, FAIL_SERVER, true, true},
    {504, FAIL_SERVER, true, false},   {501, FAIL_REQUEST, false, false},
};

TEST(classes)
{
    for (size_t i = 0; i < LEN(statuses); i++) {
        char name[16];

        snprintf(name, sizeof(name), "%d", statuses[i].status);
        CHECK_INT(name, remote_class_of_status(statuses[i].status), statuses[i].want);
        CHECK_INT(name, remote_is_retryable(statuses[i].want), statuses[i].is_retryable);
        CHECK_INT(name, remote_is_refusal(statuses[i].status), statuses[i].is_refusal);
    }
    CHECK("connect, timeout, malformed", remote_is_retryable(FAIL_CONNECT) &&
                                             remote_is_retryable(FAIL_TIMEOUT) &&
                                             remote_is_retryable(FAIL_MALFORMED));
    CHECK("context, cancelled",
          !remote_is_retryable(FAIL_CONTEXT) && !remote_is_retryable(FAIL_CANCELLED));
}

TEST(backoff_doubles_and_jitters)
{
    bool differs = false;

    for (int n = 1; n < 20; n++) {
        int64_t most = n > 6 ? 30000 : MIN(500 << (n - 1), 30000);

        for (uint64_t key = 0; key < 100; key++) {
            int64_t ms = remote_backoff_ms(n, key);

            CHECK("within its range", ms >= most / 2 && ms <= most);
            CHECK_INT("follows from the key", remote_backoff_ms(n, key), ms);
            differs |= ms != remote_backoff_ms(n, 0);
        }
    }
    CHECK("keys come back apart", differs);
}

/* Words of servers, and what they say. */
static const struct {
    const char *name, *message;
    int max_tokens;
    bool is_context;
    int n_context, n_prompt;
} messages[] = {
    {"vLLM to 0.8",
     "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (904 in the messages, 4096 in the completion). Please reduce the length of the messages or completion.",
     4096, true, 4096, 904},
    {"vLLM, later",
     "'max_tokens' or 'max_completion_tokens' is too large: 32768. This model's maximum context length is 32768 tokens and your request has 120 input tokens (32768 > 32768 - 120). None",
     32768, true, 32768, 120},
    {"vLLM, prompt alone",
     "This model's maximum context length is 32768 tokens. However, your request has 40000 input tokens. Please reduce the length of the input messages.",
     100, true, 32768, 40000},
    {"SGLang",
     "Requested token count exceeds the model's maximum context length of 32768 tokens. You requested a total of 32900 tokens: 132 tokens from the input messages and 32768 tokens for the completion.",
     32768, true, 32768, 132},
    {"OpenAI",
     "This model's maximum context length is 128000 tokens. However, your messages resulted in 130,001 tokens. Please reduce the length of the messages.",
     10, true, 128000, 130001},
    {"OpenAI, sum",
     "This model's maximum context length is 8,192 tokens. However, you requested 9000 tokens (1000 in the messages, 8000 in the completion).",
     8000, true, 8192, 1000},
    {"only a sum", "maximum context length is 8192 tokens; you requested 9000 tokens", 8000, true,
     8192, 1000},
    {"llama.cpp",
     "{\"error\":{\"code\":400,\"message\":\"the request exceeds the available context size (8192 tokens), try increasing it\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":9001,\"n_ctx\":8192}}",
     10, true, 8192, 9001},
    {"a code alone", "{\"code\": \"context_length_exceeded\"}", 10, true, 0, 0},
    {"capitals", "MAX CONTEXT LENGTH exceeded", 10, true, 0, 0},
    {"window", "the prompt does not fit the context window", 10, true, 0, 0},
    {"absurd numbers",
     "maximum context length is 99999999999999999999 tokens, 88888888888888888888 in the messages",
     10, true, 0, 0},
    {"another 400", "temperature must be between 0 and 2", 10, false, 0, 0},
    {"a wrong model", "The model `x` does not exist.", 10, false, 0, 0},
};

TEST(reads_what_servers_say_about_context)
{
    for (size_t i = 0; i < LEN(messages); i++) {
        int n_context = -1, n_prompt = -1;

        CHECK_INT(messages[i].name, remote_is_context_error(STR(messages[i].message)),
                  messages[i].is_context);
        remote_context_numbers(STR(messages[i].message), messages[i].max_tokens, &n_context,
                               &n_prompt);
        CHECK_INT(messages[i].name, n_context, messages[i].n_context);
        CHECK_INT(messages[i].name, n_prompt, messages[i].n_prompt);
    }
}

TEST(the_window_shrinks_and_grows)
{
    struct remote_window w;

    remote_window_init(&w, 128, 0);
    CHECK_INT("all", w.size, 128);
    remote_window_refused(&w, 127, 10);
    CHECK_INT("shrinks", w.size, 89);
    remote_window_refused(&w, 80, 500);
    CHECK_INT("once a second", w.size, 89);
    remote_window_refused(&w, 88, 1500);
    CHECK_INT("again", w.size, 62);
    remote_window_refused(&w, 9, 3000);
    CHECK_INT("from what runs", w.size, 7);
    remote_window_grow(&w, 3500);
    CHECK_INT("not at once", w.size, 7);
    remote_window_grow(&w, 5000);
    CHECK_INT("grows", w.size, 11);
    remote_window_grow(&w, 500000);
    CHECK_INT("to the most", w.size, 128);
    remote_window_init(&w, 1, 0);
    for (int64_t ms = 2000; ms < 20000; ms += 2000)
        remote_window_refused(&w, 1, ms);
    CHECK_INT("never nothing", w.size, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes),
        cmocka_unit_test(backoff_doubles_and_jitters),
        cmocka_unit_test(reads_what_servers_say_about_context),
        cmocka_unit_test(the_window_shrinks_and_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
