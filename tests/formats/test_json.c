/* JSON: what goes in comes out, in order; what is wrong is named by place; lines of JSONL. */
#include "test.h"

#include "formats/json.h"
#include "formats/jsonl.h"

static const struct {
    const char *in, *out; /* out NULL: the same text */
} good[] = {
    {"null", NULL},
    {"{\"b\": 1, \"a\": [true, false, null]}", NULL},
    {"{\"z\": \"\\u00e9\\ud83d\\ude00\\n\"}", "{\"z\": \"\xC3\xA9\xF0\x9F\x98\x80\\n\"}"},
    {"\"a\\u0000b\"", NULL},
    {"[1.0, 1e-6, 1E22, 0.5]", "[1.0, 1e-06, 1e+22, 0.5]"},
    {"[123456789012345678901234567890, \"123456789012345678901234567890\"]",
     "[1.2345678901234568e+29, \"123456789012345678901234567890\"]"},
    {"[9223372036854775807, -9223372036854775808]", NULL},
    {"{}", NULL},
    {"[]", NULL},
};

TEST(values_survive)
{
    for (size_t i = 0; i < LEN(good); i++) {
        struct err e = ERR_INIT;
        struct buf out = {0};
        struct json *v = json_parse(STR(good[i].in), &e);

        CHECK_OK(good[i].in, v != NULL, &e);
        json_write(&out, v);
        CHECK_STR(good[i].in, buf_str(&out), STR(good[i].out ? good[i].out : good[i].in));
        buf_clear(&out);
        json_close(v);
    }
}

static const char *const bad[] = {
    "",      "{",           "[1,]", "{\"a\":1,\"a\":2}", "nul", "\"\xff\"",
    "[1] x", "\"\\ud800\"", "01",   "{'a':1}",           "NaN",
};

TEST(damage_is_refused_with_its_place)
{
    for (size_t i = 0; i < LEN(bad); i++) {
        struct err e = ERR_INIT;
        struct json *v = json_parse(STR(bad[i]), &e);

        CHECK(bad[i], v == NULL);
        CHECK(e.msg, strstr(e.msg, "line ") && e.code == ERR_INPUT);
    }
}

TEST(deep_nesting_is_an_error_not_a_crash)
{
    struct err e = ERR_INIT;
    struct buf text = {0};

    for (int i = 0; i < 100000; i++)
        buf_addc(&text, '[');
    assert_null(json_parse(buf_str(&text), &e));
    assert_int_equal(e.code, ERR_INPUT);
    buf_clear(&text);
}

TEST(readers_are_neutral_about_what_is_missing)
{
    struct err e = ERR_INIT;
    struct json *v = json_parse(
        STR("{\"s\": \"x\", \"n\": 3, \"r\": 2.0, \"h\": 2.5, \"o\": {\"k\": [7]}}"), &e);

    CHECK_OK("parse", v != NULL, &e);
    CHECK_INT("path", json_int(json_at(json_get(json_get(v, "o"), "k"), 0), -1), 7);
    CHECK_INT("no path", json_int(json_at(json_get(json_get(v, "x"), "k"), 0), -1), -1);
    CHECK_INT("whole real", json_int(json_get(v, "r"), -1), 2);
    CHECK_INT("broken real", json_int(json_get(v, "h"), -1), -1);
    CHECK("integer as real", json_num(json_get(v, "n"), 0) == 3.0);
    CHECK_STR("string", json_str(json_get(v, "s")), STR("x"));
    CHECK_STR("not a string", json_str(json_get(v, "n")), STR(""));
    CHECK_INT("absent", json_type(json_get(v, "zz")), JSON_ABSENT);
    CHECK_INT("length", json_len(v), 5);
    json_close(v);
}

TEST(trees_are_built_in_order)
{
    struct json *v = json_new_object(), *list = json_new_array();
    struct buf out = {0};

    json_push(list, json_new_int(1));
    json_push(list, json_new_real(0.0 / 0.0));
    json_set(v, "z", list);
    json_set(v, "a", json_new_str((struct str){"\xff!", 2}));
    json_set(v, "z2", json_new_bool(true));
    json_remove(v, "z2");
    json_write(&out, v);
    CHECK_STR("text", buf_str(&out), STR("{\"z\": [1, null], \"a\": \"\xEF\xBF\xBD!\"}"));
    buf_reset(&out);
    json_write_indent(&out, v, 2);
    CHECK_STR("indent", buf_str(&out),
              STR("{\n  \"z\": [\n    1,\n    null\n  ],\n  \"a\": \"\xEF\xBF\xBD!\"\n}"));
    buf_clear(&out);
    json_close(v);
}

TEST(lines_are_counted)
{
    struct jsonl it;
    struct str line;

    jsonl_init(&it, STR("one\r\n\n  \nfour\nfive"));
    assert_true(jsonl_next(&it, &line));
    CHECK_STR("one", line, STR("one"));
    assert_true(jsonl_next(&it, &line));
    CHECK_STR("four", line, STR("four"));
    CHECK_INT("line", it.line_no, 4);
    CHECK_INT("offset", it.offset, 9);
    assert_false(it.is_torn);
    assert_true(jsonl_next(&it, &line));
    CHECK_STR("five", line, STR("five"));
    assert_true(it.is_torn);
    assert_false(jsonl_next(&it, &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_survive),
        cmocka_unit_test(damage_is_refused_with_its_place),
        cmocka_unit_test(deep_nesting_is_an_error_not_a_crash),
        cmocka_unit_test(readers_are_neutral_about_what_is_missing),
        cmocka_unit_test(trees_are_built_in_order),
        cmocka_unit_test(lines_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
