/* test_jinja.c - templates against what Jinja2 makes of them
 * (tests/data/formats/jinja_vectors.jsonl, written by tools/make_jinja_vectors.py), and what Jinja2
 * does not have: places in errors, limits, host functions, one template in many threads. */
#include <pthread.h>

#include "base/arena.h"
#include "base/file.h"
#include "formats/jinja.h"
#include "formats/jsonl.h"
#include "test.h"

struct outcome {
    bool is_good;
    struct buf text;
    struct jinja_fault fault;
    struct err e;
};

static void outcome_clear(struct outcome *o)
{
    buf_clear(&o->text);
    buf_clear(&o->fault.message);
}

static struct outcome run(const char *source, const struct jinja_settings *settings,
                          const struct jinja_data *d)
{
    struct outcome o = {0};
    struct jinja *t = jinja_parse("t", STR(source), settings, &o.e);

    o.is_good = t && jinja_render(t, d, &o.text, &o.fault, &o.e);
    jinja_close(t);
    return o;
}

/* --- vectors ---------------------------------------------------------------------------------- */

static struct jinja_settings settings_of(struct str words)
{
    return (struct jinja_settings){
        .trim_blocks = str_find(words, STR("trim"), 0) >= 0,
        .lstrip_blocks = str_find(words, STR("lstrip"), 0) >= 0,
        .keep_trailing_newline = str_find(words, STR("keep"), 0) >= 0,
        .strict_undefined = str_find(words, STR("strict"), 0) >= 0,
        .autoescape = str_find(words, STR("auto"), 0) >= 0,
        .tojson = str_find(words, STR("html"), 0) >= 0 ? JINJA_TOJSON_HTML : JINJA_TOJSON_PLAIN,
    };
}

static void check_vector(const struct json *row, const struct json *vars)
{
    struct jinja_settings settings = settings_of(json_str(json_get(row, "s")));
    const struct jinja_var var = {NULL, vars};
    const struct jinja_data d = {.vars = &var, .n_vars = 1};
    const struct json *want = json_get(row, "text");
    const char *source = json_str(json_get(row, "t")).ptr;
    struct outcome o = run(source, &settings, &d);

    if (!want)
        CHECK(source, !o.is_good);
    else
        CHECK_OK(source, o.is_good, &o.e);
    if (want)
        CHECK_STR(source, buf_str(&o.text), json_str(want));
    outcome_clear(&o);
}

TEST(jinja2_agrees)
{
    struct err e = ERR_INIT;
    struct file_map file;
    struct jsonl lines;
    struct str line;
    struct json *vars, *row;
    int n = 0;

    CHECK_OK("vectors", file_map_open(TEST_DATA "/formats/jinja_vectors.jsonl", &file, &e), &e);
    jsonl_init(&lines, (struct str){file.ptr, file.len});
    CHECK("the variables", jsonl_next(&lines, &line));
    vars = json_parse(line, &e);
    CHECK_OK("the variables", vars != NULL, &e);
    for (; jsonl_next(&lines, &line); n++) {
        row = json_parse(line, &e);
        CHECK_OK("a row", row != NULL, &e);
        check_vector(row, vars);
        json_close(row);
    }
    CHECK("enough rows", n >= 300);
    json_close(vars);
    file_map_close(&file);
}

/* --- where we are more lenient than Jinja2, or differ on purpose ------------------------------ */

static const struct {
    const char *source, *want;
} own_cases[] = {
    {"{{ 1 is none if true }}", "False"}, /* Jinja2 takes `if` for the test's argument */
    {"{{ 'x' if 1 is odd else 'y' }}", "x"},
    {"{% generation %}a{% set z = 1 %}{% endgeneration %}{{ z is defined }}", "aFalse"},
    {"{{ [1, 2, 3] | random in [1, 2, 3] }}", "True"},
    {"{{ {}.items }}", "<method items>"},
    {"{{ 1 if false }}", ""},
    {"{{ '\\ud83d\\ude00' }}", "\xf0\x9f\x98\x80"}, /* two halves of a pair are one character */
};

TEST(own_ways)
{
    const struct jinja_settings plain = {0};
    const struct jinja_data d = {0};

    for (size_t i = 0; i < LEN(own_cases); i++) {
        struct outcome o = run(own_cases[i].source, &plain, &d);

        CHECK_OK(own_cases[i].source, o.is_good, &o.e);
        CHECK_STR(own_cases[i].source, buf_str(&o.text), STR(own_cases[i].want));
        outcome_clear(&o);
    }
}

/* --- errors ----------------------------------------------------------------------------------- */

static const struct {
    const char *source, *message;
} error_cases[] = {
    {"a\n b {{ x.y }}", "t:2:8: 'x' is undefined, in `b {{ x.y }}`"},
    {"{{ 1 +\n 'a' }}", "t:1:6: '+' cannot be applied to a int and a str, in `{{ 1 +`"},
    {"{% if true %}\nx", "t:2:2: the template ends inside a block: {% endif %} is missing, in `x`"},
    {"{% for x of y %}",
     "t:1:10: `in` is missing after the loop's variables, in `{% for x of y %}`"},
    {"\xc3\xa9 {{ 1 2 }}", "t:1:8: found '2' where }} was expected, in `\xc3\xa9 {{ 1 2 }}`"},
    {"{{ 'a' | nosuch }}", "t:1:10: there is no filter called 'nosuch', in `{{ 'a' | nosuch }}`"},
    {"{{ 9223372036854775807 + 1 }}",
     "t:1:24: the result of '+' does not fit into 64 bits, in `{{ 9223372036854775807 + 1 }}`"},
    {"{{ '9223372036854775808'|int(3) }}",
     "t:1:26: the result of int() does not fit into 64 bits, in `{{ '9223372036854775808'|int(3) }}`"},
    {"{{ 1e19|int }}", "t:1:9: the result of int() does not fit into 64 bits, in `{{ 1e19|int }}`"},
    {"{{ 99999999999999999999 }}",
     "t:1:4: the number is too large for 64 bits, in `{{ 99999999999999999999 }}`"},
    {"{% include 'x' %}", "t:1:4: `include` needs another template, and a template stands alone "
                          "here, in `{% include 'x' %}`"},
    {"{% macro f(a) %}{% endmacro %}{{ f(b=1) }}",
     "t:1:34: macro 'f' takes no keyword argument 'b', in `{% macro f(a) %}{% endmacro %}{{ f(b=1) "
     "}}`"},
    {"{{ 'a'.replace('b') }}",
     "t:1:7: replace() needs its argument 'new', in `{{ 'a'.replace('b') }}`"},
};

TEST(errors_name_their_place)
{
    const struct jinja_settings plain = {0};
    const struct jinja_data d = {0};

    for (size_t i = 0; i < LEN(error_cases); i++) {
        struct outcome o = run(error_cases[i].source, &plain, &d);

        CHECK(error_cases[i].source, !o.is_good);
        CHECK_STR(error_cases[i].source, STR(o.e.msg), STR(error_cases[i].message));
        CHECK_INT(error_cases[i].source, o.e.code, ERR_INPUT);
        outcome_clear(&o);
    }
}

TEST(a_long_line_is_cut_around_the_place)
{
    const struct jinja_settings plain = {0};
    const struct jinja_data d = {0};
    struct buf source = {0};
    struct outcome o;

    for (int i = 0; i < 100; i++)
        buf_addz(&source, "\xe6\x97\xa5");
    buf_addz(&source, "{{ a.b }}");
    for (int i = 0; i < 100; i++)
        buf_addz(&source, "\xe6\x9c\xac");
    o = run(buf_z(&source), &plain, &d);
    CHECK("fails", !o.is_good);
    CHECK("valid", utf8_valid(STR(o.e.msg)));
    CHECK("cut on both sides",
          str_find(STR(o.e.msg), STR(", in `..."), 0) > 0 && str_ends(STR(o.e.msg), "...`"));
    CHECK_INT("column", o.fault.column, 105);
    outcome_clear(&o);
    buf_clear(&source);
}

/* --- limits ----------------------------------------------------------------------------------- */

static const struct {
    const char *name, *source;
} hostile[] = {
    {"a loop without end", "{% for i in range(1000000000) %}{% endfor %}"},
    {"loops in loops", "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in "
                       "range(9999) %}{% endfor %}{% endfor %}{% endfor %}"},
    {"a string that doubles", "{% set ns = namespace(s='a') %}{% for i in range(99) %}{% set ns.s "
                              "= ns.s ~ ns.s %}{% endfor %}"},
    {"a repeated string", "{{ 'a' * 9000000000000000000 }}"},
    {"a repeated list", "{{ [1] * 9000000000000000000 }}"},
    {"a list of a range", "{{ range(1000000000) | list }}"},
    {"a wide format", "{{ '%99999999d' % 1 }}"},
    {"a wide center", "{{ 'a' | center(9000000000) }}"},
    {"a wide indent", "{{ 'a' | indent(9000000000, true) }}"},
    {"a macro that calls itself", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"},
    {"a macro in its own argument", "{% macro f(x) %}{{ f(f(x)) }}{% endmacro %}{{ f(1) }}"},
    {"a list in itself", "{% set l = [] %}{% do l.append(l) %}{{ l }}"},
    {"a list in itself, compared",
     "{% set l = [] %}{% do l.append(l) %}{% set m = [] %}{% do m.append(m) %}{{ l == m }}"},
    {"a list in itself, as JSON", "{% set l = [] %}{% do l.append(l) %}{{ l | tojson }}"},
    {"a recursive loop", "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}"},
    {"replace that grows", "{% set ns = namespace(s='aa') %}{% for i in range(99) %}{% set ns.s = "
                           "ns.s.replace('a', 'aaaa') %}{% endfor %}"},
    {"much output", "{% for i in range(10000000) %}{{ "
                    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }}{% endfor %}"},
    {"a long word wrapped", "{{ ('a' * 3000000) | wordwrap(1) }}"},
    {"a long part from the right", "{{ ('a' * 2000000).rfind('b' ~ 'a' * 1000000) }}"},
    {"a power", "{{ 10 ** 10000000000 }}"},
    {"tuples of tuples as keys", "{% set ns = namespace(t=()) %}{% for i in range(2000) %}{% set "
                                 "ns.t = (ns.t,) %}{% endfor %}{{ {ns.t: 1} }}"},
};

/* Work that would grow with the square of the text, were it not looked after. */
static const struct {
    const char *name, *source;
} heavy[] = {
    {"tags that never close", "{{ ('<' * 1000000) | striptags | length }}"},
    {"comments that never close", "{{ ('<!--' * 300000) | striptags | length }}"},
    {"many parts from the right", "{{ ('a,' * 300000).rsplit(',') | length }}"},
    {"a final sigma in a long word", "{{ ('A' ~ '.' * 300000 ~ '\xce\xa3') | lower | length }}"},
};

TEST(heavy_text_is_linear)
{
    const struct jinja_settings plain = {0};
    const struct jinja_data d = {0};

    for (size_t i = 0; i < LEN(heavy); i++) {
        struct outcome o = run(heavy[i].source, &plain, &d);

        CHECK_OK(heavy[i].name, o.is_good, &o.e);
        outcome_clear(&o);
    }
}

TEST(hostile_templates_end)
{
    const struct jinja_settings plain = {0};
#if defined(__SANITIZE_THREAD__) /* some fifty times slower; one thread runs here */
    const struct jinja_data d = {
        .limits = {.max_steps = 10000, .max_memory = 2 << 20, .max_output = 1 << 20}};
#else
    const struct jinja_data d = {
        .limits = {.max_steps = 500000, .max_memory = 32 << 20, .max_output = 4 << 20}};
#endif

    for (size_t i = 0; i < LEN(hostile); i++) {
        struct outcome o = run(hostile[i].source, &plain, &d);

        CHECK(hostile[i].name, !o.is_good);
        CHECK(hostile[i].name,
              o.fault.kind == JINJA_FAULT_LIMIT || o.fault.kind == JINJA_FAULT_RUNTIME);
        CHECK_INT(hostile[i].name, o.text.len, 0);
        outcome_clear(&o);
    }
}

/* Nesting of source and data up to and beyond every limit, on a stack of the usual size. */
TEST(deep_sources_end)
{
    static const char *const parts[][3] = {
        {"{{ ", "(", "1"},
        {"{{ ", "[", "1"},
        {"{{ ", "-", "1"},
        {"{{ ", "not ", "1"},
        {"{{ ", "{1:", "1"},
        {"{{ ", "a[", "1"},
        {"{{ ", "a(", "1"},
        {"{{ ", "a|b(", "1"},
        {"{{ 1", "|abs", " }}"},
        {"{{ 1", "+1", " }}"},
        {"{{ a", ".b", " }}"},
        {"{{ 1", " if 1 else 1", " }}"},
        {"", "{% if 1 %}", ""},
        {"", "{% for x in y %}", ""},
        {"", "{% macro m() %}", ""},
        {"{{ 1", " and 1", " }}"},
        {"{{ 1", "~1", " }}"},
        {"{{ 1", " < 1", " }}"},
        {"{{ x is", " not a is", " b }}"},
    };
    const struct jinja_settings plain = {0};
    const struct jinja_data d = {0};

    for (size_t i = 0; i < LEN(parts); i++)
        for (int n = 10; n <= 100000; n *= 10) {
            struct buf source = {0};
            struct outcome o;

            buf_addz(&source, parts[i][0]);
            for (int k = 0; k < n; k++)
                buf_addz(&source, parts[i][1]);
            buf_addz(&source, parts[i][2]);
            o = run(buf_z(&source), &plain, &d);
            CHECK(parts[i][1], o.is_good || o.e.code != ERR_NONE);
            outcome_clear(&o);
            buf_clear(&source);
        }
}

TEST(deep_recursion_reaches_its_limit_safely)
{
    /* one level of the macro is many levels of C: the deepest path that a template can take */
    static const char source[] = "{% macro f(n) %}{% if n %}{% for i in [1] %}{% with a = n %}{{ "
                                 "[{'a': f(n - 1)|upper|lower}]|map(attribute='a')"
                                 "|join ~ '' if true else ('') }}{% endwith %}{% endfor %}{% endif "
                                 "%}{% endmacro %}{{ f(30) }}{{ f(100000) }}";
    const struct jinja_settings plain = {0};
    const struct jinja_data d = {0};
    struct outcome o = run(source, &plain, &d);

    CHECK("fails", !o.is_good);
    CHECK_INT("by a limit", o.fault.kind, JINJA_FAULT_LIMIT);
    CHECK_INT("code", o.e.code, ERR_MEMORY);
    outcome_clear(&o);
}

/* --- host functions --------------------------------------------------------------------------- */

static bool shout(void *ctx, struct jinja_call *c)
{
    struct str text, end;
    struct buf out = {0};

    if (!jinja_arg(c, 0, NULL, &text))
        return jinja_refuse(c, STR("nothing to shout"));
    buf_addf(&out, STR_FMT "%s", STR_ARG(text), (const char *)ctx);
    if (jinja_arg(c, 1, "end", &end))
        buf_add_str(&out, end);
    jinja_return(c, buf_str(&out));
    buf_clear(&out);
    return true;
}

static char bang[] = "!";

static const struct {
    const char *source, *want, *refusal;
} host_cases[] = {
    {"{{ shout('a') }}", "a!", NULL},
    {"{{ 'a' | shout }}", "a!", NULL},
    {"{{ 5 | shout(end='?') }}{{ shout([1], 'x') }}", "5!?[1]!x", NULL},
    {"{{ ['a', 'b'] | map('shout') | join }}", "a!b!", NULL},
    {"{{ shout is callable }}{{ 'shout' is filter }}", "TrueTrue", NULL},
    {"before {{ shout() }}", NULL, "nothing to shout"},
};

TEST(host_functions)
{
    const struct jinja_settings plain = {0};
    const struct jinja_func funcs[] = {{"shout", shout, bang}, {0}};
    const struct jinja_data d = {.funcs = funcs};

    for (size_t i = 0; i < LEN(host_cases); i++) {
        struct outcome o = run(host_cases[i].source, &plain, &d);

        if (host_cases[i].want) {
            CHECK_OK(host_cases[i].source, o.is_good, &o.e);
            CHECK_STR(host_cases[i].source, buf_str(&o.text), STR(host_cases[i].want));
        } else {
            CHECK(host_cases[i].source, !o.is_good);
            CHECK_INT(host_cases[i].source, o.fault.kind, JINJA_FAULT_REFUSED);
            CHECK_STR(host_cases[i].source, buf_str(&o.fault.message), STR(host_cases[i].refusal));
            CHECK_INT(host_cases[i].source, o.text.len, 0);
        }
        outcome_clear(&o);
    }
}

TEST(a_refusal_keeps_long_messages_whole)
{
    const struct jinja_settings plain = {0};
    const struct jinja_func funcs[] = {{"shout", shout, bang}, {0}};
    const struct jinja_data d = {.funcs = funcs};
    struct outcome o = run("{{ ('\xc3\xa9' * 5000).no() }}", &plain, &d);

    CHECK("fails", !o.is_good);
    outcome_clear(&o);
    o = run("{{ {}[('\xc3\xa9' * 5000)].x }}", &plain, &d);
    CHECK("fails", !o.is_good);
    CHECK("valid", utf8_valid(STR(o.e.msg)));
    outcome_clear(&o);
}

TEST(variables_by_name_win_over_earlier_ones)
{
    const struct jinja_settings plain = {0};
    struct err e = ERR_INIT;
    struct json *all = json_parse(STR("{\"a\": 1, \"b\": 2}"), &e), *b = json_new_int(3);
    const struct jinja_var vars[] = {{NULL, all}, {"b", b}, {"c", NULL}};
    const struct jinja_data d = {.vars = vars, .n_vars = LEN(vars)};
    struct outcome o = run("{{ a }}{{ b }}{{ c }}{{ c is none }}{{ d is defined }}", &plain, &d);

    CHECK_OK("renders", o.is_good, &o.e);
    CHECK_STR("text", buf_str(&o.text), STR("13NoneTrueFalse"));
    outcome_clear(&o);
    json_close(all);
    json_close(b);
}

TEST(output_is_appended)
{
    const struct jinja_settings plain = {0};
    const struct jinja_data d = {0};
    struct err e = ERR_INIT;
    struct buf out = {0};
    struct jinja *good = jinja_parse("t", STR("b"), &plain, &e),
                 *bad = jinja_parse("t", STR("c{{ x.y }}"), &plain, &e);

    buf_addz(&out, "a");
    CHECK_OK("good", jinja_render(good, &d, &out, NULL, &e), &e);
    CHECK_STR("appended", buf_str(&out), STR("ab"));
    CHECK("bad", !jinja_render(bad, &d, &out, NULL, &e));
    CHECK_STR("as it was", buf_str(&out), STR("ab"));
    CHECK("mentions", jinja_mentions(bad, "x") && !jinja_mentions(bad, "y"));
    jinja_close(good);
    jinja_close(bad);
    buf_clear(&out);
}

TEST(ill_formed_source_and_data)
{
    const struct jinja_settings plain = {0};
    struct err e = ERR_INIT;
    struct json *s = json_parse(STR("\"\\u0000x\""), &e);
    const struct jinja_var vars[] = {{"s", s}};
    const struct jinja_data d = {.vars = vars, .n_vars = 1};
    struct outcome o = run("\xff{{ s | length }}\xe4\xb8", &plain, &d);

    CHECK_OK("renders", o.is_good, &o.e);
    CHECK_STR("text", buf_str(&o.text),
              STR("\xef\xbf\xbd"
                  "2\xef\xbf\xbd"));
    outcome_clear(&o);
    json_close(s);
}

/* --- threads ---------------------------------------------------------------------------------- */

struct worker {
    const struct jinja *t;
    int id;
    bool is_good;
};

static void *render_often(void *arg)
{
    struct worker *w = arg;
    struct json *id = json_new_int(w->id);
    const struct jinja_var vars[] = {{"id", id}};
    const struct jinja_data d = {.vars = vars, .n_vars = 1};
    char want[64];

    snprintf(want, sizeof(want), "%d:0%d:1%d:2", w->id, w->id, w->id);
    w->is_good = true;
    for (int i = 0; i < 500 && w->is_good; i++) {
        struct buf out = {0};
        struct err e = ERR_INIT;

        w->is_good = jinja_render(w->t, &d, &out, NULL, &e) && str_eqz(buf_str(&out), want);
        buf_clear(&out);
    }
    json_close(id);
    return NULL;
}

TEST(one_template_in_many_threads)
{
    const struct jinja_settings plain = {0};
    struct err e = ERR_INIT;
    struct jinja *t = jinja_parse("t",
                                  STR("{% macro m(x) %}{{ id }}:{{ x }}{% endmacro %}{% for i in "
                                      "range(3) %}{{ m(i) }}{% endfor %}"),
                                  &plain, &e);
    pthread_t threads[4];
    struct worker workers[4];

    CHECK_OK("parses", t != NULL, &e);
    for (int i = 0; i < 4; i++) {
        workers[i] = (struct worker){.t = t, .id = i};
        assert_int_equal(pthread_create(&threads[i], NULL, render_often, &workers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        CHECK("same text", workers[i].is_good);
    }
    jinja_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jinja2_agrees),
        cmocka_unit_test(own_ways),
        cmocka_unit_test(errors_name_their_place),
        cmocka_unit_test(a_long_line_is_cut_around_the_place),
        cmocka_unit_test(heavy_text_is_linear),
        cmocka_unit_test(hostile_templates_end),
        cmocka_unit_test(deep_sources_end),
        cmocka_unit_test(deep_recursion_reaches_its_limit_safely),
        cmocka_unit_test(host_functions),
        cmocka_unit_test(a_refusal_keeps_long_messages_whole),
        cmocka_unit_test(variables_by_name_win_over_earlier_ones),
        cmocka_unit_test(output_is_appended),
        cmocka_unit_test(ill_formed_source_and_data),
        cmocka_unit_test(one_template_in_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
