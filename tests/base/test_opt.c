/* Option tables: both spellings, ranges, hints, help, echo. */
#include "test.h"

#include "base/opt.h"

struct values {
    int max_workers;
    double temperature;
    bool stream;
    const char *dtype;
    const char *api_key;
    int64_t seed;
    struct opt_list base_url;
};

static const struct opt table[] = {
    OPT_INT(struct values, max_workers, "128", 1, 4096, "requests in flight"),
    OPT_REAL(struct values, temperature, "0.6", 0, 2, "0 takes the likeliest token"),
    OPT_BOOL(struct values, stream, "true", "stream replies"),
    OPT_CHOICE(struct values, dtype, "auto", "auto|bfloat16|float32", "type of the weights"),
    OPT_STR(struct values, api_key, NULL, "key", .flags = OPT_SECRET),
    OPT_I64(struct values, seed, "0", 0, 9e18, "seed of the run", .alias = "random_seed"),
    OPT_LIST(struct values, base_url, "server"),
    {0},
};

static const struct {
    const char *args[6];
    const char *error; /* part of the message; NULL: accepted */
    struct values want;
} cases[] = {
    {{NULL}, NULL, {128, 0.6, true, "auto", "", 0, {0}}},
    {{"--max_workers", "8"}, NULL, {8, 0.6, true, "auto", "", 0, {0}}},
    {{"--max-workers=9"}, NULL, {9, 0.6, true, "auto", "", 0, {0}}},
    {{"--max-workers", "1", "--max_workers", "2"}, NULL, {2, 0.6, true, "auto", "", 0, {0}}},
    {{"--no_stream"}, NULL, {128, 0.6, false, "auto", "", 0, {0}}},
    {{"--no-stream"}, NULL, {128, 0.6, false, "auto", "", 0, {0}}},
    {{"--stream", "false"}, NULL, {128, 0.6, false, "auto", "", 0, {0}}},
    {{"--stream=1"}, NULL, {128, 0.6, true, "auto", "", 0, {0}}},
    {{"--random-seed", "7"}, NULL, {128, 0.6, true, "auto", "", 7, {0}}},
    {{"--dtype", "float32"}, NULL, {128, 0.6, true, "float32", "", 0, {0}}},
    {{"--max_worker", "8"}, "did you mean --max_workers?", {0}},
    {{"--temprature", "1"}, "did you mean --temperature?", {0}},
    {{"--zzzzzzzzzzz"}, "unknown option --zzzzzzzzzzz", {0}},
    {{"--max_workers", "0"}, "out of range: 1.0 to 4096.0", {0}},
    {{"--max_workers", "eight"}, "takes a whole number, not \"eight\"", {0}},
    {{"--max_workers"}, "needs a value", {0}},
    {{"--temperature", "2.5"}, "out of range", {0}},
    {{"--dtype", "int3"}, "is one of auto|bfloat16|float32", {0}},
    {{"--stream=perhaps"}, "takes true or false", {0}},
    {{"stray"}, "\"stray\" is not an option", {0}},
};

TEST(flags_are_read)
{
    for (size_t i = 0; i < LEN(cases); i++) {
        struct values v = {0};
        struct opt_group g = {"Test", table, &v};
        struct err e = ERR_INIT;
        char *argv[6];
        int argc = 0;
        const char *name = cases[i].args[0] ? cases[i].args[0] : "(none)";
        bool ok;

        while (argc < 6 && cases[i].args[argc]) {
            argv[argc] = (char *)(uintptr_t)cases[i].args[argc];
            argc++;
        }
        ok = opts_parse(argc, argv, &g, 1, NULL, &e);
        CHECK_INT(name, ok, cases[i].error == NULL);
        if (ok) {
            const struct values *w = &cases[i].want;

            CHECK_INT(name, v.max_workers, w->max_workers);
            CHECK(name, v.temperature == w->temperature);
            CHECK_INT(name, v.stream, w->stream);
            CHECK_STR(name, STR(v.dtype), STR(w->dtype));
            CHECK_INT(name, v.seed, w->seed);
        } else {
            CHECK(e.msg, strstr(e.msg, cases[i].error) != NULL);
        }
        opts_clear(&g, 1, NULL);
    }
}

struct echo {
    struct opt_group *back;
    struct buf text;
};

static void echo_back(void *ctx, const struct opt *o, struct str value)
{
    struct echo *echo = ctx;
    struct err e = ERR_INIT;

    buf_addf(&echo->text, "%s=" STR_FMT ";", o->name, STR_ARG(value));
    if (!(o->flags & OPT_SECRET))
        CHECK_OK(o->name, opts_set(echo->back, 1, STR(o->name), value, &e), &e);
}

TEST(an_echo_reads_back_to_the_same_options)
{
    const char *args[] = {"--temperature=0.35",  "--base_url", "http://a",
                          "--base-url=http://b", "--api_key",  "canary-key"};
    struct values v = {0}, w = {0};
    struct opt_group g = {"Test", table, &v}, h = {"Test", table, &w};
    struct echo echo = {&h, {0}};
    struct err e = ERR_INIT;

    CHECK_OK("parse", opts_parse(LEN(args), (char **)(uintptr_t)args, &g, 1, NULL, &e), &e);
    opts_defaults(&h, 1);
    opts_each(&g, 1, echo_back, &echo);
    assert_null(strstr(buf_z(&echo.text), "canary-key"));
    assert_non_null(strstr(buf_z(&echo.text), "api_key=***;"));
    assert_true(w.temperature == 0.35);
    assert_int_equal(w.base_url.n, 2);
    assert_string_equal(w.base_url.items[1], "http://b");
    buf_clear(&echo.text);
    opts_clear(&g, 1, NULL);
    opts_clear(&h, 1, NULL);
}

TEST(secrets_leave_the_command_line)
{
    char key[] = "canary", both[] = "--api-key=canary", flag[] = "--api_key", other[] = "--dtype",
         value[] = "float32";
    char *argv[] = {flag, key, both, other, value};
    struct values v = {0};
    struct opt_group g = {"Test", table, &v};

    opts_hide_secrets(&g, 1, LEN(argv), argv);
    assert_string_equal(key, "******");
    assert_string_equal(both, "--api-key=******");
    assert_string_equal(value, "float32");
}

TEST(help_names_every_option_within_the_width)
{
    struct values v = {0};
    struct opt_group g = {"Test", table, &v};
    struct buf out = {0};
    struct str rest, line;

    opts_help(&g, 1, &out);
    for (const struct opt *o = table; o->name; o++)
        CHECK(o->name, strstr(buf_z(&out), o->name) != NULL);
    rest = buf_str(&out);
    while (str_cut(&rest, '\n', &line))
        assert_true(line.len <= 100);
    buf_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_are_read),
        cmocka_unit_test(an_echo_reads_back_to_the_same_options),
        cmocka_unit_test(secrets_leave_the_command_line),
        cmocka_unit_test(help_names_every_option_within_the_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
