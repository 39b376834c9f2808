/* fuzz_grammar.c - the source of a grammar, and a walk through what it allows.
 *
 * The first byte chooses the kind, the second the walk; the rest is a regular expression, a schema
 * or a list of choices. Whatever is taken allows only what begins a text of its own, never leaves a
 * walk without a token, and, if it is JSON, ends in JSON. */
#include "base/philox.h"
#include "formats/json.h"
#include "formats/json_scan.h"
#include "grammar/grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { END_ID = 0, MAX_STEPS = 24, N_TEXTS = 20, N_PIECES = 257 + N_TEXTS };

static const char *const texts[N_TEXTS] = {
    "\":", "\",",  "{\"", "\"}", "true",  "null", "123", "\\u00",    "[[",       "]]",
    "  ",  "\n  ", "a\"", "abc", "\": [", "},",   "e-",  "\xc3\xa9", "\xe4\xb8", "</think>"};

static void check(bool claim)
{
    if (!claim)
        abort();
}

static struct token_trie *make_trie(void)
{
    static char bytes[256][2];
    struct str pieces[N_PIECES] = {{"", 0}};
    struct err e = ERR_INIT;
    struct token_trie *t;

    for (int i = 0; i < 256; i++) {
        bytes[i][0] = (char)i;
        pieces[1 + i] = (struct str){bytes[i], 1};
    }
    for (int i = 0; i < N_TEXTS; i++)
        pieces[257 + i] = STR(texts[i]);
    t = token_trie_open(pieces, N_PIECES, &e);
    check(t != NULL);
    return t;
}

static void walk(struct grammar *g, uint64_t seed, bool is_json)
{
    static const int32_t end_ids[] = {END_ID};
    struct grammar_cursor c = {0};
    struct buf text = {0};
    int32_t ids[MAX_STEPS];
    const struct token_trie *t = grammar_trie(g);
    size_t at;
    const char *fault;

    for (int n = 0; n < MAX_STEPS; n++) {
        uint64_t mask[N_PIECES / 64 + 1];
        enum grammar_verdict verdict = grammar_mask(g, &c, ids, n, end_ids, 1, mask);
        uint32_t from = philox4x32(seed, (uint32_t)n, 0, 0, 0).v[0] % N_PIECES;

        if (verdict == GRAMMAR_OVERRUN)
            break;
        check(verdict == GRAMMAR_SOME);
        while (!(mask[from / 64] >> from % 64 & 1))
            from = (from + 1) % N_PIECES;
        ids[n] = (int32_t)from;
        if (from == END_ID) {
            check(grammar_accepts(g, buf_str(&text)));
            check(!is_json || json_scan_valid(buf_str(&text), &at, &fault));
            break;
        }
        buf_add_str(&text, t->pieces[from]);
        check(grammar_begins(g, buf_str(&text)));
    }
    buf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct token_trie *trie;
    struct grammar_source s;
    struct err e = ERR_INIT;
    struct json *source = NULL;
    struct grammar *g;

    if (size < 2 || size > 1024)
        return 0;
    if (!trie)
        trie = make_trie();
    s = (struct grammar_source){.kind = (enum grammar_kind)(data[0] % 4),
                                .lead = (enum grammar_lead)(data[0] / 4 % 3),
                                .regex = {(const char *)data + 2, size - 2}};
    if (s.kind == GRAMMAR_CHOICE || s.kind == GRAMMAR_JSON_SCHEMA) {
        source = json_parse(s.regex, &e);
        s.json = source;
        if (!source)
            return 0;
    }
    g = grammar_open(&s, trie, &e);
    check(g || e.msg[0]);
    for (uint64_t i = 0; g && i < 4; i++)
        walk(g, 4 * (uint64_t)data[1] + i, s.lead == LEAD_NONE && s.kind >= GRAMMAR_JSON_OBJECT);
    grammar_close(g);
    json_close(source);
    return 0;
}
