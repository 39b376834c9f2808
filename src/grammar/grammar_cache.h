/* grammar_cache.h - grammars by their source, for requests that ask for the same again and again.
 *
 * A grammar that is taken stays until it is given back; a few that nobody holds are kept with what
 * they remember. Calls may come from any thread. */
#pragma once

#include "grammar/grammar.h"

struct grammar_cache;

/* What token id stands for; "" : never allowed. Asked for once, at the first grammar. */
typedef struct str token_piece_fn(const void *ctx, int32_t id);

struct grammar_cache *grammar_cache_open(int vocab_size, token_piece_fn *piece, const void *ctx);
void grammar_cache_close(struct grammar_cache *c); /* NULL is fine; all must be given back */

struct grammar *grammar_cache_take(struct grammar_cache *c, const struct grammar_source *s,
                                   struct err *e) MUST_CHECK;
void grammar_cache_give(struct grammar_cache *c, struct grammar *g); /* NULL is fine */
