/* grammar.h - what an answer must look like, and which tokens may come next.
 *
 *   choice, regular expression, JSON --(pattern, schema)--> terms --> program --> automaton
 *   automaton x vocabulary (token_trie) --> a mask of tokens for each state
 *
 * A token may come when all its bytes may; an end of sequence may when the text may end. Masks
 * follow from the source and the tokens so far alone, whoever asks first. States and masks are kept
 * within a bound of memory and found again from the tokens where they were dropped.
 *
 * grammar_mask may be called from any thread: a lock guards what a grammar remembers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "grammar/token_trie.h"

struct json;

enum grammar_kind { GRAMMAR_CHOICE, GRAMMAR_REGEX, GRAMMAR_JSON_OBJECT, GRAMMAR_JSON_SCHEMA };

/* Thoughts before the answer, which the grammar leaves free: as the reasoning parsers see them. */
enum grammar_lead {
    LEAD_NONE,
    LEAD_MAY_THINK, /* if it begins with <think>, up to </think> */
    LEAD_THINKS,    /* up to </think> */
};

struct grammar_source {
    enum grammar_kind kind;
    enum grammar_lead lead;
    struct str regex;        /* REGEX */
    const struct json *json; /* CHOICE: a list of strings; JSON_SCHEMA: the schema */
};

struct grammar;

/* The trie is borrowed and must live as long. ERR_INPUT names what is not supported. */
struct grammar *grammar_open(const struct grammar_source *s, const struct token_trie *t,
                             struct err *e) MUST_CHECK;
void grammar_close(struct grammar *g); /* NULL is fine */

/* How far a sequence has come; {0} at its beginning. Belongs to the sequence. */
struct grammar_cursor {
    uint64_t epoch; /* of the grammar's memory; 0: nothing was looked at yet */
    int n_tokens;
    int32_t state;
    bool has_ended;
};

enum grammar_verdict {
    GRAMMAR_SOME,    /* at least one token may come */
    GRAMMAR_NONE,    /* none: the vocabulary lacks the bytes, or ids do not follow the grammar */
    GRAMMAR_OVERRUN, /* too many ways are open at once to follow them all */
};

/* Bits of mask, [vocab_size / 64 rounded up] words: the tokens that may follow ids[0..n). end_ids
 * end the sequence; after one of them only they may come. */
enum grammar_verdict grammar_mask(struct grammar *g, struct grammar_cursor *c, const int32_t *ids,
                                  int n, const int32_t *end_ids, int n_end_ids, uint64_t *mask);

/* For tests and tools: whether the grammar takes the whole text, and whether it takes it as a
 * beginning. */
bool grammar_accepts(struct grammar *g, struct str text);
bool grammar_begins(struct grammar *g, struct str text);

const struct token_trie *grammar_trie(const struct grammar *g);

struct grammar_stats {
    int n_nodes, n_states;
    size_t n_bytes; /* what states and masks take now */
    uint64_t n_masks_made, n_masks_found;
    uint64_t n_resets; /* times that everything was dropped for want of memory */
};
void grammar_stats(struct grammar *g, struct grammar_stats *out);
void grammar_limit(struct grammar *g, size_t max_bytes); /* instead of 16 MiB; for tests */
