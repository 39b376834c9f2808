/* test_serve_local.c - llmeval serve over a model: the same tokens and the same log-probabilities,
 * whichever way they are asked for. */
#include "test.h"

#include <math.h>

#include "base/arena.h"
#include "formats/json.h"
#include "generator/generator_local.h"
#include "http_client.h"

#define MODEL TEST_DATA "/models/qwen3-tied-bf16"

enum { MAX_TOKENS = 24, N_CHATS = 64 };

static struct test_server server;

static int start(void **state UNUSED)
{
    static const char *const args[] = {"--model",
                                       MODEL,
                                       "--dtype",
                                       "float32",
                                       "--max-model-len",
                                       "1024",
                                       "--num_kv_blocks",
                                       "800",
                                       "--served-model-name",
                                       "tiny",
                                       NULL};

    test_server_start(&server, args);
    return 0;
}

static int stop(void **state UNUSED)
{
    return test_server_stop(&server);
}

static struct json *post(const char *path, struct arena *a, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* '$' in the body stands for a quotation mark. */
static struct json *post(const char *path, struct arena *a, const char *fmt, ...)
{
    struct buf body = {0};
    va_list args;
    struct json *out;
    char *z;

    va_start(args, fmt);
    buf_addv(&body, fmt, args);
    va_end(args);
    z = arena_strndup(a, body.ptr, body.len);
    for (char *c = z; *c; c++)
        *c = *c == '$' ? '"' : *c;
    out = http_post_json(server.port, path, z, 200);
    buf_clear(&body);
    return out;
}

static double sum_of(const struct json *list, size_t from)
{
    double sum = 0;

    for (size_t i = from; i < json_len(list); i++)
        sum += json_num(json_at(list, i), NAN);
    return sum;
}

/* prompt_logprobs: [null, {"id": {"logprob": x, "rank": r, ...}, ...}, ...]; the entry of each
 * prompt token is its first. */
static double sum_of_prompt_logprobs(const struct json *list, const struct json *ids, size_t from)
{
    double sum = 0;
    char key[32];

    for (size_t i = from; i < json_len(list); i++) {
        snprintf(key, sizeof(key), "%lld", (long long)json_int(json_at(ids, i), -1));
        sum += json_num(json_get(json_get(json_at(list, i), key), "logprob"), NAN);
    }
    return sum;
}

/* The same by the waist, in this process: what `offline` stands on. */
static double sum_in_process(const struct json *ids, size_t n_context)
{
    struct engine_opts defaults = {0}, o;
    struct err e = ERR_INIT;
    struct generator *g;
    int32_t all[512];
    struct gen_request r = {.kind = GEN_SCORE,
                            .prompt_ids = all,
                            .n_prompt_ids = (int)n_context,
                            .continuation_ids = all + n_context,
                            .n_continuation_ids = (int)(json_len(ids) - n_context),
                            .sampling = sampling_default()};
    struct gen_event ev;
    double sum;
    int n = 0;

    for (size_t i = 0; i < json_len(ids); i++)
        all[i] = (int32_t)json_int(json_at(ids, i), -1);
    opts_defaults(&(struct opt_group){"", engine_table, &defaults}, 1);
    o = defaults;
    o.model_name_or_path = MODEL;
    o.dtype = "float32";
    o.max_model_len = 1024;
    o.num_kv_blocks = 100;
    g = generator_local_open(&o, &e);
    CHECK_OK("open", g != NULL, &e);
    CHECK_OK("submit", generator_submit(g, &r, &e), &e);
    while (n == 0)
        CHECK_OK("poll", generator_poll(g, 1000, &ev, 1, &n, &e), &e);
    CHECK_INT("done", ev.kind, GEN_DONE);
    sum = ev.score;
    generator_close(g);
    opts_clear(&(struct opt_group){"", engine_table, &defaults}, 1, NULL);
    return sum;
}

/* Done by: echo, prompt_logprobs, /v1/score, generation forced to say it, and the engine in this
 * process. */
TEST(one_logprob_however_it_is_asked_for)
{
    static const char context[] = "What is the value of",
                      continuation[] = " the function at x=3? Let us see.";
    struct arena a;
    struct json *tokens, *whole, *echo, *prompt, *score, *ids;
    size_t n_context;
    double want, forced = 0;

    arena_init(&a, 0);
    tokens = post("/tokenize", &a, "{$prompt$:$%s$}", context);
    n_context = json_len(json_get(tokens, "tokens"));
    whole = post("/tokenize", &a, "{$prompt$:$%s%s$}", context, continuation);
    ids = json_get(whole, "tokens");
    CHECK("a continuation", json_len(ids) > n_context + 5);

    score = post("/v1/score", &a, "{$context$:$%s$,$continuations$:[$%s$,$ no$]}", context,
                 continuation);
    want = json_num(json_get(json_at(json_get(score, "results"), 0), "logprob"), NAN);
    CHECK("score", want < 0);

    echo = post("/v1/completions", &a, "{$prompt$:$%s%s$,$max_tokens$:0,$echo$:true,$logprobs$:1}",
                context, continuation);
    CHECK("echo", fabs(sum_of(json_get(json_get(json_at(json_get(echo, "choices"), 0), "logprobs"),
                                       "token_logprobs"),
                              n_context) -
                       want) < 1e-4);

    prompt = post("/v1/completions", &a, "{$prompt$:$%s%s$,$max_tokens$:1,$prompt_logprobs$:1}",
                  context, continuation);
    CHECK("prompt_logprobs",
          fabs(sum_of_prompt_logprobs(
                   json_get(json_at(json_get(prompt, "choices"), 0), "prompt_logprobs"), ids,
                   n_context) -
               want) < 1e-4);

    for (size_t i = n_context; i < json_len(ids); i++) { /* forced, token by token */
        struct buf list = {0};
        struct json *one;

        for (size_t k = 0; k < i; k++)
            buf_addf(&list, "%s%lld", k ? "," : "", (long long)json_int(json_at(ids, k), -1));
        one = post(
            "/v1/completions", &a,
            "{$prompt$:[%s],$max_tokens$:1,$logprobs$:1,$ignore_eos$:true,$allowed_token_ids$:[%lld]}",
            buf_z(&list), (long long)json_int(json_at(ids, i), -1));
        forced += sum_of(
            json_get(json_get(json_at(json_get(one, "choices"), 0), "logprobs"), "token_logprobs"),
            0);
        json_close(one);
        buf_clear(&list);
    }
    CHECK("forced", fabs(forced - want) < 1e-4);
    CHECK("in process", fabs(sum_in_process(ids, n_context) - want) < 1e-4);
    json_close(tokens);
    json_close(whole);
    json_close(echo);
    json_close(prompt);
    json_close(score);
    arena_clear(&a);
}

/* Four answers by one token: the numbers of /v1/score, whether they are likely or not, streamed or
 * not. */
TEST(four_answers_by_one_token)
{
    static const int ids[] = {32, 33, 34, 35};
    struct arena a;
    struct json *tokens, *score, *text, *talk;
    struct buf list = {0};

    arena_init(&a, 0);
    tokens = post("/tokenize", &a, "{$messages$:[{$role$:$user$,$content$:$A or B?$}]}");
    json_write(&list, json_get(tokens, "tokens"));
    score =
        post("/v1/score", &a, "{$context$:%s,$continuations$:[[32],[33],[34],[35]]}", buf_z(&list));
    text = post(
        "/v1/completions", &a,
        "{$prompt$:%s,$max_tokens$:1,$temperature$:0,$logprobs$:1,$return_tokens_as_token_ids$:true,"
        "$logprob_token_ids$:[32,33,34,35]}",
        buf_z(&list));
    talk = post(
        "/v1/chat/completions", &a,
        "{$messages$:[{$role$:$user$,$content$:$A or B?$}],$max_tokens$:1,$temperature$:0,$logprobs$:true,"
        "$return_tokens_as_token_ids$:true,$logprob_token_ids$:[32,33,34,35]}");
    for (size_t i = 0; i < LEN(ids); i++) {
        double want = json_num(json_get(json_at(json_get(score, "results"), i), "logprob"), NAN);
        const struct json *map = json_at(
                              json_get(json_get(json_at(json_get(text, "choices"), 0), "logprobs"),
                                       "top_logprobs"),
                              0),
                          *top = json_get(
                              json_at(json_get(json_get(json_at(json_get(talk, "choices"), 0),
                                                        "logprobs"),
                                               "content"),
                                      0),
                              "top_logprobs");
        struct str key = str_fmt(&a, "token_id:%d", ids[i]);

        CHECK("a completion", fabs(json_num(json_get_str(map, key), NAN) - want) < 1e-4);
        CHECK_INT("of a chat", json_len(top), 4);
        CHECK_STR("in order", json_str(json_get(json_at(top, i), "token")), key);
        CHECK("a chat", fabs(json_num(json_get(json_at(top, i), "logprob"), NAN) - want) < 1e-4);
    }
    json_close(tokens);
    json_close(score);
    json_close(text);
    json_close(talk);
    buf_clear(&list);
    arena_clear(&a);
}

/* A cut prompt is answered as the same prompt, cut by the client. */
TEST(a_cut_prompt_is_a_shorter_prompt)
{
    static const char *const sides[] = {"left", "right"};
    struct arena a;
    struct json *tokens;
    const struct json *ids;
    int n;

    arena_init(&a, 0);
    tokens = post("/tokenize", &a, "{$prompt$:$What is the value of the function at x=3?$}");
    ids = json_get(tokens, "tokens");
    n = (int)json_len(ids);
    CHECK("long enough", n > 8);
    for (size_t i = 0; i < LEN(sides); i++) {
        struct buf list = {0};
        struct json *cut, *own;
        int from = i == 0 ? n - 5 : 0;

        for (int k = from; k < from + 5; k++)
            buf_addf(&list, "%s%lld", k > from ? "," : "",
                     (long long)json_int(json_at(ids, (size_t)k), -1));
        own = post("/v1/completions", &a,
                   "{$prompt$:[%s],$max_tokens$:12,$temperature$:0,$logprobs$:0}", buf_z(&list));
        cut = post(
            "/v1/completions", &a,
            "{$prompt$:$What is the value of the function at x=3?$,$max_tokens$:12,$temperature$:0,$logprobs$:0,"
            "$truncate_prompt_tokens$:5,$truncation_side$:$%s$}",
            sides[i]);
        CHECK_STR(sides[i], json_str(json_get(json_at(json_get(cut, "choices"), 0), "text")),
                  json_str(json_get(json_at(json_get(own, "choices"), 0), "text")));
        CHECK(sides[i], json_same(json_get(json_at(json_get(cut, "choices"), 0), "logprobs"),
                                  json_get(json_at(json_get(own, "choices"), 0), "logprobs")));
        CHECK_INT(
            sides[i],
            json_int(json_get(json_at(json_get(cut, "choices"), 0), "truncated_prompt_tokens"), -1),
            n - 5);
        json_close(own);
        json_close(cut);
        buf_clear(&list);
    }
    json_close(tokens);
    arena_clear(&a);
}

/* -1: a prompt that is far too long is answered from its end. */
TEST(a_prompt_as_long_as_fits)
{
    struct arena a;
    struct buf text = {0};
    struct json *v;

    arena_init(&a, 0);
    for (int i = 0; i < 1500; i++)
        buf_addz(&text, " value");
    v = post(
        "/v1/completions", &a,
        "{$prompt$:$%s$,$max_tokens$:24,$temperature$:0,$ignore_eos$:true,$truncate_prompt_tokens$:-1}",
        buf_z(&text));
    CHECK_INT("the rest of the context",
              json_int(json_get(json_get(v, "usage"), "prompt_tokens"), 0), 1000);
    CHECK_INT("and what was asked for",
              json_int(json_get(json_get(v, "usage"), "completion_tokens"), 0), 24);
    CHECK("what was cut off is said",
          json_int(json_get(json_at(json_get(v, "choices"), 0), "truncated_prompt_tokens"), 0) >=
              500);
    json_close(v);
    buf_clear(&text);
    arena_clear(&a);
}

/* Parts are lines of one text where the template reads only strings, and images are refused still.
 */
TEST(parts_of_a_content)
{
    struct arena a;
    struct json *parts, *text;

    arena_init(&a, 0);
    parts = post(
        "/tokenize", &a,
        "{$messages$:[{$role$:$user$,$content$:[{$type$:$text$,$text$:$one$},{$type$:$text$,$text$:$two$}]}]}");
    text = post("/tokenize", &a, "{$messages$:[{$role$:$user$,$content$:$one\\ntwo$}]}");
    CHECK("the same tokens", json_same(json_get(parts, "tokens"), json_get(text, "tokens")));
    json_close(parts);
    json_close(text);
    parts = post(
        "/tokenize", &a,
        "{$chat_template$:$%s$,$messages$:[{$role$:$user$,$content$:[{$type$:$text$,$text$:$one$},"
        "{$type$:$text$,$text$:$two$}]}]}",
        "{%- for m in messages %}{%- for c in m.content %}{{ c.text }}|{%- endfor %}{%- endfor %}");
    text = post("/tokenize", &a, "{$prompt$:$one|two|$,$add_special_tokens$:false}");
    CHECK("a template that reads parts",
          json_same(json_get(parts, "tokens"), json_get(text, "tokens")));
    json_close(parts);
    json_close(text);
    arena_clear(&a);
}

TEST(an_id_outside_the_vocabulary)
{
    struct http_reply r;

    http_call(server.port, "POST", "/v1/completions", "",
              STR("{\"prompt\":\"x\",\"logprobs\":0,\"logprob_token_ids\":[1000000]}"), &r);
    CHECK_INT("status", r.status, 400);
    CHECK("words",
          str_find(buf_str(&r.body),
                   STR("logprob_token_ids holds 1000000, which is not in the vocabulary"), 0) >= 0);
    http_reply_clear(&r);
}

/* --logprobs_mode processed: the same tokens as raw, and logprobs that the raw ones give by hand:
 * of the top_k likeliest, each over the temperature, their exponents' sum is one. The prompt's stay
 * raw. */
TEST(logprobs_after_sampling)
{
    static const char *const args[] = {"--model",
                                       MODEL,
                                       "--dtype",
                                       "float32",
                                       "--max-model-len",
                                       "1024",
                                       "--num_kv_blocks",
                                       "100",
                                       "--logprobs_mode",
                                       "processed",
                                       NULL};
    static const char body[] =
        "{$prompt$:$What is the value of$,$max_tokens$:8,$ignore_eos$:true,$temperature$:0.5,$top_p$:1,$top_k$:4,$seed$:3,"
        "$logprobs$:6,$prompt_logprobs$:2,$return_tokens_as_token_ids$:true}";
    struct test_server raw_server = server, other;
    struct arena a;
    struct json *raw, *processed;
    const struct json *rows[2];

    arena_init(&a, 0);
    raw = post("/v1/completions", &a, body);
    test_server_start(&other, args);
    server = other;
    processed = post("/v1/completions", &a, body);
    server = raw_server;
    CHECK_STR("the same text",
              json_str(json_get(json_at(json_get(processed, "choices"), 0), "text")),
              json_str(json_get(json_at(json_get(raw, "choices"), 0), "text")));
    CHECK("the prompt's logprobs are raw",
          json_same(json_get(json_at(json_get(processed, "choices"), 0), "prompt_logprobs"),
                    json_get(json_at(json_get(raw, "choices"), 0), "prompt_logprobs")));
    rows[0] = json_get(json_get(json_at(json_get(raw, "choices"), 0), "logprobs"), "top_logprobs");
    rows[1] =
        json_get(json_get(json_at(json_get(processed, "choices"), 0), "logprobs"), "top_logprobs");
    CHECK_INT("tokens", json_len(rows[0]), 8);
    for (size_t i = 0; i < json_len(rows[0]); i++) {
        double sum = 0;
        int n_kept = 0, n_dropped = 0;

        for (struct json_iter it = json_iter(json_at(rows[1], i)); json_next(&it);) {
            n_dropped += json_num(it.value, 0) == -9999.0;
            if (json_num(it.value, 0) > -9999.0)
                sum += exp(json_num(it.value, 0)), n_kept++;
        }
        CHECK_INT("four survive", n_kept, 4);
        CHECK_INT("the others are out", n_dropped, 2);
        CHECK("they are all there is", fabs(sum - 1) < 1e-5);
        sum = 0;
        for (struct json_iter it = json_iter(json_at(rows[1], i)); json_next(&it);)
            if (json_num(it.value, 0) > -9999.0)
                sum += exp(json_num(json_get_str(json_at(rows[0], i), it.key), NAN) / 0.5);
        for (struct json_iter it = json_iter(json_at(rows[1], i)); json_next(&it);)
            if (json_num(it.value, 0) > -9999.0)
                CHECK("by hand",
                      fabs(json_num(json_get_str(json_at(rows[0], i), it.key), NAN) / 0.5 -
                           log(sum) - json_num(it.value, 0)) < 1e-4);
    }
    json_close(raw);
    json_close(processed);
    CHECK_INT("ends well", test_server_stop(&other), 0);
    arena_clear(&a);
}

/* What a reply without a budget says of its thoughts, the reply with one says up to the budget,
 * then closes them; alone and with n, streamed or not, and its tokens follow from prompt and seed.
 * The prompt opens the thoughts. */
TEST(thoughts_end_at_the_budget)
{
    static const char ask[] =
        "{$prompt$:$A question.<think>$,$max_tokens$:20,$ignore_eos$:true,$temperature$:0.8,$seed$:%d,"
        "$bad_words$:[$</think>$],$return_token_ids$:true,$skip_special_tokens$:false%s}";
    struct arena a;
    struct json *free_, *held, *spent, *pair, *close;
    const struct json *ids[2];

    arena_init(&a, 0);
    close = post("/tokenize", &a, "{$prompt$:$</think>$}");
    CHECK_INT("one token", json_len(json_get(close, "tokens")), 1);
    free_ = post("/v1/completions", &a, ask, 4, "");
    held = post("/v1/completions", &a, ask, 4, ",$thinking_token_budget$:7");
    spent = post("/v1/completions", &a, ask, 4, ",$thinking_token_budget$:0,$logprobs$:0");
    pair = post("/v1/completions", &a, ask, 3, ",$thinking_token_budget$:7,$n$:2");
    ids[0] = json_get(json_at(json_get(free_, "choices"), 0), "token_ids");
    ids[1] = json_get(json_at(json_get(held, "choices"), 0), "token_ids");
    for (size_t i = 0; i < 7; i++)
        CHECK_INT("the same thoughts", json_int(json_at(ids[0], i), -1),
                  json_int(json_at(ids[1], i), -2));
    CHECK_INT("closed", json_int(json_at(ids[1], 7), -1),
              json_int(json_at(json_get(close, "tokens"), 0), -2));
    CHECK_INT("and on", json_len(ids[1]), 20);
    CHECK("it is said",
          json_bool(json_get(json_at(json_get(held, "choices"), 0), "thinking_budget_reached"),
                    false));
    CHECK_INT(
        "not where nobody asked",
        json_type(json_get(json_at(json_get(free_, "choices"), 0), "thinking_budget_reached")),
        JSON_ABSENT);
    CHECK(
        "none at all",
        str_starts(json_str(json_get(json_at(json_get(spent, "choices"), 0), "text")), "</think>"));
    CHECK("the model's own logprob",
          json_num(json_at(json_get(json_get(json_at(json_get(spent, "choices"), 0), "logprobs"),
                                    "token_logprobs"),
                           0),
                   0) < -1e-3);
    CHECK("beside another",
          json_same(json_get(json_at(json_get(pair, "choices"), 1), "token_ids"), ids[1]));
    json_close(free_);
    json_close(held);
    json_close(spent);
    json_close(pair);
    json_close(close);
    arena_clear(&a);
}

TEST(a_model_without_thoughts)
{
    static const char *const args[] = {"--model",
                                       TEST_DATA "/models/llama3-tied-f16",
                                       "--max-model-len",
                                       "256",
                                       "--num_kv_blocks",
                                       "40",
                                       NULL};
    struct test_server plain;
    struct http_reply r;

    test_server_start(&plain, args);
    http_call(plain.port, "POST", "/v1/completions", "",
              STR("{\"prompt\":\"x\",\"thinking_token_budget\":3}"), &r);
    CHECK_INT("status", r.status, 400);
    CHECK("words", str_find(buf_str(&r.body), STR("needs a reasoning model"), 0) >= 0);
    http_reply_clear(&r);
    CHECK_INT("ends well", test_server_stop(&plain), 0);
}

/* --- the same tokens -------------------------------------------------------------------------- */

static const char *const kinds[] = {"$temperature$:0", "$temperature$:0.8,$seed$:5",
                                    "$temperature$:1,$top_p$:0.9,$top_k$:40,$seed$:123456789"};

static struct str choice_text(const struct json *reply, size_t i)
{
    return json_str(
        json_get(json_get(json_at(json_get(reply, "choices"), i), "message"), "content"));
}

static struct json *chat(struct arena *a, const char *how, const char *more)
{
    return post(
        "/v1/chat/completions", a,
        "{$messages$:[{$role$:$user$,$content$:$Tell me a story.$}],$max_tokens$:%d,$ignore_eos$:true,%s%s}",
        MAX_TOKENS, how, more);
}

/* All content deltas of a streamed reply, put together. */
static void stream_text(struct arena *a, const char *how, struct buf *out)
{
    struct buf body = {0};
    struct http_reply r;
    struct str rest, line;

    buf_addf(
        &body,
        "{$messages$:[{$role$:$user$,$content$:$Tell me a story.$}],$max_tokens$:%d,$ignore_eos$:true,$stream$:true,%s}",
        MAX_TOKENS, how);
    for (size_t i = 0; i < body.len; i++)
        body.ptr[i] = body.ptr[i] == '$' ? '"' : body.ptr[i];
    http_call(server.port, "POST", "/v1/chat/completions", "", buf_str(&body), &r);
    CHECK_INT("stream", r.status, 200);
    rest = buf_str(&r.body);
    while (str_cut(&rest, '\n', &line)) {
        struct err e = ERR_INIT;
        struct json *chunk;

        if (!str_starts(line, "data: {"))
            continue;
        chunk = json_parse(str_slice(line, 6, line.len), &e);
        CHECK_OK("chunk", chunk != NULL, &e);
        buf_add_str(out,
                    json_str(json_get(json_get(json_at(json_get(chunk, "choices"), 0), "delta"),
                                      "content")));
        json_close(chunk);
    }
    http_reply_clear(&r);
    buf_clear(&body);
}

/* The second server computes every prompt anew; the first has most of it in its blocks by then. */
TEST(prefix_cache_on_and_off)
{
    static const char *const args[] = {"--model",
                                       MODEL,
                                       "--dtype",
                                       "float32",
                                       "--max-model-len",
                                       "1024",
                                       "--num_kv_blocks",
                                       "800",
                                       "--no_enable_prefix_caching",
                                       NULL};
    struct test_server cached = server, plain;
    struct arena a;

    arena_init(&a, 0);
    test_server_start(&plain, args);
    for (size_t k = 0; k < LEN(kinds); k++) {
        struct json *first = chat(&a, kinds[k], ""), *again = chat(&a, kinds[k], ""), *without;

        server = plain;
        without = chat(&a, kinds[k], "");
        server = cached;
        CHECK_STR("cached", choice_text(again, 0), choice_text(first, 0));
        CHECK_STR("without a cache", choice_text(without, 0), choice_text(first, 0));
        json_close(first);
        json_close(again);
        json_close(without);
    }
    CHECK_INT("the second server ends well", test_server_stop(&plain), 0);
    arena_clear(&a);
}

TEST(streamed_or_not)
{
    struct arena a;

    arena_init(&a, 0);
    for (size_t k = 0; k < LEN(kinds); k++) {
        struct json *whole = chat(&a, kinds[k], ""), *again = chat(&a, kinds[k], "");
        struct buf text = {0};

        stream_text(&a, kinds[k], &text);
        CHECK("it says something", choice_text(whole, 0).len > 0);
        CHECK_STR("streamed", buf_str(&text), choice_text(whole, 0));
        CHECK_STR("again", choice_text(again, 0), choice_text(whole, 0));
        buf_clear(&text);
        json_close(whole);
        json_close(again);
    }
    arena_clear(&a);
}

/* n choices of a seeded request are seeds s, s + 1, ...: as many requests give the same. */
TEST(n_choices_are_n_requests)
{
    struct arena a;
    struct json *four;

    arena_init(&a, 0);
    four = chat(&a, "$temperature$:0.9,$seed$:40", ",$n$:4");
    CHECK_INT("choices", json_len(json_get(four, "choices")), 4);
    for (size_t i = 0; i < 4; i++) {
        struct json *one = chat(&a, str_fmt(&a, "$temperature$:0.9,$seed$:%zu", 40 + i).ptr, "");

        CHECK_STR("choice", choice_text(four, i), choice_text(one, 0));
        json_close(one);
    }
    json_close(four);
    arena_clear(&a);
}

/* What a request leaves open comes from the model's generation_config.json. */
TEST(defaults_are_the_models)
{
    struct arena a;
    struct json *open_, *said, *other;

    arena_init(&a, 0);
    open_ = chat(&a, "$seed$:9", "");
    said = chat(&a, "$seed$:9", ",$temperature$:0.6,$top_p$:0.95,$top_k$:20");
    other = chat(&a, "$seed$:9", ",$temperature$:1,$top_p$:1,$top_k$:-1");
    CHECK_STR("defaults", choice_text(open_, 0), choice_text(said, 0));
    CHECK("they matter", !str_eq(choice_text(open_, 0), choice_text(other, 0)));
    json_close(open_);
    json_close(said);
    json_close(other);
    arena_clear(&a);
}

TEST(alone_and_among_64)
{
    int fds[N_CHATS];
    struct arena a;

    arena_init(&a, 0);
    for (int i = 0; i < N_CHATS; i++) {
        struct buf out = {0};
        struct str body = str_fmt(
            &a,
            "{\"messages\":[{\"role\":\"user\",\"content\":\"Tell me a story%s\"}],\"max_tokens\":%d,\"ignore_eos\":true,"
            "\"temperature\":0.8,\"seed\":%d}",
            i % 3 ? "." : " about a fox.", MAX_TOKENS, i);

        fds[i] = http_dial(server.port);
        http_request_write(&out, "POST", "/v1/chat/completions", "", body);
        CHECK("sent", http_write(fds[i], buf_str(&out)));
        buf_clear(&out);
    }
    for (int i = 0; i < N_CHATS; i++) {
        struct http_reply r = {0};
        struct err e = ERR_INIT;
        struct json *among, *alone;

        http_read_reply(fds[i], &r, 600000);
        close(fds[i]);
        among = json_parse(buf_str(&r.body), &e);
        CHECK_OK("reply", among != NULL, &e);
        alone = post(
            "/v1/chat/completions", &a,
            "{$messages$:[{$role$:$user$,$content$:$Tell me a story%s$}],$max_tokens$:%d,$ignore_eos$:true,"
            "$temperature$:0.8,$seed$:%d}",
            i % 3 ? "." : " about a fox.", MAX_TOKENS, i);
        CHECK_STR("the same", choice_text(among, 0), choice_text(alone, 0));
        json_close(among);
        json_close(alone);
        http_reply_clear(&r);
    }
    arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_logprob_however_it_is_asked_for),
        cmocka_unit_test(four_answers_by_one_token),
        cmocka_unit_test(parts_of_a_content),
        cmocka_unit_test(an_id_outside_the_vocabulary),
        cmocka_unit_test(a_cut_prompt_is_a_shorter_prompt),
        cmocka_unit_test(a_prompt_as_long_as_fits),
        cmocka_unit_test(logprobs_after_sampling),
        cmocka_unit_test(thoughts_end_at_the_budget),
        cmocka_unit_test(a_model_without_thoughts),
        cmocka_unit_test(prefix_cache_on_and_off),
        cmocka_unit_test(streamed_or_not),
        cmocka_unit_test(n_choices_are_n_requests),
        cmocka_unit_test(defaults_are_the_models),
        cmocka_unit_test(alone_and_among_64),
    };

    return RUN_GROUP(tests, start, stop);
}
