/* prefixes.h - a set of strings, asked for those that a text begins with.
 *
 * The strings are sorted; each byte of the text narrows a range of them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct prefixes {
    struct prefix_entry {
        struct str text; /* borrowed; at least one byte */
        int32_t value;
    } * entries; /* sorted; equal strings in the order of adding, the first counts */
    int32_t n, cap;
    int32_t first[257]; /* entries from first[c] to first[c + 1] begin with byte c */
};

void prefixes_clear(struct prefixes *p);
void prefixes_add(struct prefixes *p, struct str text, int32_t value);
void prefixes_sort(struct prefixes *p); /* after the last add */

/* The walk over the strings that s begins with, from the shortest:
 *   struct prefix_walk w = prefix_walk(p, s); while (prefix_next(&w)) w.value, w.len. */
struct prefix_walk {
    const struct prefixes *in;
    struct str s;
    int32_t lo, hi;
    size_t at; /* bytes of s that lo..hi have in common */
    int32_t value;
    size_t len;
};

struct prefix_walk prefix_walk(const struct prefixes *p, struct str s);
bool prefix_next(struct prefix_walk *w);
bool prefixes_longest(const struct prefixes *p, struct str s, int32_t *value, size_t *len);
