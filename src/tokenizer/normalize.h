/* normalize.h - the normalizer of a tokenizer.json: a row of steps over one piece of text. */
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "formats/json.h"
#include "tokenizer/match.h"

enum normal_type {
    NORMAL_NFC,
    NORMAL_NFD,
    NORMAL_NFKC,
    NORMAL_NFKD,
    NORMAL_LOWERCASE,
    NORMAL_STRIP,
    NORMAL_STRIP_ACCENTS,
    NORMAL_PREPEND,
    NORMAL_REPLACE,
};

struct normal_step {
    enum normal_type type;
    bool strip_left, strip_right;
    struct matcher pattern;
    struct str content; /* of Prepend and Replace */
};

struct normalizer {
    struct normal_step *steps;
    int n_steps;
};

/* v may be null. Strings are copied to the arena. */
bool normalizer_parse(const struct json *v, struct arena *a, struct normalizer *n,
                      struct err *e) MUST_CHECK;
void normalizer_clear(struct normalizer *n);

struct normal_scratch {
    struct buf out[2];           /* steps write to one and read from the other */
    struct regex_scratch *regex; /* borrowed */
};
void normal_scratch_clear(struct normal_scratch *s);

/* *out is text itself where nothing changes, else lives in s until the next call. keeps_start (may
 * be NULL): the first character of *out comes from the first of text. */
bool normalizer_run(const struct normalizer *n, struct normal_scratch *s, struct str text,
                    struct str *out, bool *keeps_start, struct err *e) MUST_CHECK;

/* True: s is in NFC, and none of its characters meets its neighbours. False says nothing. */
bool normal_is_plain(struct str s);
