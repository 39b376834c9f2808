/* latex.h - LaTeX, plain mathematics and damaged LaTeX to an expression tree.
 *
 * Three steps, each linear in the text: cleaning (Unicode mathematics becomes LaTeX commands),
 * tokens (numbers with their grouping, text runs, commands), and a precedence parser whose stack is
 * a data structure, so that nesting costs memory from the arena and never the program's stack. An
 * answer must be read whole: what does not parse is text, and nothing is taken from inside it. */
#pragma once

#include <stdbool.h>

#include "base/str.h"
#include "math/expr.h"

enum {
    LATEX_MAX_TEXT = 1 << 16,
    LATEX_MAX_NESTING = 4096,
};

/* How a text with several readings is read. */
struct latex_reading {
    bool comma_is_list;    /* 1,234 is two numbers, not one */
    bool comma_is_decimal; /* 2,5 is five halves */
    bool e_is_symbol;      /* the letter e is a variable */
    bool i_is_symbol;
    bool j_is_unit;         /* the letters j and I are the imaginary unit */
    bool letter_is_unit;    /* "79 g", "12 m^2": a letter behind a number is a unit */
    bool letter_selects;    /* C_8^3, P(8, 3): selections */
    bool bracket_is_factor; /* \cos x (1 + x): the bracket is none of the argument */
};

/* Valid UTF-8 without control and invisible characters; full-width forms and Unicode mathematics as
 * ASCII and LaTeX; math delimiters at both ends, doubled backslashes and end punctuation removed.
 */
struct str latex_clean(struct arena *a, struct str text);

/* The words of a text: markup removed, blanks single, letter case kept. For comparison as text. */
struct str latex_plain(struct arena *a, struct str cleaned);

/* The tree of a cleaned text, or NULL with *why: "does not parse", "limit reached", "empty". */
struct expr *latex_parse(struct expr_pool *p, struct str cleaned, const struct latex_reading *r,
                         const char **why);

/* --- tokens, shared by the files latex_*.c ---------------------------------------------------- */

enum latex_token_kind {
    TOK_END,
    TOK_NUM,  /* text: digits without grouping; see the fields below */
    TOK_WORD, /* letters */
    TOK_CMD,  /* cmd: row of the command table */
    TOK_OPEN, /* ( [ { and the like; ch */
    TOK_CLOSE,
    TOK_LBRACE, /* braces that only group */
    TOK_RBRACE,
    TOK_OP,    /* ch: + - * / ^ _ ! ' = < > , ; : | & */
    TOK_ROW,   /* \\ in an environment */
    TOK_BEGIN, /* text: the environment's name */
    TOK_ENDENV,
};

enum latex_class {
    CMD_FUNC,
    CMD_CONST,
    CMD_SYMBOL,
    CMD_REL,
    CMD_FRAC,
    CMD_BINOM,
    CMD_SQRT,
    CMD_PLUSMINUS,
    CMD_TIMES,
    CMD_SETOP,
    CMD_OVER,
    CMD_CHOOSE,
    CMD_BMOD,
    CMD_PMOD,
    CMD_BIGOP,
    CMD_DEGREE,
    CMD_PRIME,
    CMD_PERCENT,
    CMD_MONEY,
    CMD_STYLE,
    CMD_IGNORE,
    CMD_IGNORE_ARG,
    CMD_TEXT,
    CMD_BLACKBOARD,
    CMD_OPEN,
    CMD_CLOSE,
    CMD_NAME, /* \angle, \triangle: part of a name */
    CMD_AND,
    CMD_OR,
    CMD_SETMID,
    CMD_QUAD,
    CMD_DOTS,
    CMD_NOT,
    CMD_COLOR,
    CMD_BOXED,
    CMD_ACCENT,
};

struct latex_command {
    const char *name;
    enum latex_class cls;
    int id;
};

struct latex_token {
    uint8_t kind;
    char ch;
    bool blank_before, is_text;
    const struct latex_command *cmd;
    struct str text; /* NUM: digits and point; WORD: the letters; CMD of class SYMBOL: its name */
    size_t from, to; /* in the cleaned text */
    int exponent;    /* NUM: times ten to this */
    int n_repeat;    /* NUM: so many last digits repeat */
    bool is_plain;   /* NUM: digits only, as written */
    bool has_base;   /* NUM: letters are digits; a base follows */
};

struct latex_tokens {
    struct latex_token *tok;
    int n;
    bool has_commands; /* a backslash command with a name occurs */
    bool is_bad;       /* something that no formula holds */
};

void latex_tokenize(struct arena *a, struct str cleaned, const struct latex_reading *r,
                    struct latex_tokens *out);
const struct latex_command *latex_command_find(struct str name);
const struct latex_command *latex_word_find(
    struct str word); /* machine names: sqrt, sin, pi, ... */
