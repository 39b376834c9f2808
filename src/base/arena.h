/* arena.h - memory by life span.
 *
 * Everything that lives as long as a document, a request or a run comes from one arena and goes
 * with it. Memory is zeroed and aligned to 16 bytes. Not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

/* malloc and friends that abort, with one line on stderr, when memory is out. For small objects
 * only: whatever is sized by a file or a request goes through an arena's or a buffer's ceiling. */
void *xmalloc(size_t n_bytes) MUST_CHECK;
void *xcalloc(size_t n, size_t size) MUST_CHECK;
void *xrealloc(void *ptr, size_t n_bytes) MUST_CHECK;
char *xstrdup(const char *z) MUST_CHECK;

struct arena_chunk;
struct arena_hook;

struct arena {
    struct arena_chunk *chunk; /* newest first */
    struct arena_hook *hooks;
    size_t used; /* bytes handed out, padding included */
    size_t max;  /* ceiling for used; 0: none */
};

void arena_init(struct arena *a, size_t max_bytes); /* max_bytes 0: no ceiling */
void arena_clear(struct arena *a); /* runs hooks, frees all; the arena can be used again */
void arena_reset(struct arena *a); /* as clear, but keeps one chunk for the next round */

void *arena_alloc(struct arena *a, size_t n_bytes) MUST_CHECK;        /* aborts over the ceiling */
void *arena_try(struct arena *a, size_t n_bytes) MUST_CHECK;          /* NULL over the ceiling */
void *arena_array(struct arena *a, size_t n, size_t size) MUST_CHECK; /* n * size checked; aborts */
char *arena_strndup(struct arena *a, const char *ptr, size_t len) MUST_CHECK; /* NUL added */

/* Calls fn(ptr) when the arena is cleared or reset, newest first: for library objects in a tree. */
void arena_on_clear(struct arena *a, void (*fn)(void *), void *ptr);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
