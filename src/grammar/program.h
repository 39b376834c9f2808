/* program.h - rules as a graph of nodes over bytes, with calls and returns: a nondeterministic
 * pushdown automaton.
 *
 * Nodes that cannot lead to the end of their rule are dead and are never entered, so that whatever
 * is begun can be finished. Read-only after program_build. */
#pragma once

#include "grammar/term.h"

enum { MAX_NODES = 1 << 17, MAX_RULES = 4096 };

enum node_kind {
    NODE_BYTE,   /* a byte of [lo, hi], then out */
    NODE_SPLIT,  /* out or other */
    NODE_CALL,   /* the rule `other`, then out */
    NODE_RETURN, /* the end of a rule */
};

struct node {
    uint8_t kind, lo, hi;
    bool is_live;
    int32_t out, other;
};

struct program {
    struct node *nodes;
    int n_nodes, cap_nodes;
    int32_t *starts; /* [n_rules] */
    int n_rules;
    bool failed; /* while building: too many nodes */
};

/* Rule 0 is the whole. Refuses what is too large, what no finite text matches, and rules that call
 * themselves before any byte. The terms may be cleared afterwards. */
bool program_build(struct program *p, const struct terms *t, struct err *e) MUST_CHECK;
void program_clear(struct program *p);
