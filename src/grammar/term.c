/* term.c - making terms. */
#include "grammar/term.h"

enum { SHORT_BODY = 4, FEW_TIMES = 2 };

void terms_init(struct terms *t)
{
    *t = (struct terms){0};
    arena_init(&t->memory, 0);
}

void terms_clear(struct terms *t)
{
    free(t->rules);
    arena_clear(&t->memory);
    *t = (struct terms){0};
}

int terms_declare(struct terms *t)
{
    if (t->n_rules == t->cap_rules) {
        t->cap_rules = MAX(2 * t->cap_rules, 16);
        t->rules = xrealloc(t->rules, (size_t)t->cap_rules * sizeof(struct term *));
    }
    t->rules[t->n_rules] = NULL;
    return t->n_rules++;
}

void terms_define(struct terms *t, int rule, struct term *body)
{
    t->rules[rule] = body;
}

static struct term *make(struct terms *t, enum term_kind kind, double weight)
{
    struct term *out = arena_new(&t->memory, struct term);

    out->kind = kind;
    out->weight = weight;
    return out;
}

struct term *term_bytes(struct terms *t, struct str bytes)
{
    struct term *out = make(t, TERM_BYTES, (double)bytes.len);

    out->bytes = str_dup(&t->memory, bytes);
    return out;
}

struct term *term_text(struct terms *t, const char *z)
{
    return term_bytes(t, STR(z));
}

struct term *term_chars(struct terms *t, const struct char_range *ranges, int n)
{
    struct term *out = make(t, TERM_CHARS, 0);
    struct char_range *copy = arena_array(&t->memory, (size_t)MAX(n, 1), sizeof(*copy));

    for (int i = 0; i < n; i++) {
        copy[i] = ranges[i];
        out->weight += ranges[i].hi < 0x80 ? 2 : 12;
    }
    out->ranges = copy;
    out->n_ranges = n;
    return out;
}

static struct term *make_list(struct terms *t, enum term_kind kind, struct term *const *parts,
                              int n)
{
    struct term *out = make(t, kind, kind == TERM_ALT ? n : 0);

    out->parts = arena_array(&t->memory, (size_t)MAX(n, 1), sizeof(struct term *));
    for (int i = 0; i < n; i++) {
        out->parts[i] = parts[i];
        out->weight += parts[i]->weight;
    }
    out->n_parts = n;
    return out;
}

struct term *term_seq(struct terms *t, struct term *const *parts, int n)
{
    return n == 1 ? parts[0] : make_list(t, TERM_SEQ, parts, n);
}

struct term *term_alt(struct terms *t, struct term *const *parts, int n)
{
    return n == 1 ? parts[0] : make_list(t, TERM_ALT, parts, n);
}

struct term *term_repeat(struct terms *t, struct term *body, int min, int max)
{
    int times = MAX(min, max);
    struct term *out;

    if (body->weight > SHORT_BODY && times > FEW_TIMES) {
        int rule = terms_declare(t);

        terms_define(t, rule, body);
        body = term_call(t, rule);
    }
    out = make_list(t, TERM_REPEAT, &body, 1);
    out->weight = (body->weight + 1) * MAX(times, 1);
    out->min = min;
    out->max = max;
    return out;
}

struct term *term_call(struct terms *t, int rule)
{
    struct term *out = make(t, TERM_CALL, 1);

    out->rule = rule;
    return out;
}

/* --- sets of characters ----------------------------------------------------------------------- */

void char_set_add(struct char_set *s, uint32_t lo, uint32_t hi)
{
    if (lo > hi)
        return;
    if (s->n == s->cap) {
        s->cap = MAX(2 * s->cap, 8);
        s->ranges = xrealloc(s->ranges, (size_t)s->cap * sizeof(*s->ranges));
    }
    s->ranges[s->n++] = (struct char_range){lo, hi};
}

static int by_lo(const void *a, const void *b)
{
    const struct char_range *x = a, *y = b;

    return (x->lo > y->lo) - (x->lo < y->lo);
}

void char_set_settle(struct char_set *s)
{
    int n = 0;

    if (s->n == 0)
        return;
    qsort(s->ranges, (size_t)s->n, sizeof(*s->ranges), by_lo);
    for (int i = 0; i < s->n; i++) {
        if (n > 0 && s->ranges[i].lo <= s->ranges[n - 1].hi + 1)
            s->ranges[n - 1].hi = MAX(s->ranges[n - 1].hi, s->ranges[i].hi);
        else
            s->ranges[n++] = s->ranges[i];
    }
    s->n = n;
}

void char_set_negate(struct char_set *s)
{
    struct char_set out = {0};
    uint32_t from = 0;

    char_set_settle(s);
    for (int i = 0; i < s->n; i++) {
        if (s->ranges[i].lo > from)
            char_set_add(&out, from, s->ranges[i].lo - 1);
        from = s->ranges[i].hi + 1;
    }
    if (from <= MAX_CODE_POINT)
        char_set_add(&out, from, MAX_CODE_POINT);
    char_set_clear(s);
    *s = out;
}

void char_set_clear(struct char_set *s)
{
    free(s->ranges);
    *s = (struct char_set){0};
}
