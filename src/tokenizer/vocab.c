/* vocab.c - open addressing with linear probing, at most two thirds full. */
#include "tokenizer/vocab.h"

#include "base/arena.h"

uint64_t vocab_hash(const char *ptr, size_t len)
{
    uint64_t h = len * 0x9E3779B97F4A7C15u, word;

    for (; len > 8; ptr += 8, len -= 8) {
        memcpy(&word, ptr, 8);
        h = (h ^ word) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
    }
    word = 0;
    memcpy(&word, ptr, len);
    h = (h ^ word) * 0xD6E8FEB86659FD93u;
    h ^= h >> 29;
    h *= 0x9E3779B97F4A7C15u;
    return h ^ h >> 32;
}

void vocab_clear(struct vocab *v)
{
    buf_clear(&v->bytes);
    free(v->tokens);
    free(v->flags);
    free(v->slots);
    *v = (struct vocab){0};
}

static void put_slot(struct vocab *v, struct vocab_slot slot)
{
    uint32_t mask = v->n_slots - 1, i = slot.hash & mask;

    while (v->slots[i].id >= 0)
        i = (i + 1) & mask;
    v->slots[i] = slot;
}

static void grow_slots(struct vocab *v, uint32_t n_slots)
{
    struct vocab_slot *old = v->slots;
    uint32_t n_old = v->n_slots;

    v->slots = xmalloc(n_slots * sizeof(*v->slots));
    v->n_slots = n_slots;
    memset(v->slots, 0xFF, n_slots * sizeof(*v->slots));
    for (uint32_t i = 0; i < n_old; i++)
        if (old[i].id >= 0)
            put_slot(v, old[i]);
    free(old);
}

static void grow_ids(struct vocab *v, int32_t n_ids)
{
    if (n_ids > v->cap_ids) {
        int32_t cap = MAX(n_ids, MIN(v->cap_ids * 2, VOCAB_ID_MAX + 1));

        v->tokens = xrealloc(v->tokens, (size_t)cap * sizeof(*v->tokens));
        v->flags = xrealloc(v->flags, (size_t)cap);
        v->cap_ids = cap;
    }
    if (n_ids > v->n_ids) {
        memset(v->tokens + v->n_ids, 0, (size_t)(n_ids - v->n_ids) * sizeof(*v->tokens));
        memset(v->flags + v->n_ids, 0, (size_t)(n_ids - v->n_ids));
        v->n_ids = n_ids;
    }
}

void vocab_reserve(struct vocab *v, size_t n_tokens, size_t n_bytes)
{
    uint32_t n_slots = 1024;

    n_tokens = MIN(n_tokens, VOCAB_ID_MAX);
    while (n_slots < n_tokens + n_tokens / 2)
        n_slots *= 2;
    if (n_slots > v->n_slots)
        grow_slots(v, n_slots);
    if ((int32_t)n_tokens > v->cap_ids) {
        v->tokens = xrealloc(v->tokens, n_tokens * sizeof(*v->tokens));
        v->flags = xrealloc(v->flags, n_tokens);
        v->cap_ids = (int32_t)n_tokens;
    }
    buf_reserve(&v->bytes, n_bytes);
}

int32_t vocab_find_hashed(const struct vocab *v, struct str content, uint32_t hash)
{
    uint32_t mask = v->n_slots - 1;

    if (!v->n_slots)
        return -1;
    for (uint32_t i = hash & mask; v->slots[i].id >= 0; i = (i + 1) & mask) {
        const struct vocab_slot *s = &v->slots[i];

        if (s->hash == hash && s->len == content.len &&
            memcmp(v->bytes.ptr + s->offset, content.ptr, content.len) == 0)
            return s->id;
    }
    return -1;
}

bool vocab_add(struct vocab *v, struct str content, int64_t id, unsigned flags, struct err *e)
{
    uint32_t hash = (uint32_t)vocab_hash(content.ptr, content.len);
    int32_t there = vocab_find_hashed(v, content, hash);

    if (there >= 0)
        return err_set(e, ERR_INPUT, "the token \"%.*s\" is there twice, as %d and %lld",
                       (int)MIN(content.len, 80), content.ptr, there, (long long)id);
    if (id < 0 || id > VOCAB_ID_MAX)
        return err_set(e, ERR_INPUT, "the token \"%.*s\" has the id %lld; ids run from 0 to %d",
                       (int)MIN(content.len, 80), content.ptr, (long long)id, VOCAB_ID_MAX);
    if (vocab_has(v, (int32_t)id, VOCAB_PRESENT)) {
        struct str other = vocab_content(v, (int32_t)id);

        return err_set(e, ERR_INPUT, "the id %lld stands for \"%.*s\" and for \"%.*s\"",
                       (long long)id, (int)MIN(other.len, 80), other.ptr, (int)MIN(content.len, 80),
                       content.ptr);
    }
    if (v->bytes.len + content.len > 1u << 29)
        return err_set(e, ERR_MEMORY, "the tokens take more than 512 MiB");
    if (3 * ((uint32_t)v->n_tokens + 1) > 2 * v->n_slots)
        grow_slots(v, MAX(1024, v->n_slots * 2));
    grow_ids(v, MAX(v->n_ids, (int32_t)id + 1));
    v->tokens[id] = (struct vocab_token){(uint32_t)v->bytes.len, (uint32_t)content.len};
    v->flags[id] = (uint8_t)(VOCAB_PRESENT | flags);
    buf_add_str(&v->bytes, content);
    put_slot(v, (struct vocab_slot){hash, (int32_t)id, v->tokens[id].offset, v->tokens[id].len});
    v->n_tokens++;
    v->max_len = MAX(v->max_len, (uint32_t)content.len);
    return true;
}

int32_t vocab_find(const struct vocab *v, struct str content)
{
    return vocab_find_hashed(v, content, (uint32_t)vocab_hash(content.ptr, content.len));
}

int32_t vocab_find_model(const struct vocab *v, struct str content)
{
    int32_t id = vocab_find(v, content);

    return vocab_has(v, id, VOCAB_MODEL) ? id : -1;
}
