/* unigram.h - the likeliest way to spell a word in tokens that each have a log-probability. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "formats/json.h"
#include "tokenizer/prefixes.h"
#include "tokenizer/scan.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocab.h"

struct unigram {
    const struct vocab *vocab; /* borrowed */
    struct prefixes pieces;
    double *scores; /* [n_scores], by id */
    int32_t n_scores;
    int32_t unk_id;            /* -1: none */
    int32_t fallback_ids[256]; /* of <0xNN>, or -1 */
    double unk_score;
    bool byte_fallback;
};

/* model is the object without vocab; that is in parts. Tokens go to vocab. */
bool unigram_parse(const struct json *model, struct str file, const struct scan_parts *parts,
                   struct vocab *vocab, struct unigram *u, struct err *e) MUST_CHECK;
void unigram_link(struct unigram *u); /* once the vocabulary is whole and stays where it is */
void unigram_clear(struct unigram *u);

struct unigram_scratch {
    struct unigram_node *nodes; /* one per byte of the word, and one */
    size_t cap;
    struct token_buf spans; /* where the best path's tokens begin, last first */
};
void unigram_scratch_clear(struct unigram_scratch *s);

/* Appends the ids of a word that is not empty. Fails for a character outside the vocabulary when
 * the file names no unk_id. */
bool unigram_encode(const struct unigram *u, struct unigram_scratch *s, struct str word,
                    struct token_buf *out, struct err *e) MUST_CHECK;
