/* latex_parse.h - the parser's stacks, shared by latex.c, latex_reduce.c, latex_number.c,
 * latex_atom.c and latex_word.c. */
#pragma once

#include "math/latex.h"

enum op_kind {
    OP_ADD,
    OP_SUB,
    OP_PM,
    OP_MUL,
    OP_DIV,
    OP_NEG,
    OP_POS,
    OP_SIGN,
    OP_POW,
    OP_FUNC,
    OP_BIGOP,
    OP_REL,
    OP_SETOP,
    OP_COMMA,
    OP_SEMI,
    OP_AND,
    OP_OR,
    OP_COLON,
    OP_OVER,
    OP_CHOOSE,
    OP_MOD,
    OP_PREFIX_UNIT,
    OP_SUCHTHAT,
};

/* Higher binds closer. */
enum {
    PREC_OVER = 5,
    PREC_SEMI = 20,
    PREC_SUCHTHAT = 25,
    PREC_COMMA = 30,
    PREC_RESIDUE = 40,
    PREC_REL = 50,
    PREC_SETOP = 60,
    PREC_COLON = 63,
    PREC_ADD = 70,
    PREC_BIGOP = 72,
    PREC_NEG = 75,
    PREC_MOD = 78,
    PREC_MUL = 80,
    PREC_FUNC = 85,
    PREC_INNER_MUL = 90,
    PREC_POW = 110,
    PREC_NEG_POWER = 120,
};

struct op {
    uint8_t kind, prec, id;
    struct expr *node; /* FUNC, BIGOP: what waits for its argument */
    struct str name;   /* PREFIX_UNIT */
};

enum frame_kind {
    FRAME_ROOT,
    FRAME_BRACKET, /* ( [ ] and \langle */
    FRAME_BRACE,   /* braces that group */
    FRAME_SET,
    FRAME_BAR,
    FRAME_ROUND,   /* floor, ceil */
    FRAME_ARG,     /* braces around an argument of the command below */
    FRAME_ATOM,    /* an argument without braces: the next atom */
    FRAME_OPTION,  /* [n] of \sqrt */
    FRAME_COMMAND, /* a command that collects arguments */
    FRAME_ENV,
};

enum command_kind {
    COMMAND_FRAC,
    COMMAND_BINOM,
    COMMAND_SQRT,
    COMMAND_FUNC,
    COMMAND_CALL,
    COMMAND_BIGOP,
    COMMAND_PMOD
};

struct frame {
    uint8_t kind, open, command, id;
    bool have;           /* an operand stands on top */
    bool is_residue;     /* (mod n) */
    bool has_bar;        /* FRAME_SET: the bar or colon was seen */
    int operands, ops;   /* where this frame's part of the stacks begins */
    int slot;            /* COMMAND: which argument comes next */
    struct expr *arg[4]; /* FRAC, BINOM: 0 and 1; SQRT: 0 index, 1 radicand; FUNC, BIGOP: 0 sub, 1
                            sup, 2 argument */
    int cells, cols, rows;
    size_t from;
    struct str name;
};

struct parser {
    struct expr_pool *pool;
    struct arena *arena;
    struct str src;
    const struct latex_reading *reading;
    struct latex_tokens toks;
    int at;
    bool is_bad, is_limit;
    struct frame *frames;
    int n_frames, cap_frames;
    struct expr **operands;
    int n_operands, cap_operands;
    struct op *ops;
    int n_ops, cap_ops;
    struct expr **cells;
    int n_cells, cap_cells;
};

static inline struct latex_token *tok(const struct parser *ps, int ahead)
{
    int i = ps->at + ahead;

    return &ps->toks.tok[i < ps->toks.n ? i : ps->toks.n - 1];
}

static inline struct frame *top_frame(const struct parser *ps)
{
    return &ps->frames[ps->n_frames - 1];
}

static inline struct expr *top_operand(const struct parser *ps)
{
    return top_frame(ps)->have ? ps->operands[ps->n_operands - 1] : NULL;
}

/* latex_reduce.c: the stacks */
void *parser_grow(struct arena *a, void *old, int n, int *cap,
                  size_t size); /* a copy twice as large */
struct frame *frame_push(struct parser *ps, enum frame_kind kind);
void op_push(struct parser *ps, enum op_kind kind, int prec, int id);
struct op *op_top(const struct parser *ps);     /* of this frame, or NULL */
void reduce_above(struct parser *ps, int prec); /* every operator that binds closer than prec */
void operand_put(struct parser *ps, struct expr *e);     /* without implicit multiplication */
void operand_replace(struct parser *ps, struct expr *e); /* the top one */
bool binary(struct parser *ps, enum op_kind kind, int prec, int id); /* false: no left side */
void modulo(struct parser *ps); /* behind a value: a remainder, or the modulus of a congruence */
void parser_fail(struct parser *ps);
/* Whether the [ at hand is the open end of an interval: ]2, 5[ and [2, 5[. */
bool is_open_end(const struct parser *ps);

/* latex.c */
void deliver(struct parser *ps,
             struct expr *e); /* an atom is complete: to a waiting command or as an operand */

static inline bool is_plain_num(const struct latex_token *t)
{
    return t->kind == TOK_NUM && t->is_plain && !t->has_base;
}

static inline bool is_cls(const struct latex_token *t, enum latex_class cls)
{
    return t->kind == TOK_CMD && t->cmd->cls == cls;
}

/* latex_number.c: numbers, powers, subscripts */
/* The tokens of a script as text without braces and blanks; *end is the token after it. */
struct str script_text(struct parser *ps, int *end);
struct expr *number_of(struct parser *ps, const struct latex_token *t);
void parse_number(struct parser *ps);
void parse_power(struct parser *ps);
void parse_subscript(struct parser *ps);
/* k out of n: without order for the letter C, in order for P and A. */
struct expr *selection(struct parser *ps, char letter, struct expr *n, struct expr *k);
bool parse_base_words(struct parser *ps); /* "base 5", "(in base 5)" behind digits; false: not so */
void postfix_degree(struct parser *ps);

/* latex_atom.c: symbols, calls, commands with arguments */
bool names_function(struct str name); /* f, g, h and the like: f(x) is a call, x(x + 1) a product */
void parse_command(struct parser *ps);
void parse_symbol(struct parser *ps, struct str name, bool may_call);
void command_open(struct parser *ps, enum command_kind kind, int id);
void command_next(struct parser *ps); /* decides what the top command frame waits for */
struct expr *command_result(struct parser *ps, struct frame *f);
void start_function(struct parser *ps, int id);

/* latex_word.c: words, units, connectives */
void parse_word(struct parser *ps);
void apply_unit(struct parser *ps, struct str unit);
struct str gather_unit(struct parser *ps); /* from the tokens at hand */
