/* bpe.h - byte-pair encoding: a word's symbols, merged pair by pair, lowest rank first, leftmost
 * first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "formats/json.h"
#include "tokenizer/scan.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocab.h"

struct bpe_merge {
    uint64_t pair; /* left id in the high half; all ones: a free slot */
    int32_t rank, new_id;
};

struct bpe {
    const struct vocab *vocab; /* borrowed */
    struct bpe_merge *merges;  /* a hash table */
    uint32_t n_slots;          /* a power of two */
    int shift;                 /* 64 less the bits of n_slots */
    int32_t byte_ids[256];     /* of the alphabet of ByteLevel; -1: not in the vocabulary */
    int32_t fallback_ids[256]; /* of <0xNN>, or -1 */
    struct str prefix, suffix; /* continuing_subword_prefix, end_of_word_suffix */
    int32_t unk_id;            /* -1: none */
    bool fuse_unk, byte_fallback, ignore_merges;
    bool reads_bytes; /* words are bytes, not text; the pre-tokenizer has been told */
    /* No merge reaches over the place before U+2581 after another character, so a long text without
     * a pre-tokenizer may be cut there. */
    bool cuts_at_blanks;
};

/* model is the object without vocab and merges; those are in parts. Tokens go to vocab. */
bool bpe_parse(const struct json *model, struct str file, const struct scan_parts *parts,
               struct arena *a, struct vocab *vocab, struct bpe *b, struct err *e) MUST_CHECK;
void bpe_clear(struct bpe *b);

/* Lets words be bytes, which is quicker. False: this vocabulary cannot spell every text so. */
bool bpe_read_bytes(struct bpe *b);

struct bpe_scratch {
    struct bpe_symbol *symbols; /* of a long word */
    uint64_t *heap;
    size_t cap, n_heap;
    struct token_buf first; /* the word's symbols before merging */
    struct buf text;
};
void bpe_scratch_clear(struct bpe_scratch *s);

/* Appends the ids of a word that is not empty. */
void bpe_encode(const struct bpe *b, struct bpe_scratch *s, struct str word, struct token_buf *out);
