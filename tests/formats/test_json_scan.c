/* The scanner against the tree reader: both must take and refuse the same texts. */
#include "test.h"

#include "base/arena.h"
#include "base/hash.h"
#include "formats/json.h"
#include "formats/json_scan.h"

static const struct {
    const char *name, *text;
    bool is_valid;
} texts[] = {
    {"an object", "{\"a\": 1, \"b\": [true, false, null]}", true},
    {"empty containers", "{\"a\":{},\"b\":[]}", true},
    {"nested", "[[[{\"a\":[1,{\"b\":2}]}]]]", true},
    {"numbers", "[0,-0,1.5,-2e10,3E-2,1e+5]", true},
    {"a scalar", "\"x\"", true},
    {"blanks around", " \t\r\n{ } \n", true},
    {"escapes", "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"]", true},
    {"UTF-8", "[\"\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x98\x80\"]", true},
    {"nothing", "", false},
    {"only blanks", "  ", false},
    {"an open object", "{\"a\":1", false},
    {"an open string", "[\"abc", false},
    {"an open array in an object", "{\"a\":[}", false},
    {"a comma too many", "[1,]", false},
    {"a comma too many in an object", "{\"a\":1,}", false},
    {"no colon", "{\"a\" 1}", false},
    {"no quotes", "{a:1}", false},
    {"single quotes", "{'a':1}", false},
    {"NaN", "[NaN]", false},
    {"Infinity", "[-Infinity]", false},
    {"a leading zero", "[01]", false},
    {"a plus", "[+1]", false},
    {"no digits after the point", "[1.]", false},
    {"no digits in the exponent", "[1e]", false},
    {"two values", "{} {}", false},
    {"a control character", "[\"a\tb\"]", false},
    {"an unknown escape", "[\"\\x\"]", false},
    {"three hexadecimal digits", "[\"\\u12g4\"]", false},
    {"half a character", "[\"\xe4\xbd\"]", false},
    {"an overlong form", "[\"\xc0\xaf\"]", false},
    {"a surrogate in UTF-8", "[\"\xed\xa0\x80\"]", false},
    {"a wrong word", "[tru]", false},
    {"mismatched brackets", "[{]}", false},
    {"a long plain string", "[\"0123456789012345678901234567890123456789\"]", true},
    {"a quote in the last of eight", "[\"0123456\"]", true},
};

TEST(validates)
{
    for (size_t i = 0; i < LEN(texts); i++) {
        struct err e = ERR_INIT;
        struct json *tree = json_parse(STR(texts[i].text), &e);
        const char *fault = NULL;
        size_t at = 0;

        CHECK_INT(texts[i].name, json_scan_valid(STR(texts[i].text), &at, &fault),
                  texts[i].is_valid);
        CHECK_INT(texts[i].name, fault == NULL, texts[i].is_valid);
        CHECK(texts[i].name, at <= strlen(texts[i].text));
        CHECK_INT(texts[i].name, tree != NULL, texts[i].is_valid); /* the other reader agrees */
        json_close(tree);
    }
}

TEST(walks_over_an_object)
{
    struct json_scan s = json_scan(STR(" { \"a\" : 1 , \"b\\u0063\":[1, 2] ,\"c\":\"x\" } "));

    assert_true(json_scan_next(&s));
    CHECK_STR("key", s.key, STR("a"));
    CHECK_STR("value", s.value, STR("1"));
    assert_true(json_scan_next(&s));
    CHECK("escaped key", json_scan_key_is(&s, "bc"));
    CHECK_STR("value", s.value, STR("[1, 2]"));
    assert_true(json_scan_next(&s));
    CHECK_STR("value", s.value, STR("\"x\""));
    assert_false(json_scan_next(&s));
    assert_null(s.fault);
    assert_false(json_scan_next(&s));
}

TEST(finds_faults_in_objects)
{
    static const char *const bad[] = {
        "{\"a\":1 \"b\":2}", "{\"a\":1", "{\"a\":}", "{\"a\":1} x", "{,}", "[1 2]", "1", ""};

    for (size_t i = 0; i < LEN(bad); i++) {
        struct json_scan s = json_scan(STR(bad[i]));

        while (json_scan_next(&s))
            continue;
        CHECK(bad[i], s.fault != NULL);
        CHECK(bad[i], s.at <= strlen(bad[i]));
    }
}

TEST(gets_by_key)
{
    CHECK_STR("there", json_scan_get(STR("{\"a\":{\"x\":3},\"b\":2}"), "b"), STR("2"));
    CHECK_STR("absent", json_scan_get(STR("{\"a\":1}"), "b"), STR(""));
    CHECK_STR("the last of two", json_scan_get(STR("{\"a\":1,\"a\":2}"), "a"), STR("2"));
    CHECK_STR("no object", json_scan_get(STR("[1]"), "a"), STR(""));
    CHECK_STR("broken", json_scan_get(STR("{\"a\":1"), "a"), STR(""));
}

static const struct {
    const char *raw, *plain;
} strings[] = {
    {"\"\"", ""},
    {"\"a\\n\\t\\\"\\\\\\/\\b\\f\\r\"", "a\n\t\"\\/\b\f\r"},
    {"\"\\u00e9\\u4f60\"", "\xc3\xa9\xe4\xbd\xa0"},
    {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
    {"\"\\ud83d\"", "\xef\xbf\xbd"},
    {"\"\\ud83dx\"", "\xef\xbf\xbdx"},
    {"\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd"
                           "A"},
};

TEST(reads_strings)
{
    for (size_t i = 0; i < LEN(strings); i++) {
        struct buf out = {0};

        CHECK(strings[i].raw, json_raw_str(STR(strings[i].raw), &out));
        CHECK_STR(strings[i].raw, buf_str(&out), STR(strings[i].plain));
        buf_clear(&out);
    }
}

TEST(knows_truth)
{
    static const struct {
        const char *raw;
        bool is_truthy;
    } cases[] = {{"null", false},    {"false", false}, {"0", false},    {"0.0", false},
                 {"\"\"", false},    {"[]", false},    {"{ }", false},  {"", false},
                 {"true", true},     {"1", true},      {"\"x\"", true}, {"[0]", true},
                 {"{\"a\":1}", true}};

    for (size_t i = 0; i < LEN(cases); i++)
        CHECK_INT(cases[i].raw, json_raw_is_truthy(STR(cases[i].raw)), cases[i].is_truthy);
}

/* Every cut of a valid text, and random bytes put into it, get the same verdict from both readers.
 */
TEST(agrees_with_the_tree_reader_on_damaged_texts)
{
    const char *text =
        "{\"p\":\"a\\u00e9\xe4\xbd\xa0 "
        "x\",\"n\":[1,-2.5e3,null,{\"t\":true}],\"e\":{},\"s\":\"0123456789abcdef\"}";
    size_t n = strlen(text);
    char copy[256];

    for (size_t i = 0; i < 4000; i++) {
        struct err e = ERR_INIT;
        size_t len = n, at = siphash64(1, i, "at", 2) % n;
        struct json *tree;

        memcpy(copy, text, n + 1);
        if (i < n)
            len = i;
        else
            copy[at] = (char)siphash64(2, i, "byte", 4);
        tree = json_parse((struct str){copy, len}, &e);
        if ((tree != NULL) != json_scan_valid((struct str){copy, len}, NULL, NULL) &&
            !strstr(e.msg, "duplicate")) /* only the tree reader looks for those */
            fail_msg("case %zu: the readers differ on %.*s (%s)", i, (int)len, copy, e.msg);
        json_close(tree);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validates),
        cmocka_unit_test(walks_over_an_object),
        cmocka_unit_test(finds_faults_in_objects),
        cmocka_unit_test(gets_by_key),
        cmocka_unit_test(reads_strings),
        cmocka_unit_test(knows_truth),
        cmocka_unit_test(agrees_with_the_tree_reader_on_damaged_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
