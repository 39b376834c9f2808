/* Requests as servers read them: each body is parsed again by the tree reader and compared. */
#include "test.h"

#include "formats/json.h"
#include "generator/generator_remote_body.h"

static const struct chat_part hello[] = {{PART_TEXT, STR_LIT("Hi \"you\"\n")}};
static const struct chat_msg msgs[] = {{STR_LIT("user"), hello, 1, NULL}};

#define SAMPLING \
    "\"temperature\":0.6,\"top_p\":0.95,\"presence_penalty\":0.0,\"frequency_penalty\":0.0"
#define CHAT   "\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hi \\\"you\\\"\\n\"}],"
#define WIDE   "\"top_k\":40,\"min_p\":0.0,\"repetition_penalty\":1.0"
#define STREAM "\"stream\":true,\"stream_options\":{\"include_usage\":true}"

static struct gen_request request(void)
{
    struct gen_request r = {
        .kind = GEN_CHAT, .msgs = msgs, .n_msgs = 1, .sampling = sampling_default()};

    r.sampling.temperature = 0.6;
    r.sampling.top_p = 0.95;
    r.sampling.top_k = 40;
    r.sampling.max_tokens = 32768;
    r.sampling.seed = 0x7fffffffffffffffu;
    r.sampling.has_seed = true;
    return r;
}

static const struct {
    const char *name, *extra, *request_extra;
    bool stream, send_seed, strict;
    const char *want;
    int max_tokens;
} cases[] = {
    {"all values", NULL, NULL, true, true, false,
     "{" CHAT SAMPLING ",\"seed\":9223372036854775807," WIDE "," STREAM ",\"max_tokens\":32768}",
     32768},
    {"not streamed, no seed", NULL, NULL, false, false, false,
     "{" CHAT SAMPLING "," WIDE ",\"max_tokens\":32768}", 32768},
    {"OpenAI only", NULL, NULL, false, false, true,
     "{" CHAT SAMPLING ",\"max_completion_tokens\":32768}", 32768},
    {"more fields", "{\"x\":{\"y\":[1]}}", NULL, false, false, false,
     "{" CHAT SAMPLING "," WIDE ",\"x\":{\"y\":[1]},\"max_tokens\":32768}", 32768},
    {"fields instead of ours", "{\"top_k\":5,\"min_p\":null}", NULL, false, false, false,
     "{" CHAT SAMPLING ",\"repetition_penalty\":1.0,\"top_k\":5,\"max_tokens\":32768}", 32768},
    {"the request's over the server's", "{\"top_k\":5,\"a\":1}", "{\"top_k\":6}", false, false,
     false,
     "{" CHAT SAMPLING
     ",\"min_p\":0.0,\"repetition_penalty\":1.0,\"a\":1,\"top_k\":6,\"max_tokens\":32768}",
     32768},
    {"another limit", "{\"max_tokens\":7}", NULL, false, false, false,
     "{" CHAT SAMPLING "," WIDE ",\"max_tokens\":7}", 7},
    {"the limit by its other name", "{\"max_tokens\":null,\"max_completion_tokens\":9}", NULL,
     false, false, false, "{" CHAT SAMPLING "," WIDE ",\"max_completion_tokens\":9}", 9},
    {"no limit", "{\"max_tokens\":null}", NULL, false, false, false, "{" CHAT SAMPLING "," WIDE "}",
     0},
};

static void check_body(const char *name, const struct remote_body_opts *o,
                       const struct gen_request *r, const char *want_text, int want_max)
{
    struct err e = ERR_INIT;
    struct buf out = {0};
    struct json *got, *want;
    struct remote_body_info info;

    CHECK_OK(name, remote_body_write(&out, o, r, &info, &e), &e);
    CHECK_INT(name, info.max_tokens, want_max);
    remote_body_finish(&out, info.max_tokens);
    got = json_parse(buf_str(&out), &e);
    CHECK_OK(buf_z(&out), got != NULL, &e);
    want = json_parse(STR(want_text), &e);
    CHECK_OK(want_text, want != NULL, &e);
    if (!json_same(got, want))
        fail_msg("%s: %s, expected %s", name, buf_z(&out), want_text);
    json_close(got);
    json_close(want);
    buf_clear(&out);
}

TEST(writes_bodies)
{
    for (size_t i = 0; i < LEN(cases); i++) {
        struct err e = ERR_INIT;
        struct json *extra = cases[i].extra ? json_parse(STR(cases[i].extra), &e) : NULL;
        struct json *request_extra =
            cases[i].request_extra ? json_parse(STR(cases[i].request_extra), &e) : NULL;
        struct remote_body_opts o = {"m", cases[i].stream, cases[i].send_seed, cases[i].strict,
                                     extra};
        struct gen_request r = request();

        r.extra_body = request_extra;
        check_body(cases[i].name, &o, &r, cases[i].want, cases[i].max_tokens);
        json_close(extra);
        json_close(request_extra);
    }
}

TEST(writes_completions_and_the_rest_of_sampling)
{
    struct remote_body_opts o = {"m", false, false, false, NULL};
    struct gen_request r = {
        .kind = GEN_COMPLETE, .prompt = STR("ab"), .sampling = sampling_default()};
    static const struct str stop[] = {STR_LIT("X"), STR_LIT("\n")};
    static const int32_t ids[] = {1, 2};

    r.sampling.stop = stop;
    r.sampling.n_stop = 2;
    r.sampling.stop_token_ids = ids;
    r.sampling.n_stop_token_ids = 2;
    r.sampling.min_tokens = 3;
    r.sampling.ignore_eos = r.sampling.keep_special_tokens = r.sampling.include_stop_str = true;
    check_body(
        "a prompt", &o, &r,
        "{\"model\":\"m\",\"prompt\":\"ab\",\"temperature\":1.0,\"top_p\":1.0,\"presence_penalty\":0.0,"
        "\"frequency_penalty\":0.0,\"stop\":[\"X\",\"\\n\"],\"top_k\":-1,\"min_p\":0.0,\"repetition_penalty\":1.0,"
        "\"min_tokens\":3,\"stop_token_ids\":[1,2],\"include_stop_str_in_output\":true,\"ignore_eos\":true,"
        "\"skip_special_tokens\":false}",
        0);
    r.prompt_ids = ids;
    r.n_prompt_ids = 2;
    r.sampling = sampling_default();
    check_body(
        "ids", &o, &r,
        "{\"model\":\"m\",\"prompt\":[1,2],\"temperature\":1.0,\"top_p\":1.0,\"presence_penalty\":0.0,"
        "\"frequency_penalty\":0.0,\"top_k\":-1,\"min_p\":0.0,\"repetition_penalty\":1.0}",
        0);
}

TEST(writes_bias_and_truncation)
{
    struct remote_body_opts o = {"m", false, false, false, NULL};
    struct gen_request r = {
        .kind = GEN_COMPLETE, .prompt = STR("ab"), .sampling = sampling_default()};
    static const int32_t ids[] = {7, 9};
    static const float bias[] = {-100, 0.5f};
    struct err e = ERR_INIT;
    struct buf out = {0};
    struct remote_body_info info;

    r.sampling.bias_ids = ids;
    r.sampling.bias = bias;
    r.sampling.n_bias = 2;
    r.truncate_prompt_tokens = -1;
    r.truncation_side = TRUNCATE_RIGHT;
    check_body(
        "bias and truncation", &o, &r,
        "{\"model\":\"m\",\"prompt\":\"ab\",\"temperature\":1.0,\"top_p\":1.0,\"presence_penalty\":0.0,"
        "\"frequency_penalty\":0.0,\"logit_bias\":{\"7\":-100.0,\"9\":0.5},\"top_k\":-1,\"min_p\":0.0,"
        "\"repetition_penalty\":1.0,\"truncate_prompt_tokens\":-1,\"truncation_side\":\"right\"}",
        0);
    o.strict_openai = true;
    CHECK("strict OpenAI has no such field",
          !remote_body_write(&out, &o, &r, &info, &e) && e.code == ERR_UNSUPPORTED);
    buf_clear(&out);
}

TEST(writes_images)
{
    static const struct chat_part parts[] = {{PART_IMAGE, STR_LIT("\x89PNG")},
                                             {PART_IMAGE, STR_LIT("\xFF\xD8x")},
                                             {PART_TEXT, STR_LIT("what?")}};
    static const struct chat_msg with_images[] = {{STR_LIT("user"), parts, 3, NULL}};
    struct remote_body_opts o = {"m", false, false, true, NULL};
    struct gen_request r = {
        .kind = GEN_CHAT, .msgs = with_images, .n_msgs = 1, .sampling = sampling_default()};

    check_body(
        "images", &o, &r,
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":["
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,iVBORw==\"}},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/jpeg;base64,/9h4\"}},"
        "{\"type\":\"text\",\"text\":\"what?\"}]}],"
        "\"temperature\":1.0,\"top_p\":1.0,\"presence_penalty\":0.0,\"frequency_penalty\":0.0}",
        0);
}

TEST(says_what_it_cannot)
{
    struct remote_body_opts o = {"m", false, false, false, NULL};
    struct gen_request r = request();
    struct err e = ERR_INIT;
    struct buf out = {0};
    struct remote_body_info info;

    r.kind = GEN_SCORE;
    assert_false(remote_body_write(&out, &o, &r, &info, &e));
    CHECK_INT("scores", e.code, ERR_UNSUPPORTED);
    err_clear(&e);
    r = request();
    r.sampling.n_logprobs = 5;
    assert_false(remote_body_write(&out, &o, &r, &info, &e));
    CHECK_INT("logprobs", e.code, ERR_UNSUPPORTED);
    buf_clear(&out);
}

/* A constraint travels as the request spelled it; OpenAI's own servers know one spelling only. */
TEST(constraints_as_spelled)
{
    static const struct {
        const char *field, *value;
        bool strict, taken;
    } rows[] = {
        {"guided_regex", "\"a+\"", false, true},
        {"structured_outputs", "{\"grammar\":\"root ::= x\"}", false, true},
        {"response_format", "{\"type\":\"json_object\"}", true, true},
        {"guided_regex", "\"a+\"", true, false},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        struct err e = ERR_INIT;
        struct remote_body_opts o = {"m", false, false, rows[i].strict, NULL};
        struct gen_request r = request();
        struct remote_body_info info;
        struct buf out = {0};
        struct json *value = json_parse((struct str){rows[i].value, strlen(rows[i].value)}, &e),
                    *got;

        if (!value) { /* a bare string is no document of its own here */
            err_clear(&e);
            value = json_new_str(STR("a+"));
        }
        r.constraint =
            (struct constraint){.kind = CONSTRAINT_REGEX, .field = rows[i].field, .value = value};
        CHECK_INT(rows[i].field, remote_body_write(&out, &o, &r, &info, &e), rows[i].taken);
        if (rows[i].taken) {
            remote_body_finish(&out, info.max_tokens);
            got = json_parse(buf_str(&out), &e);
            CHECK_OK(rows[i].field, got != NULL, &e);
            CHECK(rows[i].field, json_same(json_get(got, rows[i].field), value));
            json_close(got);
        } else {
            CHECK(e.msg, strstr(e.msg, "guided_regex is no field of OpenAI"));
        }
        json_close(value);
        buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_bodies),
        cmocka_unit_test(constraints_as_spelled),
        cmocka_unit_test(writes_completions_and_the_rest_of_sampling),
        cmocka_unit_test(writes_bias_and_truncation),
        cmocka_unit_test(writes_images),
        cmocka_unit_test(says_what_it_cannot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
