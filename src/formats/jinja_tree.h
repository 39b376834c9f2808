/* jinja_tree.h - the parsed template. Private to jinja_*.c.
 *
 * Nodes live in the arena of their template and never change after parsing. `at` is the byte in the
 * normalised source from which line and column are told. */
#pragma once

#include "base/arena.h"
#include "base/map.h"
#include "formats/jinja.h"
#include "formats/jinja_value.h"

enum node_kind {
    /* expressions */
    NODE_CONST,
    NODE_NAME,
    NODE_LIST,
    NODE_TUPLE,
    NODE_DICT,
    NODE_ATTR,
    NODE_ITEM,
    NODE_SLICE,
    NODE_CALL,
    NODE_FILTER,
    NODE_TEST,
    NODE_NOT,
    NODE_NEG,
    NODE_POS,
    NODE_AND,
    NODE_OR,
    NODE_ADD,
    NODE_SUB,
    NODE_MUL,
    NODE_DIV,
    NODE_FLOORDIV,
    NODE_MOD,
    NODE_POW,
    NODE_CONCAT,
    NODE_COMPARE,
    NODE_COND,
    NODE_NAMESPACE_REF, /* ns.x as a target of set */
    /* statements */
    NODE_DATA,
    NODE_PRINT,
    NODE_DO,
    NODE_IF,
    NODE_FOR,
    NODE_SET,
    NODE_SET_BLOCK,
    NODE_MACRO,
    NODE_CALL_BLOCK,
    NODE_FILTER_BLOCK,
    NODE_WITH,
    NODE_SCOPE, /* a body with a scope of its own */
    NODE_AUTOESCAPE,
    NODE_BREAK,
    NODE_CONTINUE,
};

enum compare_op { OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE, OP_IN, OP_NOT_IN };

struct nodes {
    struct node **items;
    int n;
};

struct keyword_arg {
    struct str name;
    struct node *value;
};

struct call_args {
    struct nodes pos;
    struct keyword_arg *named;
    int n_named;
    struct node *star, *star_star; /* *args, **kwargs */
};

struct comparison {
    enum compare_op op;
    struct node *right;
};

struct if_arm {
    struct node *test; /* NULL: else */
    struct nodes body;
};

struct for_node {
    struct node *target, *iter, *test;
    struct nodes body, otherwise;
    bool is_recursive;
    bool uses_loop; /* the body names `loop` somewhere */
};

struct macro_node {
    struct str name;
    int symbol;
    int *params; /* symbols */
    int n_params;
    struct node **defaults; /* of the last n_defaults parameters */
    int n_defaults;
    struct nodes body;
    bool uses_caller, uses_kwargs, uses_varargs;
    bool has_caller_param;
};

struct with_node {
    struct node **targets, **values;
    int n;
    struct nodes body;
};

struct node {
    enum node_kind kind;
    uint32_t at;
    union {
        struct value value; /* CONST, DATA */
        int symbol;         /* NAME */
        struct nodes list;  /* LIST, TUPLE, CONCAT, DICT (key, value, key, ...), PRINT */
        struct {
            struct node *left, *right; /* binary; ITEM: object, index; NOT, NEG, POS, DO: left */
        };
        struct {
            struct node *object;
            struct str name;
            int ns_symbol;                                    /* NAMESPACE_REF */
            const struct builtin *str_fn, *list_fn, *dict_fn; /* methods of this name, or NULL */
        } attr;
        struct {
            struct node *start, *stop, *step;
        } slice;
        struct {
            struct node *callee;
            struct call_args args;
        } call;
        struct {
            struct node *subject; /* NULL: the text of the enclosing block */
            struct str name;
            const struct builtin *fn; /* NULL: not one of ours; asked again when it runs */
            struct call_args args;
        } apply; /* FILTER, TEST */
        struct {
            struct node *first;
            struct comparison *rest;
            int n;
        } compare;
        struct {
            struct node *test, *then, *otherwise; /* otherwise may be NULL */
        } cond;
        struct {
            struct if_arm *arms;
            int n;
        } branch; /* IF */
        struct for_node *loop;
        struct {
            struct node *target, *value; /* SET_BLOCK: value is a chain of filters, or NULL */
            struct nodes body;
        } set;
        struct macro_node *macro;
        struct {
            struct macro_node *macro;
            struct node *call;
        } call_block;
        struct {
            struct node *filter; /* FILTER_BLOCK; AUTOESCAPE: the switch */
            struct nodes body;
        } block; /* SCOPE too */
        struct with_node *with;
    };
};

struct jinja {
    struct arena arena;
    const char *name;
    struct str source; /* newlines normalised, the last one dropped if so set */
    struct jinja_settings settings;
    struct nodes body;
    struct map symbols; /* variable names to 0 .. n_symbols - 1 */
    int n_symbols;
    struct str *symbol_names;
};

/* --- tokens
 * --------------------------------------------------------------------------------------- */

enum token_kind {
    TOKEN_END,
    TOKEN_DATA,
    TOKEN_PRINT_BEGIN,
    TOKEN_PRINT_END,
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_NAME,
    TOKEN_STRING, /* text is unescaped */
    TOKEN_INT,
    TOKEN_FLOAT,
    TOKEN_ADD,
    TOKEN_SUB,
    TOKEN_MUL,
    TOKEN_DIV,
    TOKEN_FLOORDIV,
    TOKEN_MOD,
    TOKEN_POW,
    TOKEN_TILDE,
    TOKEN_LPAREN,
    TOKEN_RPAREN,
    TOKEN_LBRACKET,
    TOKEN_RBRACKET,
    TOKEN_LBRACE,
    TOKEN_RBRACE,
    TOKEN_EQ,
    TOKEN_NE,
    TOKEN_LT,
    TOKEN_LE,
    TOKEN_GT,
    TOKEN_GE,
    TOKEN_ASSIGN,
    TOKEN_DOT,
    TOKEN_COLON,
    TOKEN_PIPE,
    TOKEN_COMMA,
    TOKEN_SEMICOLON,
};

struct token {
    enum token_kind kind;
    uint32_t at;
    struct str text;
    union {
        int64_t i;
        double f;
    };
};

struct tokens {
    struct token *items; /* the last is TOKEN_END */
    size_t n;
};

/* t->source to tokens, in t->arena. */
bool jinja_lex(struct jinja *t, struct tokens *out, struct err *e) MUST_CHECK;
bool jinja_parse_tokens(struct jinja *t, struct tokens *tokens, struct err *e) MUST_CHECK;

/* The place of a byte, from 1; columns count code points. The line is cut around the column to at
 * most about 100 bytes and cleaned of control characters. */
void jinja_place(const struct jinja *t, uint32_t at, int *line, int *column);
/* Sets "name:line:column: message, in `line`". Always false. */
bool jinja_fail_at(const struct jinja *t, uint32_t at, enum err_code code, struct str message,
                   struct err *e);
