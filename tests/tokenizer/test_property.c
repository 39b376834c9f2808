/* test_property.c - what holds for every text: both encoders agree; decoding gives the text back in
 * NFC; decoding may be cut anywhere; the known patterns match as PCRE2 does. */
#include "fixture.h"

#include "random_text.h"
#include "slow.h"
#include "tokenizer/match.h"
#include "tokenizer/normalize.h"

#ifdef __SANITIZE_THREAD__ /* ten times slower, and one thread runs here */
enum { N_TEXTS = 2000, N_MORE_TEXTS = 600, N_LONG_WORDS = 30 };
#else
enum { N_TEXTS = 10000, N_MORE_TEXTS = 3000, N_LONG_WORDS = 200 };
#endif

static const char *const names[] = {"qwen2.5",
                                    "deepseek-r1-distill-qwen",
                                    "gpt2",
                                    "llama-3",
                                    "llama-2-spm",
                                    "synthetic-added-flags",
                                    "synthetic-prefix-space"};
#define SMALL TEST_DATA "/tokenizers/small/"

static void check_against_slow(const char *name, const struct tokenizer *t, struct slow *s,
                               int n_texts)
{
    struct random_text r = {.state = 2024};
    struct err e = ERR_INIT;

    for (int i = 0; i < n_texts; i++) {
        struct buf text = {0};
        struct token_buf got = {0}, want = {0};

        random_text(&r, &text);
        CHECK_OK(name, tokenizer_encode(t, buf_str(&text), ENCODE_PARSE_SPECIAL, &got, &e), &e);
        slow_encode(s, buf_str(&text), &want);
        if (got.n != want.n || memcmp(got.ids, want.ids, got.n * sizeof(*got.ids)) != 0)
            fail_msg("%s: text %d, \"%s\": %zu ids, the referee has %zu", name, i, buf_z(&text),
                     got.n, want.n);
        buf_clear(&text);
        token_buf_clear(&got);
        token_buf_clear(&want);
    }
}

TEST(both_encoders_agree)
{
    struct fixture f;
    struct slow s;
    struct err e = ERR_INIT;

    fixture_init(&f);
    for (size_t i = 0; i < LEN(names); i++) {
        const char *dir = fixture_find(&f, names[i]);
        struct tokenizer *t;

        if (!dir)
            continue;
        CHECK_OK(names[i], (t = tokenizer_open(dir, &e)), &e);
        slow_open(&s, path_join(&f.arena, dir, "tokenizer.json"));
        check_against_slow(names[i], t, &s, i == 0 ? N_TEXTS : N_MORE_TEXTS);
        slow_close(&s);
        tokenizer_close(t);
    }
    fixture_clear(&f);
}

static struct tokenizer *open_small(const char *name)
{
    struct buf path = {0}, json = {0};
    struct err e = ERR_INIT;
    struct tokenizer *t;

    buf_addf(&path, SMALL "%s.json", name);
    CHECK_OK(name, file_read(buf_z(&path), 0, &json, &e), &e);
    CHECK_OK(name, (t = tokenizer_parse(buf_str(&json), (struct str){"", 0}, &e)), &e);
    buf_clear(&path);
    buf_clear(&json);
    return t;
}

TEST(both_encoders_agree_on_small_ones)
{
    static const char *const small[] = {"byte-level", "sentencepiece"};
    struct slow s;

    for (size_t i = 0; i < LEN(small); i++) {
        struct tokenizer *t = open_small(small[i]);
        struct buf path = {0};

        buf_addf(&path, SMALL "%s.json", small[i]);
        slow_open(&s, buf_z(&path));
        check_against_slow(small[i], t, &s, N_TEXTS);
        slow_close(&s);
        tokenizer_close(t);
        buf_clear(&path);
    }
}

/* Long words take the heap, which must merge as the walk does. */
TEST(long_words_merge_alike)
{
    static const char letters[] = "aaeeinorstl ";
    struct tokenizer *t = open_small("sentencepiece");
    struct random_text r = {.state = 99};
    struct slow s;
    struct err e = ERR_INIT;

    slow_open(&s, SMALL "sentencepiece.json");
    for (int i = 0; i < N_LONG_WORDS; i++) {
        struct buf text = {0};
        struct token_buf got = {0}, want = {0};
        uint32_t n = 30 + random_below(&r, 500);

        for (uint32_t k = 0; k < n; k++)
            buf_addz(&text, (const char *[]){"a", "ing", "hello", "\xF0\x9F\x98\x80",
                                             "\xE4\xBD\xA0\xE5\xA5\xBD", "of", "the",
                                             "\xE2\x96\x81"}[random_below(&r, 8)]);
        buf_addc(&text, letters[random_below(&r, sizeof(letters) - 1)]);
        CHECK_OK("a long word", tokenizer_encode(t, buf_str(&text), 0, &got, &e), &e);
        slow_encode(&s, buf_str(&text), &want);
        CHECK_INT("a long word", got.n, want.n);
        CHECK("a long word", memcmp(got.ids, want.ids, got.n * sizeof(*got.ids)) == 0);
        buf_clear(&text);
        token_buf_clear(&got);
        token_buf_clear(&want);
    }
    slow_close(&s);
    tokenizer_close(t);
}

static bool mentions_added(const struct tokenizer *t, const struct token_buf *ids)
{
    for (size_t i = 0; i < ids->n; i++)
        if (tokenizer_is_added(t, ids->ids[i]))
            return true;
    return false;
}

TEST(decoding_gives_the_text_back_in_nfc)
{
    static const char *const with_nfc[] = {"qwen2.5", "deepseek-r1-distill-qwen",
                                           "synthetic-added-flags"};
    struct fixture f;
    struct err e = ERR_INIT;

    fixture_init(&f);
    for (size_t i = 0; i < LEN(with_nfc); i++) {
        struct tokenizer *t = tokenizer_open(fixture_find(&f, with_nfc[i]), &e);
        struct random_text r = {.state = 5};
        int n_compared = 0;

        CHECK_OK(with_nfc[i], t, &e);
        for (int k = 0; k < 5000; k++) {
            struct buf text = {0}, back = {0};
            struct token_buf ids = {0};
            char *nfc;

            random_text(&r, &text);
            CHECK_OK(with_nfc[i],
                     tokenizer_encode(t, buf_str(&text), ENCODE_PARSE_SPECIAL, &ids, &e), &e);
            CHECK_OK(with_nfc[i], tokenizer_decode(t, ids.ids, ids.n, false, &back, &e), &e);
            nfc = (char *)utf8proc_NFC((const utf8proc_uint8_t *)buf_z(&text));
            /* Added tokens may swallow blanks and keep their neighbours from composing. */
            if (!mentions_added(t, &ids)) {
                CHECK_STR(with_nfc[i], buf_str(&back), STR(nfc));
                n_compared++;
            }
            free(nfc);
            buf_clear(&text);
            buf_clear(&back);
            token_buf_clear(&ids);
        }
        CHECK(with_nfc[i], n_compared > 500);
        tokenizer_close(t);
    }
    fixture_clear(&f);
}

/* Gives the ids in two runs of single tokens with a look at the text between: what came before the
 * cut must be the beginning of the whole, and the whole must come out. */
static void check_cuts(const char *name, const struct tokenizer *t, const struct token_buf *ids)
{
    struct buf whole = {0};
    struct err e = ERR_INIT;

    CHECK_OK(name, tokenizer_decode(t, ids->ids, ids->n, false, &whole, &e), &e);
    for (size_t cut = 0; cut <= ids->n; cut++) {
        struct buf before = {0}, after = {0};
        struct detok d;

        detok_init(&d, t, false);
        for (size_t i = 0; i < ids->n; i++)
            CHECK_OK(name, detok_add(&d, ids->ids[i], i < cut ? &before : &after, &e), &e);
        CHECK_OK(name, detok_finish(&d, &after, &e), &e);
        CHECK(name, utf8_valid(buf_str(&before)) && utf8_valid(buf_str(&after)));
        CHECK_INT(name, before.len + after.len, whole.len);
        CHECK_STR(name, str_slice(buf_str(&whole), 0, before.len), buf_str(&before));
        CHECK_STR(name, str_slice(buf_str(&whole), before.len, whole.len), buf_str(&after));
        detok_clear(&d);
        buf_clear(&before);
        buf_clear(&after);
    }
    buf_clear(&whole);
}

TEST(decoding_may_be_cut_anywhere)
{
    static const char *const small[] = {"byte-level", "possessive",    "sentencepiece",
                                        "unigram",    "unigram-bytes", "decorated"};

    for (size_t i = 0; i < LEN(small); i++) {
        struct tokenizer *t = open_small(small[i]);
        struct random_text r = {.state = 77 + i};

        for (int k = 0; k < 500; k++) {
            struct token_buf ids = {0};
            uint32_t n = random_below(&r, 30);

            for (uint32_t j = 0; j < n; j++)
                token_buf_add(&ids,
                              (int32_t)random_below(&r, (uint32_t)tokenizer_vocab_size(t) + 2));
            check_cuts(small[i], t, &ids);
            token_buf_clear(&ids);
        }
        tokenizer_close(t);
    }
}

/* The matchers by hand against PCRE2 on the translated pattern. */
TEST(known_patterns_match_as_pcre2)
{
    const struct {
        enum match_kind kind;
        const char *pattern;
    } known[] = {
        {MATCH_GPT2, match_gpt2}, {MATCH_QWEN2, match_qwen2}, {MATCH_LLAMA3, match_llama3}};
    struct regex_scratch *scratch = regex_scratch_open();

    for (size_t i = 0; i < LEN(known); i++) {
        struct random_text r = {.state = 31};
        struct matcher slow = {0};
        struct err e = ERR_INIT;

        CHECK_OK(known[i].pattern, matcher_set_regex(&slow, STR(known[i].pattern), &e), &e);
        for (int k = 0; k < 20000; k++) {
            struct buf text = {0};
            struct match_iter it = {0};
            size_t at = 0;

            random_text(&r, &text);
            while (matcher_next(&slow, scratch, buf_str(&text), &it, &e) == REGEX_MATCH) {
                CHECK_INT(buf_z(&text), it.start, at);
                at = match_known(known[i].kind, buf_str(&text), at);
                CHECK_INT(buf_z(&text), it.end, at);
            }
            CHECK_INT(buf_z(&text), at, text.len);
            buf_clear(&text);
        }
        matcher_clear(&slow);
    }
    regex_scratch_close(scratch);
}

/* normal_is_plain may only say yes where utf8proc changes nothing, alone or after any base. */
TEST(plain_characters_are_in_nfc)
{
    for (uint32_t c = 1; c < 0x110000; c++) {
        char z[5] = {0};
        int n = utf8_encode(c, z);
        const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)c);
        char *nfc;

        if (!n || !normal_is_plain((struct str){z, (size_t)n}))
            continue;
        nfc = (char *)utf8proc_NFC((const utf8proc_uint8_t *)z);
        if (strcmp(nfc, z) != 0 || property->combining_class != 0 ||
            (property->comb_index != UINT16_MAX && property->comb_index >= 0x8000))
            fail_msg("U+%04X is taken for plain", c);
        free(nfc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_encoders_agree),
        cmocka_unit_test(both_encoders_agree_on_small_ones),
        cmocka_unit_test(long_words_merge_alike),
        cmocka_unit_test(decoding_gives_the_text_back_in_nfc),
        cmocka_unit_test(decoding_may_be_cut_anywhere),
        cmocka_unit_test(known_patterns_match_as_pcre2),
        cmocka_unit_test(plain_characters_are_in_nfc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
