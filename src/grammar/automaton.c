/* automaton.c - closures over splits, calls and returns; states and frames by hash.
 *
 * A call whose return would return at once keeps the frame of its caller, so that chains of
 * references do not grow the stack. */
#include "grammar/automaton.h"

static uint64_t mix(uint64_t h, uint64_t x)
{
    h = (h ^ x) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 32;
}

static uint64_t hash_item(struct automaton_item it)
{
    return mix(mix(0x51, (uint32_t)it.node), (uint32_t)it.frame);
}

/* --- frames ----------------------------------------------------------------------------------- */

static void add_frame_slot(struct automaton *a, int32_t frame)
{
    size_t at = hash_item(a->frames[frame]) & (a->n_frame_slots - 1);

    while (a->frame_slots[at] >= 0)
        at = (at + 1) & (a->n_frame_slots - 1);
    a->frame_slots[at] = frame;
}

static void grow_frames(struct automaton *a)
{
    a->cap_frames = MAX(2 * a->cap_frames, 64);
    a->frames = xrealloc(a->frames, (size_t)a->cap_frames * sizeof(*a->frames));
    a->n_frame_slots = 2 * (size_t)a->cap_frames;
    a->frame_slots = xrealloc(a->frame_slots, a->n_frame_slots * sizeof(*a->frame_slots));
    memset(a->frame_slots, 0xFF, a->n_frame_slots * sizeof(*a->frame_slots));
    for (int i = 1; i < a->n_frames; i++)
        add_frame_slot(a, i);
}

/* The frame that returns to node above the given one. */
static int32_t push_frame(struct automaton *a, int32_t node, int32_t below)
{
    struct automaton_item want = {node, below};
    size_t at;

    if (a->n_frames + 1 >= a->cap_frames)
        grow_frames(a);
    at = hash_item(want) & (a->n_frame_slots - 1);
    for (; a->frame_slots[at] >= 0; at = (at + 1) & (a->n_frame_slots - 1)) {
        struct automaton_item f = a->frames[a->frame_slots[at]];

        if (f.node == node && f.frame == below)
            return a->frame_slots[at];
    }
    a->frames[a->n_frames] = want;
    a->frame_slots[at] = a->n_frames;
    return a->n_frames++;
}

/* --- closures --------------------------------------------------------------------------------- */

static void grow_seen(struct automaton *a)
{
    free(a->seen);
    a->n_seen = MAX(2 * a->n_seen, 256);
    a->seen = xcalloc(a->n_seen, sizeof(*a->seen));
    for (size_t i = 0; i < a->n_todo; i++) {
        size_t at = hash_item(a->todo[i]) & (a->n_seen - 1);

        while (a->seen[at] != 0)
            at = (at + 1) & (a->n_seen - 1);
        a->seen[at] = (uint32_t)i + 1;
    }
}

static void enter(struct automaton *a, int32_t node, int32_t frame)
{
    struct automaton_item it = {node, frame};
    size_t at;

    if (node < 0 || !a->program->nodes[node].is_live)
        return;
    if (2 * (a->n_todo + 1) > a->n_seen)
        grow_seen(a);
    at = hash_item(it) & (a->n_seen - 1);
    for (; a->seen[at] != 0; at = (at + 1) & (a->n_seen - 1)) {
        struct automaton_item have = a->todo[a->seen[at] - 1];

        if (have.node == node && have.frame == frame)
            return;
    }
    if (a->n_todo == a->cap_todo) {
        a->cap_todo = MAX(2 * a->cap_todo, 64);
        a->todo = xrealloc(a->todo, a->cap_todo * sizeof(*a->todo));
    }
    a->seen[at] = (uint32_t)a->n_todo + 1;
    a->todo[a->n_todo++] = it;
}

static void forget_seen(struct automaton *a)
{
    if (a->n_seen > 0)
        memset(a->seen, 0, a->n_seen * sizeof(*a->seen));
    a->n_todo = 0;
}

static void call(struct automaton *a, const struct node *n, int32_t frame)
{
    const struct program *p = a->program;

    if (p->nodes[n->out].kind != NODE_RETURN)
        frame = push_frame(a, n->out, frame);
    enter(a, p->starts[n->other], frame);
}

/* Follows what needs no byte, from what was entered; byte nodes go to found. True: the end. */
static bool close_items(struct automaton *a)
{
    bool accepts = false;

    a->n_found = 0;
    for (size_t i = 0; i < a->n_todo && i < 4 * MAX_STATE_ITEMS; i++) {
        struct automaton_item it = a->todo[i];
        const struct node *n = &a->program->nodes[it.node];

        switch (n->kind) {
        case NODE_SPLIT:
            enter(a, n->out, it.frame);
            enter(a, n->other, it.frame);
            break;
        case NODE_CALL:
            call(a, n, it.frame);
            break;
        case NODE_RETURN:
            accepts |= it.frame == 0;
            if (it.frame != 0)
                enter(a, a->frames[it.frame].node, a->frames[it.frame].frame);
            break;
        default:
            if (a->n_found == a->cap_found) {
                a->cap_found = MAX(2 * a->cap_found, 64);
                a->found = xrealloc(a->found, a->cap_found * sizeof(*a->found));
            }
            a->found[a->n_found++] = it;
        }
    }
    return accepts;
}

/* --- states ----------------------------------------------------------------------------------- */

static int by_place(const void *x, const void *y)
{
    const struct automaton_item *a = x, *b = y;

    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    return (a->frame > b->frame) - (a->frame < b->frame);
}

static uint64_t hash_items(const struct automaton_item *items, size_t n, bool accepts)
{
    uint64_t h = accepts;

    for (size_t i = 0; i < n; i++)
        h = mix(h, hash_item(items[i]));
    return h;
}

static void add_state_slot(struct automaton *a, int32_t state)
{
    const struct automaton_state *s = &a->states[state];
    size_t at =
        hash_items(a->items + s->first, (size_t)s->n_items, s->accepts) & (a->n_state_slots - 1);

    while (a->state_slots[at] >= 0)
        at = (at + 1) & (a->n_state_slots - 1);
    a->state_slots[at] = state;
}

static void grow_states(struct automaton *a)
{
    a->cap_states = MAX(2 * a->cap_states, 64);
    a->states = xrealloc(a->states, (size_t)a->cap_states * sizeof(*a->states));
    a->next = xrealloc(a->next, (size_t)a->cap_states * (size_t)a->n_classes * sizeof(*a->next));
    a->n_state_slots = 2 * (size_t)a->cap_states;
    a->state_slots = xrealloc(a->state_slots, a->n_state_slots * sizeof(*a->state_slots));
    memset(a->state_slots, 0xFF, a->n_state_slots * sizeof(*a->state_slots));
    for (int i = 0; i < a->n_states; i++)
        add_state_slot(a, i);
}

static int32_t find_state(const struct automaton *a, bool accepts)
{
    size_t at = hash_items(a->found, a->n_found, accepts) & (a->n_state_slots - 1);

    for (; a->state_slots[at] >= 0; at = (at + 1) & (a->n_state_slots - 1)) {
        const struct automaton_state *s = &a->states[a->state_slots[at]];

        if ((size_t)s->n_items == a->n_found && s->accepts == accepts &&
            (a->n_found == 0 ||
             memcmp(a->items + s->first, a->found, a->n_found * sizeof(*a->found)) == 0))
            return a->state_slots[at];
    }
    return -1;
}

/* The state of what was entered; scratch is free again. */
static int32_t settle(struct automaton *a)
{
    bool accepts = close_items(a);
    int32_t state;

    if (a->n_todo > 4 * MAX_STATE_ITEMS || a->n_found > MAX_STATE_ITEMS ||
        (size_t)a->n_states * (size_t)a->n_classes >= MAX_ENTRIES || a->n_items >= MAX_ENTRIES ||
        a->n_frames >= MAX_ENTRIES) {
        a->is_overrun = true;
        forget_seen(a);
        return STATE_DEAD;
    }
    forget_seen(a);
    if (a->n_found == 0 && !accepts)
        return STATE_DEAD;
    if (a->n_found > 0)
        qsort(a->found, a->n_found, sizeof(*a->found), by_place);
    if (a->n_states == a->cap_states)
        grow_states(a);
    state = find_state(a, accepts);
    if (state >= 0)
        return state;
    while (a->n_items + a->n_found > a->cap_items) {
        a->cap_items *= 2;
        a->items = xrealloc(a->items, a->cap_items * sizeof(*a->items));
    }
    if (a->n_found > 0)
        memcpy(a->items + a->n_items, a->found, a->n_found * sizeof(*a->found));
    state = a->n_states++;
    a->states[state] = (struct automaton_state){
        .first = a->n_items, .n_items = (int)a->n_found, .accepts = accepts};
    a->n_items += a->n_found;
    for (int c = 0; c < a->n_classes; c++)
        a->next[(size_t)state * (size_t)a->n_classes + (size_t)c] = STATE_UNKNOWN;
    add_state_slot(a, state);
    return state;
}

int32_t automaton_compute(struct automaton *a, int32_t state, int class)
{
    const struct automaton_state *s = &a->states[state];
    uint8_t byte = a->sample_of[class];
    int32_t to;

    for (int i = 0; i < s->n_items; i++) {
        struct automaton_item it = a->items[s->first + (size_t)i];
        const struct node *n = &a->program->nodes[it.node];

        if (byte >= n->lo && byte <= n->hi)
            enter(a, n->out, it.frame);
    }
    to = settle(a);
    if (!a->is_overrun) /* else whoever asks next must hear of it too */
        a->next[(size_t)state * (size_t)a->n_classes + (size_t) class] = to;
    return to;
}

/* Whether n continuation bytes, the first of [lo, hi], always lead from `at` to `home`. Neighbours
 * of one class are looked at once. */
static bool tails_lead_home(struct automaton *a, int32_t at, int n, int lo, int hi, int32_t home)
{
    for (int byte = lo; byte <= hi; byte++) {
        int32_t to;

        if (byte > lo && a->class_of[byte] == a->class_of[byte - 1])
            continue;
        to = automaton_next(a, at, (uint8_t)byte);
        if (to == STATE_DEAD ||
            (n == 1 ? to != home : !tails_lead_home(a, to, n - 1, 0x80, 0xBF, home)))
            return false;
    }
    return true;
}

/* UTF-8 by its first bytes (Unicode, table 3-7). */
static const struct {
    int from, to, n_tails, lo, hi;
} leads[] = {
    {0xC2, 0xDF, 1, 0x80, 0xBF}, {0xE0, 0xE0, 2, 0xA0, 0xBF}, {0xE1, 0xEC, 2, 0x80, 0xBF},
    {0xED, 0xED, 2, 0x80, 0x9F}, {0xEE, 0xEF, 2, 0x80, 0xBF}, {0xF0, 0xF0, 3, 0x90, 0xBF},
    {0xF1, 0xF3, 3, 0x80, 0xBF}, {0xF4, 0xF4, 3, 0x80, 0x8F},
};

static bool chars_lead_home(struct automaton *a, int32_t from, int32_t home)
{
    for (size_t i = 0; i < LEN(leads); i++)
        for (int byte = leads[i].from; byte <= leads[i].to; byte++) {
            int32_t to;

            if (byte > leads[i].from && a->class_of[byte] == a->class_of[byte - 1])
                continue;
            to = automaton_next(a, from, (uint8_t)byte);
            if (to == STATE_DEAD ||
                !tails_lead_home(a, to, leads[i].n_tails, leads[i].lo, leads[i].hi, home))
                return false;
        }
    return true;
}

/* The state itself where some byte leads back to it, else where U+0080 or an `a` leads. */
static int32_t guess_flow(struct automaton *a, int32_t state)
{
    int32_t to;

    for (int byte = 0; byte < 128; byte++)
        if (automaton_next(a, state, (uint8_t)byte) == state)
            return state;
    to = automaton_next(a, state, 0xC2);
    to = to == STATE_DEAD ? to : automaton_next(a, to, 0x80);
    return to != STATE_DEAD ? to : automaton_next(a, state, 'a');
}

void automaton_find_flow(struct automaton *a, int32_t state)
{
    struct automaton_state *s;
    uint64_t flows[2] = {0};
    int32_t flow = guess_flow(a, state);
    bool chars = flow != STATE_DEAD && chars_lead_home(a, state, flow);

    for (int byte = 0; byte < 128 && flow != STATE_DEAD; byte++)
        if (automaton_next(a, state, (uint8_t)byte) == flow)
            flows[byte / 64] |= (uint64_t)1 << byte % 64;
    s = &a->states[state]; /* states may have moved */
    s->has_flow = true;
    s->flow = flow;
    s->flows_chars = chars;
    memcpy(s->flows, flows, sizeof(flows));
}

/* --- life ------------------------------------------------------------------------------------- */

static void find_classes(struct automaton *a)
{
    bool begins[257] = {true};

    for (int i = 0; i < a->program->n_nodes; i++) {
        const struct node *n = &a->program->nodes[i];

        if (n->kind == NODE_BYTE && n->is_live)
            begins[n->lo] = begins[n->hi + 1] = true;
    }
    begins[0x80] = true;
    for (int byte = 0; byte < 256; byte++) {
        if (begins[byte])
            a->sample_of[a->n_classes++] = (uint8_t)byte;
        a->class_of[byte] = (uint8_t)(a->n_classes - 1);
    }
}

static void find_start(struct automaton *a)
{
    a->n_frames = 1; /* the bottom */
    enter(a, a->program->starts[0], 0);
    a->start = settle(a);
}

void automaton_init(struct automaton *a, const struct program *p)
{
    *a = (struct automaton){.program = p};
    find_classes(a);
    grow_frames(a);
    a->frames[0] = (struct automaton_item){-1, -1};
    a->cap_items = 64;
    a->items = xcalloc(a->cap_items, sizeof(*a->items));
    find_start(a);
}

void automaton_reset(struct automaton *a)
{
    const struct program *p = a->program;

    automaton_clear(a);
    automaton_init(a, p);
}

size_t automaton_bytes(const struct automaton *a)
{
    size_t per_state =
        sizeof(*a->states) + (size_t)a->n_classes * sizeof(*a->next) + 2 * sizeof(*a->state_slots);

    return (size_t)a->cap_states * per_state + a->cap_items * sizeof(*a->items) +
           (size_t)a->cap_frames * (sizeof(*a->frames) + 2 * sizeof(*a->frame_slots)) +
           (a->cap_todo + a->cap_found) * sizeof(*a->todo) + a->n_seen * sizeof(*a->seen);
}

void automaton_clear(struct automaton *a)
{
    free(a->states);
    free(a->next);
    free(a->items);
    free(a->frames);
    free(a->state_slots);
    free(a->frame_slots);
    free(a->todo);
    free(a->found);
    free(a->seen);
    *a = (struct automaton){0};
}
