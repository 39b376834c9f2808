/* generator_scripted.h - a generator without a model: replies from a file or made by rule, with
 * faults on demand. It is the definition of the waist in tests, and the model of `serve --generator
 * scripted`.
 *
 * A reply follows from the request alone: its prompt, its seed, the options. Tokens are pieces of
 * up to four bytes (three when one of them is not ASCII) that do not run past a blank, so a piece
 * may end inside a character, as real tokens do; a token's id is its bytes, packed, so ids turn
 * back into text. BOS is 256, EOS 257, an image 258; BOS is only put before text with add_bos, as
 * most present models have none. Log probabilities are invented, but one function of (tokens
 * before, token): echo, prompt_logprobs, scoring and generation agree exactly.
 *
 * Not simulated: penalties, logit_bias, allowed_token_ids and bad_words are accepted and change
 * nothing. */
#pragma once

#include "base/opt.h"
#include "generator/generator.h"

struct scripted_opts {
    const char *script;
    const char *rule;
    struct opt_list answers;
    double accuracy;
    int reply_tokens;
    double ttft_ms, token_ms;
    int max_num_seqs;
    bool add_bos;
    struct opt_list fault;
    int64_t fault_seed;
};

extern const struct opt scripted_table[];

/* Errors name the file and line of a bad script or the text of a bad fault. model_name is copied.
 */
struct generator *generator_scripted_open(const struct scripted_opts *o, const char *model_name,
                                          int max_model_len, struct err *e) MUST_CHECK;

/* The fault that this attempt of r meets, for a server that can play those of the wire: decided,
 * and the attempt counted, once; a fault of the generator's own kind comes with the next submit of
 * r->id and NULL is returned, as it is for no fault. `wanted` is a fault by name (NAME,
 * NAME:PROBABILITY, NAME@EVERY) instead of the options'; "" : the options decide. On the thread of
 * the generator. */
const char *scripted_wire_fault(struct generator *g, const struct gen_request *r,
                                struct str wanted);

/* The faults by number, for help and tests; NULL past the last. is_wire: a server plays it. */
const char *scripted_fault_name(int i, bool *is_wire, const char **help);
