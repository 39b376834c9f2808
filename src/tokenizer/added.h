/* added.h - added tokens: found in a text before, or after, it is normalized. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "formats/json.h"
#include "tokenizer/normalize.h"
#include "tokenizer/prefixes.h"
#include "tokenizer/vocab.h"

struct added_token {
    int32_t id;
    bool single_word, lstrip, rstrip, normalized, special;
};

/* One pass over the text: leftmost, longest. */
struct added_set {
    struct prefixes contents; /* values are indices into tokens */
    bool begins[256];         /* bytes that some content begins with */
    int only_begin;           /* that byte if there is just one, else -1 */
};

struct added {
    struct added_token
        *tokens; /* special ones first, as the published stack orders equal contents */
    int n_tokens;
    struct added_set raw, normalized;
};

/* v is the array "added_tokens", or null. Contents that the vocabulary lacks are put there, and the
 * flags of all set. The normalizer has no part in the tokens' ids. */
bool added_parse(const struct json *v, struct arena *a, struct vocab *vocab, struct added *added,
                 struct err *e) MUST_CHECK;
/* Once the vocabulary is whole and stays where it is: normalizes contents, builds both sets. */
bool added_link(struct added *added, const struct vocab *vocab, const struct normalizer *n,
                struct arena *a, struct err *e) MUST_CHECK;
void added_clear(struct added *added);

/* The walk over the places of a text: first what lies before a token, if anything, then the token;
 * at the end what is left. Places may overlap where rstrip swallows blanks that are a token too. */
struct added_walk {
    const struct added *in;
    const struct added_set *set;
    struct str text;
    bool skip_special;
    size_t scan; /* the next match begins here or later */
    size_t done; /* text before this is handed out */
    bool has_token, is_over;
    struct str token_text;
    int32_t token_id;
};

struct added_walk added_walk(const struct added *in, const struct added_set *set, struct str text,
                             bool skip_special);
/* *id -1: plain text in *part. False: no more. */
bool added_next(struct added_walk *w, struct str *part, int32_t *id);
