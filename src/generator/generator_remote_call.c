/* generator_remote_call.c - see generator_remote_call.h. */
#include "generator/generator_remote_call.h"

#include "base/arena.h"

struct remote_call *remote_call_open(void)
{
    struct remote_call *c = xcalloc(1, sizeof(*c));

    c->kind = REMOTE_CALL;
    c->heap_at = -1;
    remote_reply_init(&c->reply);
    return c;
}

void remote_call_close(struct remote_call *c)
{
    buf_clear(&c->body);
    remote_reply_clear(&c->reply);
    free(c);
}

static bool is_before(const struct remote_call *a, const struct remote_call *b)
{
    for (size_t i = 0; i < LEN(a->rank); i++)
        if (a->rank[i] != b->rank[i])
            return a->rank[i] < b->rank[i];
    return false;
}

static void place(struct remote_heap *h, int at, struct remote_call *c)
{
    h->items[at] = c;
    c->heap_at = at;
}

static void sift_up(struct remote_heap *h, int at, struct remote_call *c)
{
    for (; at > 0 && is_before(c, h->items[(at - 1) / 2]); at = (at - 1) / 2)
        place(h, at, h->items[(at - 1) / 2]);
    place(h, at, c);
}

static void sift_down(struct remote_heap *h, int at, struct remote_call *c)
{
    int child;

    while ((child = 2 * at + 1) < h->n) {
        if (child + 1 < h->n && is_before(h->items[child + 1], h->items[child]))
            child++;
        if (!is_before(h->items[child], c))
            break;
        place(h, at, h->items[child]);
        at = child;
    }
    place(h, at, c);
}

void remote_heap_push(struct remote_heap *h, struct remote_call *c)
{
    if (h->n == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 64;
        h->items = xrealloc(h->items, (size_t)h->cap * sizeof(struct remote_call *));
    }
    sift_up(h, h->n++, c);
}

struct remote_call *remote_heap_first(const struct remote_heap *h)
{
    return h->n > 0 ? h->items[0] : NULL;
}

void remote_heap_remove(struct remote_heap *h, struct remote_call *c)
{
    int at = c->heap_at;
    struct remote_call *last = h->items[--h->n];

    c->heap_at = -1;
    if (last == c)
        return;
    if (at > 0 && is_before(last, h->items[(at - 1) / 2]))
        sift_up(h, at, last);
    else
        sift_down(h, at, last);
}

void remote_heap_clear(struct remote_heap *h)
{
    free(h->items);
    *h = (struct remote_heap){0};
}
