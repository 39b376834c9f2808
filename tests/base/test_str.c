/* Views, buffers, UTF-8 and Python's way to print a float. */
#include "test.h"

#include "base/arena.h"

TEST(cuts_and_trims)
{
    struct str rest = STR("a,,b"), head;
    const char *want[] = {"a", "", "b"};
    size_t n = 0;

    while (str_cut(&rest, ',', &head)) {
        assert_true(n < LEN(want));
        CHECK_STR("field", head, STR(want[n]));
        n++;
    }
    assert_int_equal(n, 3);
    CHECK_STR("trim", str_trim(STR(" \t x y \n")), STR("x y"));
    CHECK_STR("slice past the end", str_slice(STR("abc"), 2, 99), STR("c"));
    CHECK_INT("find", str_find(STR("abcabc"), STR("ca"), 0), 2);
    CHECK_INT("find from", str_find(STR("abcabc"), STR("a"), 1), 3);
    CHECK_INT("rfind", str_rfind(STR("abcabc"), STR("bc")), 4);
    CHECK_INT("rfind at the start", str_rfind(STR("abcab"), STR("abc")), 0);
    CHECK_INT("rfind the whole", str_rfind(STR("abc"), STR("abc")), 0);
    CHECK_INT("rfind nothing", str_rfind(STR("abc"), STR("")), 3);
    CHECK_INT("rfind too long", str_rfind(STR("ab"), STR("abc")), -1);
    CHECK_INT("rfind not there", str_rfind(STR("aaaa"), STR("ab")), -1);
    CHECK_INT("not there", str_find(STR("abc"), STR("x"), 0), -1);
}

static const struct {
    double x;
    const char *want;
} floats[] = {
    {0.0, "0.0"},
    {-0.0, "-0.0"},
    {1.0, "1.0"},
    {0.1, "0.1"},
    {1e-6, "1e-06"},
    {1e16, "1e+16"},
    {1e15, "1000000000000000.0"},
    {123456.789, "123456.789"},
    {0.0001, "0.0001"},
    {0.00001234, "1.234e-05"},
    {1.0 / 3, "0.3333333333333333"},
    {5e-324, "5e-324"},
    {-2.5, "-2.5"},
    {1.7976931348623157e308, "1.7976931348623157e+308"},
    {9007199254740993.0, "9007199254740992.0"},
};

TEST(floats_print_as_python_prints_them)
{
    for (size_t i = 0; i < LEN(floats); i++) {
        struct buf b = {0};

        buf_add_f64(&b, floats[i].x);
        CHECK_STR(floats[i].want, buf_str(&b), STR(floats[i].want));
        buf_clear(&b);
    }
}

TEST(a_buffer_keeps_its_ceiling)
{
    struct buf b;

    buf_init(&b, 10);
    buf_addz(&b, "12345678");
    assert_false(b.failed);
    buf_addz(&b, "901");
    assert_true(b.failed);
    CHECK_STR("unchanged", buf_str(&b), STR("12345678"));
    buf_reset(&b);
    buf_addz(&b, "0123456789");
    assert_false(b.failed);
    CHECK_STR("full", buf_str(&b), STR("0123456789"));
    buf_clear(&b);
}

/* Expected replacements are those of Python 3: bytes.decode("utf-8", "replace"). */
static const struct {
    const char *bytes;
    size_t len;
    const char *want;
    size_t unfinished;
} texts[] = {
    {"abc", 3, "abc", 0},
    {"\xC3\xA9", 2, "\xC3\xA9", 0},
    {"\xC3", 1, "\xEF\xBF\xBD", 1},
    {"\xE2\x82", 2, "\xEF\xBF\xBD", 2},
    {"\xE2\x28\xA1", 3, "\xEF\xBF\xBD(\xEF\xBF\xBD", 0},
    {"\xF0\x9F\x98", 3, "\xEF\xBF\xBD", 3},
    {"\xF0\x9F\x98\x80", 4, "\xF0\x9F\x98\x80", 0},
    {"\xED\xA0\x80", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 0},
    {"\xC0\xAF", 2, "\xEF\xBF\xBD\xEF\xBF\xBD", 0},
    {"\xF4\x90\x80\x80", 4, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", 0},
    {"a\x80", 2, "a\xEF\xBF\xBD", 0},
    {"\xE0\x9F", 2, "\xEF\xBF\xBD\xEF\xBF\xBD", 0},
    {"\xED\xA0", 2, "\xEF\xBF\xBD\xEF\xBF\xBD", 0},
};

TEST(ill_formed_utf8_is_replaced_as_python_does)
{
    for (size_t i = 0; i < LEN(texts); i++) {
        struct str s = {texts[i].bytes, texts[i].len};
        struct buf b = {0};

        utf8_repair(&b, s);
        CHECK_STR("repair", buf_str(&b), STR(texts[i].want));
        CHECK_INT("row", utf8_valid(s), str_eq(s, buf_str(&b)));
        if (utf8_unfinished(s) != texts[i].unfinished)
            fail_msg("row %zu: unfinished %zu", i, utf8_unfinished(s));
        buf_clear(&b);
    }
}

TEST(every_code_point_survives)
{
    for (uint32_t c = 0; c <= 0x110000; c++) {
        char bytes[4];
        int n = utf8_encode(c, bytes);
        size_t i = 0;

        if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) {
            assert_int_equal(n, 0);
            continue;
        }
        assert_int_equal(utf8_next((struct str){bytes, (size_t)n}, &i), c);
        assert_int_equal(i, n);
    }
}

TEST(arenas_keep_their_ceiling_and_run_hooks)
{
    struct arena a;
    struct str s;

    arena_init(&a, 4096);
    s = str_fmt(&a, "%d-%s", 7, "x");
    CHECK_STR("fmt", s, STR("7-x"));
    assert_null(arena_try(&a, 8192));
    assert_non_null(arena_try(&a, 1024));
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    arena_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_and_trims),
        cmocka_unit_test(floats_print_as_python_prints_them),
        cmocka_unit_test(a_buffer_keeps_its_ceiling),
        cmocka_unit_test(ill_formed_utf8_is_replaced_as_python_does),
        cmocka_unit_test(every_code_point_survives),
        cmocka_unit_test(arenas_keep_their_ceiling_and_run_hooks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
