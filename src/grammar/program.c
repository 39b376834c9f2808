/* program.c - terms are put down from their end to their beginning: each emit function is told the
 * node that follows and returns the node that begins. */
#include "grammar/program.h"

static int32_t add_node(struct program *p, enum node_kind kind, int lo, int hi, int32_t out,
                        int32_t other)
{
    if (p->n_nodes >= MAX_NODES) {
        p->failed = true;
        return 0;
    }
    if (p->n_nodes == p->cap_nodes) {
        p->cap_nodes = MAX(2 * p->cap_nodes, 256);
        p->nodes = xrealloc(p->nodes, (size_t)p->cap_nodes * sizeof(*p->nodes));
    }
    p->nodes[p->n_nodes] =
        (struct node){(uint8_t)kind, (uint8_t)lo, (uint8_t)hi, false, out, other};
    return p->n_nodes++;
}

/* Either of the two beginnings; -1 stands for none. */
static int32_t either(struct program *p, int32_t a, int32_t b)
{
    if (a < 0 || b < 0)
        return MAX(a, b);
    return add_node(p, NODE_SPLIT, 0, 0, a, b);
}

/* --- characters ------------------------------------------------------------------------------- */

/* tails[n]: any n continuation bytes, then what follows; made when first asked for. */
struct tails {
    int32_t next[4];
    int n;
};

static int32_t any_tail(struct program *p, struct tails *tails, int n)
{
    while (tails->n < n) {
        tails->next[tails->n + 1] = add_node(p, NODE_BYTE, 0x80, 0xBF, tails->next[tails->n], -1);
        tails->n++;
    }
    return tails->next[n];
}

/* The numbers [lo, hi] as n bytes of 6 bits each, but the first, which has `prefix` above its bits.
 */
static int32_t emit_digits(struct program *p, uint32_t lo, uint32_t hi, int n, uint32_t prefix,
                           struct tails *tails)
{
    uint32_t shift = 6 * (uint32_t)(n - 1), mask = (1u << shift) - 1, a = lo >> shift,
             b = hi >> shift;
    int32_t first = -1, middle = -1, last = -1;

    if (n == 1)
        return add_node(p, NODE_BYTE, (int)(prefix | lo), (int)(prefix | hi), tails->next[0], -1);
    if (a == b && ((lo & mask) != 0 || (hi & mask) != mask)) {
        int32_t rest = emit_digits(p, lo & mask, hi & mask, n - 1, 0x80, tails);

        return add_node(p, NODE_BYTE, (int)(prefix | a), (int)(prefix | a), rest, -1);
    }
    if ((lo & mask) != 0) {
        int32_t rest = emit_digits(p, lo & mask, mask, n - 1, 0x80, tails);

        first = add_node(p, NODE_BYTE, (int)(prefix | a), (int)(prefix | a), rest, -1);
        a++;
    }
    if ((hi & mask) != mask) {
        int32_t rest = emit_digits(p, 0, hi & mask, n - 1, 0x80, tails);

        last = add_node(p, NODE_BYTE, (int)(prefix | b), (int)(prefix | b), rest, -1);
        b--;
    }
    if (a <= b && b != UINT32_MAX)
        middle = add_node(p, NODE_BYTE, (int)(prefix | a), (int)(prefix | b),
                          any_tail(p, tails, n - 1), -1);
    return either(p, first, either(p, middle, last));
}

static int32_t emit_range(struct program *p, struct char_range r, struct tails *tails)
{
    static const struct {
        uint32_t lo, hi;
        int n_bytes;
        uint32_t prefix;
    } lengths[] = {
        {0, 0x7F, 1, 0},           {0x80, 0x7FF, 2, 0xC0},       {0x800, 0xD7FF, 3, 0xE0},
        {0xE000, 0xFFFF, 3, 0xE0}, {0x10000, 0x10FFFF, 4, 0xF0},
    };
    int32_t out = -1;

    for (size_t i = 0; i < LEN(lengths); i++) {
        uint32_t lo = MAX(r.lo, lengths[i].lo), hi = MIN(r.hi, lengths[i].hi);

        if (lo <= hi)
            out = either(p, out,
                         emit_digits(p, lo, hi, lengths[i].n_bytes, lengths[i].prefix, tails));
    }
    return out;
}

/* --- terms ------------------------------------------------------------------------------------ */

static int32_t emit(struct program *p, const struct term *t, int32_t next);

/* A node that nothing can pass: a call of no rule. */
static int32_t emit_nothing(struct program *p, int32_t next)
{
    return add_node(p, NODE_CALL, 0, 0, next, -1);
}

static int32_t emit_repeat(struct program *p, const struct term *t, int32_t next)
{
    const struct term *body = t->parts[0];
    int32_t at = next;

    if (t->max < 0) {
        at = add_node(p, NODE_SPLIT, 0, 0, -1, next);
        if (!p->failed) {
            int32_t start = emit(p, body, at);

            p->nodes[at].out = start;
        }
    }
    for (int i = t->max; i > t->min && !p->failed; i--)
        at = add_node(p, NODE_SPLIT, 0, 0, emit(p, body, at), next);
    for (int i = 0; i < t->min && !p->failed; i++)
        at = emit(p, body, at);
    return at;
}

static int32_t emit(struct program *p, const struct term *t, int32_t next)
{
    int32_t out = -1;
    struct tails tails = {.next = {next}};

    if (p->failed)
        return 0;
    switch (t->kind) {
    case TERM_BYTES:
        for (size_t i = t->bytes.len; i > 0; i--) {
            uint8_t byte = (uint8_t)t->bytes.ptr[i - 1];

            next = add_node(p, NODE_BYTE, byte, byte, next, -1);
        }
        return next;
    case TERM_CHARS:
        for (int i = 0; i < t->n_ranges; i++)
            out = either(p, out, emit_range(p, t->ranges[i], &tails));
        return out < 0 ? emit_nothing(p, next) : out;
    case TERM_SEQ:
        for (int i = t->n_parts; i > 0; i--)
            next = emit(p, t->parts[i - 1], next);
        return next;
    case TERM_ALT:
        for (int i = t->n_parts; i > 0; i--)
            out = either(p, emit(p, t->parts[i - 1], next), out);
        return out < 0 ? emit_nothing(p, next) : out;
    case TERM_REPEAT:
        return emit_repeat(p, t, next);
    case TERM_CALL:
        return add_node(p, NODE_CALL, 0, 0, next, t->rule);
    }
    return next;
}

/* --- checks ----------------------------------------------------------------------------------- */

static bool is_live(const struct program *p, int32_t at)
{
    return at >= 0 && p->nodes[at].is_live;
}

static bool can_live(const struct program *p, const struct node *n)
{
    switch (n->kind) {
    case NODE_BYTE:
        return is_live(p, n->out);
    case NODE_SPLIT:
        return is_live(p, n->out) || is_live(p, n->other);
    case NODE_CALL:
        return n->other >= 0 && is_live(p, n->out) && is_live(p, p->starts[n->other]);
    default:
        return true;
    }
}

/* Nodes come after those that they lead to, but for loops and calls, which may go either way: few
 * sweeps up and down find all. */
static void find_live(struct program *p)
{
    bool changed = true;

    for (int sweep = 0; changed; sweep++) {
        changed = false;
        for (int i = 0; i < p->n_nodes; i++) {
            struct node *n = &p->nodes[sweep % 2 ? p->n_nodes - 1 - i : i];

            if (!n->is_live && can_live(p, n))
                n->is_live = changed = true;
        }
    }
}

/* A walk over what can be reached without a byte. */
struct walk {
    const struct program *p;
    const bool *is_empty; /* rules that match the empty text */
    int32_t *todo;
    int n_todo;
    bool *seen; /* [n_nodes] */
};

static void visit(struct walk *w, int32_t at)
{
    if (!is_live(w->p, at) || w->seen[at])
        return;
    w->seen[at] = true;
    w->todo[w->n_todo++] = at;
}

/* Visits the nodes of one rule that no byte comes before; true: its end is among them. called (may
 * be NULL) gets a mark for each rule that is called there. */
static bool walk_rule(struct walk *w, int rule, bool *called)
{
    bool reaches_end = false;
    int n_seen = 0;

    visit(w, w->p->starts[rule]);
    for (n_seen = 0; n_seen < w->n_todo; n_seen++) {
        const struct node *n = &w->p->nodes[w->todo[n_seen]];

        reaches_end |= n->kind == NODE_RETURN;
        if (n->kind == NODE_SPLIT) {
            visit(w, n->out);
            visit(w, n->other);
        } else if (n->kind == NODE_CALL) {
            if (called)
                called[n->other] = true;
            if (w->is_empty[n->other])
                visit(w, n->out);
        }
    }
    for (int i = 0; i < n_seen; i++)
        w->seen[w->todo[i]] = false;
    w->n_todo = 0;
    return reaches_end;
}

/* Whether rule calls itself before any byte; state: 0 new, 1 open, 2 done. A list stands for the
 * stack, so that deep chains of rules need no deep recursion. */
static bool has_circle(struct walk *w, uint8_t *state, int n_rules)
{
    int *stack = xcalloc((size_t)n_rules + 1, sizeof(*stack));
    bool **called = xcalloc((size_t)n_rules + 1, sizeof(bool *));
    bool found = false;

    for (int root = 0; root < n_rules && !found; root++) {
        int depth = 0;

        if (state[root] != 0)
            continue;
        stack[depth++] = root;
        while (depth > 0 && !found) {
            int rule = stack[depth - 1], next = 0;

            if (state[rule] == 0) {
                state[rule] = 1;
                called[rule] = xcalloc((size_t)n_rules, sizeof(bool));
                (void)walk_rule(w, rule, called[rule]);
            }
            while (next < n_rules && !(called[rule][next] && state[next] != 2))
                next++;
            if (next == n_rules) {
                state[rule] = 2;
                depth--;
            } else {
                found = state[next] == 1;
                stack[depth++] = next;
            }
        }
    }
    for (int i = 0; i < n_rules; i++)
        free(called[i]);
    free(called);
    free(stack);
    return found;
}

static bool calls_itself_first(const struct program *p)
{
    size_t n_rules = (size_t)p->n_rules;
    bool *is_empty = xcalloc(n_rules, sizeof(*is_empty)), found;
    uint8_t *state = xcalloc(n_rules, sizeof(*state));
    struct walk w = {.p = p,
                     .is_empty = is_empty,
                     .todo = xcalloc((size_t)p->n_nodes, sizeof(*w.todo)),
                     .seen = xcalloc((size_t)p->n_nodes, sizeof(*w.seen))};

    for (bool changed = true; changed;) {
        changed = false;
        for (int r = 0; r < p->n_rules; r++)
            if (!is_empty[r] && walk_rule(&w, r, NULL))
                is_empty[r] = changed = true;
    }
    found = has_circle(&w, state, p->n_rules);
    free(is_empty);
    free(state);
    free(w.todo);
    free(w.seen);
    return found;
}

bool program_build(struct program *p, const struct terms *t, struct err *e)
{
    *p = (struct program){.n_rules = t->n_rules};
    if (t->n_rules > MAX_RULES)
        return err_set(e, ERR_INPUT, "it is too large: %d parts, %d are allowed", t->n_rules,
                       MAX_RULES);
    p->starts = xcalloc((size_t)MAX(t->n_rules, 1), sizeof(*p->starts));
    for (int i = 0; i < t->n_rules && !p->failed; i++)
        p->starts[i] = emit(p, t->rules[i], add_node(p, NODE_RETURN, 0, 0, -1, -1));
    if (p->failed) {
        err_set(e, ERR_INPUT,
                "it is too large: more than %d nodes; lower its bounds of repetition or length",
                MAX_NODES);
        goto fail;
    }
    find_live(p);
    if (!is_live(p, p->starts[0])) {
        err_set(e, ERR_INPUT, "no finite text can satisfy it");
        goto fail;
    }
    if (calls_itself_first(p)) {
        err_set(e, ERR_INPUT, "it refers to itself without anything between");
        goto fail;
    }
    return true;

fail:
    program_clear(p);
    return false;
}

void program_clear(struct program *p)
{
    free(p->nodes);
    free(p->starts);
    *p = (struct program){0};
}
