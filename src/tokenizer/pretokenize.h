/* pretokenize.h - the pre-tokenizer of a tokenizer.json: cuts a piece of text into words. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "formats/json.h"
#include "tokenizer/match.h"

#define PRE_MAX_STEPS 32

enum pre_type {
    PRE_SPLIT,
    PRE_BYTE_LEVEL,
    PRE_DIGITS,
    PRE_WHITESPACE,
    PRE_WHITESPACE_SPLIT,
    PRE_METASPACE,
    PRE_PUNCTUATION,
};

enum split_behavior {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS,
};

enum prepend_scheme { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };

struct pre_step {
    enum pre_type type;
    struct matcher pattern;
    enum split_behavior behavior;
    bool invert;
    bool add_prefix_space, use_regex; /* ByteLevel */
    enum prepend_scheme prepend;      /* Metaspace, as the next two */
    struct str replacement;           /* one character */
    bool splits;
};

struct pretokenizer {
    struct pre_step *steps;
    int n_steps;
    /* The last step is the only ByteLevel: words are handed on as bytes, not in its alphabet. Set
     * by whoever knows that the model reads bytes. */
    bool gives_bytes;
};

/* v may be null. Strings are copied to the arena. */
bool pretokenizer_parse(const struct json *v, struct arena *a, struct pretokenizer *p,
                        struct err *e) MUST_CHECK;
void pretokenizer_clear(struct pretokenizer *p);
bool pretokenizer_ends_in_bytes(const struct pretokenizer *p);

/* Metaspace's fields, which its decoder shares. */
bool metaspace_parse(const struct json *v, struct arena *a, struct str *replacement,
                     enum prepend_scheme *prepend, bool *splits, struct err *e) MUST_CHECK;

struct pre_scratch {
    struct buf rewritten[PRE_MAX_STEPS]; /* what a step that changes text made of its piece */
    struct regex_scratch *regex;         /* borrowed */
};
void pre_scratch_clear(struct pre_scratch *s);

/* Calls fn for every word from left to right. is_start: the piece is the beginning of the whole
 * text. A false of fn, which has set e, ends the run. */
typedef bool pre_word(void *ctx, struct str word, struct err *e);
bool pretokenizer_run(const struct pretokenizer *p, struct pre_scratch *s, struct str piece,
                      bool is_start, pre_word *fn, void *ctx, struct err *e) MUST_CHECK;
