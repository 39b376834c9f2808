/* expr.h - the tree of one answer.
 *
 * Nodes live in an arena and are not changed once their parent exists. A sum and a product have any
 * number of kids, so long inputs make wide trees, not deep ones; the depth of every node is kept
 * and bounded (EXPR_MAX_DEPTH), so that walks may recurse. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* base before FLINT, whose headers bring a MIN and MAX of the system. */
#include "base/arena.h"
#include "base/str.h"

#include <flint/fmpq.h>

enum { EXPR_MAX_DEPTH = 600, EXPR_MAX_NODES = 20000, EXPR_MAX_REWRITTEN = 200000 };

enum expr_op {
    EX_NUM,   /* q; digits > 0: a decimal literal of so many significant digits; name: as written */
    EX_SYM,   /* a variable: name, subscripts and primes included */
    EX_CONST, /* id: enum expr_const */
    EX_TEXT,  /* words: name, blanks single */
    EX_ADD,   /* kids */
    EX_MUL,   /* kids */
    EX_NEG,   /* one kid */
    EX_DIV,   /* two kids */
    EX_POW,   /* two kids */
    EX_PM,    /* plus-minus: one kid (sign) or two; id 1: minus-plus */
    EX_FUNC,  /* id: enum expr_func; kids: arguments */
    EX_CALL,  /* an unknown function: name; kids: arguments */
    EX_BIGOP, /* sum, product, integral, limit: name; kids: body, lower, upper (as far as given) */
    EX_UNIT,  /* one kid with unit: name, canonical (unit.c) */
    EX_PERCENT, /* one kid */
    EX_DEGREE,  /* one kid; also minutes (id 1) and seconds (id 2) of arc */
    EX_LIST,    /* bare list: kids; id: enum expr_conn */
    EX_SET,     /* braces: kids */
    EX_BUILDER, /* set builder: kids: element, condition(s) */
    EX_SEQ,     /* tuple or interval: kids; open, close: the brackets */
    EX_SETOP,   /* union, intersection, difference: id 'u', 'n', '-' */
    EX_MATRIX,  /* kids row by row; rows, cols */
    EX_CASES,   /* kids: value, condition, value, condition, ...; a missing condition is EX_TEXT */
    EX_REL,     /* a chain: kids; rel[i] stands between kid i and kid i + 1 */
    EX_RATIO,   /* a : b : c */
    EX_RESIDUE, /* kids: value, modulus */
    EX_EMPTY,   /* an empty cell */
};

enum expr_const {
    CONST_PI,
    CONST_E,
    CONST_I,
    CONST_INF,
    CONST_EMPTY,
    CONST_REALS,
    CONST_INTEGERS,
    CONST_RATIONALS,
    CONST_NATURALS,
    CONST_COMPLEX,
    CONST_UNDEFINED,
    CONST_DOTS,
};

enum expr_conn { CONN_COMMA, CONN_AND, CONN_OR, CONN_SEMI };

enum expr_rel {
    REL_EQ,
    REL_NE,
    REL_LT,
    REL_LE,
    REL_GT,
    REL_GE,
    REL_APPROX,
    REL_IN,
    REL_EQUIV,
    REL_OTHER,
};

enum expr_func {
    FN_SIN,
    FN_COS,
    FN_TAN,
    FN_COT,
    FN_SEC,
    FN_CSC,
    FN_ASIN,
    FN_ACOS,
    FN_ATAN,
    FN_ACOT,
    FN_ASEC,
    FN_ACSC,
    FN_SINH,
    FN_COSH,
    FN_TANH,
    FN_COTH,
    FN_SECH,
    FN_CSCH,
    FN_ASINH,
    FN_ACOSH,
    FN_ATANH,
    FN_EXP,
    FN_LN,
    FN_LOG, /* LOG: argument, base */
    FN_SQRT,
    FN_ROOT, /* ROOT: argument, index */
    FN_ABS,
    FN_FLOOR,
    FN_CEIL,
    FN_FACT,
    FN_FACT2,
    FN_BINOM,
    FN_GCD,
    FN_LCM,
    FN_MAX,
    FN_MIN,
    FN_MOD,
    FN_CIS,
    FN_RE,
    FN_IM,
    FN_ARG,
    FN_CONJ,
    FN_SGN,
    FN_GAMMA,
    FN_DET,
    FN_N,
};

enum expr_flag {
    EXPR_PAREN = 1,    /* stood in parentheses of its own */
    EXPR_FRACTION = 2, /* written as a fraction of two plain positive integers */
    EXPR_LITERAL = 4,  /* a number as written, neither computed nor in parentheses */
    EXPR_CURLY = 8,    /* a set written with plain braces */
    EXPR_TEXTUAL = 16, /* came from \text or a like command */
    EXPR_BRACKET = 32, /* stood in square brackets of its own */
};

struct expr {
    uint8_t op, id, flags, open, close;
    int n, digits, depth;
    int rows, cols;
    struct expr **kid;
    const uint8_t *rel;
    struct str name;
    fmpq *q;
};

/* What stops a tree from growing: both counts are checked by every maker. */
struct expr_pool {
    struct arena *arena;
    int n_nodes;  /* over EXPR_MAX_NODES the pool is full; a reader of several texts sets it back */
    bool is_full; /* too many nodes or too deep; makers go on returning nodes, the reader must check
                   */
};

struct expr *expr_new(struct expr_pool *p, enum expr_op op, int id, struct expr *const *kids,
                      int n);
struct expr *expr_num_si(struct expr_pool *p, long num, unsigned long den);
struct expr *expr_num_q(struct expr_pool *p, const fmpq_t q);
struct expr *expr_sym(struct expr_pool *p, struct str name);
struct expr *expr_const(struct expr_pool *p, enum expr_const id);
struct expr *expr_text(struct expr_pool *p, struct str words);
struct expr *expr_un(struct expr_pool *p, enum expr_op op, int id, struct expr *a);
struct expr *expr_bin(struct expr_pool *p, enum expr_op op, int id, struct expr *a, struct expr *b);
/* A chain of one relation. */
struct expr *expr_rel(struct expr_pool *p, enum expr_rel rel, struct expr *a, struct expr *b);
struct expr *expr_with_kids(struct expr_pool *p, const struct expr *like, struct expr *const *kids);
struct expr *expr_flagged(struct expr_pool *p, const struct expr *e, unsigned flags);

/* The numbers inside the arena that hold memory of FLINT go when the arena is reset. */
fmpq *expr_rational(struct expr_pool *p);     /* zero, in the arena */
void expr_keep(struct expr_pool *p, fmpq *q); /* after its value is set */

bool expr_is_const(const struct expr *e, enum expr_const id);
bool expr_is_func(const struct expr *e, enum expr_func id);
bool expr_is_int(const struct expr *e, long value); /* the literal or computed number itself */
bool expr_has_op(const struct expr *e, enum expr_op op);
bool expr_has_const(const struct expr *e, enum expr_const id);
bool expr_has_symbols(const struct expr *e); /* any EX_SYM or EX_CALL */
bool expr_is_arith(
    const struct expr *e); /* numbers, symbols, constants, operations, functions only */

/* One line that tells what was understood; also the canonical form: kids of sums, products and sets
 * in a fixed order, so equal lines mean equal expressions. */
void expr_write(struct buf *out, const struct expr *e);
struct str expr_form(struct arena *a, const struct expr *e);

const char *expr_func_name(enum expr_func id);
const char *expr_kind(const struct expr *e); /* "number", "expression", "set", "interval", ... */
