/* kv_pool.h - the KV cache as a pool of equal blocks.
 *
 * A sequence holds block numbers, never addresses; the device turns numbers into memory. Blocks are
 * counted by reference, so sequences that begin alike share their first blocks. A full block may
 * carry the hash of everything up to its end; such a block keeps its place in an index when its
 * last reference goes, until it is the least recently used free block and its memory is needed.
 *
 * Block 0 is scratch: padded rows write there, and it is never handed out.
 *
 * Not thread-safe: the engine's thread owns the pool. No call but open allocates. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/macros.h"

struct kv_pool;

/* A pool of n_blocks blocks, scratch included, of block_size tokens each. Keeps numbers only: the
 * tensors are the model's. ERR_MEMORY when the numbers alone do not fit. */
struct kv_pool *kv_pool_open(int n_blocks, int block_size, struct err *e) MUST_CHECK;
void kv_pool_close(struct kv_pool *p); /* NULL is fine */

int kv_pool_block_size(const struct kv_pool *p);
int kv_pool_n_blocks(const struct kv_pool *p); /* that can be handed out: without scratch */
int kv_pool_n_free(const struct kv_pool *p);   /* cached blocks without a reference count as free */
int kv_pool_refs(const struct kv_pool *p, int block);

int kv_pool_take(struct kv_pool *p); /* a block with one reference; -1: none left */
void kv_pool_share(struct kv_pool *p,
                   int block); /* one reference more, also of a free cached block */
void kv_pool_give(struct kv_pool *p, int block); /* one less; at zero the block is free again */

/* The chain of hashes: one root per model and settings, then one link per full block. `extra`
 * stands for what the token ids do not say (images); {0, 0} without. A link is never {0, 0}. */
struct hash128 kv_hash_root(const void *fingerprint, size_t len);
struct hash128 kv_hash_block(struct hash128 parent, const int32_t *token_ids, int n,
                             struct hash128 extra);

/* Says that a referenced, full block holds what `hash` names. If another block already carries that
 * hash, this one stays without: duplicates are not merged, because block tables are in use. */
void kv_pool_publish(struct kv_pool *p, int block, struct hash128 hash);
int kv_pool_find(const struct kv_pool *p,
                 struct hash128 hash); /* -1: not cached; takes no reference */
bool kv_pool_is_published(const struct kv_pool *p, int block);

/* Walks everything and says what is broken; for tests and debug builds. */
bool kv_pool_check(const struct kv_pool *p, struct err *e) MUST_CHECK;
