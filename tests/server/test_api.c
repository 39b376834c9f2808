/* test_api.c - the requests of the evaluation clients that people run, as they send them, and every
 * field that those clients read. What the answers say is checked against each other: echo,
 * prompt_logprobs, scoring and generation are four ways to the same numbers. */
#include <math.h>

#include "api_check.h"

static struct test_server server;

static const char script[] =
    "{\"prompt\":\"think\",\"reasoning\":\"so it is \xe2\x88\x80\",\"reply\":\"42\"}\n"
    "{\"prompt\":\"endless\",\"reply\":\"<think>it goes on\",\"finish_reason\":\"length\"}\n"
    "{\"prompt\":\"wide\",\"reply\":\"\xe4\xb8\xad\xe6\x96\x87\xf0\x9f\x98\x80 caf\xc3\xa9, and "
    "\xe4\xb8\xad\"}\n"
    "{\"prompt\":\"stop\",\"reply\":\"one two three four\"}\n";

static int start(void **state UNUSED)
{
    static char path[64];
    static const char *const args[] = {
        "--script", path, "--served-model-name", "tiny", "--reasoning-parser", "qwen3", NULL};
    struct err e = ERR_INIT;

    snprintf(path, sizeof(path), "/tmp/llmeval_script_%d.jsonl", (int)getpid());
    CHECK_OK("script", file_replace(path, STR(script), &e), &e);
    test_server_start(&server, args);
    unlink(path);
    return 0;
}

static int stop(void **state UNUSED)
{
    return test_server_stop(&server);
}

static struct json *post(const char *path, const char *body)
{
    return http_post_json(server.port, path, body, 200);
}

/* --- Clients. --------------------------------------------------------------------------------- */

static const char *const chat_fields[][2] = {
    {"id", "s"},
    {"object", "s"},
    {"created", "i"},
    {"model", "s"},
    {"choices", "a"},
    {"choices.0.index", "i"},
    {"choices.0.message.role", "s"},
    {"choices.0.message.content", "s"},
    {"choices.0.message.refusal", "n"},
    {"choices.0.finish_reason", "s"},
    {"choices.0.stop_reason", "nsi"},
    {"choices.0.logprobs", "n"},
    {"usage.prompt_tokens", "i"},
    {"usage.completion_tokens", "i"},
    {"usage.total_tokens", "i"},
    {"usage.prompt_tokens_details", "no"},
    {"system_fingerprint", "n"},
    {"service_tier", "n"},
    {"choices.0.message.tool_calls", "-"},
};
static const char *const chat_logprob_fields[][2] = {
    {"choices.0.logprobs.content", "a"},
    {"choices.0.logprobs.content.0.token", "s"},
    {"choices.0.logprobs.content.0.logprob", "ri"},
    {"choices.0.logprobs.content.0.bytes", "a"},
    {"choices.0.logprobs.content.0.top_logprobs", "a"},
    {"choices.0.logprobs.content.0.top_logprobs.19.token", "s"},
    {"choices.0.logprobs.content.0.top_logprobs.19.logprob", "r"},
    {"choices.0.logprobs.content.0.top_logprobs.19.bytes", "a"},
};
static const char *const completion_fields[][2] = {
    {"id", "s"},
    {"object", "s"},
    {"created", "i"},
    {"model", "s"},
    {"choices.0.index", "i"},
    {"choices.0.text", "s"},
    {"choices.0.finish_reason", "s"},
    {"choices.0.stop_reason", "nsi"},
    {"usage.prompt_tokens", "i"},
};
static const char *const completion_logprob_fields[][2] = {
    {"choices.0.logprobs.tokens.0", "s"},         {"choices.0.logprobs.token_logprobs.0", "n"},
    {"choices.0.logprobs.token_logprobs.1", "r"}, {"choices.0.logprobs.top_logprobs.0", "n"},
    {"choices.0.logprobs.top_logprobs.1", "o"},   {"choices.0.logprobs.text_offset.0", "i"},
};

#define USER(text) "\"messages\":[{\"role\":\"user\",\"content\":\"" text "\"}]"

static const struct {
    const char *name, *path, *body;
    const char *const (*fields)[2];
    size_t n;
    const char *const (*more)[2];
    size_t n_more;
} shapes[] = {
    {"LLMEval online", "/v1/chat/completions",
     "{\"model\":\"tiny\"," USER(
         "Find $x$.") ",\"max_completion_tokens\":512,\"temperature\":0.6,\"top_p\":0.95,"
                      "\"seed\":12345678901234567,\"top_k\":40,\"min_p\":0.0,\"repetition_"
                      "penalty\":1.0,"
                      "\"chat_template_kwargs\":{\"enable_thinking\":true}}",
     chat_fields, LEN(chat_fields), NULL, 0},
    {"LLMEval mc, first token", "/v1/chat/completions",
     "{\"model\":\"tiny\"," USER(
         "A or B?") ",\"max_completion_tokens\":1,\"temperature\":0,\"top_p\":1,\"seed\":0,"
                    "\"logprobs\":true,\"top_logprobs\":20}",
     chat_logprob_fields, LEN(chat_logprob_fields), NULL, 0},
    {"LLMEval mc, continuation", "/v1/completions",
     "{\"model\":\"tiny\",\"prompt\":[\"Q: A or B?\\nAnswer: A\",\"Q: A or B?\\nAnswer: "
     "B\"],\"max_tokens\":1,"
     "\"temperature\":0,\"logprobs\":20,\"echo\":true}",
     completion_fields, LEN(completion_fields), completion_logprob_fields,
     LEN(completion_logprob_fields)},
    {"lm-eval local-chat-completions", "/v1/chat/completions",
     "{\"model\":\"tiny\",\"messages\":[{\"role\":\"system\",\"content\":\"S\",\"type\":\"text\"},{"
     "\"role\":\"user\","
     "\"content\":\"hi\",\"type\":\"text\"}],\"max_tokens\":256,\"temperature\":0,\"stop\":[\"Q:\","
     "\"</s>\",\"<|im_end|>\",\"\\n\\n\\n\\n\"],"
     "\"seed\":1234}",
     chat_fields, LEN(chat_fields), NULL, 0},
    {"lm-eval local-completions, loglikelihood", "/v1/completions",
     "{\"model\":\"tiny\",\"prompt\":[[65,66,67,68],[69,70,71]],\"max_tokens\":1,\"logprobs\":1,"
     "\"temperature\":0,"
     "\"echo\":true,\"seed\":1234}",
     completion_fields, LEN(completion_fields), completion_logprob_fields,
     LEN(completion_logprob_fields)},
    {"lm-eval local-completions, generation", "/v1/completions",
     "{\"model\":\"tiny\",\"prompt\":[65,66,67],\"max_tokens\":16,\"temperature\":0,\"stop\":[],"
     "\"seed\":1234}",
     completion_fields, LEN(completion_fields), NULL, 0},
    {"inspect_ai chat", "/v1/chat/completions",
     "{\"model\":\"tiny\"," USER(
         "hi") ",\"max_tokens\":64,\"temperature\":1.0,\"top_p\":1.0,\"n\":2,\"logprobs\":true,"
               "\"top_logprobs\":20,\"prompt_logprobs\":2,\"seed\":3,\"stop\":\"zzz\"}",
     chat_logprob_fields, LEN(chat_logprob_fields),
     (const char *const[][2]){{"choices.1.index", "i"},
                              {"usage.completion_tokens", "i"},
                              {"prompt_logprobs.0", "n"},
                              {"prompt_logprobs.1", "o"}},
     4},
    {"inspect_ai completions", "/v1/completions",
     "{\"model\":\"tiny\",\"prompt\":\"Once "
     "upon\",\"max_tokens\":1,\"temperature\":0,\"echo\":true,\"logprobs\":1,"
     "\"prompt_logprobs\":1}",
     completion_logprob_fields, LEN(completion_logprob_fields),
     (const char *const[][2]){{"choices.0.prompt_logprobs.0", "n"},
                              {"choices.0.prompt_logprobs.1", "o"}},
     2},
    {"evalscope", "/v1/chat/completions",
     "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
     "\"text\":\"hi\"}]}],\"max_tokens\":4096,"
     "\"temperature\":0.0,\"n\":1,\"top_k\":20,\"repetition_penalty\":1.05}",
     chat_fields, LEN(chat_fields), NULL, 0},
    {"lighteval by litellm", "/v1/chat/completions",
     "{\"model\":\"tiny\"," USER(
         "hi") ",\"max_completion_tokens\":64,\"stop\":[\"###\"],\"n\":1,\"temperature\":0.7,"
               "\"repetition_penalty\":1.0}",
     chat_fields, LEN(chat_fields), NULL, 0},
    {"an image, as lm-eval sends it", "/v1/chat/completions",
     "{\"model\":\"tiny\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\","
     "\"image_url\":{\"url\":"
     "\"data:image/"
     "png;base64,iVBORw0KGgo=\",\"detail\":\"auto\"}},{\"type\":\"text\",\"text\":\"<image> "
     "what?\"}]}],"
     "\"max_tokens\":4096}",
     chat_fields, LEN(chat_fields), NULL, 0},
};

TEST(shapes_of_clients)
{
    for (size_t i = 0; i < LEN(shapes); i++) {
        struct json *v = post(shapes[i].path, shapes[i].body);

        check_fields(shapes[i].name, v, shapes[i].fields, shapes[i].n);
        check_fields(shapes[i].name, v, shapes[i].more, shapes[i].n_more);
        CHECK_STR(shapes[i].name, json_str(json_get(v, "model")), STR("tiny"));
        json_close(v);
    }
}

TEST(plain_routes)
{
    static const char *const models[][2] = {
        {"object", "s"},           {"data.0.id", "s"},
        {"data.0.object", "s"},    {"data.0.created", "i"},
        {"data.0.owned_by", "s"},  {"data.0.root", "s"},
        {"data.0.parent", "n"},    {"data.0.max_model_len", "i"},
        {"data.0.permission", "a"}};
    static const char *const names[] = {"vllm:num_requests_running",
                                        "vllm:num_requests_waiting",
                                        "vllm:kv_cache_usage_perc",
                                        "vllm:prefix_cache_queries",
                                        "vllm:prefix_cache_hits",
                                        "vllm:num_preemptions",
                                        "vllm:prompt_tokens",
                                        "vllm:generation_tokens",
                                        "vllm:time_to_first_token_seconds_bucket",
                                        "vllm:inter_token_latency_seconds_sum",
                                        "vllm:e2e_request_latency_seconds_count",
                                        "finished_reason=\"stop\""};
    struct http_reply r;
    struct err e = ERR_INIT;
    struct json *v;

    http_call(server.port, "GET", "/v1/models", "", STR(""), &r);
    v = json_parse(buf_str(&r.body), &e);
    check_fields("models", v, models, LEN(models));
    json_close(v);
    http_reply_clear(&r);
    http_call(server.port, "GET", "/v1/models/tiny", "", STR(""), &r);
    v = json_parse(buf_str(&r.body), &e);
    CHECK_INT("one model", r.status, 200);
    CHECK_STR("its name", json_str(json_get(v, "id")), STR("tiny"));
    CHECK_INT("its context", json_int(json_get(v, "max_model_len"), 0), 32768);
    json_close(v);
    http_reply_clear(&r);
    http_call(server.port, "GET", "/health", "", STR(""), &r);
    CHECK_INT("health", r.status, 200);
    http_reply_clear(&r);
    http_call(server.port, "GET", "/version", "", STR(""), &r);
    CHECK_STR("version", buf_str(&r.body), STR("{\"version\":\"" LLMEVAL_VERSION "\"}"));
    http_reply_clear(&r);
    http_call(server.port, "GET", "/metrics", "", STR(""), &r);
    for (size_t i = 0; i < LEN(names); i++)
        CHECK(names[i], str_find(buf_str(&r.body), STR(names[i]), 0) >= 0);
    http_reply_clear(&r);
}

TEST(tokenizer_routes)
{
    static const char *const info_fields[][2] = {
        {"eos_token", "s"}, {"bos_token", "s"}, {"pad_token", "s"}, {"chat_template", "s"}};
    struct json *v =
        post("/tokenize", "{\"model\":\"tiny\",\"prompt\":\"caf\xc3\xa9 au "
                          "lait\",\"add_special_tokens\":false,\"return_token_strs\":true}");
    struct json *back, *info;
    struct buf body = {0};
    struct http_reply r;
    struct err e = ERR_INIT;

    CHECK_INT("count", json_int(json_get(v, "count"), 0), json_len(json_get(v, "tokens")));
    CHECK_INT("strs", json_len(json_get(v, "token_strs")), json_len(json_get(v, "tokens")));
    CHECK_INT("max_model_len", json_int(json_get(v, "max_model_len"), 0), 32768);
    buf_addz(&body, "{\"tokens\":");
    json_write(&body, json_get(v, "tokens"));
    buf_addz(&body, "}");
    back = post("/detokenize", buf_z(&body));
    CHECK_STR("there and back", json_str(json_get(back, "prompt")), STR("caf\xc3\xa9 au lait"));
    json_close(back);
    json_close(v);
    v = post("/tokenize", "{" USER("hi") "}");
    CHECK("a conversation has tokens", json_int(json_get(v, "count"), 0) > 0);
    CHECK_INT("no strs unless asked", json_type(json_get(v, "token_strs")), JSON_NULL);
    json_close(v);
    http_call(server.port, "GET", "/tokenizer_info", "", STR(""), &r);
    info = json_parse(buf_str(&r.body), &e);
    check_fields("tokenizer_info", info, info_fields, LEN(info_fields));
    json_close(info);
    http_reply_clear(&r);
    buf_clear(&body);
}

/* --- The numbers agree. ----------------------------------------------------------------------- */

/* Sum of token_logprobs from `from` up to, not including, the generated token. */
static double echo_sum(const struct json *logprobs, size_t from)
{
    const struct json *list = json_get(logprobs, "token_logprobs");
    double sum = 0;

    for (size_t i = from; i + 1 < json_len(list); i++)
        sum += json_num(json_at(list, i), NAN);
    return sum;
}

TEST(four_ways_to_a_logprob)
{
    struct json *echo =
        post("/v1/completions", "{\"prompt\":[[65,66,67,337458277,69]],\"max_tokens\":1,"
                                "\"logprobs\":1,\"echo\":true,\"temperature\":0}");
    struct json *prompt =
        post("/v1/completions",
             "{\"prompt\":[65,66,67,337458277,69],\"max_tokens\":1,\"prompt_logprobs\":0}");
    struct json *score =
        post("/v1/score", "{\"context\":[65,66],\"continuations\":[[67,337458277,69],[67],[70]]}");
    struct json *none =
        post("/v1/completions",
             "{\"prompt\":[65,66,67,337458277,69],\"max_tokens\":0,\"logprobs\":0,\"echo\":true}");
    double want = json_num(at_path(score, "results.0.logprob"), NAN), by_prompt = 0, by_none = 0;
    bool is_greedy = true;

    CHECK_INT("n_tokens", json_int(at_path(score, "results.0.n_tokens"), 0), 3);
    CHECK_INT("n_bytes", json_int(at_path(score, "results.0.n_bytes"), 0), 6);
    CHECK("echo", fabs(echo_sum(at_path(echo, "choices.0.logprobs"), 2) - want) < 1e-4);
    for (size_t i = 2; i < 5; i++) {
        const struct json *map = json_at(at_path(prompt, "choices.0.prompt_logprobs"), i);
        struct json_iter it = json_iter(map);
        const struct json *top = json_at(at_path(echo, "choices.0.logprobs.top_logprobs"), i);
        double chosen =
            json_num(json_at(at_path(echo, "choices.0.logprobs.token_logprobs"), i), NAN);

        CHECK("one entry", json_next(&it));
        by_prompt += json_num(json_get(it.value, "logprob"), NAN);
        by_none += json_num(json_at(at_path(none, "choices.0.logprobs.token_logprobs"), i), NAN);
        for (it = json_iter(top); json_next(&it);)
            is_greedy = is_greedy && chosen >= json_num(it.value, NAN); /* as lm-eval decides it */
    }
    CHECK("prompt_logprobs", fabs(by_prompt - want) < 1e-4);
    CHECK("max_tokens 0", fabs(by_none - want) < 1e-4);
    CHECK_INT("greedy flag", json_bool(at_path(score, "results.0.is_greedy"), !is_greedy),
              is_greedy);
    CHECK_INT("nothing is generated", json_int(at_path(none, "usage.completion_tokens"), -1), 0);
    CHECK("nothing is shown", str_starts(json_str(at_path(none, "choices.0.text")), "ABC"));
    CHECK_INT("only the prompt", json_str(at_path(none, "choices.0.text")).len, 8);
    json_close(echo);
    json_close(prompt);
    json_close(score);
    json_close(none);
}

/* The logprobs of named ids are those that /v1/score gives the same ids, in the order of the
 * request, at every position and in place of the likeliest; a chat streams the same. */
TEST(logprobs_of_named_ids)
{
    struct json *v = post(
        "/v1/completions",
        "{\"prompt\":[65,66],\"max_tokens\":3,\"logprobs\":2,\"logprob_token_ids\":[67,337458277,"
        "90,67],\"return_token_ids\":true,\"return_tokens_as_token_ids\":true,\"seed\":1}");
    const struct json *maps = at_path(v, "choices.0.logprobs.top_logprobs"),
                      *ids = at_path(v, "choices.0.token_ids");
    static const int named[] = {67, 337458277, 90};

    CHECK_INT("positions", json_len(maps), 3);
    for (size_t i = 0; i < 3; i++) {
        struct buf body = {0};
        struct json *score;

        buf_addz(&body, "{\"context\":[65,66");
        for (size_t k = 0; k < i; k++)
            buf_addf(&body, ",%lld", (long long)json_int(json_at(ids, k), -1));
        buf_addz(&body, "],\"continuations\":[[67],[337458277],[90]]}");
        score = post("/v1/score", buf_z(&body));
        CHECK_INT("the ids and the chosen token", json_len(json_at(maps, i)), 4);
        for (size_t k = 0; k < LEN(named); k++) {
            char key[32];

            snprintf(key, sizeof(key), "token_id:%d", named[k]);
            CHECK(key, fabs(json_num(json_get(json_at(maps, i), key), NAN) -
                            json_num(json_get(json_at(json_get(score, "results"), k), "logprob"),
                                     NAN)) < 1e-6);
        }
        json_close(score);
        buf_clear(&body);
    }
    json_close(v);
    v = post(
        "/v1/chat/completions",
        "{" USER("stop") ",\"logprobs\":true,\"top_logprobs\":5,\"logprob_token_ids\":[68,65]}");
    CHECK("several tokens", json_len(at_path(v, "choices.0.logprobs.content")) > 2);
    for (size_t i = 0; i < json_len(at_path(v, "choices.0.logprobs.content")); i++) {
        const struct json *top =
            json_get(json_at(at_path(v, "choices.0.logprobs.content"), i), "top_logprobs");

        CHECK_INT("two", json_len(top), 2);
        CHECK_STR("first", json_str(json_get(json_at(top, 0), "token")), STR("D"));
        CHECK_STR("second", json_str(json_get(json_at(top, 1), "token")), STR("A"));
    }
    json_close(v);
}

/* What is left of a prompt, by the ids that the answer reports. */
static const struct {
    const char *name, *fields;
    int n_left, first, n_cut;
} cuts[] = {
    {"the last ones are kept", "\"truncate_prompt_tokens\":2", 2, 68, 3},
    {"said outright", "\"truncate_prompt_tokens\":2,\"truncation_side\":\"left\"", 2, 68, 3},
    {"the first ones are kept", "\"truncate_prompt_tokens\":2,\"truncation_side\":\"right\"", 2, 65,
     3},
    {"as many as there are", "\"truncate_prompt_tokens\":5", 5, 65, 0},
    {"more than there are", "\"truncate_prompt_tokens\":50", 5, 65, 0},
    {"as many as fit", "\"truncate_prompt_tokens\":-1", 5, 65, 0},
    {"beside max_tokens", "\"truncate_prompt_tokens\":-1,\"max_tokens\":32764", 4, 66, 1},
    {"with the prompt's logprobs",
     "\"truncate_prompt_tokens\":4,\"echo\":true,\"logprobs\":1,\"max_tokens\":0", 4, 66, 1},
};

TEST(prompts_are_cut_as_asked_and_it_is_said)
{
    struct http_reply r;
    double n_cut = 0;

    for (size_t i = 0; i < LEN(cuts); i++) {
        char body[256];
        struct json *v;
        const struct json *choice;

        snprintf(body, sizeof(body),
                 "{\"prompt\":[65,66,67,68,69],\"return_token_ids\":true,\"seed\":1,%s}",
                 cuts[i].fields);
        v = post("/v1/completions", body);
        choice = json_at(json_get(v, "choices"), 0);
        CHECK_INT(cuts[i].name, json_len(json_get(choice, "prompt_token_ids")), cuts[i].n_left);
        CHECK_INT(cuts[i].name, json_int(json_at(json_get(choice, "prompt_token_ids"), 0), 0),
                  cuts[i].first);
        CHECK_INT(cuts[i].name, json_int(json_get(choice, "truncated_prompt_tokens"), -1),
                  cuts[i].n_cut);
        CHECK_INT(cuts[i].name, json_int(at_path(v, "usage.prompt_tokens"), 0), cuts[i].n_left);
        CHECK_INT(cuts[i].name,
                  json_int(at_path(v, "usage.prompt_tokens_details.truncated_tokens"), -1),
                  cuts[i].n_cut);
        if (json_type(json_get(choice, "logprobs")) == JSON_OBJECT)
            CHECK_INT("echoed", json_len(at_path(choice, "logprobs.tokens")), cuts[i].n_left);
        n_cut += cuts[i].n_cut;
        json_close(v);
    }
    http_call(server.port, "GET", "/metrics", "", STR(""), &r);
    CHECK("counted",
          str_find(buf_str(&r.body),
                   STR("vllm:prompt_tokens_truncated_total{model_name=\"tiny\"} "), 0) >= 0 &&
              str_find(buf_str(&r.body), STR("truncated_total{model_name=\"tiny\"} 0\n"), 0) < 0);
    CHECK("some were", n_cut > 0);
    http_reply_clear(&r);
}

/* An echo shows what is left, and who asks for nothing is told nothing. */
TEST(a_cut_prompt_is_echoed_as_it_was_read)
{
    struct json *v =
        post("/v1/completions", "{\"prompt\":[65,66,67,68,69],\"echo\":true,\"max_tokens\":0,"
                                "\"logprobs\":0,\"truncate_prompt_tokens\":3}");

    CHECK_STR("text", json_str(at_path(v, "choices.0.text")), STR("CDE"));
    json_close(v);
    v = post("/v1/completions", "{\"prompt\":[65,66],\"max_tokens\":1}");
    CHECK_INT("no word of it", json_type(at_path(v, "choices.0.truncated_prompt_tokens")),
              JSON_ABSENT);
    CHECK_INT("nor in usage", json_type(at_path(v, "usage.prompt_tokens_details")), JSON_NULL);
    json_close(v);
}

/* Tokens of the reply, put behind the prompt, have the logprobs that they were generated with. */
TEST(teacher_forced)
{
    struct json *made =
        post("/v1/completions", "{\"prompt\":\"Tell\",\"max_tokens\":12,\"logprobs\":0,\"seed\":5,"
                                "\"return_token_ids\":true}");
    const struct json *ids = at_path(made, "choices.0.token_ids"),
                      *lps = at_path(made, "choices.0.logprobs.token_logprobs");
    struct buf body = {0};
    struct json *score;
    double sum = 0;

    CHECK_INT("ids", json_len(ids), 12);
    for (size_t i = 0; i < json_len(lps); i++)
        sum += json_num(json_at(lps, i), NAN);
    buf_addz(&body, "{\"context\":\"Tell\",\"continuations\":[");
    json_write(&body, ids);
    buf_addz(&body, "]}");
    score = post("/v1/score", buf_z(&body));
    CHECK("sum", fabs(json_num(at_path(score, "results.0.logprob"), NAN) - sum) < 1e-4);
    json_close(score);
    json_close(made);
    buf_clear(&body);
}

/* What LLMEval's continuation mode demands of echo: equal lengths, offsets that cut the text into
 * its tokens. */
TEST(offsets_cut_the_text)
{
    struct json *v =
        post("/v1/completions",
             "{\"prompt\":\"Na\xc3\xafve \xe4\xb8\xad\xe6\x96\x87 "
             "text\",\"max_tokens\":1,\"logprobs\":2,\"echo\":true,\"temperature\":0}");
    const struct json *lp = at_path(v, "choices.0.logprobs"), *tokens = json_get(lp, "tokens"),
                      *offsets = json_get(lp, "text_offset");
    size_t n = json_len(tokens), at = 0;

    CHECK("tokens", n > 3);
    CHECK_INT("token_logprobs", json_len(json_get(lp, "token_logprobs")), n);
    CHECK_INT("top_logprobs", json_len(json_get(lp, "top_logprobs")), n);
    CHECK_INT("text_offset", json_len(offsets), n);
    for (size_t i = 0; i < n; i++) {
        CHECK_INT("offset", json_int(json_at(offsets, i), -1), at);
        at += utf8_count(json_str(json_at(tokens, i)));
    }
    json_close(v);
}

/* --- Choices, seeds, streams. ----------------------------------------------------------------- */

/* n choices equal n requests with the seeds seed, seed + 1, ...; prompts come first, choices
 * within. */
TEST(order_of_choices)
{
    struct json *all =
        post("/v1/completions", "{\"prompt\":[\"a\",\"b\"],\"n\":3,\"seed\":7,\"max_tokens\":40}");

    CHECK_INT("choices", json_len(json_get(all, "choices")), 6);
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < 3; i++) {
            char body[128], name[48];
            struct json *one;
            const struct json *choice = json_at(json_get(all, "choices"), (size_t)(p * 3 + i));

            snprintf(body, sizeof(body), "{\"prompt\":\"%c\",\"seed\":%d,\"max_tokens\":40}",
                     'a' + p, 7 + i);
            snprintf(name, sizeof(name), "prompt %d choice %d", p, i);
            one = post("/v1/completions", body);
            CHECK_INT(name, json_int(json_get(choice, "index"), -1), p * 3 + i);
            CHECK_STR(name, json_str(json_get(choice, "text")),
                      json_str(at_path(one, "choices.0.text")));
            json_close(one);
        }
    CHECK("children differ", !str_eq(json_str(at_path(all, "choices.0.text")),
                                     json_str(at_path(all, "choices.1.text"))));
    json_close(all);
}

static const char *const stream_bodies[] = {
    USER("Find x.") ",\"seed\":3,\"max_tokens\":200",
    USER("wide") ",\"seed\":3",
    USER("think") ",\"seed\":4",
    USER("endless") ",\"seed\":4",
    USER("stop") ",\"stop\":[\"thr\"]",
    USER("stop") ",\"stop\":[\"thr\"],\"include_stop_str_in_output\":true",
    USER("Find y.") ",\"seed\":9,\"max_tokens\":30,\"n\":4",
    USER("wide") ",\"logprobs\":true,\"top_logprobs\":2",
    USER("wide") ",\"logprobs\":true,\"logprob_token_ids\":[65,66,67,68]",
    USER("wide") ",\"max_tokens\":2",
    USER("think") ",\"reasoning_format\":\"none\"",
    USER("think") ",\"include_reasoning\":false",
    "\"prompt\":\"wide\",\"max_tokens\":50",
    "\"prompt\":\"wide\",\"max_tokens\":50,\"logprobs\":1",
    "\"prompt\":\"wide\",\"max_tokens\":50,\"logprobs\":0,\"logprob_token_ids\":[65,66]",
    "\"prompt\":\"stop\",\"max_tokens\":3,\"echo\":true",
    "\"prompt\":\"What is to be cut off here?\",\"max_tokens\":30,\"echo\":true,\"truncate_prompt_tokens\":3,\"seed\":4",
    USER(
        "Where does it begin?") ",\"max_tokens\":30,\"truncate_prompt_tokens\":5,\"truncation_side\":\"right\",\"n\":2,\"seed\":4",
    "\"prompt\":[\"stop\",\"wide\"],\"max_tokens\":4,\"n\":2,\"echo\":true,\"logprobs\":0,\"seed\":1",
};

TEST(streams_equal_whole_answers)
{
    for (size_t i = 0; i < LEN(stream_bodies); i++) {
        const char *path = str_starts(STR(stream_bodies[i]), "\"prompt") ? "/v1/completions"
                                                                         : "/v1/chat/completions";
        char whole[512], streamed[512];
        struct json *v;
        struct stream s;

        snprintf(whole, sizeof(whole), "{%s}", stream_bodies[i]);
        snprintf(streamed, sizeof(streamed),
                 "{%s,\"stream\":true,\"stream_options\":{\"include_usage\":true}}",
                 stream_bodies[i]);
        v = post(path, whole);
        stream_call(server.port, path, streamed, &s);
        CHECK_INT(streamed, s.status, 200);
        CHECK(streamed, s.is_done);
        CHECK(streamed, json_same(s.usage, json_get(v, "usage")));
        for (size_t k = 0; k < json_len(json_get(v, "choices")); k++) {
            const struct json *c = json_at(json_get(v, "choices"), k);
            const struct json *text =
                json_get(c, "text") ? json_get(c, "text") : at_path(c, "message.content");
            const struct json *numbers = at_path(c, "logprobs.token_logprobs"),
                              *tokens = at_path(c, "logprobs.content");

            CHECK_STR(streamed, buf_str(&s.texts[k]), json_str(text));
            CHECK_STR(streamed, buf_str(&s.reasonings[k]),
                      json_str(at_path(c, "message.reasoning")));
            CHECK_STR(streamed, STR(s.finish[k]), json_str(json_get(c, "finish_reason")));
            CHECK_INT(streamed, s.n_logprobs[k], json_len(numbers) + json_len(tokens));
            CHECK(streamed, fabs(s.top_sum[k] - top_sum_of(c)) < 1e-9);
        }
        stream_clear(&s);
        json_close(v);
    }
}

TEST(reasoning_apart_and_raw)
{
    struct json *v = post("/v1/chat/completions", "{" USER("think") "}");

    CHECK_STR("content", json_str(at_path(v, "choices.0.message.content")), STR("\n\n42"));
    CHECK_STR("reasoning", json_str(at_path(v, "choices.0.message.reasoning")),
              STR("\nso it is \xe2\x88\x80\n"));
    CHECK_STR("the older name", json_str(at_path(v, "choices.0.message.reasoning_content")),
              STR("\nso it is \xe2\x88\x80\n"));
    CHECK("its tokens",
          json_int(at_path(v, "usage.completion_tokens_details.reasoning_tokens"), 0) > 5);
    json_close(v);
    v = post("/v1/chat/completions", "{" USER("endless") "}");
    CHECK_INT("thoughts that never end leave no content",
              json_type(at_path(v, "choices.0.message.content")), JSON_NULL);
    CHECK_STR("length", json_str(at_path(v, "choices.0.finish_reason")), STR("length"));
    json_close(v);
    v = post("/v1/chat/completions", "{" USER("think") ",\"reasoning_format\":\"none\"}");
    CHECK_STR("raw", json_str(at_path(v, "choices.0.message.content")),
              STR("<think>\nso it is \xe2\x88\x80\n</think>\n\n42"));
    CHECK_INT("nothing told apart", json_type(at_path(v, "choices.0.message.reasoning")),
              JSON_ABSENT);
    json_close(v);
}

TEST(stop_strings_and_limits)
{
    struct json *v = post("/v1/chat/completions", "{" USER("stop") ",\"stop\":[\"four\",\"two\"]}");

    CHECK_STR("cut before", json_str(at_path(v, "choices.0.message.content")), STR("one "));
    CHECK_STR("stop_reason", json_str(at_path(v, "choices.0.stop_reason")), STR("two"));
    CHECK_STR("finish_reason", json_str(at_path(v, "choices.0.finish_reason")), STR("stop"));
    json_close(v);
    v = post("/v1/chat/completions", "{" USER("stop") ",\"max_tokens\":1}");
    CHECK_STR("length", json_str(at_path(v, "choices.0.finish_reason")), STR("length"));
    CHECK_INT("one token", json_int(at_path(v, "usage.completion_tokens"), 0), 1);
    json_close(v);
}

TEST(unknown_fields_are_named)
{
    struct http_reply r;

    http_call(server.port, "POST", "/v1/chat/completions", "X-Request-Id: abc-1\r\n",
              STR("{" USER("stop") ",\"frobnicate\":1,\"mm_processor_kwargs\":{},\"user\":\"u\"}"),
              &r);
    CHECK_INT("accepted", r.status, 200);
    CHECK_STR("named", http_reply_header(&r, "x-llmeval-ignored-fields"),
              STR("frobnicate,mm_processor_kwargs"));
    CHECK_STR("request id", http_reply_header(&r, "X-Request-Id"), STR("abc-1"));
    http_reply_clear(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_of_clients),
        cmocka_unit_test(plain_routes),
        cmocka_unit_test(tokenizer_routes),
        cmocka_unit_test(four_ways_to_a_logprob),
        cmocka_unit_test(teacher_forced),
        cmocka_unit_test(offsets_cut_the_text),
        cmocka_unit_test(order_of_choices),
        cmocka_unit_test(streams_equal_whole_answers),
        cmocka_unit_test(reasoning_apart_and_raw),
        cmocka_unit_test(stop_strings_and_limits),
        cmocka_unit_test(unknown_fields_are_named),
        cmocka_unit_test(logprobs_of_named_ids),
        cmocka_unit_test(prompts_are_cut_as_asked_and_it_is_said),
        cmocka_unit_test(a_cut_prompt_is_echoed_as_it_was_read),
    };

    signal(SIGPIPE, SIG_IGN);
    return RUN_GROUP(tests, start, stop);
}
