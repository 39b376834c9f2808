/* arena.c - a list of chunks, the newest first; each twice as large as the one before, up to a MiB.
 */
#include "base/arena.h"

#include <stdint.h>

#include "base/num.h"

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, cap;
    _Alignas(16) unsigned char bytes[];
};

struct arena_hook {
    struct arena_hook *next;
    void (*fn)(void *);
    void *ptr;
};

enum { FIRST_CHUNK = 4096, LAST_CHUNK = 1 << 20 };

static _Noreturn void out_of_memory(size_t n_bytes)
{
    fprintf(stderr, "llmeval: out of memory: %zu bytes more were needed\n", n_bytes);
    abort();
}

void *xmalloc(size_t n_bytes)
{
    void *p = malloc(n_bytes ? n_bytes : 1);

    if (!p)
        out_of_memory(n_bytes);
    return p;
}

void *xcalloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);

    if (!p)
        out_of_memory(n * size);
    return p;
}

void *xrealloc(void *ptr, size_t n_bytes)
{
    void *p = realloc(ptr, n_bytes ? n_bytes : 1);

    if (!p)
        out_of_memory(n_bytes);
    return p;
}

char *xstrdup(const char *z)
{
    size_t n = strlen(z) + 1;

    return memcpy(xmalloc(n), z, n);
}

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max = max_bytes};
}

static void run_hooks(struct arena *a)
{
    /* A hook stands in the arena that it belongs to; it runs before the memory goes. */
    for (struct arena_hook *h = a->hooks; h; h = h->next)
        h->fn(h->ptr);
    a->hooks = NULL;
}

static void free_chunks(struct arena_chunk *c)
{
    while (c) {
        struct arena_chunk *next = c->next;

        free(c);
        c = next;
    }
}

void arena_clear(struct arena *a)
{
    run_hooks(a);
    free_chunks(a->chunk);
    arena_init(a, a->max);
}

void arena_reset(struct arena *a)
{
    struct arena_chunk *c = a->chunk;

    run_hooks(a);
    if (c) {
        free_chunks(c->next);
        c->next = NULL;
        memset(c->bytes, 0, c->used);
        c->used = 0;
    }
    a->used = 0;
}

void *arena_try(struct arena *a, size_t n_bytes)
{
    struct arena_chunk *c = a->chunk;
    size_t n, cap;
    void *p;

    if (n_bytes > SIZE_MAX / 4)
        return NULL;
    n = (n_bytes + 15) & ~(size_t)15;
    if (a->max && (n > a->max || a->used > a->max - n))
        return NULL;
    if (!c || c->cap - c->used < n) {
        cap = c ? MIN(c->cap * 2, (size_t)LAST_CHUNK) : FIRST_CHUNK;
        cap = MAX(cap, n);
        c = calloc(1, sizeof(*c) + cap);
        if (!c)
            return NULL;
        c->cap = cap;
        c->next = a->chunk;
        a->chunk = c;
    }
    p = c->bytes + c->used;
    c->used += n;
    a->used += n;
    return p;
}

void *arena_alloc(struct arena *a, size_t n_bytes)
{
    void *p = arena_try(a, n_bytes);

    if (!p)
        out_of_memory(n_bytes);
    return p;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
    size_t n_bytes;

    if (!size_mul(n, size, &n_bytes))
        out_of_memory(SIZE_MAX);
    return arena_alloc(a, n_bytes);
}

char *arena_strndup(struct arena *a, const char *ptr, size_t len)
{
    char *p = arena_alloc(a, len + 1);

    if (len)
        memcpy(p, ptr, len);
    return p;
}

void arena_on_clear(struct arena *a, void (*fn)(void *), void *ptr)
{
    struct arena_hook *h = arena_new(a, struct arena_hook);

    *h = (struct arena_hook){a->hooks, fn, ptr};
    a->hooks = h;
}
