/* decode.h - the decoder of a tokenizer.json: stages that turn tokens to text. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "formats/json.h"
#include "tokenizer/match.h"
#include "tokenizer/vocab.h"

enum decode_type {
    DECODE_BYTE_LEVEL,
    DECODE_BYTE_FALLBACK,
    DECODE_METASPACE,
    DECODE_FUSE,
    DECODE_REPLACE,
    DECODE_STRIP,
    DECODE_JOIN, /* a file without a decoder: tokens with a blank between them */
};

struct decode_stage {
    enum decode_type type;
    bool is_fused; /* what comes in is one token in chunks, since an earlier stage joined all tokens
                    */
    struct matcher pattern;  /* Replace */
    struct str content;      /* Replace: what takes its place */
    struct str character;    /* Metaspace, Strip: one character */
    bool drops_first;        /* Metaspace: in the first token */
    int64_t n_start, n_stop; /* Strip */
};

struct decoder {
    struct decode_stage *stages;
    int n_stages;
    /* What each token stands for by itself, for tokenizer_piece and the quick way through
     * ByteLevel. */
    struct buf pieces;
    uint32_t *piece_at; /* [n_ids + 1] */
};

/* v may be null. Strings are copied to the arena. */
bool decoder_parse(const struct json *v, struct arena *a, struct decoder *d,
                   struct err *e) MUST_CHECK;
bool decoder_link(struct decoder *d, const struct vocab *vocab,
                  struct err *e) MUST_CHECK; /* builds the pieces */
void decoder_clear(struct decoder *d);
