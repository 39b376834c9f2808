/* unigram.c - Viterbi, in the order of additions and with the ties of the Rust crate. */
#include "tokenizer/unigram.h"

#include <float.h>

#include "base/arena.h"
#include "tokenizer/chars.h"
#include "tokenizer/fields.h"

#define UNK_PENALTY 10.0 /* below the worst score of the vocabulary */

struct unigram_node {
    double score;
    int32_t id;
    int32_t from; /* byte where the token that ends here begins; -1: none ends here yet */
};

static bool read_vocab(struct str file, struct str part, struct unigram *u, struct vocab *vocab,
                       struct err *e)
{
    struct scan s = scan_init(file, part);
    int32_t cap = 0;
    struct str content;
    bool ok = scan_expect(&s, '[', e);

    if (ok && !scan_take(&s, ']')) {
        do {
            if (u->n_scores == cap) {
                cap = cap ? cap * 2 : 1024;
                u->scores = xrealloc(u->scores, (size_t)cap * sizeof(*u->scores));
            }
            ok = scan_expect(&s, '[', e) && scan_string(&s, &content, e) &&
                 vocab_add(vocab, content, u->n_scores, VOCAB_MODEL, e) &&
                 scan_expect(&s, ',', e) && scan_real(&s, &u->scores[u->n_scores], e) &&
                 scan_expect(&s, ']', e);
            u->n_scores += ok;
        } while (ok && scan_take(&s, ','));
        ok = ok && scan_expect(&s, ']', e) && scan_end(&s, e);
    }
    scan_clear(&s);
    err_prefix(e, "model: vocab");
    return ok;
}

bool unigram_parse(const struct json *model, struct str file, const struct scan_parts *parts,
                   struct vocab *vocab, struct unigram *u, struct err *e)
{
    int64_t unk = -1;

    *u = (struct unigram){.vocab = vocab};
    if (!fields_check(model, "model", "unk_id vocab byte_fallback", e))
        return false;
    if (!parts->vocab.ptr)
        return err_set(e, ERR_INPUT, "model: \"vocab\" is missing");
    if (!field_bool_opt(model, "byte_fallback", &u->byte_fallback, e) ||
        !read_vocab(file, parts->vocab, u, vocab, e))
        return false;
    if (json_type(json_get(model, "unk_id")) != JSON_NULL && json_get(model, "unk_id") &&
        !field_int(model, "unk_id", 0, u->n_scores - 1, &unk, e)) {
        err_prefix(e, "model");
        return false;
    }
    u->unk_id = (int32_t)unk;
    return true;
}

void unigram_link(struct unigram *u)
{
    double worst = DBL_MAX;

    for (int32_t id = 0; id < u->n_scores; id++) {
        struct str content = vocab_content(u->vocab, id);

        worst = MIN(worst, u->scores[id]);
        if (content.len)
            prefixes_add(&u->pieces, content, id);
    }
    prefixes_sort(&u->pieces);
    u->unk_score = worst - UNK_PENALTY;
    for (int byte = 0; byte < 256; byte++) {
        char text[8];

        snprintf(text, sizeof(text), "<0x%02X>", byte);
        u->fallback_ids[byte] = vocab_find_model(u->vocab, STR(text));
    }
}

void unigram_clear(struct unigram *u)
{
    prefixes_clear(&u->pieces);
    free(u->scores);
    u->scores = NULL;
}

void unigram_scratch_clear(struct unigram_scratch *s)
{
    free(s->nodes);
    token_buf_clear(&s->spans);
}

static bool is_offer_taken(const struct unigram_node *node, double score)
{
    return node->from < 0 || score > node->score;
}

static void offer(struct unigram_node *node, double score, int32_t id, size_t from)
{
    if (is_offer_taken(node, score))
        *node = (struct unigram_node){score, id, (int32_t)from};
}

static bool find_best(const struct unigram *u, struct unigram_node *nodes, struct str word,
                      struct err *e)
{
    size_t n;

    for (size_t i = 0; i <= word.len; i++)
        nodes[i] = (struct unigram_node){0, 0, -1};
    for (size_t at = 0; at < word.len; at += n) {
        struct prefix_walk walk = prefix_walk(&u->pieces, str_slice(word, at, word.len));
        bool has_single = false;

        char_at(word.ptr + at, &n);
        while (prefix_next(&walk)) {
            offer(&nodes[at + walk.len], u->scores[walk.value] + nodes[at].score, walk.value, at);
            has_single |= walk.len == n;
        }
        if (has_single)
            continue;
        if (u->unk_id < 0 && !is_offer_taken(&nodes[at + n], u->unk_score + nodes[at].score))
            continue; /* tokens that began before cover it */
        if (u->unk_id < 0)
            return err_set(e, ERR_INPUT,
                           "\"%.*s\" is not in the vocabulary, and the model names no unk_id",
                           (int)n, word.ptr + at);
        offer(&nodes[at + n], u->unk_score + nodes[at].score, u->unk_id, at);
    }
    return true;
}

/* A stretch of the word that the best path takes as one, neighbouring unknowns joined. */
static void add_stretch(const struct unigram *u, struct str text, struct token_buf *out)
{
    int32_t id = vocab_find_model(u->vocab, text);
    bool falls_back = u->byte_fallback;

    if (id >= 0) {
        token_buf_add(out, id);
        return;
    }
    for (size_t i = 0; i < text.len; i++)
        falls_back &= u->fallback_ids[(unsigned char)text.ptr[i]] >= 0;
    if (!falls_back) {
        token_buf_add(out, u->unk_id);
        return;
    }
    for (size_t i = 0; i < text.len; i++)
        token_buf_add(out, u->fallback_ids[(unsigned char)text.ptr[i]]);
}

bool unigram_encode(const struct unigram *u, struct unigram_scratch *s, struct str word,
                    struct token_buf *out, struct err *e)
{
    if (word.len >= s->cap) {
        s->cap = MAX(word.len + 1, 2 * s->cap);
        free(s->nodes);
        s->nodes = xmalloc(s->cap * sizeof(*s->nodes));
    }
    if (!find_best(u, s->nodes, word, e))
        return false;
    s->spans.n = 0;
    for (size_t end = word.len; end > 0;) {
        size_t from = (size_t)s->nodes[end].from;

        if (s->nodes[end].id == u->unk_id)
            while (from > 0 && s->nodes[from].id == u->unk_id)
                from = (size_t)s->nodes[from].from;
        token_buf_add(&s->spans, (int32_t)from);
        end = from;
    }
    for (size_t i = s->spans.n; i-- > 0;) {
        size_t from = (size_t)s->spans.ids[i], to = i ? (size_t)s->spans.ids[i - 1] : word.len;

        add_stretch(u, str_slice(word, from, to), out);
    }
    return true;
}
