/* grammar.c - states with their masks, under one lock.
 *
 * The walk over the trie keeps the state of each depth. A subtree whose characters all lead back to
 * the state above it, or along a chain of states that only count, is taken whole: inside a string
 * that is most of the vocabulary. */
#include "grammar/grammar.h"

#include <pthread.h>

#include "base/arena.h"
#include "grammar/automaton.h"
#include "grammar/build.h"

enum {
    MAX_BYTES = 16 << 20,
    MIN_MASKS = 16,
    MAX_MASKS = 4096,
    MAX_CHAIN = 24,     /* states that are looked at ahead */
    SMALL_SUBTREE = 16, /* nodes that are walked as quickly as judged */
};

struct mask_slot {
    int32_t state; /* -1: free */
    uint64_t *words;
};

struct stretch {
    uint32_t from, to;
};

struct grammar {
    const struct token_trie *trie;
    struct program program;
    size_t n_words; /* of a mask */

    pthread_mutex_t lock;
    /* guarded by lock: */
    struct automaton automaton;
    uint64_t epoch;
    size_t max_bytes;
    struct mask_slot *slots;
    int n_slots, cap_slots, hand; /* the slot that is given up next, once all are taken */
    int32_t *slot_of;             /* [cap_states] -1: no mask */
    int cap_states;
    int32_t *path;             /* [max_len + 1] states along the walk */
    struct stretch *stretches; /* what the walk allows */
    size_t n_stretches, cap_stretches, n_allowed;
    uint64_t n_made, n_found, n_resets;
};

struct grammar *grammar_open(const struct grammar_source *s, const struct token_trie *t,
                             struct err *e)
{
    struct grammar *g = xcalloc(1, sizeof(*g));

    if (!build_program(&g->program, s, e)) {
        free(g);
        return NULL;
    }
    g->trie = t;
    g->n_words = ((size_t)t->vocab_size + 63) / 64;
    g->epoch = 1;
    g->path = xcalloc((size_t)t->max_len + 1, sizeof(*g->path));
    automaton_init(&g->automaton, &g->program);
    pthread_mutex_init(&g->lock, NULL);
    grammar_limit(g, MAX_BYTES);
    return g;
}

static void forget_masks(struct grammar *g)
{
    for (int i = 0; i < g->n_slots; i++)
        free(g->slots[i].words);
    free(g->slots);
    free(g->slot_of);
    g->slots = NULL;
    g->slot_of = NULL;
    g->n_slots = g->hand = g->cap_states = 0;
}

void grammar_close(struct grammar *g)
{
    if (!g)
        return;
    forget_masks(g);
    automaton_clear(&g->automaton);
    program_clear(&g->program);
    pthread_mutex_destroy(&g->lock);
    free(g->path);
    free(g->stretches);
    free(g);
}

/* Half of the memory for masks, but room for a few in any case. */
void grammar_limit(struct grammar *g, size_t max_bytes)
{
    size_t fit = max_bytes / 2 / (g->n_words * sizeof(uint64_t) + sizeof(*g->slots));

    pthread_mutex_lock(&g->lock);
    forget_masks(g);
    g->max_bytes = max_bytes;
    g->cap_slots = (int)MIN(MAX(fit, MIN_MASKS), MAX_MASKS);
    pthread_mutex_unlock(&g->lock);
}

/* --- masks ------------------------------------------------------------------------------------ */

/* Stretches of tokens by order, which grow towards each other. */
static void allow(struct grammar *g, uint32_t from, uint32_t to)
{
    if (from == to)
        return;
    g->n_allowed += to - from;
    if (g->n_stretches > 0 && g->stretches[g->n_stretches - 1].to == from) {
        g->stretches[g->n_stretches - 1].to = to;
        return;
    }
    if (g->n_stretches == g->cap_stretches) {
        g->cap_stretches = MAX(2 * g->cap_stretches, 256);
        g->stretches = xrealloc(g->stretches, g->cap_stretches * sizeof(*g->stretches));
    }
    g->stretches[g->n_stretches++] = (struct stretch){from, to};
}

static void flip(const struct token_trie *t, uint64_t *mask, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        mask[t->ids[i] / 64] ^= (uint64_t)1 << t->ids[i] % 64;
}

/* From none or from all, whichever is nearer. */
static void write_mask(const struct grammar *g, uint64_t *mask)
{
    const struct token_trie *t = g->trie;
    bool is_sparse = g->n_allowed <= t->n_tokens / 2;
    uint32_t end = 0;

    if (is_sparse)
        memset(mask, 0, g->n_words * sizeof(*mask));
    else
        memcpy(mask, t->all, g->n_words * sizeof(*mask));
    for (size_t i = 0; i < g->n_stretches; i++) {
        struct stretch s = g->stretches[i];

        if (is_sparse)
            flip(t, mask, s.from, s.to);
        else
            flip(t, mask, end, s.from);
        end = s.to;
    }
    if (!is_sparse)
        flip(t, mask, end, t->n_tokens);
}

/* Whether all that begins with this node may come: ordinary text that flows from the state above
 * along a chain as long as its longest token, or back to that state. The last character of a token
 * may be a part of one. */
static bool takes_all(struct automaton *a, int32_t above, int32_t to, const struct trie_node *n)
{
    bool has_high = n->has_high || n->byte >= 0x80;
    int32_t at = above;

    for (int i = 0; i < MIN(n->n_chars, MAX_CHAIN); i++) {
        const struct automaton_state *s;

        if (!a->states[at].has_flow)
            automaton_find_flow(a, at);
        s = &a->states[at];
        if (s->flow == STATE_DEAD || (i == 0 && n->byte < 0x80 && to != s->flow) ||
            (n->below[0] & ~s->flows[0]) != 0 || (n->below[1] & ~s->flows[1]) != 0 ||
            (has_high && !s->flows_chars))
            return false;
        if (s->flow == at)
            return true;
        at = s->flow;
    }
    return n->n_chars <= MAX_CHAIN;
}

static void walk_trie(struct grammar *g, int32_t state)
{
    const struct token_trie *t = g->trie;
    struct automaton *a = &g->automaton;
    int32_t *path = g->path;
    uint32_t i = 0;

    path[0] = state;
    while (i < t->n_nodes) {
        const struct trie_node *n = &t->nodes[i];
        int32_t above = path[n->depth - 1], to = automaton_next(a, above, n->byte);

        if (to == STATE_DEAD) {
            i = n->end;
            continue;
        }
        if (n->is_text && n->end > i + (to == above ? 1 : SMALL_SUBTREE) &&
            takes_all(a, above, to, n)) {
            allow(g, n->first, t->nodes[n->end].first);
            i = n->end;
            continue;
        }
        path[n->depth] = to;
        allow(g, n->first, n[1].first);
        i++;
    }
}

/* The mask of a state, kept or made anew; NULL: the automaton was overrun on the way. */
static const uint64_t *mask_of(struct grammar *g, int32_t state)
{
    struct mask_slot *slot;

    if (state < g->cap_states && g->slot_of[state] >= 0) {
        g->n_found++;
        return g->slots[g->slot_of[state]].words;
    }
    if (!g->slots) {
        g->slots = xcalloc((size_t)g->cap_slots, sizeof(*g->slots));
        g->hand = 0;
    }
    if (g->n_slots < g->cap_slots) {
        g->slots[g->n_slots] = (struct mask_slot){-1, xmalloc((g->n_words + 1) * sizeof(uint64_t))};
        g->hand = g->n_slots++;
    }
    slot = &g->slots[g->hand];
    if (slot->state >= 0)
        g->slot_of[slot->state] = -1;
    slot->state = -1;
    g->automaton.is_overrun = false;
    g->n_stretches = g->n_allowed = 0;
    walk_trie(g, state);
    if (g->automaton.is_overrun)
        return NULL;
    write_mask(g, slot->words);
    if (g->cap_states < g->automaton.cap_states) {
        size_t n = (size_t)g->automaton.cap_states;

        g->slot_of = xrealloc(g->slot_of, n * sizeof(*g->slot_of));
        memset(g->slot_of + g->cap_states, 0xFF, (n - (size_t)g->cap_states) * sizeof(int32_t));
        g->cap_states = (int)n;
    }
    slot->state = state;
    g->slot_of[state] = g->hand;
    g->hand = (g->hand + 1) % g->cap_slots;
    g->n_made++;
    return slot->words;
}

/* --- cursors ---------------------------------------------------------------------------------- */

static int32_t follow(struct automaton *a, int32_t state, struct str bytes)
{
    for (size_t i = 0; i < bytes.len && state != STATE_DEAD; i++)
        state = automaton_next(a, state, (uint8_t)bytes.ptr[i]);
    return state;
}

static bool has_id(const int32_t *ids, int n, int32_t id)
{
    for (int i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static void advance(struct grammar *g, struct grammar_cursor *c, const int32_t *ids, int n,
                    const int32_t *end_ids, int n_end_ids)
{
    g->automaton.is_overrun = false;
    if (automaton_bytes(&g->automaton) > g->max_bytes / 2) {
        automaton_reset(&g->automaton);
        forget_masks(g);
        g->epoch++;
        g->n_resets++;
    }
    if (c->epoch != g->epoch)
        *c = (struct grammar_cursor){.epoch = g->epoch, .state = g->automaton.start};
    for (; c->n_tokens < n; c->n_tokens++) {
        int32_t id = ids[c->n_tokens];

        if (c->has_ended || has_id(end_ids, n_end_ids, id)) {
            c->has_ended = true;
        } else if (c->state != STATE_DEAD) {
            struct str piece = id >= 0 && id < g->trie->vocab_size ? g->trie->pieces[id] : STR("");

            c->state = piece.len > 0 ? follow(&g->automaton, c->state, piece) : STATE_DEAD;
        }
    }
}

enum grammar_verdict grammar_mask(struct grammar *g, struct grammar_cursor *c, const int32_t *ids,
                                  int n, const int32_t *end_ids, int n_end_ids, uint64_t *mask)
{
    const uint64_t *words = NULL;
    bool may_end = false, is_overrun = false;
    uint64_t any = 0;

    memset(mask, 0, g->n_words * sizeof(*mask));
    pthread_mutex_lock(&g->lock);
    advance(g, c, ids, n, end_ids, n_end_ids);
    if (c->has_ended) {
        may_end = true;
    } else if (c->state != STATE_DEAD) {
        may_end = g->automaton.states[c->state].accepts;
        words = mask_of(g, c->state);
        is_overrun = !words;
        if (words)
            memcpy(mask, words, g->n_words * sizeof(*mask));
    } else {
        is_overrun = g->automaton.is_overrun;
    }
    pthread_mutex_unlock(&g->lock);
    if (is_overrun)
        return GRAMMAR_OVERRUN;
    for (int i = 0; i < n_end_ids; i++) {
        uint64_t bit = (uint64_t)1 << (uint32_t)end_ids[i] % 64;

        if (end_ids[i] < 0 || end_ids[i] >= g->trie->vocab_size)
            continue;
        mask[end_ids[i] / 64] &= ~bit; /* it means the end, whatever its bytes are */
        if (may_end)
            mask[end_ids[i] / 64] |= bit;
    }
    for (size_t i = 0; i < g->n_words; i++)
        any |= mask[i];
    return any ? GRAMMAR_SOME : GRAMMAR_NONE;
}

const struct token_trie *grammar_trie(const struct grammar *g)
{
    return g->trie;
}

bool grammar_accepts(struct grammar *g, struct str text)
{
    int32_t state;
    bool accepts;

    pthread_mutex_lock(&g->lock);
    state = follow(&g->automaton, g->automaton.start, text);
    accepts = state != STATE_DEAD && g->automaton.states[state].accepts;
    pthread_mutex_unlock(&g->lock);
    return accepts;
}

bool grammar_begins(struct grammar *g, struct str text)
{
    int32_t state;

    pthread_mutex_lock(&g->lock);
    state = follow(&g->automaton, g->automaton.start, text);
    pthread_mutex_unlock(&g->lock);
    return state != STATE_DEAD;
}

void grammar_stats(struct grammar *g, struct grammar_stats *out)
{
    pthread_mutex_lock(&g->lock);
    *out = (struct grammar_stats){
        .n_nodes = g->program.n_nodes,
        .n_states = g->automaton.n_states,
        .n_bytes = automaton_bytes(&g->automaton) +
                   (size_t)g->n_slots * g->n_words * sizeof(uint64_t) +
                   (size_t)g->cap_states * sizeof(int32_t),
        .n_masks_made = g->n_made,
        .n_masks_found = g->n_found,
        .n_resets = g->n_resets,
    };
    pthread_mutex_unlock(&g->lock);
}
