/* map.h - strings to numbers, by open addressing.
 *
 * Keys are copied. Values are the caller's indices. Grows without a bound; not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

struct map_slot;

struct map {
    struct map_slot *slots;
    size_t n, cap;
    struct arena keys;
};

void map_init(struct map *m);
void map_clear(struct map *m);
/* The value under key, which becomes `value` if the key is new; *is_new (may be NULL) tells. */
int64_t map_add(struct map *m, struct str key, int64_t value, bool *is_new);
void map_set(struct map *m, struct str key, int64_t value); /* adds or overwrites */
int64_t map_find(const struct map *m, struct str key);      /* -1: not there */
