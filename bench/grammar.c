/* grammar.c - what a constraint costs: the trie of a vocabulary, compiling, the mask of a state
 * that is met for the first time, and of one that is known.
 *
 *   bench_grammar DIR   a folder with a tokenizer.json
 *
 * Each grammar is walked along texts that it takes, encoded with the tokenizer, as a model would
 * write them; "new" are the masks made on the way, "known" the same walk again with masks there.
 * A walk ends where a token joins what the text has and the grammar does not. Times are those that
 * the thread had on a core. */
#include "base/arena.h"
#include "formats/json.h"
#include "grammar/grammar.h"
#include "tokenizer/tokenizer.h"

enum { MAX_STEPS = 4096, ROUNDS = 50 };

static const struct {
    const char *name;
    enum grammar_kind kind;
    enum grammar_lead lead;
    const char *source, *text;
} cases[] = {
    {"choice of four", GRAMMAR_CHOICE, LEAD_NONE, "[\"A\",\"B\",\"C\",\"D\"]", "C"},
    {"telephone number", GRAMMAR_REGEX, LEAD_NONE, "\\+?\\d{1,3}( \\d{2,4}){2,4}",
     "+49 30 901 820"},
    {"any text but a newline", GRAMMAR_REGEX, LEAD_NONE, ".*",
     "The rain in Spain stays mainly in the plain; so they say, over and over."},
    {"json_object", GRAMMAR_JSON_OBJECT, LEAD_NONE, "",
     "{\"name\": \"Ada Lovelace\", \"born\": 1815, \"works\": [{\"title\": \"Notes\", \"year\": 1843, \"pages\": [1, 2, 3]}, {\"title\": \"Letters\", "
     "\"year\": null}], \"is_known\": true, \"quote\": \"The engine weaves algebraic patterns just as the loom weaves flowers and leaves.\"}"},
    {"schema", GRAMMAR_JSON_SCHEMA, LEAD_NONE,
     "{\"type\":\"object\",\"properties\":{\"reasoning\":{\"type\":\"string\"},\"answer\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":999},"
     "\"confidence\":{\"enum\":[\"low\",\"medium\",\"high\"]},\"steps\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}}},"
     "\"required\":[\"reasoning\",\"answer\",\"confidence\"]}",
     "{\"reasoning\": \"The sum of the first n odd numbers is n squared.\", \"answer\": 144, \"confidence\": \"high\", \"steps\": [\"count\", \"square "
     "it\"]}"},
    {"schema with lengths", GRAMMAR_JSON_SCHEMA, LEAD_NONE,
     "{\"type\":\"object\",\"properties\":{\"summary\":{\"type\":\"string\",\"minLength\":10,\"maxLength\":300}},\"required\":[\"summary\"]}",
     "{\"summary\": \"A short tale about a long road, a slow cart and two quick horses that nobody could hold.\"}"},
    {"schema after thoughts", GRAMMAR_JSON_SCHEMA, LEAD_THINKS,
     "{\"type\":\"object\",\"properties\":{\"answer\":{\"type\":\"integer\"}},\"required\":[\"answer\"]}",
     "Let me see. If x < 3, then 2x < 6; so the answer is 5.\n</think>{\"answer\": 5}"},
};

static void die(const struct err *e)
{
    fprintf(stderr, "bench_grammar: %s\n", e->msg);
    exit(2);
}

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static struct token_trie *open_trie(const struct tokenizer *t)
{
    int n = tokenizer_vocab_size(t);
    struct str *pieces = xcalloc((size_t)n, sizeof(*pieces));
    struct err e = ERR_INIT;
    struct token_trie *trie;
    double began;

    for (int i = 0; i < n; i++)
        pieces[i] = tokenizer_is_special(t, i) ? STR("") : tokenizer_piece(t, i);
    began = now_us();
    trie = token_trie_open(pieces, n, &e);
    if (!trie)
        die(&e);
    printf("trie of %d tokens: %.0f ms, %u nodes, %.1f MB\n\n", n, (now_us() - began) / 1e3,
           trie->n_nodes, (double)trie->n_nodes * sizeof(*trie->nodes) / 1e6);
    free(pieces);
    return trie;
}

/* Masks along the ids; returns how many were asked for, *worst the slowest. */
static int walk(struct grammar *g, const int32_t *ids, int n, double *total, double *worst)
{
    static uint64_t mask[1 << 16];
    static const int32_t end_ids[] = {-1};
    struct grammar_cursor c = {0};
    int i;

    *total = *worst = 0;
    for (i = 0; i <= n; i++) {
        double began = now_us(), took;

        (void)grammar_mask(g, &c, ids, i, end_ids, 1, mask);
        took = now_us() - began;
        *total += took;
        *worst = took > *worst ? took : *worst;
        if (i < n && !(mask[ids[i] / 64] >> ids[i] % 64 & 1))
            return i + 1;
    }
    return i;
}

static void run(size_t i, const struct tokenizer *t, const struct token_trie *trie)
{
    struct grammar_source s = {
        .kind = cases[i].kind, .lead = cases[i].lead, .regex = STR(cases[i].source)};
    struct token_buf ids = {0};
    struct err e = ERR_INIT;
    struct json *json = NULL;
    struct grammar_stats st;
    struct grammar *g;
    double began = now_us(), compiled, fresh, worst, known = 0, total, ignored;
    int n = 0, n_made;

    if (s.kind == GRAMMAR_CHOICE || s.kind == GRAMMAR_JSON_SCHEMA)
        s.json = json = json_parse(s.regex, &e);
    g = grammar_open(&s, trie, &e);
    compiled = now_us() - began;
    if (!g || !tokenizer_encode(t, STR(cases[i].text), ENCODE_TEXT, &ids, &e))
        die(&e);
    n = walk(g, ids.ids, (int)ids.n, &fresh, &worst);
    grammar_stats(g, &st);
    n_made = (int)st.n_masks_made;
    for (int k = 0; k < ROUNDS; k++) {
        walk(g, ids.ids, n - 1, &total, &ignored);
        known += total;
    }
    printf("| %s | %.2f ms | %d | %d | %.0f us | %.0f us | %.1f us | %d | %.1f MB |\n",
           cases[i].name, compiled / 1e3, n, n_made, fresh / MAX(n_made, 1), worst,
           known / ROUNDS / n, st.n_states, (double)st.n_bytes / 1e6);
    grammar_close(g);
    json_close(json);
    token_buf_clear(&ids);
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;
    struct tokenizer *t = argc == 2 ? tokenizer_open(argv[1], &e) : NULL;
    struct token_trie *trie;

    if (argc != 2) {
        fprintf(stderr, "usage: bench_grammar DIR\n");
        return 2;
    }
    if (!t)
        die(&e);
    trie = open_trie(t);
    puts(
        "| grammar | compile | steps | new states | new, mean | worst | known | states | memory |");
    puts("|---|---|---|---|---|---|---|---|---|");
    for (size_t i = 0; i < LEN(cases); i++)
        run(i, t, trie);
    token_trie_close(trie);
    tokenizer_close(t);
    return 0;
}
