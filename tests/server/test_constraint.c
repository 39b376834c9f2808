/* test_constraint.c - every spelling of a constrained answer, over a model and through a proxy
 * before it; and what is refused, by name. */
#include "http_client.h"

#include "base/arena.h"
#include "formats/json.h"

#define MODEL TEST_DATA "/models/qwen3-tied-bf16"

static struct test_server server, proxy;

static int start(void **state UNUSED)
{
    static const char *const args[] = {"--model",
                                       MODEL,
                                       "--dtype",
                                       "float32",
                                       "--max-model-len",
                                       "512",
                                       "--num_kv_blocks",
                                       "400",
                                       "--served-model-name",
                                       "tiny",
                                       NULL};
    static char url[64];
    static const char *const proxy_args[] = {"--base_url", url, "--served-model-name", "tiny",
                                             NULL};

    test_server_start(&server, args);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/v1", server.port);
    test_server_start(&proxy, proxy_args);
    return 0;
}

static int stop(void **state UNUSED)
{
    return test_server_stop(&proxy) | test_server_stop(&server);
}

#define CHAT "/v1/chat/completions"
#define TEXT "/v1/completions"

/* '$' stands for a quotation mark; the fields follow a prompt. */
static const struct {
    const char *name, *path, *fields;
    int status;
    const char *wants; /* 200: the text; else a part of the message */
} cases[] = {
    {"response_format text", TEXT, "$response_format$:{$type$:$text$},$max_tokens$:1", 200, NULL},
    {"a choice", CHAT, "$structured_outputs$:{$choice$:[$xyz$]}", 200, "xyz"},
    {"a choice of text", TEXT, "$structured_outputs$:{$choice$:[$xyz$]}", 200, "xyz"},
    {"the older name", CHAT, "$guided_choice$:[$xyz$]", 200, "xyz"},
    {"a regex", CHAT, "$structured_outputs$:{$regex$:$ab{3}c$}", 200, "abbbc"},
    {"the older name of a regex", TEXT, "$guided_regex$:$ab{3}c$", 200, "abbbc"},
    {"nulls beside it", CHAT, "$structured_outputs$:{$regex$:$ab$,$json$:null,$choice$:null}", 200,
     "ab"},
    {"logprobs", CHAT, "$guided_choice$:[$xyz$],$logprobs$:true,$top_logprobs$:2", 200, "xyz"},
    {"streams end as well", TEXT, "$guided_choice$:[$xyz$],$n$:3,$seed$:1", 200, "xyz"},
    {"a schema", CHAT,
     "$response_format$:{$type$:$json_schema$,$json_schema$:{$name$:$n$,$strict$:true,$schema$:{$const$:[1,$a$]}}},$seed$:4,$logit_bias$:{}",
     200, NULL},
    {"a schema of one text", CHAT, "$structured_outputs$:{$json$:{$const$:$a$}}", 200, "\"a\""},
    {"a schema as text", TEXT, "$guided_json$:$ {\\$enum\\$:[17]}$", 200, "17"},
    {"a schema that is not JSON", TEXT, "$guided_json$:$ {$", 400, "the schema is not JSON"},
    {"a schema beyond the subset", CHAT, "$guided_json$:{$not$:{}}", 400,
     "guided_json: schema at #: the keyword \\\"not\\\" is not supported"},
    {"no schema", CHAT, "$response_format$:{$type$:$json_schema$,$json_schema$:{$name$:$n$}}", 400,
     "an object with a"},
    {"two kinds", CHAT, "$structured_outputs$:{$regex$:$a$,$choice$:[$a$]}", 400,
     "only use one kind"},
    {"two fields", CHAT, "$guided_regex$:$a$,$response_format$:{$type$:$json_object$}", 400,
     "`guided_regex`: the form of the answer is constrained already by `response_format`"},
    {"a budget of thoughts beside it", CHAT, "$guided_choice$:[$a$],$thinking_token_budget$:5", 400,
     "thinking_token_budget and guided_choice cannot be asked for together"},
    {"no object", CHAT, "$structured_outputs$:$a$", 400, "must be an object"},
    {"an unknown key", CHAT, "$structured_outputs$:{$regexp$:$a$}", 400, "no key \\\"regexp\\\""},
    {"a regex of a wrong type", CHAT, "$guided_regex$:3", 400, "a regex must be a string"},
    {"no choices", CHAT, "$guided_choice$:[]", 400, "at least one string"},
    {"a choice of a wrong type", CHAT, "$guided_choice$:[$a$,1]", 400, "choice 1 is an integer"},
    {"beyond the subset", CHAT, "$guided_regex$:$a(?=b)$", 400,
     "guided_regex: regular expression, offset 1: `(?=`"},
    {"EBNF", CHAT, "$structured_outputs$:{$grammar$:$root ::= a$}", 501,
     "`structured_outputs`: grammar is not supported"},
    {"EBNF by its older name", CHAT, "$guided_grammar$:$root ::= a$", 501,
     "`guided_grammar`: grammar"},
    {"structural tags", CHAT, "$response_format$:{$type$:$structural_tag$}", 501, "structural_tag"},
    {"other blanks", CHAT, "$structured_outputs$:{$regex$:$a$,$whitespace_pattern$:$ $}", 501,
     "whitespace_pattern"},
    {"an unknown format", CHAT, "$response_format$:{$type$:$xml$}", 400, "no type \\\"xml\\\""},
    {"a format without type", CHAT, "$response_format$:{}", 400, "with a \\\"type\\\""},
};

static struct str text_of(const struct json *answer, size_t i)
{
    const struct json *choice = json_at(json_get(answer, "choices"), i);
    const struct json *message = json_get(choice, "message");

    return json_str(message ? json_get(message, "content") : json_get(choice, "text"));
}

static void ask(int port, size_t i, struct http_reply *r)
{
    struct buf body = {0};

    buf_addf(&body, "{%s,\"temperature\":1,%s}",
             strcmp(cases[i].path, CHAT) == 0
                 ? "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
                 : "\"prompt\":\"Hi\"",
             cases[i].fields);
    for (size_t k = 0; k < body.len; k++)
        body.ptr[k] = body.ptr[k] == '$' ? '"' : body.ptr[k];
    http_call(port, "POST", cases[i].path, "", buf_str(&body), r);
    buf_clear(&body);
}

TEST(spellings)
{
    for (size_t i = 0; i < LEN(cases); i++) {
        struct err e = ERR_INIT;
        struct http_reply r;
        struct json *answer;

        ask(server.port, i, &r);
        if (r.status != cases[i].status)
            fail_msg("%s: status %d: %s", cases[i].name, r.status, buf_z(&r.body));
        if (r.status == 200 && cases[i].wants) {
            answer = json_parse(buf_str(&r.body), &e);
            for (size_t k = 0; k < json_len(json_get(answer, "choices")); k++)
                CHECK_STR(cases[i].name, text_of(answer, k), STR(cases[i].wants));
            CHECK(cases[i].name, json_len(json_get(answer, "choices")) > 0);
            json_close(answer);
        } else if (r.status != 200 && str_find(buf_str(&r.body), STR(cases[i].wants), 0) < 0) {
            fail_msg("%s: \"%s\" is not in %s", cases[i].name, cases[i].wants, buf_z(&r.body));
        }
        http_reply_clear(&r);
    }
}

/* The proxy hands constraints on as they are spelled, and refusals back. It reads no logprobs. */
TEST(through_a_proxy)
{
    for (size_t i = 0; i < LEN(cases); i++) {
        struct err e = ERR_INIT;
        struct http_reply r;
        struct json *answer;

        if (strstr(cases[i].fields, "logprobs"))
            continue;
        ask(proxy.port, i, &r);
        if (r.status != 200 && cases[i].status == 200)
            fail_msg("%s: status %d: %s", cases[i].name, r.status, buf_z(&r.body));
        CHECK(cases[i].name, (r.status == 200) == (cases[i].status == 200));
        if (r.status == 200 && cases[i].wants) {
            answer = json_parse(buf_str(&r.body), &e);
            CHECK_STR(cases[i].name, text_of(answer, 0), STR(cases[i].wants));
            json_close(answer);
        }
        http_reply_clear(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),
        cmocka_unit_test(through_a_proxy),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, start, stop);
}
