/* vocab.h - contents of tokens to ids and back.
 *
 * All contents lie in one block; a hash table of ids finds them. Contents and ids are unique. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define VOCAB_ID_MAX ((1 << 22) - 1) /* sixteen times the largest vocabulary in use */

enum vocab_flag {
    VOCAB_PRESENT = 1,
    VOCAB_MODEL = 2,   /* in the model's own vocabulary */
    VOCAB_ADDED = 4,   /* among the added tokens */
    VOCAB_SPECIAL = 8, /* skipped in decoding */
};

struct vocab_token {
    uint32_t offset, len; /* in bytes */
};

struct vocab_slot {
    uint32_t hash;
    int32_t id;           /* -1: free */
    uint32_t offset, len; /* the token's, so that a look-up touches one line less */
};

struct vocab {
    struct buf bytes;
    struct vocab_token *tokens; /* [n_ids] */
    uint8_t *flags;             /* [n_ids] */
    int32_t n_ids, cap_ids;     /* the highest id, and one */
    int32_t n_tokens;
    struct vocab_slot *slots;
    uint32_t n_slots; /* a power of two, or 0 */
    uint32_t max_len; /* bytes of the longest content */
};

void vocab_clear(struct vocab *v);
void vocab_reserve(struct vocab *v, size_t n_tokens, size_t n_bytes); /* a hint */

/* Errors: the id is taken or beyond VOCAB_ID_MAX, the content is already there. */
bool vocab_add(struct vocab *v, struct str content, int64_t id, unsigned flags,
               struct err *e) MUST_CHECK;

int32_t vocab_find(const struct vocab *v, struct str content); /* -1: not there */
int32_t vocab_find_hashed(const struct vocab *v, struct str content,
                          uint32_t hash); /* low half of vocab_hash */
int32_t vocab_find_model(const struct vocab *v,
                         struct str content); /* in the model's vocabulary alone */

/* Fetches what vocab_find_hashed will look at first. */
static inline void vocab_prefetch(const struct vocab *v, uint32_t hash)
{
    if (v->n_slots)
        __builtin_prefetch(&v->slots[hash & (v->n_slots - 1)]);
}

static inline bool vocab_has(const struct vocab *v, int32_t id, unsigned flags)
{
    return id >= 0 && id < v->n_ids && (v->flags[id] & flags) == flags;
}

static inline struct str vocab_content(const struct vocab *v, int32_t id)
{
    if (!vocab_has(v, id, VOCAB_PRESENT))
        return (struct str){"", 0};
    return (struct str){v->bytes.ptr + v->tokens[id].offset, v->tokens[id].len};
}

/* A fast hash for tables that an attacker gains nothing by filling badly: probes are bounded by the
 * size of the file that brought the keys. */
uint64_t vocab_hash(const char *ptr, size_t len);
