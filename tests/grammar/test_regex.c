/* test_regex.c - regular expressions against PCRE2 on every short text, prefixes by its partial
 * matching; masks against one question for each token; what is refused, by name. */
#include "random_mask.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { N_PATTERNS = 600, MAX_LEN = 5 };

/* --- random patterns -------------------------------------------------------------------------- */

static void add_pattern(struct buf *out, struct dice *d, int depth);

static void add_atom(struct buf *out, struct dice *d, int depth)
{
    static const char *const atoms[] = {"a",        "b",
                                        "\xc3\xa9", ".",
                                        "[ab]",     "[^a]",
                                        "\\d",      "\\w",
                                        "\\D",      "[a-b\xc3\xa9]",
                                        "\\.",      "[^b\xc3\xa9]",
                                        "\\x61",    "[\\w.]",
                                        "\\S",      "[b-\xc3\xa9]",
                                        "1",        "[^\\d.]"};

    if (depth > 0 && roll(d, 3) == 0) {
        buf_addz(out, roll(d, 2) ? "(" : "(?:");
        add_pattern(out, d, depth - 1);
        buf_addc(out, ')');
        return;
    }
    buf_addz(out, atoms[roll(d, LEN(atoms))]);
}

static void add_pattern(struct buf *out, struct dice *d, int depth)
{
    static const char *const repeats[] = {"*",     "+",     "?",  "{2}", "{1,}",
                                          "{0,2}", "{1,3}", "*?", "{0}"};
    int n_alternatives = roll(d, 3) ? 1 : 2;

    for (int i = 0; i < n_alternatives; i++) {
        int n = (int)roll(d, 4);

        if (i > 0)
            buf_addc(out, '|');
        for (int k = 0; k < n; k++) {
            add_atom(out, d, depth);
            if (roll(d, 3) == 0)
                buf_addz(out, repeats[roll(d, LEN(repeats))]);
        }
    }
}

/* --- PCRE2 ------------------------------------------------------------------------------------ */

struct oracle {
    pcre2_code *code;
    pcre2_match_data *data;
};

static void oracle_open(struct oracle *o, struct str pattern)
{
    struct buf whole = {0};
    int code;
    PCRE2_SIZE at;

    buf_addf(&whole, "(?:" STR_FMT ")\\z", STR_ARG(pattern));
    o->code =
        pcre2_compile((PCRE2_SPTR)whole.ptr, whole.len,
                      PCRE2_UTF | PCRE2_ANCHORED | PCRE2_NO_START_OPTIMIZE | PCRE2_NO_AUTO_POSSESS,
                      &code, &at, NULL);
    buf_clear(&whole);
    if (!o->code)
        fail_msg("PCRE2 refuses %s", pattern.ptr);
    o->data = pcre2_match_data_create_from_pattern(o->code, NULL);
}

static bool oracle_asks(const struct oracle *o, struct str text, uint32_t options)
{
    int rc = pcre2_match(o->code, (PCRE2_SPTR)text.ptr, text.len, 0, options, o->data, NULL);

    if (rc < 0 && rc != PCRE2_ERROR_NOMATCH && rc != PCRE2_ERROR_PARTIAL)
        fail_msg("PCRE2 fails: %d", rc);
    return rc >= 0 || rc == PCRE2_ERROR_PARTIAL;
}

static void oracle_close(struct oracle *o)
{
    pcre2_code_free(o->code);
    pcre2_match_data_free(o->data);
}

static struct grammar *open_regex(struct str pattern, const struct token_trie *t)
{
    struct grammar_source s = {.kind = GRAMMAR_REGEX, .regex = pattern};
    struct err e = ERR_INIT;
    struct grammar *g = grammar_open(&s, t, &e);

    CHECK_OK(pattern.ptr, g != NULL, &e);
    return g;
}

static const char *const no_texts[] = {NULL};

/* --- tests ------------------------------------------------------------------------------------ */

static void compare_texts(const char *pattern, struct grammar *g, const struct oracle *o,
                          char *text, size_t len, int n_left, int *n_whole)
{
    static const char *const letters[] = {"a", "b", "\xc3\xa9", "1", ".", "\n", "\xf0\x9f\x98\x80"};
    struct str s = {text, len};
    /* PCRE2 calls nothing partial that has no character; every pattern here has some match. */
    bool whole = oracle_asks(o, s, 0),
         begins = whole || len == 0 || oracle_asks(o, s, PCRE2_PARTIAL_HARD);

    text[len] = '\0';
    if (grammar_accepts(g, s) != whole)
        fail_msg("/%s/ and \"%s\": PCRE2 says %d", pattern, text, whole);
    if (grammar_begins(g, s) != begins)
        fail_msg("/%s/ and \"%s\" as a beginning: PCRE2 says %d", pattern, text, begins);
    *n_whole += whole;
    if (!begins || n_left == 0)
        return;
    for (size_t i = 0; i < LEN(letters); i++) {
        size_t n = strlen(letters[i]);

        memcpy(text + len, letters[i], n);
        compare_texts(pattern, g, o, text, len + n, n_left - 1, n_whole);
    }
}

TEST(as_pcre2_says)
{
    struct dice d = {.seed = 11};
    struct arena a;
    struct vocab_of_test v;
    int n_whole = 0;

    arena_init(&a, 0);
    vocab_make(&v, &a, no_texts, "ab");
    for (int i = 0; i < N_PATTERNS; i++) {
        struct buf pattern = {0};
        struct oracle o;
        struct grammar *g;
        char text[8 * MAX_LEN + 1] = "";

        add_pattern(&pattern, &d, 2);
        buf_addz(&pattern, "");
        oracle_open(&o, (struct str){buf_z(&pattern), pattern.len});
        g = open_regex((struct str){buf_z(&pattern), pattern.len}, v.trie);
        compare_texts(buf_z(&pattern), g, &o, text, 0, MAX_LEN - (i % 2), &n_whole);
        grammar_close(g);
        oracle_close(&o);
        buf_clear(&pattern);
    }
    CHECK("texts that match", n_whole > 10 * N_PATTERNS);
    token_trie_close(v.trie);
    arena_clear(&a);
}

TEST(masks_as_single_questions)
{
    static const char *const texts[] = {"\xc3\xa9", "\xc3",     "\xa9",     "\251a",
                                        "a\xc3",    "\xf0\x9f", "\x98\x80", "\xe4\xb8\xad",
                                        "abab",     "aaaaaa",   "\xff",     NULL};
    struct dice d = {.seed = 12};
    struct arena a;
    struct vocab_of_test v;
    int n_ended = 0;

    arena_init(&a, 0);
    vocab_make(&v, &a, texts, "ab1.");
    for (int i = 0; i < N_PATTERNS; i++) {
        struct buf pattern = {0}, text = {0};
        struct oracle o;
        struct grammar *g;
        bool ended;

        add_pattern(&pattern, &d, 2);
        oracle_open(&o, (struct str){buf_z(&pattern), pattern.len});
        g = open_regex((struct str){buf_z(&pattern), pattern.len}, v.trie);
        if (i % 5 == 0)
            grammar_limit(g, 8192); /* states and masks are dropped all the time */
        for (int k = 0; k < 3; k++) {
            buf_reset(&text);
            walk(buf_z(&pattern), g, &v, &d, &text, &ended);
            if (ended)
                CHECK(buf_z(&pattern), oracle_asks(&o, buf_str(&text), 0));
            n_ended += ended;
        }
        grammar_close(g);
        oracle_close(&o);
        buf_clear(&pattern);
        buf_clear(&text);
    }
    CHECK("ends", n_ended > N_PATTERNS);
    token_trie_close(v.trie);
    arena_clear(&a);
}

static const struct {
    const char *pattern, *words;
} refused[] = {
    {"a(?=b)", "offset 1: `(?=` is not supported"},
    {"(?!a)b", "`(?!` is not supported"},
    {"(?<=a)b", "`(?<=` is not supported"},
    {"(?P<n>a)", "`(?P<` is not supported"},
    {"(?i)a", "`(?i` is not supported"},
    {"(*UTF)a", "`(*` is not supported"},
    {"(a)\\1", "offset 3: `\\1` is not supported"},
    {"\\bword", "`\\b` is not supported"},
    {"\\p{L}", "`\\p` is not supported"},
    {"a++", "`++` is not supported"},
    {"a{2}+", "`}+` is not supported"},
    {"a**", "a repetition of a repetition"},
    {"*a", "offset 0: there is nothing to repeat"},
    {"a|+", "offset 2: there is nothing to repeat"},
    {"{2}", "there is nothing to repeat"},
    {"a{3,2}", "the bounds run backwards"},
    {"a{2", "bounds must read"},
    {"a{20000}", "more than 10000 repetitions"},
    {"(a", "offset 0: a group is not closed"},
    {"a)", "offset 1: a `)` without"},
    {"[a", "offset 0: a class is not closed"},
    {"[]a]", "a class without characters"},
    {"[b-a]", "runs backwards"},
    {"[[:alpha:]]", "`[:` is not supported"},
    {"[\\d-z]", "a named class at one end"},
    {"a^b", "offset 1: `^` is not supported but"},
    {"(^a)", "offset 1: `^` is not supported but"},
    {"a$b", "offset 1: `$` is not supported but"},
    {"a\\", "a backslash ends it"},
    {"\\xZZ", "lacks hexadecimal digits"},
    {"\\uD800", "surrogate"},
    {"((a{1000}){1000}){1000}|b((((a{90}){90}b){90}){90}c){90}", NULL},
    {"(a|bc){10000}(d|ef){10000}(g|hi){10000}(j|kl){10000}(a|bc){10000}(d|ef){10000}(g|hi){10000}"
     "(j|kl){10000}(j|kl){10000}(j|kl){10000}(j|kl){10000}(j|kl){10000}(j|kl){10000}(j|kl){10000}",
     "too large"},
    {"[^\\x00-\\uFFFF]{0}|[^\\d\\D]", NULL},
    {"[^\\d\\D]", "no finite text"},
};

TEST(refused_by_name)
{
    struct err none = ERR_INIT;
    struct str piece = STR("a");
    struct token_trie *t = token_trie_open(&piece, 1, &none);

    for (size_t i = 0; i < LEN(refused); i++) {
        struct grammar_source s = {.kind = GRAMMAR_REGEX, .regex = STR(refused[i].pattern)};
        struct err e = ERR_INIT;
        struct grammar *g = grammar_open(&s, t, &e);

        if (!refused[i].words) {
            CHECK_OK(refused[i].pattern, g != NULL, &e);
        } else if (g || !strstr(e.msg, refused[i].words)) {
            fail_msg("%s: \"%s\", expected \"%s\"", refused[i].pattern, g ? "taken" : e.msg,
                     refused[i].words);
        }
        grammar_close(g);
    }
    token_trie_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_pcre2_says),
        cmocka_unit_test(masks_as_single_questions),
        cmocka_unit_test(refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
