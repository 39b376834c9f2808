/* random_mask.h - a small vocabulary of pieces, and masks held against one question at a time. */
#pragma once

#include "test.h"

#include "base/arena.h"
#include "base/philox.h"
#include "grammar/grammar.h"

struct dice {
    uint64_t seed;
    uint32_t n;
};

static inline uint32_t roll(struct dice *d, uint32_t n)
{
    return philox4x32(d->seed, d->n++, 0, 0, 0).v[0] % n;
}

enum { END_ID = 0, MAX_VOCAB = 512, MAX_WALK = 40 };

struct vocab_of_test {
    struct str pieces[MAX_VOCAB];
    int n;
    struct token_trie *trie;
};

/* Token 0 ends a text; the others are the given texts, then all texts of up to three of `letters`.
 */
static inline void vocab_make(struct vocab_of_test *v, struct arena *a, const char *const *texts,
                              const char *letters)
{
    struct err e = ERR_INIT;
    size_t n = strlen(letters);

    v->n = 0;
    v->pieces[v->n++] = STR("");
    for (; *texts; texts++)
        v->pieces[v->n++] = STR(*texts);
    for (size_t i = 0; i < n; i++) {
        v->pieces[v->n++] = str_fmt(a, "%c", letters[i]);
        for (size_t k = 0; k < n && v->n + (int)n + 1 < MAX_VOCAB; k++) {
            v->pieces[v->n++] = str_fmt(a, "%c%c", letters[i], letters[k]);
            for (size_t m = 0; m < n && k < 3; m++)
                v->pieces[v->n++] = str_fmt(a, "%c%c%c", letters[i], letters[k], letters[m]);
        }
    }
    v->trie = token_trie_open(v->pieces, v->n, &e);
    CHECK_OK("trie", v->trie != NULL, &e);
}

static inline bool bit_of(const uint64_t *mask, int id)
{
    return mask[id / 64] >> id % 64 & 1;
}

/* Draws tokens by their masks until the end or MAX_WALK; every mask must be what grammar_begins
 * says of each piece. Returns the number of tokens; *text is what they spell, *ended whether it
 * ended. */
static inline int walk(const char *name, struct grammar *g, const struct vocab_of_test *v,
                       struct dice *d, struct buf *text, bool *ended)
{
    static const int32_t end_ids[] = {END_ID};
    struct grammar_cursor c = {0};
    int32_t ids[MAX_WALK];
    uint64_t mask[MAX_VOCAB / 64];
    int n = 0;

    *ended = false;
    while (n < MAX_WALK && !*ended) {
        enum grammar_verdict verdict = grammar_mask(g, &c, ids, n, end_ids, 1, mask);
        int allowed[MAX_VOCAB], n_allowed = 0, id;

        for (int i = 0; i < v->n; i++) {
            struct buf longer = {0};
            bool want;

            buf_add_str(&longer, buf_str(text));
            buf_add_str(&longer, v->pieces[i]);
            want = i == END_ID ? grammar_accepts(g, buf_str(text))
                               : grammar_begins(g, buf_str(&longer));
            buf_clear(&longer);
            if (bit_of(mask, i) != want)
                fail_msg("%s: after \"%s\" token \"%s\" is %s", name, buf_z(text), v->pieces[i].ptr,
                         want ? "forbidden" : "allowed");
            if (want)
                allowed[n_allowed++] = i;
        }
        CHECK_INT(name, verdict, n_allowed ? GRAMMAR_SOME : GRAMMAR_NONE);
        if (n_allowed == 0)
            return n;
        id = allowed[roll(d, (uint32_t)n_allowed)];
        if (bit_of(mask, END_ID) && roll(d, 4) == 0)
            id = END_ID;
        *ended = id == END_ID;
        buf_add_str(text, v->pieces[id]);
        ids[n++] = id;
    }
    return n;
}
