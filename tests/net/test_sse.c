/* test_sse.c - events come out the same whatever the cut. */
#include "net/sse.h"

#include "test.h"

static const struct {
    const char *name, *bytes;
    const char *events[4]; /* up to the first NULL */
    bool is_clean;
} cases[] = {
    {"one", "data: hello\n\n", {"hello"}, true},
    {"no blank after the colon", "data:hello\n\n", {"hello"}, true},
    {"only one blank goes", "data:  hello\n\n", {" hello"}, true},
    {"CR LF", "data: a\r\n\r\ndata: b\r\n\r\n", {"a", "b"}, true},
    {"CR alone", "data: a\r\rdata: b\r\r", {"a", "b"}, true},
    {"mixed ends", "data: a\r\n\ndata: b\n\r\n", {"a", "b"}, true},
    {"several data lines", "data: a\ndata: b\n\n", {"a\nb"}, true},
    {"an empty data line counts", "data\n\ndata:\n\n", {"", ""}, true},
    {"comments and other fields", ": ping\nevent: x\nid: 1\nretry: 5\ndata: a\n\n", {"a"}, true},
    {"an event without data is none", "event: x\n\ndata: a\n\n", {"a"}, true},
    {"blank lines between", "\n\n\ndata: a\n\n\n\n", {"a"}, true},
    {"the end is missing", "data: a\n\ndata: b\n", {"a"}, false},
    {"cut inside a line", "data: a\n\nda", {"a"}, false},
    {"a name that only begins so", "database: x\n\ndata: a\n\n", {"a"}, true},
    {"colons inside", "data: {\"a\":1}\n\ndata: [DONE]\n\n", {"{\"a\":1}", "[DONE]"}, true},
};

static void check(const char *name, struct sse_reader *r, struct str bytes, size_t step,
                  const char *const *want, bool is_clean)
{
    size_t n = 0;

    for (size_t i = 0; i < bytes.len; i += step) {
        struct str piece = str_slice(bytes, i, i + step), data;

        while (sse_next(r, &piece, &data)) {
            CHECK(name, want[n] != NULL);
            CHECK_STR(name, data, STR(want[n]));
            n++;
        }
        CHECK_INT(name, piece.len, 0);
    }
    CHECK(name, want[n] == NULL);
    CHECK_INT(name, sse_reader_is_clean(r), is_clean);
}

TEST(events_in_every_cut)
{
    for (size_t i = 0; i < LEN(cases); i++)
        for (size_t step = 1; step <= strlen(cases[i].bytes); step++) {
            struct sse_reader r;

            sse_reader_init(&r, 0);
            check(cases[i].name, &r, STR(cases[i].bytes), step, cases[i].events, cases[i].is_clean);
            sse_reader_clear(&r);
        }
}

TEST(too_long_is_refused)
{
    struct sse_reader r;
    struct str bytes = STR("data: 0123456789012345678901234567890123456789\n\n"), data;

    sse_reader_init(&r, 16);
    assert_false(sse_next(&r, &bytes, &data));
    assert_true(r.failed);
    sse_reader_clear(&r);
}

TEST(written_is_read)
{
    static const char *const texts[] = {"", "a", "a\nb", "\n", "two\n\nlines", "[DONE]"};

    for (size_t i = 0; i < LEN(texts); i++) {
        struct buf out = {0};
        struct sse_reader r;
        struct str bytes, data = STR("");

        sse_write(&out, STR(texts[i]));
        bytes = buf_str(&out);
        sse_reader_init(&r, 0);
        CHECK(texts[i], sse_next(&r, &bytes, &data));
        CHECK_STR(texts[i], data, STR(texts[i]));
        CHECK_INT(texts[i], bytes.len, 0);
        sse_reader_clear(&r);
        buf_clear(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_in_every_cut),
        cmocka_unit_test(too_long_is_refused),
        cmocka_unit_test(written_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
