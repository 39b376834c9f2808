/* scripted_text.h - the scripted generator's tokens and invented log probabilities.
 *
 * encode and decode are each other's inverse for any bytes. The log probability of a token is a
 * function of a 64-bit digest of the tokens before it and of its id. Read-only; any thread. */
#pragma once

#include "base/arena.h"
#include "generator/generator.h"

enum { SCRIPTED_BOS = 256, SCRIPTED_EOS = 257, SCRIPTED_IMAGE = 258 };

struct token_list { /* in an arena */
    int32_t *ids;
    uint32_t *ends; /* offset in the text after each token; NULL for lists that have no text */
    int n, cap;
};

void scripted_encode(struct str text, struct arena *a, struct token_list *out); /* appends */
void scripted_push(struct token_list *t, int32_t id, uint32_t end, struct arena *a);
/* The bytes of a token, up to 4 or a special token's name; false: no such id. */
bool scripted_piece(int32_t id, char out[16], size_t *n);
bool scripted_is_special(int32_t id);
bool scripted_decode(const int32_t *ids, int n, bool skip_special, struct arena *a,
                     struct str *text, struct err *e) MUST_CHECK;

/* The conversation as the scripted model sees it: a line "<|role|>", the text, "<|end|>". */
struct str scripted_render(const struct gen_request *r, struct arena *a);
/* The tokens of r's prompt, whichever way it was given; has_bos: BOS where add_special_tokens is
 * set. */
bool scripted_prompt(const struct gen_request *r, bool has_bos, struct arena *a,
                     struct token_list *ids, struct str *text, struct err *e) MUST_CHECK;

#define SCRIPTED_START UINT64_C(0x243f6a8885a308d3) /* the digest of no tokens */
uint64_t scripted_extend(uint64_t digest, int32_t id);
float scripted_logprob(uint64_t digest, int32_t id);
bool scripted_is_likeliest(uint64_t digest, int32_t id);
/* The chosen token and n_top alternatives (20 at most), likeliest first; all in the arena. */
struct token_logprob scripted_alternatives(uint64_t digest, int32_t id, int n_top, struct arena *a);
/* The same with the alternatives named: ids[0..n), which the vocabulary holds. */
struct token_logprob scripted_logprobs_of_ids(uint64_t digest, int32_t id, const int32_t *ids,
                                              int n, struct arena *a);
