/* compare_internal.h - what the files compare*.c and eval_*.c share. */
#pragma once

#include "math/compare.h"
#include "math/expr.h"
#include "math/latex.h"

#include <acb.h>
#include <calcium/ca.h>

enum {
    MAX_EXACT_BITS = 1 << 20, /* of an integer that is computed */
    MAX_VARS = 24,
    STEP_BUDGET = 300000, /* about 50 ms of ball arithmetic */
};

/* What an evaluation came to. Undefined is proven, WIDE asks for more bits, BIG and UNSUPPORTED are
 * for another method. */
enum eval_status { EVAL_OK, EVAL_UNDEFINED, EVAL_UNSUPPORTED, EVAL_BIG, EVAL_WIDE };

enum tri { TRI_NO, TRI_YES, TRI_UNKNOWN };

struct math_ctx {
    struct arena arena; /* of the pair at hand */
    struct expr_pool pool;
    struct math_opts opts;
    long steps;       /* left of the budget */
    ca_ctx_struct ca; /* open only while a pair needs it, so that no pair sees another's fields */
    bool has_ca;
    bool is_principal; /* the imaginary unit occurs: roots take principal values */
    bool log_is_ten;   /* this attempt reads a bare log as the decimal one */
    uint64_t seed;     /* of the points of identity tests: a hash of both texts */
    const char *reason;
    struct str proof;
};

/* --- values ----------------------------------------------------------------------------------- */

/* Variables of one or two expressions, by name; calls of unknown functions and sums without a value
 * count as variables under their canonical form. */
struct vars {
    struct str name[MAX_VARS];
    int n;
    bool is_overfull;
};

struct env {
    const struct vars *vars;
    acb_ptr value; /* one for each variable */
};

enum eval_status eval_rational(struct math_ctx *c, const struct expr *e, fmpq_t out);
enum eval_status eval_ball(struct math_ctx *c, const struct expr *e, const struct env *env,
                           long prec, acb_t out);
enum eval_status eval_exact(struct math_ctx *c, const struct expr *e, ca_t out);

void vars_collect(struct math_ctx *c, const struct expr *e, struct vars *v);
int vars_find(const struct vars *v, struct str name); /* -1: not there */
bool spend(struct math_ctx *c, long steps);           /* false: the budget is used up */

/* Polynomials and rational functions over kernels (eval_poly.c). */
enum tri poly_equal(struct math_ctx *c, const struct expr *a, const struct expr *b);
/* Whether a = 0 and b = 0 are the same equation: proportional numerators; *factor_sign gets the
 * sign of the constant (for inequalities). UNKNOWN when not rational in its variables. */
enum tri poly_proportional(struct math_ctx *c, const struct expr *a, const struct expr *b,
                           int *factor_sign);

/* Products of powers and factorials too large to compute (magnitude.c). */
enum tri magnitude_equal(struct math_ctx *c, const struct expr *a, const struct expr *b);

/* --- comparisons ------------------------------------------------------------------------------ */

enum tri decide(struct math_ctx *c, enum tri t, const char *reason);
enum tri undecided(struct math_ctx *c, const char *reason);

/* Two closed forms or two functions, exactly. */
enum tri value_equal(struct math_ctx *c, const struct expr *a, const struct expr *b);
/* As value_equal, with the decimal rule, or rounding where the options say so. */
enum tri number_match(struct math_ctx *c, const struct expr *gold, const struct expr *pred);
/* -1, 0, 1 in *out; false: not two real constants, or undecided. */
bool value_order(struct math_ctx *c, const struct expr *a, const struct expr *b, int *out);
int infinity_sign(struct math_ctx *c,
                  const struct expr *e); /* 0: finite or not a number; 2: undefined */
bool is_undefined(struct math_ctx *c, const struct expr *e);
enum tri identity_equal(struct math_ctx *c, const struct expr *a, const struct expr *b);
enum tri identity_proportional(struct math_ctx *c, const struct expr *a, const struct expr *b,
                               int *sign);

/* Any two answers. */
enum tri answer_equal(struct math_ctx *c, const struct expr *gold, const struct expr *pred);
enum tri collection_equal(struct math_ctx *c, const struct expr *gold, const struct expr *pred);
enum tri matrix_equal(struct math_ctx *c, const struct expr *gold, const struct expr *pred);
/* A tuple against a sum of unit vectors; UNKNOWN when it is none. */
enum tri vector_equal(struct math_ctx *c, const struct expr *gold, const struct expr *pred);
enum tri relation_equal(struct math_ctx *c, const struct expr *gold, const struct expr *pred);
enum tri quantity_equal(struct math_ctx *c, const struct expr *gold, const struct expr *pred);
bool has_quantity(const struct expr *e); /* a unit, percent or degree at its top */

/* Subsets of the reals (compare_set.c). TRI_UNKNOWN also when one side is none. */
bool is_real_set(struct math_ctx *c, const struct expr *e);
enum tri real_set_equal(struct math_ctx *c, const struct expr *gold, const struct expr *pred);
bool are_line_sets(struct math_ctx *c, const struct expr *a,
                   const struct expr *b); /* else it says UNKNOWN */

/* Text (compare_text.c). Both are cleaned texts. */
enum tri text_equal(struct math_ctx *c, struct str gold, struct str pred);
enum tri words_equal(struct math_ctx *c, struct str gold, struct str pred);
int text_synonym(struct str plain); /* group number of "no solution", "DNE", ...; -1: none */
struct str text_exclusion(struct arena *a, struct str text);
bool text_number(struct str word, long *value);
enum tri choice_equal(struct math_ctx *c, struct str gold, struct str pred);
enum tri time_equal(struct math_ctx *c, struct str gold, struct str pred);

/* Rewriting before comparison (normal.c). */
const struct expr *normal_form(struct math_ctx *c, const struct expr *e);
const struct expr *strip_names(struct math_ctx *c, const struct expr *e, bool *had_name);
bool is_name(const struct expr *e);
