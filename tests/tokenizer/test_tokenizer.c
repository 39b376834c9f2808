/* test_tokenizer.c - what is refused and how, the tokens of tokenizer_config.json, pieces, many
 * threads at once, and Unigram against all ways to cut a word. */
#include <pthread.h>

#include "base/file.h"
#include "random_text.h"
#include "test.h"
#include "tokenizer/tokenizer.h"

#define BPE(rest) \
    "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}" rest \
    "}"
#define MODEL(model) "{\"model\":" model "}"
#define AB_TEMPLATE \
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"ab\",\"type_id\":0}}," \
    "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"special_tokens\":{\"ab\":{\"id\":\"ab\",\"ids\":[2]," \
    "\"tokens\":[\"ab\"]}}}"

static const struct {
    const char *name, *json, *want; /* a part of the message */
} refusals[] = {
    {"empty", "", "is empty"},
    {"no JSON", "{", "line 1, column 2"},
    {"not an object", "[1]", "expected '{'"},
    {"trailing", BPE("") "x", "nothing more"},
    {"no model", "{}", "\"model\" is"},
    {"not UTF-8", "{\"model\":\"\xFF\"}", "not UTF-8"},
    {"another model", MODEL("{\"type\":\"WordPiece\",\"vocab\":{}}"),
     "\"WordPiece\", expected one of: BPE Unigram"},
    {"no merges", MODEL("{\"type\":\"BPE\",\"vocab\":{}}"), "\"merges\" is missing"},
    {"no vocab", MODEL("{\"type\":\"BPE\",\"merges\":[]}"), "\"vocab\" is missing"},
    {"vocab twice", MODEL("{\"type\":\"BPE\",\"vocab\":{},\"vocab\":{},\"merges\":[]}"),
     "only once"},
    {"token twice", MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"a\":1},\"merges\":[]}"),
     "\"a\" is there twice"},
    {"id twice", MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":0},\"merges\":[]}"),
     "the id 0 stands for"},
    {"negative id", MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}"),
     "expected an integer"},
    {"huge id", MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":99999999},\"merges\":[]}"),
     "ids run from 0"},
    {"half a pair", MODEL("{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":0},\"merges\":[]}"),
     "surrogate"},
    {"unknown merge", MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a c\"]}"),
     "merge 1: the merge's right part \"c\""},
    {"unmade merge",
     MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"c\":1},\"merges\":[[\"a\",\"c\"]]}"),
     "the merged token \"ac\""},
    {"three parts", MODEL("{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a a\"]}"),
     "not two tokens"},
    {"dropout", MODEL("{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{},\"merges\":[]}"),
     "\"dropout\" makes encoding random"},
    {"unknown key", MODEL("{\"type\":\"BPE\",\"vocab\":{},\"merges\":[],\"magic\":1}"),
     "model asks for \"magic\""},
    {"no unk", MODEL("{\"type\":\"BPE\",\"unk_token\":\"?\",\"vocab\":{},\"merges\":[]}"),
     "unk_token \"?\" is not"},
    {"unk_id", MODEL("{\"type\":\"Unigram\",\"unk_id\":2,\"vocab\":[[\"a\",0]]}"),
     "\"unk_id\" is 2"},
    {"score", MODEL("{\"type\":\"Unigram\",\"vocab\":[[\"a\",\"x\"]]}"), "expected a number"},
    {"normalizer", BPE(",\"normalizer\":{\"type\":\"BertNormalizer\"}"),
     "normalizer: \"type\" is \"BertNormalizer\""},
    {"deep",
     BPE(",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Precompiled\"}]}"),
     "\"Precompiled\""},
    {"pattern",
     BPE(",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Glob\":\"*\"},\"content\":\"\"}"),
     "\"Glob\""},
    {"regex",
     BPE(",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(a\"},\"content\":\"\"}"),
     "without its end"},
    {"pre", BPE(",\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"}"),
     "pre_tokenizer: \"type\" is \"UnicodeScripts\""},
    {"behavior",
     BPE(",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Both\"}"),
     "\"behavior\" is \"Both\""},
    {"no flag", BPE(",\"pre_tokenizer\":{\"type\":\"ByteLevel\"}"), "\"add_prefix_space\" is"},
    {"scheme", BPE(",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"__\"}"),
     "expected one character"},
    {"decoder", BPE(",\"decoder\":{\"type\":\"CTC\"}"), "decoder: \"type\" is \"CTC\""},
    {"post",
     BPE(",\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"a\",0],\"cls\":[\"a\",0]}"),
     "\"BertProcessing\""},
    {"template",
     BPE(",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\",\"type_id\":0}}],\"special_tokens\":{}}"),
     "\"x\" is not among the special_tokens"},
    {"two templates",
     BPE(",\"post_processor\":{\"type\":\"Sequence\",\"processors\":[" AB_TEMPLATE "," AB_TEMPLATE
         "]}"),
     "a TemplateProcessing after one that adds tokens"},
    {"old Metaspace",
     BPE(",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"_\",\"add_prefix_space\":false}"),
     "\"prepend_scheme\" is not \"never\""},
    {"added flag", BPE(",\"added_tokens\":[{\"id\":3,\"content\":\"c\",\"special\":1}]"),
     "\"special\" is"},
    {"added id", BPE(",\"added_tokens\":[{\"id\":1,\"content\":\"c\"}]"),
     "the id 1 stands for \"b\" and for \"c\""},
    {"added other id", BPE(",\"added_tokens\":[{\"id\":9,\"content\":\"a\"}]"),
     "\"a\" is there twice, as 0 and 9"},
    {"added twice",
     BPE(",\"added_tokens\":[{\"id\":3,\"content\":\"c\"},{\"id\":3,\"content\":\"c\"}]"),
     "number 2: \"c\" is there twice"},
    {"top", BPE(",\"extra\":1"), "the file asks for \"extra\""},
};

TEST(refusals_name_what_is_wrong)
{
    for (size_t i = 0; i < LEN(refusals); i++) {
        struct err e = ERR_INIT;
        struct tokenizer *t = tokenizer_parse(STR(refusals[i].json), STR(""), &e);

        if (t || !strstr(e.msg, refusals[i].want) || !strstr(e.msg, "tokenizer.json"))
            fail_msg("%s: \"%s\" does not say \"%s\"", refusals[i].name, t ? "(accepted)" : e.msg,
                     refusals[i].want);
        if (strchr(e.msg, '\n'))
            fail_msg("%s: more than one line", refusals[i].name);
    }
}

TEST(config_names_tokens)
{
    static const char json[] =
        BPE(",\"added_tokens\":[{\"id\":3,\"content\":\"<s>\",\"special\":true}]");
    struct err e = ERR_INIT;
    struct tokenizer *t = tokenizer_parse(
        STR(json),
        STR("{\"bos_token\":\"<s>\",\"eos_token\":{\"content\":\"ab\"},\"pad_token\":null}"), &e);

    CHECK_OK("open", t, &e);
    CHECK_INT("bos", tokenizer_bos(t), 3);
    CHECK_INT("eos", tokenizer_eos(t), 2);
    CHECK_INT("pad", tokenizer_pad(t), -1);
    CHECK("special", tokenizer_is_special(t, 3) && !tokenizer_is_special(t, 2) &&
                         !tokenizer_is_special(t, -1));
    CHECK("special",
          !tokenizer_is_special(t, 4) && tokenizer_is_added(t, 3) && !tokenizer_is_added(t, 0));
    CHECK_INT("find", tokenizer_find(t, STR("<s>")), 3);
    CHECK_INT("find", tokenizer_find(t, STR("c")), -1);
    CHECK_INT("size", tokenizer_vocab_size(t), 4);
    CHECK_INT("no token", tokenizer_content(t, 77).len, 0);
    CHECK_INT("no token", tokenizer_piece(t, -5).len, 0);
    tokenizer_close(t);
    t = tokenizer_parse(STR(json), STR("{\"eos_token\":\"</s>\"}"), &e);
    CHECK("an unknown eos", !t && strstr(e.msg, "\"eos_token\" is \"</s>\", which is no token"));
    e = ERR_INIT;
    t = tokenizer_parse(STR(json), STR("{\"pad_token\":\"[PAD]\"}"), &e);
    CHECK_OK("an unknown pad", t, &e);
    CHECK_INT("an unknown pad", tokenizer_pad(t), -1);
    tokenizer_close(t);
}

/* Ids from the Rust crate tokenizers, versions 0.22.2 and 0.23.2. */
static const struct {
    const char *name, *json, *text;
    int n;
    int32_t ids[4];
} crate_cases[] = {
    {"a blank that the token before has swallowed",
     BPE(",\"added_tokens\":[{\"id\":3,\"content\":\"<x>\",\"rstrip\":true},{\"id\":4,\"content\":\" \",\"lstrip\":true}]"),
     "<x> ab b",
     4,
     {3, 2, 4, 1}},
    {"a blank that a token swallows, and one that takes itself",
     BPE(",\"added_tokens\":[{\"id\":3,\"content\":\"<x>\",\"rstrip\":true},{\"id\":4,\"content\":\" \"}]"),
     "<x> ab",
     3,
     {3, 4, 2}},
    {"no unk_id, but a longer token covers the character",
     MODEL("{\"type\":\"Unigram\",\"unk_id\":null,\"vocab\":[[\"a\",-1],[\"ac\",-2],[\"b\",-3]]}"),
     "acb",
     2,
     {1, 2}},
};

TEST(the_rust_crate_agrees)
{
    for (size_t i = 0; i < LEN(crate_cases); i++) {
        struct err e = ERR_INIT;
        struct token_buf ids = {0};
        struct tokenizer *t = tokenizer_parse(STR(crate_cases[i].json), STR(""), &e);

        CHECK_OK(crate_cases[i].name, t, &e);
        CHECK_OK(crate_cases[i].name,
                 tokenizer_encode(t, STR(crate_cases[i].text), ENCODE_PARSE_SPECIAL, &ids, &e), &e);
        CHECK_INT(crate_cases[i].name, ids.n, crate_cases[i].n);
        for (size_t k = 0; k < ids.n; k++)
            CHECK_INT(crate_cases[i].name, ids.ids[k], crate_cases[i].ids[k]);
        token_buf_clear(&ids);
        tokenizer_close(t);
    }
}

TEST(special_tokens_may_be_spelled_out)
{
    static const char json[] =
        BPE(",\"added_tokens\":[{\"id\":3,\"content\":\"ba\",\"special\":true},"
            "{\"id\":4,\"content\":\"bb\"}]");
    struct err e = ERR_INIT;
    struct tokenizer *t = tokenizer_parse(STR(json), STR(""), &e);
    struct token_buf parsed = {0}, plain = {0};

    CHECK_OK("open", t, &e);
    CHECK_OK("parsed", tokenizer_encode(t, STR("ababb"), ENCODE_PARSE_SPECIAL, &parsed, &e), &e);
    CHECK_OK("plain", tokenizer_encode(t, STR("ababb"), ENCODE_TEXT, &plain, &e), &e);
    CHECK_INT("parsed", parsed.n, 3);
    CHECK("a ba bb", parsed.ids[0] == 0 && parsed.ids[1] == 3 && parsed.ids[2] == 4);
    CHECK_INT("plain", plain.n, 3);
    CHECK("ab a bb", plain.ids[0] == 2 && plain.ids[1] == 0 && plain.ids[2] == 4);
    CHECK("not UTF-8", !tokenizer_encode(t, STR("a\xFF"), ENCODE_TEXT, &plain, &e));
    CHECK_INT("out is as it was", plain.n, 3);
    token_buf_clear(&parsed);
    token_buf_clear(&plain);
    tokenizer_close(t);
}

static struct tokenizer *open_small(const char *name)
{
    struct buf path = {0}, json = {0};
    struct err e = ERR_INIT;
    struct tokenizer *t;

    buf_addf(&path, "%s/tokenizers/small/%s.json", TEST_DATA, name);
    CHECK_OK(name, file_read(buf_z(&path), 0, &json, &e), &e);
    CHECK_OK(name, (t = tokenizer_parse(buf_str(&json), STR(""), &e)), &e);
    buf_clear(&path);
    buf_clear(&json);
    return t;
}

TEST(pieces_are_what_tokens_stand_for)
{
    struct tokenizer *t = open_small("sentencepiece");

    CHECK_STR("a blank", tokenizer_piece(t, tokenizer_find(t, STR("\xE2\x96\x81the"))),
              STR(" the"));
    CHECK_STR("a byte", tokenizer_piece(t, tokenizer_find(t, STR("<0xE4>"))), STR("\xE4"));
    CHECK_STR("a special token", tokenizer_piece(t, 1), STR("<s>"));
    tokenizer_close(t);
    t = open_small("byte-level");
    CHECK_STR("a word", tokenizer_piece(t, tokenizer_find(t, STR("\xC4\xA0the"))), STR(" the"));
    CHECK_STR("a byte", tokenizer_piece(t, tokenizer_find(t, STR("\xC3\xA4"))), STR("\xE4"));
    tokenizer_close(t);
}

/* --- Threads ---------------------------------------------------------------------------------- */

struct worker {
    const struct tokenizer *t;
    uint64_t sum;
};

static void *encode_many(void *arg)
{
    struct worker *w = arg;
    struct random_text r = {.state = 3};

    for (int i = 0; i < 300; i++) {
        struct buf text = {0}, back = {0};
        struct token_buf ids = {0};
        struct err e = ERR_INIT;

        random_text(&r, &text);
        if (!tokenizer_encode(w->t, buf_str(&text), ENCODE_PARSE_SPECIAL, &ids, &e) ||
            !tokenizer_decode(w->t, ids.ids, ids.n, true, &back, &e))
            w->sum = 0;
        for (size_t k = 0; k < ids.n; k++)
            w->sum = w->sum * 31 + (uint64_t)ids.ids[k];
        w->sum += back.len;
        buf_clear(&text);
        buf_clear(&back);
        token_buf_clear(&ids);
    }
    return NULL;
}

TEST(threads_share_a_tokenizer)
{
    static const char *const names[] = {"byte-level", "possessive", "sentencepiece", "unigram",
                                        "decorated"};

    for (size_t i = 0; i < LEN(names); i++) {
        struct tokenizer *t = open_small(names[i]);
        struct worker workers[5];
        pthread_t threads[LEN(workers)];

        for (size_t k = 0; k < LEN(workers); k++)
            workers[k] = (struct worker){t, 1};
        encode_many(&workers[0]);
        for (size_t k = 1; k < LEN(workers); k++)
            CHECK_INT("a thread", pthread_create(&threads[k], NULL, encode_many, &workers[k]), 0);
        for (size_t k = 1; k < LEN(workers); k++) {
            pthread_join(threads[k], NULL);
            CHECK(names[i], workers[k].sum == workers[0].sum);
        }
        tokenizer_close(t);
    }
}

/* --- Unigram ---------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    double score;
} pieces[] = {{"a", -3},     {"b", -4},     {"ab", -6.5}, {"aba", -7},
              {"bab", -7.5}, {"bb", -8.25}, {"abab", -12}};

/* The best sum over all ways to cut text; every character is a piece, so there is a way. */
static double best_score(struct str text)
{
    double best = -1e300;

    if (!text.len)
        return 0;
    for (size_t i = 0; i < LEN(pieces); i++)
        if (str_starts(text, pieces[i].text)) {
            double rest = best_score(str_slice(text, strlen(pieces[i].text), text.len));

            best = MAX(best, pieces[i].score + rest);
        }
    return best;
}

TEST(unigram_is_best_of_all)
{
    struct buf json = {0};
    struct err e = ERR_INIT;
    struct tokenizer *t;

    buf_addz(&json, "{\"model\":{\"type\":\"Unigram\",\"vocab\":[");
    for (size_t i = 0; i < LEN(pieces); i++)
        buf_addf(&json, "%s[\"%s\",%g]", i ? "," : "", pieces[i].text, pieces[i].score);
    buf_addz(&json, "]}}");
    CHECK_OK("open", (t = tokenizer_parse(buf_str(&json), STR(""), &e)), &e);
    for (unsigned bits = 1; bits < 1u << 12;
         bits++) { /* every word of a and b up to eleven letters */
        char word[16] = {0};
        struct token_buf ids = {0};
        double score = 0;
        size_t n = 0;

        for (unsigned rest = bits; rest > 1; rest >>= 1)
            word[n++] = rest & 1 ? 'a' : 'b';
        CHECK_OK(word, tokenizer_encode(t, STR(word), ENCODE_TEXT, &ids, &e), &e);
        for (size_t i = 0; i < ids.n; i++)
            score += pieces[ids.ids[i]].score;
        CHECK(word, score == best_score(STR(word))); /* sums of quarters are exact */
        token_buf_clear(&ids);
    }
    CHECK("no unk_id", !tokenizer_encode(t, STR("c"), ENCODE_TEXT, &(struct token_buf){0}, &e));
    CHECK("no unk_id", strstr(e.msg, "\"c\" is not in the vocabulary"));
    tokenizer_close(t);
    buf_clear(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_name_what_is_wrong),
        cmocka_unit_test(config_names_tokens),
        cmocka_unit_test(the_rust_crate_agrees),
        cmocka_unit_test(special_tokens_may_be_spelled_out),
        cmocka_unit_test(pieces_are_what_tokens_stand_for),
        cmocka_unit_test(threads_share_a_tokenizer),
        cmocka_unit_test(unigram_is_best_of_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
