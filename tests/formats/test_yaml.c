/* YAML into JSON trees: types, nesting, aliases; damage is named by place. */
#include "test.h"

#include "formats/json.h"
#include "formats/yaml.h"

static const struct {
    const char *yaml, *json;
} good[] = {
    {"", "null"},
    {"a: 1\nb: [x, 'y', \"z\"]\n", "{\"a\": 1, \"b\": [\"x\", \"y\", \"z\"]}"},
    {"- 1.5\n- 1e3\n- true\n- null\n- ~\n- yes\n- '7'\n- -3\n",
     "[1.5, 1000.0, true, null, null, \"yes\", \"7\", -3]"},
    {"base: &b {x: 1}\nuse: *b\n", "{\"base\": {\"x\": 1}, \"use\": {\"x\": 1}}"},
    {"text: |\n  two\n  lines\n", "{\"text\": \"two\\nlines\\n\"}"},
    {"---\nk: v # comment\n", "{\"k\": \"v\"}"},
    {"empty:\n", "{\"empty\": null}"},
    {"version: 1.2.3\ndate: 2025-01-01\n", "{\"version\": \"1.2.3\", \"date\": \"2025-01-01\"}"},
};

TEST(documents_become_trees)
{
    for (size_t i = 0; i < LEN(good); i++) {
        struct err e = ERR_INIT;
        struct buf out = {0};
        struct json *v = yaml_parse(STR(good[i].yaml), &e);

        CHECK_OK(good[i].yaml, v != NULL, &e);
        json_write(&out, v);
        CHECK_STR(good[i].yaml, buf_str(&out), STR(good[i].json));
        buf_clear(&out);
        json_close(v);
    }
}

static const struct {
    const char *yaml, *error;
} bad[] = {
    {"a: [1, 2", "line 2, column 1: not valid YAML"},
    {"a: 1\na: 2\n", "line 2: the key \"a\" stands twice"},
    {"? [x]\n: 1\n", "line 1: a key must be"},
    {"a: 1\n---\nb: 2\n", "more than one"},
    {"a: 1\n\tb: 2\n", "line 2"},
    {"a: &a [*a]\n", "nested too deeply"},
    {"a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
     "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n",
     "too large"},
};

TEST(damage_is_named_by_place)
{
    for (size_t i = 0; i < LEN(bad); i++) {
        struct err e = ERR_INIT;

        CHECK(bad[i].yaml, yaml_parse(STR(bad[i].yaml), &e) == NULL);
        CHECK(e.msg, strstr(e.msg, bad[i].error) != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_become_trees),
        cmocka_unit_test(damage_is_named_by_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
