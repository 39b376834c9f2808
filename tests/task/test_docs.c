#include "test.h"

#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "task/docs.h"

static const char *const refused[] = {"sample_index", "gen", NULL};
static const char *const renamed[] = {"seed", "usage", NULL};
static const struct docs_keys keys = {"prompt", "answer", refused, renamed};

static char path[] = "/tmp/test_docs_XXXXXX";

static int make_file(void **state UNUSED)
{
    int fd = mkstemp(path);

    if (fd >= 0)
        close(fd);
    return fd < 0;
}

static int remove_file(void **state UNUSED)
{
    return unlink(path);
}

static struct docs *open_text(struct str text, struct err *e)
{
    struct err ignored = ERR_INIT;

    assert_true(file_replace(path, text, &ignored));
    return docs_open(path, &keys, e);
}

static const struct {
    const char *name, *text, *words; /* the error has these words */
} bad[] = {
    {"empty", "", "holds no problems"},
    {"only blank lines", "\n\n  \n", "holds no problems"},
    {"not JSON", "{\"prompt\":\"a\"}\nhello\n", ":2: not a JSON object"},
    {"a JSON array", "[{\"prompt\":\"a\"}]\n", ":1: a JSON array"},
    {"over several lines", "{\n \"prompt\": \"a\"\n}\n",
     ":1: the object goes on over several lines"},
    {"compressed", "PK\x03\x04zzz\n", "compressed"},
    {"no prompt", "{\"prompt\":\"a\"}\n\n{\"question\":\"q\",\"answer\":1}\n",
     ":3: no field \"prompt\"; the line has: question, answer. Name the right one with --input_key"},
    {"a prompt that is no string", "{\"prompt\":[1]}\n",
     ":1: the field \"prompt\" is not a string"},
    {"an empty prompt", "{\"prompt\":\" \"}\n", ":1: the field \"prompt\" is empty"},
    {"a duplicate doc_id",
     "{\"prompt\":\"a\",\"doc_id\":\"x\"}\n{\"prompt\":\"b\",\"doc_id\":\"x\"}\n",
     ":2: doc_id \"x\" stands in line 1 already"},
    {"doc_id 1 and \"1\"", "{\"prompt\":\"a\",\"doc_id\":1}\n{\"prompt\":\"b\",\"doc_id\":\"1\"}\n",
     ":2: doc_id \"1\" stands in line 1 already"},
    {"a doc_id of another type", "{\"prompt\":\"a\",\"doc_id\":1.5}\n", ":1: doc_id is neither"},
    {"an empty doc_id", "{\"prompt\":\"a\",\"doc_id\":\"\"}\n", ":1: doc_id is empty"},
    {"a field twice", "{\"prompt\":\"a\",\"prompt\":\"b\"}\n",
     ":1: the field \"prompt\" stands there twice"},
    {"a result file", "{\"prompt\":\"a\",\"gen\":\"b\"}\n", "is this a result file?"},
    {"NaN", "{\"prompt\":\"a\",\"answer\":NaN}\n", ":1: not a JSON object"},
    {"not UTF-8", "{\"prompt\":\"a\xff\"}\n", "not UTF-8"},
    {"half a last line", "{\"prompt\":\"a\"}\n{\"prompt\":\"b",
     ":2: not a JSON object: the string does not end"},
};

TEST(refuses_with_line_and_words)
{
    for (size_t i = 0; i < LEN(bad); i++) {
        struct err e = ERR_INIT;

        CHECK(bad[i].name, open_text(STR(bad[i].text), &e) == NULL);
        CHECK_INT(bad[i].name, e.code, ERR_INPUT);
        if (!strstr(e.msg, bad[i].words) || !strstr(e.msg, path))
            fail_msg("%s: \"%s\" lacks \"%s\" or the path", bad[i].name, e.msg, bad[i].words);
    }
}

TEST(a_missing_file_is_named)
{
    struct err e = ERR_INIT;

    assert_null(docs_open("/nowhere/at/all.jsonl", &keys, &e));
    CHECK("names it", strstr(e.msg, "/nowhere/at/all.jsonl"));
}

TEST(a_line_of_100_megabytes_is_refused)
{
    struct buf text = {0};
    struct err e = ERR_INIT;

    buf_addz(&text, "{\"prompt\":\"");
    assert_true(buf_reserve(&text, 100u << 20));
    memset(text.ptr + text.len, 'x', 100u << 20);
    text.len += 100u << 20;
    buf_addz(&text, "\"}\n");
    assert_null(open_text(buf_str(&text), &e));
    CHECK("line and size", strstr(e.msg, ":1: the line has 1048576") != NULL);
    buf_clear(&text);
}

TEST(keeps_fields_as_they_stand)
{
    struct err e = ERR_INIT;
    struct docs *d = open_text(
        STR("\xEF\xBB\xBF{ \"prompt\": \"a\\u00e9\", \"answer\": 12345678901234567890123, \"x\" : [1,  2] }\r\n"
            "{\"seed\":1,\"prompt\":\"b\",\"doc_id\":7}\n{}\n"),
        &e);

    assert_null(d); /* {} has no prompt */
    err_clear(&e);
    d = open_text(
        STR("\xEF\xBB\xBF{ \"prompt\": \"a\\u00e9\", \"answer\": 12345678901234567890123, \"x\" : [1,  2] }\r\n"
            "{\"seed\":1,\"prompt\":\"b\",\"doc_id\":7}\n"),
        &e);
    CHECK_OK("open", d != NULL, &e);
    CHECK_INT("two docs", d->n, 2);
    CHECK_STR("prompt", d->items[0].prompt, STR("a\xc3\xa9"));
    CHECK_STR(
        "fields", d->items[0].fields,
        STR("\"prompt\": \"a\\u00e9\", \"answer\": 12345678901234567890123, \"x\" : [1,  2]"));
    CHECK_STR("answer", d->items[0].answer, STR("12345678901234567890123"));
    CHECK_STR("renamed", d->items[1].fields, STR("\"input_seed\":1,\"prompt\":\"b\",\"doc_id\":7"));
    CHECK_INT("counted", d->n_renamed, 1);
    CHECK_STR("id", d->items[1].id, STR("7"));
    CHECK_INT("without answer", d->n_without_answer, 1);
    CHECK_INT("found by id", docs_find(d, STR("7")), 1);
    CHECK_INT("not found", docs_find(d, STR("8")), -1);
    CHECK_INT("found by prompt", docs_find_prompt(d, STR("a\xc3\xa9")), 0);
    docs_close(d);
}

TEST(makes_ids_from_content)
{
    struct err e = ERR_INIT;
    struct docs *a =
        open_text(STR("{\"prompt\":\"p\",\"answer\":1}\n{\"prompt\":\"q\",\"answer\":1}\n"
                      "{\"prompt\":\"p\",\"answer\":1,\"x\":2}\n{\"prompt\":\"p\",\"answer\":2}\n"),
                  &e);
    char want[20], first[20];
    struct docs *b;

    CHECK_OK("open", a != NULL, &e);
    snprintf(want, sizeof(want), "%016llx", (unsigned long long)siphash64(0, 0, "p\0001", 3));
    snprintf(first, sizeof(first), STR_FMT, STR_ARG(a->items[0].id));
    CHECK_STR("recipe", a->items[0].id, STR(want));
    CHECK("alike in prompt and answer",
          strncmp(a->items[2].id.ptr, want, 16) == 0 && str_ends(a->items[2].id, "-2"));
    CHECK("another answer", !str_starts(a->items[3].id, want));
    CHECK_INT("the next with this prompt", a->items[0].next_same_prompt, 2);
    CHECK_INT("and the next", a->items[2].next_same_prompt, 3);
    CHECK_INT("no more", a->items[3].next_same_prompt, -1);
    docs_close(a);
    b = open_text(STR("{\"prompt\":\"new\"}\n{\"answer\":1, \"prompt\":\"p\"}\n"), &e);
    CHECK_OK("open", b != NULL, &e);
    CHECK_STR("outlives reordering", b->items[1].id, STR(first));
    docs_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_with_line_and_words),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_line_of_100_megabytes_is_refused),
        cmocka_unit_test(keeps_fields_as_they_stand),
        cmocka_unit_test(makes_ids_from_content),
    };

    return RUN_GROUP(tests, make_file, remove_file);
}
