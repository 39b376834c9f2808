/* test_steps.c - each step that a tokenizer.json may hold, by itself. The expected values are those
 * of the Rust crate's own documentation and tests where it has some. */
#include "test.h"
#include "tokenizer/normalize.h"
#include "tokenizer/onig.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/tokenizer.h"

static struct json *parse(const char *text)
{
    struct err e = ERR_INIT;
    struct json *v = json_parse(STR(text), &e);

    CHECK_OK(text, v, &e);
    return v;
}

static const struct {
    const char *json, *text, *want;
    bool keeps_start;
} normal_cases[] = {
    {"null", "A\xC3\xA9", "A\xC3\xA9", true},
    {"{\"type\":\"NFC\"}", "Cafe\xCC\x81", "Caf\xC3\xA9", true},
    {"{\"type\":\"NFC\"}", "\xEA\xB0\x80\xE1\x86\xA7\xE1\x86\xA8",
     "\xEA\xB0\x80\xE1\x86\xA7\xE1\x86\xA8", true},
    {"{\"type\":\"NFD\"}", "\xC3\xA9", "e\xCC\x81", true},
    {"{\"type\":\"NFKC\"}", "\xEF\xAC\x81\xC2\xB2", "fi2", true},
    {"{\"type\":\"NFKD\"}", "\xEF\xAC\x81\xC3\xA9", "fie\xCC\x81", true},
    {"{\"type\":\"Lowercase\"}", "\xC4\xB0 \xC3\x89 \xCE\xA3\xCE\xA3 A1",
     "i\xCC\x87 \xC3\xA9 \xCF\x83\xCF\x83 a1", true},
    {"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}", " \xC2\xA0 a b\t\n", "a b",
     false},
    {"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":false}", " a ", "a ", false},
    {"{\"type\":\"Strip\",\"strip_left\":false,\"strip_right\":true}", " a ", " a", true},
    {"{\"type\":\"Strip\",\"strip_left\":true,\"strip_right\":true}", " \n ", "", false},
    {"{\"type\":\"StripAccents\"}", "e\xCC\x81\xE0\xA4\xBF", "e", true},
    {"{\"type\":\"StripAccents\"}",
     "\xCC\x81"
     "e",
     "e", false},
    {"{\"type\":\"Prepend\",\"prepend\":\"\xE2\x96\x81\"}", "a",
     "\xE2\x96\x81"
     "a",
     true},
    {"{\"type\":\"Prepend\",\"prepend\":\"x\"}", "", "", true},
    {"{\"type\":\"Replace\",\"pattern\":{\"String\":\"aa\"},\"content\":\"b\"}", "aaaaa", "bba",
     false},
    {"{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"b\"}", "ab", "bb", true},
    {"{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},\"content\":\"\"}", "ab", "b", false},
    {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" {2,}\"},\"content\":\" \"}", "a   b  c",
     "a b c", true},
    {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x*\"},\"content\":\"-\"}", "axb", "-a-b-",
     true},
    {"{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFD\"},{\"type\":\"StripAccents\"},{\"type\":\"Lowercase\"}]}",
     "\xC3\x89T\xC3\x89", "ete", true},
    {"{\"type\":\"Sequence\",\"normalizers\":[]}", "A", "A", true},
};

TEST(normalizers)
{
    struct normal_scratch s = {.regex = regex_scratch_open()};
    struct err e = ERR_INIT;
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < LEN(normal_cases); i++) {
        struct json *v = parse(normal_cases[i].json);
        struct normalizer n;
        struct str got;
        bool keeps_start;

        CHECK_OK(normal_cases[i].json, normalizer_parse(v, &a, &n, &e), &e);
        CHECK_OK(normal_cases[i].json,
                 normalizer_run(&n, &s, STR(normal_cases[i].text), &got, &keeps_start, &e), &e);
        CHECK_STR(normal_cases[i].json, got, STR(normal_cases[i].want));
        CHECK_INT(normal_cases[i].json, keeps_start, normal_cases[i].keeps_start);
        normalizer_clear(&n);
        json_close(v);
    }
    normal_scratch_clear(&s);
    regex_scratch_close(s.regex);
    arena_clear(&a);
}

#define DASH(behavior) \
    "{\"type\":\"Split\",\"pattern\":{\"String\":\"-\"},\"invert\":false,\"behavior\":\"" behavior \
    "\"}"
#define WORDS(behavior, invert) \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\w+|[^\\\\w\\\\s]+\"},\"invert\":" invert \
    ",\"behavior\":\"" behavior "\"}"
#define META(scheme, split) \
    "{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\",\"prepend_scheme\":\"" scheme \
    "\",\"split\":" split "}"

static const struct {
    const char *json, *text, *want; /* words with "|" between them */
    bool not_start;
} word_cases[] = {
    {"null", "a b", "a b", false},
    {DASH("Removed"), "the-final--countdown", "the|final|countdown", false},
    {DASH("Isolated"), "the-final--countdown", "the|-|final|-|-|countdown", false},
    {DASH("MergedWithPrevious"), "the-final--countdown", "the-|final-|-|countdown", false},
    {DASH("MergedWithNext"), "the-final--countdown", "the|-final|-|-countdown", false},
    {DASH("Contiguous"), "the-final--countdown", "the|-|final|--|countdown", false},
    {DASH("MergedWithNext"), "-a-", "-a|-", false},
    {DASH("MergedWithPrevious"), "-a-", "-|a-", false},
    {WORDS("Removed", "false"), "How are you doing?", " | | ", false},
    {WORDS("Isolated", "false"), "How are you doing?", "How| |are| |you| |doing|?", false},
    {WORDS("MergedWithPrevious", "false"), "How are you doing?", "How| are| you| doing|?", false},
    {WORDS("MergedWithNext", "false"), "How are you doing?", "How |are |you |doing|?", false},
    {WORDS("Contiguous", "false"), "How are you doing?", "How| |are| |you| |doing?", false},
    {WORDS("Removed", "true"), "How are you doing?", "How|are|you|doing|?", false},
    {"{\"type\":\"Split\",\"pattern\":{\"String\":\"\"},\"invert\":false,\"behavior\":\"Isolated\"}",
     "a\xC3\xA9"
     "b",
     "a|\xC3\xA9|b", false},
    {"{\"type\":\"Digits\",\"individual_digits\":false}", "Hey 123 friend!", "Hey |123| friend!",
     false},
    {"{\"type\":\"Digits\",\"individual_digits\":true}", "Hey 123 friend!", "Hey |1|2|3| friend!",
     false},
    {"{\"type\":\"Digits\",\"individual_digits\":true}", "\xC2\xB2\xE2\x85\xA7x",
     "\xC2\xB2|\xE2\x85\xA7|x", false},
    {"{\"type\":\"Punctuation\",\"behavior\":\"Isolated\"}", "Hey friend!     How are you?!?",
     "Hey friend|!|     How are you|?|!|?", false},
    {"{\"type\":\"Punctuation\"}",
     "a$b\xE2\x82\xAC"
     "c\xE3\x80\x82",
     "a|$|b\xE2\x82\xAC"
     "c|\xE3\x80\x82",
     false},
    {"{\"type\":\"WhitespaceSplit\"}", "Hey man, Good?\xC2\xA0x", "Hey|man,|Good?|x", false},
    {"{\"type\":\"Whitespace\"}", "Hey man!? x_1\xCC\x81", "Hey|man|!?|x_1\xCC\x81", false},
    {META("always", "true"), "Hey   friend!",
     "\xE2\x96\x81Hey|\xE2\x96\x81|\xE2\x96\x81|\xE2\x96\x81"
     "friend!",
     false},
    {META("always", "false"), "Hey friend!",
     "\xE2\x96\x81Hey\xE2\x96\x81"
     "friend!",
     false},
    {META("first", "true"), "Hey friend!",
     "\xE2\x96\x81Hey|\xE2\x96\x81"
     "friend!",
     false},
    {META("first", "true"), "Hey friend!",
     "Hey|\xE2\x96\x81"
     "friend!",
     true},
    {META("never", "true"), "Hey friend!",
     "Hey|\xE2\x96\x81"
     "friend!",
     false},
    {META("always", "true"), " Hey", "\xE2\x96\x81Hey", false},
    {"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true}",
     "Hello my friend, it's \xC3\xA9",
     "Hello|\xC4\xA0my|\xC4\xA0"
     "friend|,|\xC4\xA0it|'s|\xC4\xA0\xC3\x83\xC2\xA9",
     false},
    {"{\"type\":\"ByteLevel\",\"add_prefix_space\":true,\"trim_offsets\":true,\"use_regex\":false}",
     "a\n b",
     "\xC4\xA0"
     "a\xC4\x8A\xC4\xA0"
     "b",
     false},
    {"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"WhitespaceSplit\"},{\"type\":\"Digits\",\"individual_digits\":true},"
     "{\"type\":\"Punctuation\",\"behavior\":\"Removed\"}]}",
     "a1, b", "a|1|b", false},
    {"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
     "\"use_regex\":false},{\"type\":\"Split\",\"pattern\":{\"String\":\"\xC4\xA0\"},\"invert\":false,"
     "\"behavior\":\"MergedWithNext\"}]}",
     "a b c",
     "a|\xC4\xA0"
     "b|\xC4\xA0"
     "c",
     false},
};

static bool note_word(void *ctx, struct str word, struct err *e)
{
    struct buf *out = ctx;

    if (out->len)
        buf_addc(out, '|');
    buf_add_str(out, word);
    return true;
}

TEST(pretokenizers)
{
    struct pre_scratch s = {.regex = regex_scratch_open()};
    struct err e = ERR_INIT;
    struct arena a;

    arena_init(&a, 0);
    for (size_t i = 0; i < LEN(word_cases); i++) {
        struct json *v = parse(word_cases[i].json);
        struct pretokenizer p;
        struct buf got = {0};

        CHECK_OK(word_cases[i].json, pretokenizer_parse(v, &a, &p, &e), &e);
        CHECK_OK(word_cases[i].json,
                 pretokenizer_run(&p, &s, STR(word_cases[i].text), !word_cases[i].not_start,
                                  note_word, &got, &e),
                 &e);
        CHECK_STR(word_cases[i].json, buf_str(&got), STR(word_cases[i].want));
        buf_clear(&got);
        pretokenizer_clear(&p);
        json_close(v);
    }
    pre_scratch_clear(&s);
    regex_scratch_close(s.regex);
    arena_clear(&a);
}

/* A Unigram tokenizer of the given pieces, a JSON array without its brackets. */
static struct tokenizer *unigram(const char *pieces, const char *rest, struct err *e)
{
    struct buf json = {0};
    struct tokenizer *t;

    buf_addf(&json, "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[%s]}%s}", pieces,
             rest);
    t = tokenizer_parse(buf_str(&json), (struct str){"", 0}, e);
    buf_clear(&json);
    return t;
}

TEST(unigram_takes_the_likeliest_path)
{
    static const struct {
        const char *text, *want; /* "?" for unknown */
    } cases[] = {
        {"abc", "abc"},
        {"AB", "?"},
        {"abcd", "ab|cd"},
        {"abcc", "abc|c"},
        {"xabcabaabcdd", "?|abc|ab|a|ab|cd|?"},
        {"xyz\xE4\xB8\x9C\xE4\xBA\xAC", "?"},
        {"ABC", "ABC"},
        {"abABCcd", "ab|ABC|cd"},
        {"ababcdabcdcd", "ab|abcdabcd|cd"},
        {"abqrcd", "ab|q|r|cd"},
        {"", ""},
    };
    struct err e = ERR_INIT;
    struct tokenizer *t = unigram(
        "[\"<unk>\",0.0],[\"ab\",0.0],[\"cd\",-0.1],[\"abc\",-0.2],[\"a\",-0.3],[\"b\",-0.4],"
        "[\"c\",-0.5],[\"ABC\",-0.5],[\"abcdabcd\",20.0],[\"q\",20.5],[\"r\",20.5],[\"qr\",-0.5]",
        "", &e);

    CHECK_OK("open", t, &e);
    for (size_t i = 0; i < LEN(cases); i++) {
        struct token_buf ids = {0};
        struct buf got = {0};

        CHECK_OK(cases[i].text, tokenizer_encode(t, STR(cases[i].text), ENCODE_TEXT, &ids, &e), &e);
        for (size_t k = 0; k < ids.n; k++)
            note_word(&got, ids.ids[k] ? tokenizer_content(t, ids.ids[k]) : STR("?"), &e);
        CHECK_STR(cases[i].text, buf_str(&got), STR(cases[i].want));
        buf_clear(&got);
        token_buf_clear(&ids);
    }
    tokenizer_close(t);
}

static const struct {
    const char *decoder, *tokens, *want; /* tokens: the pieces of a vocabulary, decoded in order */
} decode_cases[] = {
    {"null", "[\"Hey\",0],[\"you\",0]", "Hey you"},
    {"{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\",\"add_prefix_space\":true}",
     "[\"\xE2\x96\x81Hey\",0],[\"\xE2\x96\x81"
     "friend!\",0]",
     "Hey friend!"},
    {"{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\",\"prepend_scheme\":\"never\"}",
     "[\"\xE2\x96\x81Hey\",0],[\"\xE2\x96\x81"
     "friend!\",0]",
     " Hey friend!"},
    {"{\"type\":\"ByteFallback\"}", "[\"Hey\",0],[\"friend!\",0]", "Heyfriend!"},
    {"{\"type\":\"ByteFallback\"}", "[\"<0x61>\",0]", "a"},
    {"{\"type\":\"ByteFallback\"}", "[\"<0xE5>\",0]", "\xEF\xBF\xBD"},
    {"{\"type\":\"ByteFallback\"}", "[\"<0xE5>\",0],[\"<0x8f>\",0]", "\xEF\xBF\xBD\xEF\xBF\xBD"},
    {"{\"type\":\"ByteFallback\"}", "[\"<0xE5>\",0],[\"<0x8f>\",0],[\"<0xab>\",0],[\"a\",0]",
     "\xE5\x8F\xAB"
     "a"},
    {"{\"type\":\"ByteFallback\"}", "[\"<0x61>\",0],[\"<0xE5>\",0],[\"<0x8f>\",0],[\"a\",0]",
     "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
     "a"},
    {"{\"type\":\"Strip\",\"content\":\"H\",\"start\":1,\"stop\":0}",
     "[\"Hey\",0],[\" friend!\",0],[\"HHH\",0]", "ey friend!HH"},
    {"{\"type\":\"Strip\",\"content\":\"y\",\"start\":0,\"stop\":1}",
     "[\"Hey\",0],[\" friend!\",0]", "He friend!"},
    {"{\"type\":\"Strip\",\"content\":\"y\",\"start\":3,\"stop\":3}", "[\"yy\",0],[\"yxy\",0]",
     "x"},
    {"{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"Strip\",\"content\":\" \",\"start\":2,\"stop\":1}]}",
     "[\" \",0],[\"  a \",0],[\"  \",0]", " a  "},
    {"{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Fuse\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\"ab\"},\"content\":\"-\"}]}",
     "[\"xa\",0],[\"b\",0],[\"a\",0]", "x-a"},
    {"{\"type\":\"Replace\",\"pattern\":{\"String\":\"ab\"},\"content\":\"-\"}",
     "[\"xa\",0],[\"b\",0],[\"ab\",0]", "xab-"},
    {"{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"[0-9]+\"},\"content\":\"#\"}",
     "[\"a12\",0],[\"3\",0]", "a##"},
    {"{\"type\":\"ByteLevel\"}", "[\"\xC3\xA4\xC2\xBD\",0],[\"\xC5\x82\",0],[\"\xEF\xBD\x9C\",0]",
     "\xE4\xBD\xA0\xEF\xBD\x9C"},
    {"{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"ByteLevel\"},{\"type\":\"Metaspace\",\"replacement\":\"\xE2\x96\x81\"}]}",
     "[\"\xE2\x96\x81"
     "a\",0],[\"\xE2\x96\x81"
     "b\",0]",
     "ab"},
    {"{\"type\":\"ByteLevel\"}", "[\"\xC3\xA4\xC2\xBD\",0],[\"a\",0],[\"\xC3\xA4\",0]",
     "\xEF\xBF\xBD"
     "a"
     "\xEF\xBF\xBD"},
};

TEST(decoders)
{
    for (size_t i = 0; i < LEN(decode_cases); i++) {
        struct buf rest = {0}, got = {0};
        struct err e = ERR_INIT;
        struct tokenizer *t;
        int32_t ids[16];
        size_t n;

        buf_addf(&rest, ",\"decoder\":%s", decode_cases[i].decoder);
        CHECK_OK(decode_cases[i].decoder, (t = unigram(decode_cases[i].tokens, buf_z(&rest), &e)),
                 &e);
        n = (size_t)tokenizer_vocab_size(t);
        for (size_t k = 0; k < n; k++)
            ids[k] = (int32_t)k;
        CHECK_OK(decode_cases[i].decoder, tokenizer_decode(t, ids, n, false, &got, &e), &e);
        CHECK_STR(decode_cases[i].decoder, buf_str(&got), STR(decode_cases[i].want));
        tokenizer_close(t);
        buf_clear(&rest);
        buf_clear(&got);
    }
}

/* Patterns that Oniguruma and PCRE2 read differently; matches with "|" between them. */
static const struct {
    const char *pattern, *text, *want;
} onig_cases[] = {
    {"\\s+",
     "a\xC2\x85\xE3\x80\x80"
     "b\xE1\xA0\x8E"
     "c\x1C",
     "\xC2\x85\xE3\x80\x80"},
    {"\\w+", "e\xCC\x81_\xE2\x80\xBF-\xE2\x85\xA7", "e\xCC\x81_\xE2\x80\xBF|\xE2\x85\xA7"},
    {"[^\\W_]+", "a_b1-\xC3\xA9", "a|b1|\xC3\xA9"},
    {"\\w+|-", "\xC2\xB2-\xC2\xBD\xE2\x82\x82", "\xC2\xB2|-|\xC2\xBD"},
    {"[\\w]+|[^\\W]+",
     "\xC2\xB2\xC2\xBD"
     "a",
     "a"},
    {"\\W|\\P{Word}", "\xC2\xB9\xE2\x82\x82", "\xE2\x82\x82"},
    {"\\b.", "\xC2\xB3-a", "\xC2\xB3|-|a"},
    {"[[:punct:]]", "$\xC2\xA9\xE2\x82\xAC!a", "$|\xC2\xA9|\xE2\x82\xAC|!"},
    {"\\p{Punct}", "$\xC2\xA9\xE2\x82\xAC!a", "!"},
    {"[[:graph:]]+|\\p{^Print}",
     "a \xC2\xA0"
     "b\x01",
     "a|b|\x01"},
    {"\\h+", "xfFx09", "fF|09"},
    {"\\v",
     "a\x0B"
     "b\n",
     "\x0B"},
    {"\\p{N}{1,3}+", "1234567x", "1234567"},
    {"a{2}?", "aaa", "aa|"},
    {"a{1,2}?", "aaa", "a|a|a"},
    {"a{,2}", "aaa", "aa|a"},
    {"x{1", "x{1", "x{1"},
    {"[a-z&&[^aeiou]]+", "abcde", "bcd"},
    {"[^a-z&&[^aeiou]]", "ab1e", "a|1|e"},
    {"[a[0-9]]+", "xa1b", "a1"},
    {"[[:alpha:]]+[[:^space:]]", "ab1 c", "ab1"},
    {"(?i:'s)", "'S'\xC5\xBF", "'S|'\xC5\xBF"},
    {"(?m:a.b)", "a\nb", "a\nb"},
    {"a.b", "a\nb", ""},
    {"^b$", "a\nb\nc", "b"},
    {"a(?i)b|c", "aB aC", "aB|aC"},
    {"\\p{Han}+", "\xE4\xBD\xA0\xE3\x80\x81\xE5\xA5\xBD", "\xE4\xBD\xA0|\xE5\xA5\xBD"},
    {"\\p{^L}", "a1", "1"},
    {"\\P{Letter}", "a1", "1"},
    {"\\p{Lu}\\p{Uppercase_Letter}", "aAB", "AB"},
    {"\\bcat\\b", "cat concat cat\xCC\x81", "cat"},
    {"[\\u4e00-\\u9fff]+", "a\xE4\xBD\xA0", "\xE4\xBD\xA0"},
    {"\\x{4F60}|\\x41", "A\xE4\xBD\xA0", "A|\xE4\xBD\xA0"},
    {"a++b?+", "aab", "aab"},
    {"(?<=a)b(?!c)", "abc ab", "b"},
    {"(?>a+)b", "aab", "aab"},
    {"[]", NULL, "] as the first"},
    {"(?<n>a)\\k<n>", NULL, "this group"},
    {"(a)\\1", NULL, "this escape"},
    {"(*FAIL)", NULL, "(*"},
    {"\\X", NULL, "this escape"},
    {"(?i:ss)", NULL, "folds to one"},
    {"(?i:\\p{Lu})", NULL, "property of case"},
    {"(a", NULL, "without its end"},
    {"a)", NULL, "closing bracket"},
    {"*a", NULL, "nothing to repeat"},
    {"[z-a]", NULL, "runs backwards"},
    {"\\p{Klingon}", NULL, "unknown property"},
    {"(?x: a)", NULL, "this group"},
    {"\\xFF", NULL, "a byte by"},
};

TEST(oniguruma_patterns)
{
    struct regex_scratch *s = regex_scratch_open();

    for (size_t i = 0; i < LEN(onig_cases); i++) {
        struct matcher m = {0};
        struct match_iter it = {0};
        struct buf got = {0};
        struct err e = ERR_INIT;
        bool ok = matcher_set_regex(&m, STR(onig_cases[i].pattern), &e);
        int n = 0;

        if (!onig_cases[i].text) {
            CHECK(onig_cases[i].pattern, !ok);
            if (!strstr(e.msg, onig_cases[i].want))
                fail_msg("%s: \"%s\" does not say \"%s\"", onig_cases[i].pattern, e.msg,
                         onig_cases[i].want);
            matcher_clear(&m);
            continue;
        }
        CHECK_OK(onig_cases[i].pattern, ok, &e);
        while (matcher_next(&m, s, STR(onig_cases[i].text), &it, &e) == REGEX_MATCH) {
            if (n++)
                buf_addc(&got, '|');
            buf_add(&got, onig_cases[i].text + it.start, it.end - it.start);
        }
        CHECK_STR(onig_cases[i].pattern, buf_str(&got), STR(onig_cases[i].want));
        CHECK_STR(onig_cases[i].pattern, STR(e.msg), STR(""));
        matcher_clear(&m);
        buf_clear(&got);
    }
    regex_scratch_close(s);
}

/* A pattern that backtracks without end is an error, not a hang. */
TEST(runaway_patterns_fail)
{
    struct regex_scratch *s = regex_scratch_open();
    struct matcher m = {0};
    struct match_iter it = {0};
    struct err e = ERR_INIT;

    CHECK_OK("compile", matcher_set_regex(&m, STR("(a+)+[bd]"), &e), &e);
    CHECK_INT("match",
              matcher_next(&m, s, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"), &it, &e),
              REGEX_FAILED);
    CHECK("match", strstr(e.msg, "match limit"));
    matcher_clear(&m);
    regex_scratch_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalizers),
        cmocka_unit_test(pretokenizers),
        cmocka_unit_test(unigram_takes_the_likeliest_path),
        cmocka_unit_test(decoders),
        cmocka_unit_test(oniguruma_patterns),
        cmocka_unit_test(runaway_patterns_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
