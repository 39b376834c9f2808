/* tokenizer.h - text to token ids and back, exactly as a tokenizer.json asks.
 *
 * Reads tokenizer.json and tokenizer_config.json of a Hugging Face model directory: normalizer,
 * pre-tokenizer, BPE or Unigram model, added tokens, post-processor, decoder. Whatever a file asks
 * for that is not known here is an error of tokenizer_open which names it. `truncation` and
 * `padding` are not applied, as the published stack does not apply them unless a caller asks.
 *
 * After open a tokenizer does not change: every function that takes it as const may be called from
 * any thread at any time. A struct token_buf and a struct detok belong to one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/macros.h"
#include "base/str.h"

struct tokenizer;

/* model_dir/tokenizer.json must be there; without tokenizer_config.json no token is known as the
 * beginning, end or padding. Errors name the file and the key. */
struct tokenizer *tokenizer_open(const char *model_dir, struct err *e) MUST_CHECK;

/* The same from memory; config may be empty. The texts are not kept. */
struct tokenizer *tokenizer_parse(struct str json, struct str config, struct err *e) MUST_CHECK;
void tokenizer_close(struct tokenizer *t); /* NULL is fine */

/* --- Encode ----------------------------------------------------------------------------------- */

/* Token ids that grow. A zeroed one is ready; the caller clears it. */
struct token_buf {
    int32_t *ids;
    size_t n, cap;
};

void token_buf_add(struct token_buf *b, int32_t id);
void token_buf_clear(struct token_buf *b); /* frees */

enum encode_flags {
    ENCODE_TEXT = 0, /* special tokens in the text are spelled out like any other text */
    ENCODE_PARSE_SPECIAL =
        1, /* special tokens in the text become their ids: rendered chat templates */
    ENCODE_ADD_SPECIAL = 2, /* what the post-processor puts around a text (BOS) is added */
};

/* Appends the ids of text to out. Added tokens that are not special are recognised in any case, as
 * the published stack does. Fails, and leaves out as it was, when the text is not UTF-8, is over 32
 * MiB, or drives a regex over its limits. */
bool tokenizer_encode(const struct tokenizer *t, struct str text, unsigned flags,
                      struct token_buf *out, struct err *e) MUST_CHECK;

/* --- Decode ----------------------------------------------------------------------------------- */

/* Appends the text of ids to out, always valid UTF-8: what is ill-formed becomes U+FFFD. Ids
 * without a token are skipped, and special tokens too if skip_special. Fails when out is full or a
 * decoder's regex runs over its limits. */
bool tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                      struct buf *out, struct err *e) MUST_CHECK;

/* The same, token by token: the text of all calls together equals that of tokenizer_decode. An
 * unfinished character, and a run of <0xNN> tokens that may still turn out ill-formed, is held back
 * until a later token or detok_finish settles it. */
struct detok_state;
struct detok {
    const struct tokenizer *t; /* borrowed; outlives the detok */
    bool skip_special;
    struct detok_state *state; /* one per decoder stage */
};

void detok_init(struct detok *d, const struct tokenizer *t, bool skip_special);
void detok_clear(struct detok *d); /* a zeroed one is fine */
bool detok_add(struct detok *d, int32_t id, struct buf *out, struct err *e) MUST_CHECK;
bool detok_finish(struct detok *d, struct buf *out,
                  struct err *e) MUST_CHECK; /* then ready for the next text */

/* --- The vocabulary --------------------------------------------------------------------------- */

/* The bytes that a token stands for, maybe part of a character ("\xe4\xbd"): byte-level and <0xNN>
 * tokens as their bytes, U+2581 as a blank where the decoder says so. Empty for an id without a
 * token. Lives as long as t. */
struct str tokenizer_piece(const struct tokenizer *t, int32_t id);
struct str tokenizer_content(const struct tokenizer *t, int32_t id); /* as the file spells it */
int32_t tokenizer_find(const struct tokenizer *t,
                       struct str content); /* as the file spells it; -1: none */
bool tokenizer_is_special(const struct tokenizer *t, int32_t id);
bool tokenizer_is_added(const struct tokenizer *t, int32_t id);

int32_t tokenizer_vocab_size(const struct tokenizer *t); /* tokens, added ones included */

/* As tokenizer_config.json names them; -1: it names none. */
int32_t tokenizer_bos(const struct tokenizer *t);
int32_t tokenizer_eos(const struct tokenizer *t);
int32_t tokenizer_pad(const struct tokenizer *t);

/* What ENCODE_ADD_SPECIAL puts before a text; *n ids that live as long as t. */
const int32_t *tokenizer_prefix(const struct tokenizer *t, size_t *n);
