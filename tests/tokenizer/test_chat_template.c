/* test_chat_template.c - the golden renderings of published templates (tests/data/chat_templates,
 * and those under other licences in $LLMEVAL_FIXTURES/chat_templates), model directories, the end
 * of a message that is to be continued, and the flaws of prompts. */
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "test.h"
#include "tokenizer/chat_template.h"

/* --- golden renderings ------------------------------------------------------------------------ */

static void check_case(const char *name, const struct chat_template *t,
                       const struct json *conversation, const struct json *want)
{
    const struct json *tools = json_get(conversation, "tools");
    const struct chat_input in = {
        .messages = json_get(conversation, "messages"),
        .tools = json_type(tools) == JSON_NULL ? NULL : tools,
        .kwargs = json_get(conversation, "kwargs"),
        .add_generation_prompt = json_bool(json_get(conversation, "add_generation_prompt"), false),
        .now = "2025-03-14 15:09:26",
    };
    struct buf text = {0};
    struct jinja_fault fault = {0};
    struct err e = ERR_INIT;
    bool is_good = chat_template_render(t, &in, &text, &fault, &e);
    const struct json *error = json_get(want, "error");

    if (!error) {
        CHECK_OK(name, is_good, &e);
        CHECK_STR(name, buf_str(&text), json_str(json_get(want, "text")));
    } else {
        CHECK(name, !is_good);
    }
    if (error && str_eqz(json_str(error), "raise_exception")) {
        CHECK_INT(name, fault.kind, JINJA_FAULT_REFUSED);
        CHECK_STR(name, buf_str(&fault.message), json_str(json_get(want, "message")));
    }
    buf_clear(&text);
    buf_clear(&fault.message);
}

static const struct json *find_conversation(const struct json *conversations, struct str id)
{
    for (struct json_iter it = json_iter(conversations); json_next(&it);)
        if (str_eq(json_str(json_get(it.value, "id")), id))
            return it.value;
    return NULL;
}

/* The cases of one folder; 0 if it holds no template. */
static int check_folder(const char *root, const char *name, const struct json *conversations)
{
    struct arena a;
    struct err e = ERR_INIT;
    struct buf source = {0};
    struct json *golden;
    struct chat_template *t;
    const char *path;
    int n = 0;

    arena_init(&a, 0);
    path = str_fmt(&a, "%s/%s/template.jinja", root, name).ptr;
    if (file_exists(path)) {
        CHECK_OK(name, file_read(path, 0, &source, &e), &e);
        golden = json_parse_file(str_fmt(&a, "%s/%s/golden.json", root, name).ptr, 0, &e);
        CHECK_OK(name, golden != NULL, &e);
        t = chat_template_parse(name, buf_str(&source), json_get(golden, "tokens"), &e);
        CHECK_OK(name, t != NULL, &e);
        for (struct json_iter it = json_iter(json_get(golden, "cases")); json_next(&it); n++) {
            const char *id = str_fmt(&a, "%s: " STR_FMT, name, STR_ARG(it.key)).ptr;
            const struct json *conversation = find_conversation(conversations, it.key);

            CHECK(id, conversation != NULL);
            check_case(id, t, conversation, it.value);
        }
        chat_template_close(t);
        json_close(golden);
    }
    buf_clear(&source);
    arena_clear(&a);
    return n;
}

static int check_root(const char *root)
{
    struct err e = ERR_INIT;
    struct arena a;
    struct json *conversations;
    DIR *dir = opendir(root);
    int n = 0;

    arena_init(&a, 0);
    assert_non_null(dir);
    conversations = json_parse_file(path_join(&a, root, "conversations.json"), 0, &e);
    CHECK_OK(root, conversations != NULL, &e);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        n += check_folder(root, entry->d_name, conversations);
    closedir(dir);
    json_close(conversations);
    arena_clear(&a);
    return n;
}

/* Templates that loop over parts, and ones that would fail over a list, print it, or say nothing of
 * it. */
static const struct {
    const char *name;
    bool reads_parts;
} part_readers[] = {
    {"qwen2.5-vl", true},
    {"qwen3.5", true},
    {"mistral-small-3.2", true},
    {"glm-4.6", true},
    {"ministral-3-reasoning", true},
    {"mimo-vl", false},
    {"granite-3.3", false},
    {"qwen2.5-instruct", false},
    {"qwen3", false},
    {"qwq-32b", false},
    {"zephyr-7b", false},
    {"deepseek-r1", false},
    {"mistral-nemo", false},
    {"phi-3.5-mini", false},
};

TEST(who_reads_parts)
{
    for (size_t i = 0; i < LEN(part_readers); i++) {
        struct arena a;
        struct buf source = {0};
        struct err e = ERR_INIT;
        struct chat_template *t;
        struct json *golden;

        arena_init(&a, 0);
        CHECK_OK("read",
                 file_read(str_fmt(&a, TEST_DATA "/chat_templates/%s/template.jinja",
                                   part_readers[i].name)
                               .ptr,
                           0, &source, &e),
                 &e);
        golden = json_parse_file(
            str_fmt(&a, TEST_DATA "/chat_templates/%s/golden.json", part_readers[i].name).ptr, 0,
            &e);
        t = chat_template_parse(part_readers[i].name, buf_str(&source), json_get(golden, "tokens"),
                                &e);
        CHECK_OK("parse", t != NULL, &e);
        CHECK_INT(part_readers[i].name, chat_template_reads_parts(t), part_readers[i].reads_parts);
        chat_template_close(t);
        json_close(golden);
        buf_clear(&source);
        arena_clear(&a);
    }
}

TEST(golden_renderings)
{
    CHECK("cases", check_root(TEST_DATA "/chat_templates") >= 30 * 55);
}

TEST(golden_renderings_of_other_licences)
{
    const char *fixtures = getenv("LLMEVAL_FIXTURES");
    struct arena a;

    if (!fixtures) {
        printf("skipped: LLMEVAL_FIXTURES does not name a folder with chat_templates/\n");
        skip();
    }
    arena_init(&a, 0);
    CHECK("cases", check_root(path_join(&a, fixtures, "chat_templates")) >= 42 * 55);
    arena_clear(&a);
}

/* --- model directories ------------------------------------------------------------------------ */

struct model_dir {
    struct arena a;
    const char *path;
};

static void put(struct model_dir *d, const char *name, const char *text)
{
    struct err e = ERR_INIT;
    const char *path = path_join(&d->a, d->path, name);

    CHECK_OK(name, file_mkdirs_parent(path, &e) && file_replace(path, STR(text), &e), &e);
}

static void model_dir_open(struct model_dir *d)
{
    char template[] = "/tmp/llmeval-chat-XXXXXX";

    arena_init(&d->a, 0);
    assert_non_null(mkdtemp(template));
    d->path = arena_strndup(&d->a, template, strlen(template));
}

static void model_dir_close(struct model_dir *d)
{
    static const char *const names[] = {
        "chat_template.jinja",
        "chat_template.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "additional_chat_templates/rag.jinja",
        "additional_chat_templates",
        "",
    };

    for (size_t i = 0; i < LEN(names); i++)
        (void)remove(path_join(&d->a, d->path, names[i]));
    arena_clear(&d->a);
}

#define TEXT "{{ bos_token }}{{ 'x' }}{{ messages[0].content }}"

static const struct {
    const char *name, *jinja, *config, *json, *map, *rag;
    const char *template_name;
    bool has_tools;
    const char *want; /* the prompt, or NULL and */
    const char *error;
} model_cases[] = {
    {"string", NULL, "{\"chat_template\": \"1" TEXT "\", \"bos_token\": \"<s>\"}", NULL, NULL, NULL,
     NULL, false, "1<s>xhi", NULL},
    {"token object", NULL,
     "{\"chat_template\": \"" TEXT "\", \"bos_token\": {\"content\": \"<b>\", \"lstrip\": false}}",
     NULL, NULL, NULL, NULL, false, "<b>xhi", NULL},
    {"no token", NULL,
     "{\"chat_template\": \"" TEXT "{{ bos_token is defined }}\", \"bos_token\": null}", NULL, NULL,
     NULL, NULL, false, "xhiFalse", NULL},
    {"token from the map", NULL, "{\"chat_template\": \"" TEXT "\"}", NULL,
     "{\"bos_token\": \"<m>\"}", NULL, NULL, false, "<m>xhi", NULL},
    {"more tokens", NULL,
     "{\"chat_template\": \"{{ eos_token }}{{ pad_token }}{{ additional_special_tokens }}\", "
     "\"eos_token\": \"e\", "
     "\"pad_token\": \"p\", \"additional_special_tokens\": [\"a\", {\"content\": \"b\"}]}",
     NULL, NULL, NULL, NULL, false, "ep['a', 'b']", NULL},
    {"file before config", "file", "{\"chat_template\": \"config\"}",
     "{\"chat_template\": \"json\"}", NULL, NULL, NULL, false, "file", NULL},
    {"config before json", NULL, "{\"chat_template\": \"config\"}", "{\"chat_template\": \"json\"}",
     NULL, NULL, NULL, false, "config", NULL},
    {"json alone", NULL, "{}", "{\"chat_template\": \"json\"}", NULL, NULL, NULL, false, "json",
     NULL},
    {"list, default", NULL,
     "{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"T\"}, {\"name\": \"default\", "
     "\"template\": \"D\"}]}",
     NULL, NULL, NULL, NULL, false, "D", NULL},
    {"list, tools", NULL,
     "{\"chat_template\": [{\"name\": \"default\", \"template\": \"D\"}, {\"name\": \"tool_use\", "
     "\"template\": \"T\"}]}",
     NULL, NULL, NULL, NULL, true, "T", NULL},
    {"list, tools without tool_use", NULL,
     "{\"chat_template\": [{\"name\": \"default\", \"template\": \"D\"}]}", NULL, NULL, NULL, NULL,
     true, "D", NULL},
    {"list, by name", NULL,
     "{\"chat_template\": [{\"name\": \"default\", \"template\": \"D\"}, {\"name\": \"rag\", "
     "\"template\": \"R\"}]}",
     NULL, NULL, NULL, "rag", false, "R", NULL},
    {"further file", "main", "{}", NULL, NULL, "R", "rag", false, "R", NULL},
    {"unknown name", "main", "{}", NULL, NULL, "R", "x", false, NULL,
     "no chat template called \"x\": name one of default, rag"},
    {"list without default", NULL,
     "{\"chat_template\": [{\"name\": \"rag\", \"template\": \"R\"}]}", NULL, NULL, NULL, NULL,
     false, NULL, "no chat template called \"default\": name one of rag"},
    {"none", NULL, "{}", NULL, NULL, NULL, NULL, false, NULL, "no chat template"},
    {"wrong type", NULL, "{\"chat_template\": 5}", NULL, NULL, NULL, NULL, false, NULL,
     "chat_template is an integer; a string or a list of templates is needed"},
    {"wrong list", NULL, "{\"chat_template\": [5]}", NULL, NULL, NULL, NULL, false, NULL,
     "chat_template[0] needs the strings \"name\" and \"template\""},
    {"broken template", NULL, "{\"chat_template\": \"{{ x\"}", NULL, NULL, NULL, NULL, false, NULL,
     "tokenizer_config.json:1:1: this tag is never closed by }}"},
    {"broken config", NULL, "{", NULL, NULL, NULL, NULL, false, NULL, "tokenizer_config.json"},
};

static void check_model(size_t i)
{
    struct model_dir d;
    struct err e = ERR_INIT;
    struct json *messages = json_parse(STR("[{\"role\": \"user\", \"content\": \"hi\"}]"), &e);
    struct json *tools = json_parse(STR("[]"), &e);
    const struct chat_input in = {
        .messages = messages,
        .tools = model_cases[i].has_tools ? tools : NULL,
        .template_name = model_cases[i].template_name,
    };
    const char *const files[][2] = {
        {"chat_template.jinja", model_cases[i].jinja},
        {"tokenizer_config.json", model_cases[i].config},
        {"chat_template.json", model_cases[i].json},
        {"special_tokens_map.json", model_cases[i].map},
        {"additional_chat_templates/rag.jinja", model_cases[i].rag},
    };
    struct chat_template *t;
    struct buf out = {0};
    bool is_good;

    model_dir_open(&d);
    for (size_t k = 0; k < LEN(files); k++)
        if (files[k][1])
            put(&d, files[k][0], files[k][1]);
    t = chat_template_open(d.path, &e);
    is_good = t && chat_template_render(t, &in, &out, NULL, &e);
    model_dir_close(&d);
    if (model_cases[i].want) {
        CHECK_OK(model_cases[i].name, is_good, &e);
        CHECK_STR(model_cases[i].name, buf_str(&out), STR(model_cases[i].want));
    } else {
        CHECK(model_cases[i].name, !is_good);
        if (str_find(STR(e.msg), STR(model_cases[i].error), 0) < 0)
            fail_msg("%s: \"%s\" does not hold \"%s\"", model_cases[i].name, e.msg,
                     model_cases[i].error);
    }
    buf_clear(&out);
    chat_template_close(t);
    json_close(messages);
    json_close(tools);
}

TEST(model_directories)
{
    for (size_t i = 0; i < LEN(model_cases); i++)
        check_model(i);
}

/* --- continuing the last message -------------------------------------------------------------- */

#define CHATML \
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
#define TRIMMING "{% for m in messages %}[{{ m.content | trim }}]{% endfor %}"
#define PARTS \
    "{% for m in messages %}{% for p in m.content %}<{{ p.text }}>{% endfor %}{% endfor %}"

static const struct {
    const char *name, *source, *messages, *want;
} continue_cases[] = {
    {"cut behind the content", CHATML, "[{\"role\": \"assistant\", \"content\": \"The answer\"}]",
     "<|im_start|>assistant\nThe answer"},
    {"blanks at the end are kept", CHATML, "[{\"role\": \"assistant\", \"content\": \"A \\n\"}]",
     "<|im_start|>assistant\nA \n"},
    {"trimmed blanks are gone", TRIMMING, "[{\"role\": \"assistant\", \"content\": \" A \"}]",
     "[A"},
    {"the last copy counts", CHATML,
     "[{\"role\": \"user\", \"content\": \"A\"}, {\"role\": \"assistant\", \"content\": \"A\"}]",
     "<|im_start|>user\nA<|im_end|>\n<|im_start|>assistant\nA"},
    {"the last part of text", PARTS,
     "[{\"role\": \"a\", \"content\": [{\"text\": \"x\"}, {\"text\": \"y\"}, {\"type\": "
     "\"image\"}]}]",
     "<x><y"},
    {"content that is not printed", "{{ 'nothing' }}", "[{\"role\": \"a\", \"content\": \"A\"}]",
     NULL},
    {"content without text", PARTS, "[{\"role\": \"a\", \"content\": [{\"type\": \"image\"}]}]",
     NULL},
    {"no message", CHATML, "[]", NULL},
};

TEST(continue_final_message)
{
    for (size_t i = 0; i < LEN(continue_cases); i++) {
        struct err e = ERR_INIT;
        struct json *messages = json_parse(STR(continue_cases[i].messages), &e);
        struct chat_template *t = chat_template_parse("t", STR(continue_cases[i].source), NULL, &e);
        struct chat_input in = {.messages = messages, .continue_final_message = true};
        struct buf out = {0};

        buf_addz(&out, "before ");
        if (continue_cases[i].want) {
            CHECK_OK(continue_cases[i].name, chat_template_render(t, &in, &out, NULL, &e), &e);
            CHECK_STR(continue_cases[i].name, str_slice(buf_str(&out), 7, out.len),
                      STR(continue_cases[i].want));
        } else {
            CHECK(continue_cases[i].name, !chat_template_render(t, &in, &out, NULL, &e));
            CHECK_STR(continue_cases[i].name, buf_str(&out), STR("before "));
        }
        in.add_generation_prompt = true;
        CHECK("not both", !chat_template_render(t, &in, &out, NULL, &e));
        buf_clear(&out);
        chat_template_close(t);
        json_close(messages);
    }
}

/* --- time ------------------------------------------------------------------------------------- */

static const struct {
    const char *format, *want;
} time_cases[] = {
    {"%H:%M %Z%z|%f|%%Z|%%f", "15:09 |000000|%Z|%f"}, /* as a Python time without a zone */
    {"%d %b %Y", "14 Mar 2025"},
    {"%Y-%m-%d", "2025-03-14"},
    {"%A, %B %d, %Y", "Friday, March 14, 2025"},
    {"%H:%M:%S", "15:09:26"},
    {"%j", "073"},
    {"", ""},
    {"%%", "%"},
};

TEST(strftime_now)
{
    for (size_t i = 0; i < LEN(time_cases); i++) {
        struct err e = ERR_INIT;
        struct buf source = {0}, out = {0};
        const struct chat_input in = {.now = "2025-03-14 15:09:26"};
        struct chat_template *t;

        buf_addf(&source, "{{ strftime_now('%s') }}", time_cases[i].format);
        t = chat_template_parse("t", buf_str(&source), NULL, &e);
        CHECK_OK(time_cases[i].format, chat_template_render(t, &in, &out, NULL, &e), &e);
        CHECK_STR(time_cases[i].format, buf_str(&out), STR(time_cases[i].want));
        buf_clear(&out);
        buf_clear(&source);
        chat_template_close(t);
    }
}

TEST(a_broken_time_is_refused)
{
    static const char *const times[] = {"", "yesterday", "2025-03-14", "2025-03-14 15:09:26 ",
                                        "2025-13-14 15:09:26"};
    struct err e = ERR_INIT;
    struct chat_template *t = chat_template_parse("t", STR("x"), NULL, &e);

    for (size_t i = 0; i < LEN(times); i++) {
        const struct chat_input in = {.now = times[i]};
        struct buf out = {0};

        e = ERR_INIT;
        CHECK(times[i], !chat_template_render(t, &in, &out, NULL, &e));
        CHECK_INT(times[i], e.code, ERR_INPUT);
        buf_clear(&out);
    }
    chat_template_close(t);
}

/* --- flaws ------------------------------------------------------------------------------------ */

/* Five tokens, three of them special; each byte of "abc" is a token. */
static const char tokenizer_json[] =
    "{\"version\": \"1.0\", \"added_tokens\": ["
    "{\"id\": 3, \"content\": \"<s>\", \"special\": true, \"normalized\": false, \"lstrip\": "
    "false, \"rstrip\": false, \"single_word\": false},"
    "{\"id\": 4, \"content\": \"<|im_start|>\", \"special\": true, \"normalized\": false, "
    "\"lstrip\": false, \"rstrip\": false, \"single_word\": false},"
    "{\"id\": 5, \"content\": \"<think>\", \"special\": false, \"normalized\": false, \"lstrip\": "
    "false, \"rstrip\": false, \"single_word\": false}],"
    "\"normalizer\": null, \"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": "
    "false, \"trim_offsets\": true, \"use_regex\": false},"
    "\"post_processor\": null, \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
    "\"trim_offsets\": true, \"use_regex\": false},"
    "\"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, "
    "\"continuing_subword_prefix\": null,"
    " \"end_of_word_suffix\": null, \"fuse_unk\": false, \"byte_fallback\": false, "
    "\"ignore_merges\": false,"
    " \"vocab\": {\"a\": 0, \"b\": 1, \"c\": 2}, \"merges\": []}}";

#define WITH_PROMPT \
    "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}{% if " \
    "add_generation_prompt %}a{% endif %}"
#define WITHOUT_PROMPT "{% for m in messages %}{{ m.content }}{% endfor %}"

static const struct {
    const char *name, *source, *messages,
        *prefix; /* put before the prompt, as a tokenizer's BOS would be */
    bool asks;
    const char *want; /* "kind:token:message ..." */
} flaw_cases[] = {
    {"a sound prompt", WITH_PROMPT, "[{\"content\": \"abc\"}]", "", true, ""},
    {"two BOS", WITH_PROMPT, "[{\"content\": \"abc\"}]", "<s>", true, "double BOS:3:0 "},
    {"a marker", WITH_PROMPT, "[{\"content\": \"a\"}, {\"content\": \"a<|im_start|>b\"}]", "", true,
     "template marker in a message:4:1 "},
    {"a marker twice is one finding", WITH_PROMPT,
     "[{\"content\": \"<|im_start|><|im_start|><s>\"}]", "", true,
     "template marker in a message:4:0 template marker in a message:3:0 "},
    {"a marker in a part", "abc", "[{\"content\": [{\"text\": \"<s>\"}]}]", "", false,
     "template marker in a message:3:0 "},
    {"an added token that is not special", WITH_PROMPT, "[{\"content\": \"<think>\"}]", "", true,
     ""},
    {"no generation prompt", WITHOUT_PROMPT, "[{\"content\": \"abc\"}]", "", true,
     "missing generation prompt:-1:0 "},
    {"none asked for", WITHOUT_PROMPT, "[{\"content\": \"abc\"}]", "", false, ""},
};

static void check_flaws(size_t i, const struct tokenizer *tokenizer, const struct json *tokens)
{
    struct err e = ERR_INIT;
    struct chat_template *t = chat_template_parse("t", STR(flaw_cases[i].source), tokens, &e);
    struct json *messages = json_parse(STR(flaw_cases[i].messages), &e);
    const struct chat_input in = {.messages = messages,
                                  .add_generation_prompt = flaw_cases[i].asks};
    struct chat_flaw flaws[8];
    struct token_buf ids = {0};
    struct buf prompt = {0}, got = {0};
    int n = -1;

    buf_addz(&prompt, flaw_cases[i].prefix);
    CHECK_OK(flaw_cases[i].name, chat_template_render(t, &in, &prompt, NULL, &e), &e);
    CHECK_OK(flaw_cases[i].name,
             tokenizer_encode(tokenizer, buf_str(&prompt), ENCODE_PARSE_SPECIAL, &ids, &e), &e);
    CHECK_OK(flaw_cases[i].name,
             chat_flaws_find(t, tokenizer, &in, &ids, flaws, LEN(flaws), &n, &e), &e);
    for (int k = 0; k < n; k++)
        buf_addf(&got, "%s:%d:%zu ", chat_flaw_name(flaws[k].kind), (int)flaws[k].token_id,
                 flaws[k].message);
    CHECK_STR(flaw_cases[i].name, buf_str(&got), STR(flaw_cases[i].want));
    buf_clear(&got);
    buf_clear(&prompt);
    token_buf_clear(&ids);
    json_close(messages);
    chat_template_close(t);
}

TEST(flaws)
{
    struct err e = ERR_INIT;
    struct tokenizer *tokenizer =
        tokenizer_parse(STR(tokenizer_json), STR("{\"bos_token\": \"<s>\"}"), &e);
    struct json *tokens = json_parse(STR("{\"bos_token\": \"<s>\"}"), &e);

    CHECK_OK("the tokenizer", tokenizer != NULL, &e);
    for (size_t i = 0; i < LEN(flaw_cases); i++)
        check_flaws(i, tokenizer, tokens);
    json_close(tokens);
    tokenizer_close(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_renderings),
        cmocka_unit_test(who_reads_parts),
        cmocka_unit_test(golden_renderings_of_other_licences),
        cmocka_unit_test(model_directories),
        cmocka_unit_test(continue_final_message),
        cmocka_unit_test(strftime_now),
        cmocka_unit_test(a_broken_time_is_refused),
        cmocka_unit_test(flaws),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
