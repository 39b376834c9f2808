/* automaton.h - a program made deterministic, one state at a time, as texts ask for it.
 *
 * A state is a set of (node, frame) pairs: where in the program one may be, and what is to be
 * returned to. Frames are shared chains, so a state holds its whole stack, and equal states have
 * equal numbers. Bytes that no node tells apart share a column of the table. Not thread-safe. */
#pragma once

#include "grammar/program.h"

enum { STATE_DEAD = -1, STATE_UNKNOWN = -2 };

/* Beyond these a state counts as dead and is_overrun is set: a grammar may leave so many ways open
 * at once that they cannot all be followed. MAX_ENTRIES: of the table, of all items, of frames. */
enum { MAX_STATE_ITEMS = 8192, MAX_ENTRIES = 1 << 23 };

struct automaton_state {
    size_t first; /* of its items */
    int n_items;
    bool accepts;      /* the text may end here */
    bool has_flow;     /* the three below are known */
    bool flows_chars;  /* every character from U+0080 up leads to `flow` */
    uint64_t flows[2]; /* the bytes below 0x80 that do */
    int32_t flow; /* where ordinary text leads: the state itself, or the next of a counted chain */
};

struct automaton_item {
    int32_t node, frame;
};

struct automaton {
    const struct program *program;         /* borrowed */
    uint8_t class_of[256], sample_of[256]; /* byte to class, class to one of its bytes */
    int n_classes;
    int32_t start;
    bool is_overrun;

    struct automaton_state *states;
    int n_states, cap_states;
    int32_t *next; /* [cap_states, n_classes] */
    struct automaton_item *items;
    size_t n_items, cap_items;
    struct automaton_item *frames; /* node to return to, frame below; frame 0 is the bottom */
    int n_frames, cap_frames;
    int32_t *state_slots, *frame_slots; /* open addressing; -1: free */
    size_t n_state_slots, n_frame_slots;

    /* scratch of a closure */
    struct automaton_item *todo, *found;
    size_t n_todo, cap_todo, n_found, cap_found;
    uint32_t *seen; /* [n_seen] indices into todo, and one; 0: free */
    size_t n_seen;
};

void automaton_init(struct automaton *a, const struct program *p);
void automaton_clear(struct automaton *a);
void automaton_reset(struct automaton *a); /* forgets all states; a->start is found anew */
size_t automaton_bytes(const struct automaton *a);

/* Computes what automaton_next did not know. */
int32_t automaton_compute(struct automaton *a, int32_t state, int class);
void automaton_find_flow(struct automaton *a, int32_t state);

static inline int32_t automaton_next(struct automaton *a, int32_t state, uint8_t byte)
{
    int class = a->class_of[byte];
    int32_t to = a->next[(size_t)state * (size_t)a->n_classes + (size_t) class];

    return to == STATE_UNKNOWN ? automaton_compute(a, state, class) : to;
}
