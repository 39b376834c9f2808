/* term.h - what the rules of a grammar are made of: characters, texts, sequences, alternatives,
 * repetitions and calls of other rules.
 *
 * Terms live in the arena of the struct terms that made them and do not change. A rule is a term
 * with a number, so that it can be called, also by itself. Not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum term_kind {
    TERM_BYTES,  /* this text; "" matches nothing more than the empty text */
    TERM_CHARS,  /* one character of the ranges, as UTF-8 */
    TERM_SEQ,    /* the parts in order */
    TERM_ALT,    /* one of the parts */
    TERM_REPEAT, /* the first part, min to max times */
    TERM_CALL,   /* a rule */
};

/* Code points, both ends included. Surrogates may lie within and match nothing. */
struct char_range {
    uint32_t lo, hi;
};

struct term {
    enum term_kind kind;
    struct str bytes;
    const struct char_range *ranges; /* ascending and disjoint */
    int n_ranges;
    struct term **parts;
    int n_parts;
    int min, max;  /* REPEAT; max -1: no end */
    int rule;      /* CALL */
    double weight; /* about how many nodes of a program it takes */
};

struct terms {
    struct arena memory;
    struct term **rules; /* NULL while a rule is declared and not yet defined */
    int n_rules, cap_rules;
};

void terms_init(struct terms *t);
void terms_clear(struct terms *t);

int terms_declare(struct terms *t); /* a new rule */
void terms_define(struct terms *t, int rule, struct term *body);

struct term *term_bytes(struct terms *t, struct str bytes); /* copied */
struct term *term_text(struct terms *t, const char *z);
struct term *term_chars(struct terms *t, const struct char_range *ranges, int n); /* copied */
struct term *term_seq(struct terms *t, struct term *const *parts, int n);         /* copied */
struct term *term_alt(struct terms *t, struct term *const *parts, int n); /* copied; n 0: nothing */
/* A body that is long and repeated often becomes a rule of its own. */
struct term *term_repeat(struct terms *t, struct term *body, int min, int max);
struct term *term_call(struct terms *t, int rule);

#define TERM_SEQ(t, ...) \
    term_seq((t), (struct term *const[]){__VA_ARGS__}, \
             (int)LEN(((struct term *const[]){__VA_ARGS__})))
#define TERM_ALT(t, ...) \
    term_alt((t), (struct term *const[]){__VA_ARGS__}, \
             (int)LEN(((struct term *const[]){__VA_ARGS__})))

/* Sets of characters while they are put together. */
#define MAX_CODE_POINT 0x10FFFFu

struct char_set {
    struct char_range *ranges;
    int n, cap;
};

void char_set_add(struct char_set *s, uint32_t lo, uint32_t hi);
void char_set_settle(struct char_set *s); /* ascending and disjoint */
void char_set_negate(struct char_set *s); /* settles too */
void char_set_clear(struct char_set *s);
