/* test_vocabulary.c - masks over the 151,665 tokens of a real vocabulary: in states of all sorts
 * each token is held against the question whether the text goes on with its bytes. What the walk
 * takes whole, and the chains that only count, are met here at full size. */
#include "tokenizer/fixture.h"

#include "formats/json.h"
#include "grammar/grammar.h"

enum { END_ID = 151645 }; /* <|im_end|>: special, so without bytes */

static const struct {
    enum grammar_kind kind;
    enum grammar_lead lead;
    const char *source, *text; /* the masks along it are compared, at every `step` bytes */
    int step;
} cases[] = {
    {GRAMMAR_REGEX, LEAD_NONE, ".*", "a\xe4\xb8\xad", 1},
    {GRAMMAR_REGEX, LEAD_NONE, "[^\\n]{3,40}\\n", "abcdefghijklmnopqrstuvwxyz 0123456789 abc", 8},
    {GRAMMAR_REGEX, LEAD_NONE, "([a-z]{2,9} ){1,4}\\d+", "ab cde 12", 2},
    {GRAMMAR_REGEX, LEAD_NONE, "[^\\x00-\\x7F]{1,12}x", "\xe4\xb8\xad\xc3\xa9x", 2},
    {GRAMMAR_REGEX, LEAD_NONE, "[ -~]{30}", "          ", 5},
    {GRAMMAR_JSON_OBJECT, LEAD_NONE, "", "{\"a\\u00e9\": [1.5, \"b\xf0\x9f\x98\x80\"]}", 5},
    {GRAMMAR_JSON_SCHEMA, LEAD_NONE,
     "{\"type\":\"object\",\"properties\":{\"s\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":30},\"t\":{\"type\":\"string\","
     "\"pattern\":\"^\\\\w{3,}$\"}},\"additionalProperties\":{\"type\":\"null\"}}",
     "{\"s\": \"abcdefghijklmnopqrstuvwxyz12\", \"t\": \"ab", 7},
    {GRAMMAR_CHOICE, LEAD_THINKS, "[\"Yes\"]", "I think </th so </think>Y", 6},
};

static int compare(const char *name, struct grammar *g, const struct token_trie *t, struct str text)
{
    static uint64_t mask[151665 / 64 + 1];
    static const int32_t end_ids[] = {END_ID};
    struct grammar_cursor c = {0};
    int32_t ids[128];
    int n = 0, n_allowed = 0;

    for (size_t i = 0; i < text.len;
         i++) /* by single bytes, which are the first 256 ids in some order */
        for (int id = 0; id < 256; id++)
            if (t->pieces[id].len == 1 && t->pieces[id].ptr[0] == text.ptr[i])
                ids[n++] = id;
    CHECK_INT(name, n, text.len);
    CHECK_INT(name, grammar_mask(g, &c, ids, n, end_ids, 1, mask), GRAMMAR_SOME);
    for (int id = 0; id < t->vocab_size; id++) {
        struct str piece = t->pieces[id];
        char longer[512];
        bool want = id == END_ID ? grammar_accepts(g, text) : false;

        if (piece.len > 0) {
            memcpy(longer, text.ptr, text.len);
            memcpy(longer + text.len, piece.ptr, piece.len);
            want = grammar_begins(g, (struct str){longer, text.len + piece.len});
        }
        n_allowed += want;
        if ((mask[id / 64] >> id % 64 & 1) != want)
            fail_msg("%s: after " STR_FMT " token %d, \"" STR_FMT "\", is %s", name, STR_ARG(text),
                     id, STR_ARG(piece), want ? "forbidden" : "allowed");
    }
    return n_allowed;
}

TEST(masks_of_a_real_vocabulary)
{
    struct fixture f;
    struct err e = ERR_INIT;
    struct tokenizer *tok;
    struct token_trie *t;
    struct str *pieces;
    int most = 0, least = INT32_MAX;

    fixture_init(&f);
    tok = tokenizer_open(fixture_find(&f, "qwen2.5"), &e);
    CHECK_OK("tokenizer", tok != NULL, &e);
    pieces = xcalloc((size_t)tokenizer_vocab_size(tok), sizeof(*pieces));
    for (int i = 0; i < tokenizer_vocab_size(tok); i++)
        pieces[i] = tokenizer_is_special(tok, i) ? STR("") : tokenizer_piece(tok, i);
    t = token_trie_open(pieces, tokenizer_vocab_size(tok), &e);
    CHECK_OK("trie", t != NULL, &e);
    for (size_t i = 0; i < LEN(cases); i++) {
        struct json *json =
            cases[i].source[0] ? json_parse(STR(cases[i].source), &(struct err){0}) : NULL;
        struct grammar_source s = {.kind = cases[i].kind,
                                   .lead = cases[i].lead,
                                   .regex = STR(cases[i].source),
                                   .json = json};
        struct grammar *g = grammar_open(&s, t, &e);

        CHECK_OK(cases[i].source, g != NULL, &e);
        for (size_t len = 0; len <= strlen(cases[i].text); len += (size_t)cases[i].step) {
            int n = compare(cases[i].source, g, t, (struct str){cases[i].text, len});

            most = MAX(most, n);
            least = MIN(least, n);
        }
        grammar_close(g);
        json_close(json);
    }
    CHECK("states where nearly all may come", most > 140000);
    CHECK("and where few may", least < 10);
    token_trie_close(t);
    tokenizer_close(tok);
    free(pieces);
    fixture_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_of_a_real_vocabulary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
