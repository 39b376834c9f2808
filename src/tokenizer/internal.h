/* internal.h - what a tokenizer is made of. For the files of this folder only. */
#pragma once

#include <pthread.h>

#include "base/arena.h"
#include "tokenizer/added.h"
#include "tokenizer/bpe.h"
#include "tokenizer/decode.h"
#include "tokenizer/normalize.h"
#include "tokenizer/pretokenize.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/unigram.h"
#include "tokenizer/vocab.h"

enum model_type { MODEL_BPE, MODEL_UNIGRAM };

struct encoder; /* scratch of one call of tokenizer_encode, with its cache of words */

/* Encoders wait here between calls; a call takes one, or makes one when all are taken. */
struct encoder_pool {
    pthread_mutex_t lock;
    /* guarded by lock: */
    struct encoder *free;
};

struct tokenizer {
    struct arena arena; /* strings and arrays of the same life */
    struct vocab vocab;
    struct normalizer normalizer;
    struct pretokenizer pre;
    enum model_type model_type;
    struct bpe bpe;
    struct unigram unigram;
    struct added added;
    struct decoder decoder;
    struct token_buf prefix, suffix; /* what the post-processor puts around a text */
    int32_t bos, eos, pad;
    struct encoder_pool *pool; /* apart, since a const tokenizer's encoders do change */
};

struct encoder_pool *encoder_pool_open(void);
void encoder_pool_close(struct encoder_pool *p); /* NULL is fine */
