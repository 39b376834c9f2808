/* kv_pool.c - reference counts, a free queue in order of last use, and an index of contents.
 *
 * Invariants, which kv_pool_check walks:
 *   refs == 0         <=>  the block is in the free queue (block 0 apart: one reference for ever)
 *   is_published      <=>  the index leads from its hash to this block
 * The free queue is a ring through prev and next; entry n_blocks is its anchor. Blocks are taken at
 * the head. An unpublished block is given back at the head, where its memory is still warm; a
 * published one at the tail. Sequences give their blocks back last block first, so that a prefix
 * outlives what was built on it. */
#include "engine/kv_pool.h"

#include "base/arena.h"

struct kv_pool {
    int n_blocks, block_size, n_free;
    int32_t *refs;          /* [n_blocks] */
    int32_t *prev, *next;   /* [n_blocks + 1]; -1: not in the queue */
    struct hash128 *hashes; /* [n_blocks]; {0, 0}: unpublished */
    int32_t *index;         /* [index_size] block or -1; linear probing, no tombstones */
    uint32_t index_size;    /* a power of two, at least twice n_blocks */
};

static bool is_zero(struct hash128 h)
{
    return h.lo == 0 && h.hi == 0;
}

static bool same_hash(struct hash128 a, struct hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

struct kv_pool *kv_pool_open(int n_blocks, int block_size, struct err *e)
{
    struct kv_pool *p = xcalloc(1, sizeof(*p));

    p->n_blocks = n_blocks;
    p->block_size = block_size;
    for (p->index_size = 16; p->index_size < 2 * (uint32_t)n_blocks; p->index_size *= 2)
        ;
    p->refs = calloc((size_t)n_blocks, sizeof(*p->refs));
    p->prev = calloc((size_t)n_blocks + 1, sizeof(*p->prev));
    p->next = calloc((size_t)n_blocks + 1, sizeof(*p->next));
    p->hashes = calloc((size_t)n_blocks, sizeof(*p->hashes));
    p->index = calloc(p->index_size, sizeof(*p->index));
    if (!p->refs || !p->prev || !p->next || !p->hashes || !p->index) {
        kv_pool_close(p);
        err_set(e, ERR_MEMORY, "no memory for the numbers of %d KV blocks", n_blocks);
        return NULL;
    }
    for (uint32_t i = 0; i < p->index_size; i++)
        p->index[i] = -1;
    p->refs[0] = 1;
    p->prev[0] = p->next[0] = -1;
    for (int b = 1; b <= n_blocks; b++) {
        p->prev[b] = b == 1 ? n_blocks : b - 1;
        p->next[b] = b == n_blocks ? 1 % (n_blocks + 1) : b + 1;
    }
    if (n_blocks == 1)
        p->prev[1] = p->next[1] = 1; /* the anchor alone */
    p->n_free = n_blocks - 1;
    return p;
}

void kv_pool_close(struct kv_pool *p)
{
    if (!p)
        return;
    free(p->refs);
    free(p->prev);
    free(p->next);
    free(p->hashes);
    free(p->index);
    free(p);
}

int kv_pool_block_size(const struct kv_pool *p)
{
    return p->block_size;
}

int kv_pool_n_blocks(const struct kv_pool *p)
{
    return p->n_blocks - 1;
}

int kv_pool_n_free(const struct kv_pool *p)
{
    return p->n_free;
}

int kv_pool_refs(const struct kv_pool *p, int block)
{
    return p->refs[block];
}

/* --- the free queue --------------------------------------------------------------------------- */

static void queue_unlink(struct kv_pool *p, int b)
{
    p->next[p->prev[b]] = p->next[b];
    p->prev[p->next[b]] = p->prev[b];
    p->prev[b] = p->next[b] = -1;
    p->n_free--;
}

static void queue_insert_after(struct kv_pool *p, int at, int b)
{
    p->next[b] = p->next[at];
    p->prev[b] = at;
    p->prev[p->next[at]] = b;
    p->next[at] = b;
    p->n_free++;
}

/* --- the index -------------------------------------------------------------------------------- */

static uint32_t home_of(const struct kv_pool *p, struct hash128 h)
{
    return (uint32_t)h.lo & (p->index_size - 1);
}

/* The slot that leads to h, or the empty slot where it would go. */
static uint32_t index_slot(const struct kv_pool *p, struct hash128 h)
{
    uint32_t i = home_of(p, h);

    while (p->index[i] >= 0 && !same_hash(p->hashes[p->index[i]], h))
        i = (i + 1) & (p->index_size - 1);
    return i;
}

/* Takes a block out and moves later entries of its run back, so that no gap hides them. */
static void index_remove(struct kv_pool *p, int b)
{
    uint32_t mask = p->index_size - 1, gap = index_slot(p, p->hashes[b]), i = gap;

    p->hashes[b] = (struct hash128){0, 0};
    for (;;) {
        uint32_t home;

        i = (i + 1) & mask;
        if (p->index[i] < 0)
            break;
        home = home_of(p, p->hashes[p->index[i]]);
        if (((i - home) & mask) >= ((i - gap) & mask)) {
            p->index[gap] = p->index[i];
            gap = i;
        }
    }
    p->index[gap] = -1;
}

/* --- public ----------------------------------------------------------------------------------- */

int kv_pool_take(struct kv_pool *p)
{
    int b = p->next[p->n_blocks];

    if (b == p->n_blocks)
        return -1;
    queue_unlink(p, b);
    if (!is_zero(p->hashes[b]))
        index_remove(p, b); /* eviction */
    p->refs[b] = 1;
    return b;
}

void kv_pool_share(struct kv_pool *p, int block)
{
    if (p->refs[block]++ == 0)
        queue_unlink(p, block);
}

void kv_pool_give(struct kv_pool *p, int block)
{
    if (--p->refs[block] > 0)
        return;
    if (is_zero(p->hashes[block]))
        queue_insert_after(p, p->n_blocks, block);
    else
        queue_insert_after(p, p->prev[p->n_blocks], block);
}

struct hash128 kv_hash_root(const void *fingerprint, size_t len)
{
    return siphash128(0x6b765f726f6f7400, 0x6c6c6d6576616c00, fingerprint, len);
}

struct hash128 kv_hash_block(struct hash128 parent, const int32_t *token_ids, int n,
                             struct hash128 extra)
{
    struct hash128 h = siphash128(parent.lo, parent.hi, token_ids, (size_t)n * sizeof(*token_ids));

    if (!is_zero(extra))
        h = siphash128(h.lo, h.hi, &extra, sizeof(extra));
    if (is_zero(h))
        h.lo = 1; /* {0, 0} means: no hash */
    return h;
}

void kv_pool_publish(struct kv_pool *p, int block, struct hash128 hash)
{
    uint32_t i;

    if (!is_zero(p->hashes[block]))
        return;
    i = index_slot(p, hash);
    if (p->index[i] >= 0)
        return;
    p->index[i] = block;
    p->hashes[block] = hash;
}

int kv_pool_find(const struct kv_pool *p, struct hash128 hash)
{
    return p->index[index_slot(p, hash)];
}

bool kv_pool_is_published(const struct kv_pool *p, int block)
{
    return !is_zero(p->hashes[block]);
}

bool kv_pool_check(const struct kv_pool *p, struct err *e)
{
    int n_queued = 0, n_indexed = 0, n_hashed = 0, n_unreferenced = 0;

    for (int b = p->next[p->n_blocks], before = p->n_blocks; b != p->n_blocks;
         before = b, b = p->next[b]) {
        if (b <= 0 || b > p->n_blocks || p->prev[b] != before)
            return err_set(e, ERR_INPUT, "the free queue is torn at block %d", b);
        if (p->refs[b] != 0)
            return err_set(e, ERR_INPUT, "block %d is free and has %d references", b, p->refs[b]);
        if (++n_queued > p->n_blocks)
            return err_set(e, ERR_INPUT, "the free queue has a circle");
    }
    for (int b = 0; b < p->n_blocks; b++) {
        if (p->refs[b] < 0)
            return err_set(e, ERR_INPUT, "block %d has %d references", b, p->refs[b]);
        n_unreferenced += p->refs[b] == 0;
        if (is_zero(p->hashes[b]))
            continue;
        n_hashed++;
        if (kv_pool_find(p, p->hashes[b]) != b)
            return err_set(e, ERR_INPUT, "the index does not lead to block %d", b);
    }
    for (uint32_t i = 0; i < p->index_size; i++)
        n_indexed += p->index[i] >= 0;
    if (n_queued != p->n_free || n_queued != n_unreferenced)
        return err_set(e, ERR_INPUT, "%d blocks queued, %d counted free, %d without a reference",
                       n_queued, p->n_free, n_unreferenced);
    if (n_indexed != n_hashed)
        return err_set(e, ERR_INPUT, "%d blocks indexed, %d with a hash", n_indexed, n_hashed);
    if (p->refs[0] != 1)
        return err_set(e, ERR_INPUT, "the scratch block has %d references", p->refs[0]);
    return true;
}
