/* prefixes.c - sorted strings, narrowed by binary search byte by byte. */
#include "tokenizer/prefixes.h"

#include "base/arena.h"

void prefixes_clear(struct prefixes *p)
{
    free(p->entries);
    *p = (struct prefixes){0};
}

void prefixes_add(struct prefixes *p, struct str text, int32_t value)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 64;
        p->entries = xrealloc(p->entries, (size_t)p->cap * sizeof(*p->entries));
    }
    p->entries[p->n++] = (struct prefix_entry){text, value};
}

static int by_text(const void *a, const void *b)
{
    return str_cmp(((const struct prefix_entry *)a)->text, ((const struct prefix_entry *)b)->text);
}

/* Merge sort, since equal strings keep their order and qsort promises no such thing. */
static void sort_stable(struct prefix_entry *x, struct prefix_entry *spare, int32_t n)
{
    int32_t half = n / 2, i = 0, k = half, to = 0;

    if (n < 2)
        return;
    sort_stable(x, spare, half);
    sort_stable(x + half, spare, n - half);
    memcpy(spare, x, (size_t)half * sizeof(*x));
    while (i < half && k < n)
        x[to++] = by_text(&x[k], &spare[i]) < 0 ? x[k++] : spare[i++];
    while (i < half)
        x[to++] = spare[i++];
}

void prefixes_sort(struct prefixes *p)
{
    struct prefix_entry *spare = xmalloc(((size_t)p->n / 2 + 1) * sizeof(*spare));
    int32_t at = 0;

    sort_stable(p->entries, spare, p->n);
    free(spare);
    for (int c = 0; c < 257; c++) {
        while (at < p->n && (unsigned char)p->entries[at].text.ptr[0] < c)
            at++;
        p->first[c] = at;
    }
}

struct prefix_walk prefix_walk(const struct prefixes *p, struct str s)
{
    struct prefix_walk w = {.in = p, .s = s};

    if (s.len) {
        unsigned char c = (unsigned char)s.ptr[0];

        w.lo = p->first[c];
        w.hi = p->first[c + 1];
        w.at = 1;
    }
    return w;
}

/* The byte of an entry at `at`, or -1 at its end: shorter strings sort first. */
static int byte_at(const struct prefix_entry *x, size_t at)
{
    return at < x->text.len ? (unsigned char)x->text.ptr[at] : -1;
}

static int32_t lower_bound(const struct prefix_entry *x, int32_t lo, int32_t hi, size_t at, int c)
{
    while (lo < hi) {
        int32_t middle = lo + (hi - lo) / 2;

        if (byte_at(&x[middle], at) < c)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

bool prefix_next(struct prefix_walk *w)
{
    const struct prefix_entry *x = w->in->entries;

    while (w->lo < w->hi) {
        bool is_whole = x[w->lo].text.len == w->at;
        int c;

        if (is_whole) {
            w->value = x[w->lo].value;
            w->len = w->at;
        }
        if (w->at == w->s.len) {
            w->lo = w->hi;
        } else {
            c = (unsigned char)w->s.ptr[w->at];
            w->lo = lower_bound(x, w->lo, w->hi, w->at, c);
            w->hi = lower_bound(x, w->lo, w->hi, w->at, c + 1);
            w->at++;
        }
        if (is_whole)
            return true;
    }
    return false;
}

bool prefixes_longest(const struct prefixes *p, struct str s, int32_t *value, size_t *len)
{
    struct prefix_walk w = prefix_walk(p, s);
    bool found = false;

    while (prefix_next(&w)) {
        *value = w.value;
        *len = w.len;
        found = true;
    }
    return found;
}
