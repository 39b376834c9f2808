/* map.c - open addressing with linear probing, at most two thirds full. */
#include "base/map.h"

#include "base/hash.h"

struct map_slot {
    uint64_t hash;
    struct str key; /* ptr NULL: free */
    int64_t value;
};

void map_init(struct map *m)
{
    *m = (struct map){0};
    arena_init(&m->keys, 0);
}

void map_clear(struct map *m)
{
    free(m->slots);
    arena_clear(&m->keys);
    *m = (struct map){0};
}

static struct map_slot *slot_of(struct map_slot *slots, size_t cap, uint64_t hash, struct str key)
{
    size_t i = hash & (cap - 1);

    while (slots[i].key.ptr && !(slots[i].hash == hash && str_eq(slots[i].key, key)))
        i = (i + 1) & (cap - 1);
    return &slots[i];
}

static void grow(struct map *m)
{
    size_t cap = m->cap ? m->cap * 2 : 64;
    struct map_slot *slots = xcalloc(cap, sizeof(*slots));

    for (size_t i = 0; i < m->cap; i++)
        if (m->slots[i].key.ptr)
            *slot_of(slots, cap, m->slots[i].hash, m->slots[i].key) = m->slots[i];
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
}

static struct map_slot *slot_add(struct map *m, struct str key, bool *is_new)
{
    uint64_t hash = siphash64(0, 0, key.ptr, key.len);
    struct map_slot *s;

    if (3 * (m->n + 1) > 2 * m->cap)
        grow(m);
    s = slot_of(m->slots, m->cap, hash, key);
    *is_new = !s->key.ptr;
    if (*is_new) {
        s->hash = hash;
        s->key = str_dup(&m->keys, key);
        m->n++;
    }
    return s;
}

int64_t map_add(struct map *m, struct str key, int64_t value, bool *is_new)
{
    bool fresh;
    struct map_slot *s = slot_add(m, key, &fresh);

    if (fresh)
        s->value = value;
    if (is_new)
        *is_new = fresh;
    return s->value;
}

void map_set(struct map *m, struct str key, int64_t value)
{
    bool fresh;

    slot_add(m, key, &fresh)->value = value;
}

int64_t map_find(const struct map *m, struct str key)
{
    const struct map_slot *s;

    if (!m->cap)
        return -1;
    s = slot_of(m->slots, m->cap, siphash64(0, 0, key.ptr, key.len), key);
    return s->key.ptr ? s->value : -1;
}
