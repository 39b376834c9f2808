/* jinja_render.h - one rendering under way. Private to jinja_*.c.
 *
 * Every function that returns false has set the error of the rendering, which then unwinds. Scratch
 * text is a stack: whoever takes a mark adds at the end and cuts back to it. */
#pragma once

#include "base/arena.h"
#include "formats/jinja.h"
#include "formats/jinja_tree.h"
#include "formats/jinja_value.h"

struct binding {
    int symbol;
    struct value value;
};

/* The variables of one body. Reading goes outwards, writing stays here. */
struct scope {
    struct scope *parent;
    struct binding *vars;
    int n, cap;
    bool is_captured; /* a macro holds on to it, so a loop may not use it again */
};

struct macro {
    const struct macro_node *node;
    struct scope *scope; /* where it was defined */
};

struct loop {
    struct list *items;
    size_t at; /* of the current item */
    int64_t depth;
    const struct node *node; /* the for statement */
    struct scope *scope;     /* outside its body */
    struct list *last_changed;
};

struct render {
    const struct jinja *t;
    const struct jinja_data *data;
    struct arena arena;
    struct buf *out; /* the caller's, or &scratch while text is being caught */
    struct buf scratch;
    struct scope *scope;   /* NULL: the template's own level, that is `globals` */
    struct value *globals; /* by symbol; VALUE_ABSENT: undefined */
    int64_t steps_left;
    int depth, max_depth;
    size_t max_output;
    uint32_t at; /* the byte of the source that an error would name */
    bool autoescape;
    uint64_t random_state;
    struct jinja_fault *fault;
    struct err *e;
};

/* Always false. */
bool render_fail(struct render *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool render_limit(struct render *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool render_refuse(struct render *r, struct str message);
bool render_spend(struct render *r, size_t work) MUST_CHECK; /* counts work against max_steps */
bool render_enter(struct render *r) MUST_CHECK; /* one level deeper; leave by r->depth-- */
void *render_alloc(struct render *r, size_t n_bytes) MUST_CHECK; /* NULL: failed */
void *render_array(struct render *r, size_t n, size_t size) MUST_CHECK;

/* Text built piece by piece. render_text_end turns what was added since the mark into a string. */
size_t render_text_begin(struct render *r);
bool render_text_end(struct render *r, size_t mark, struct value *out) MUST_CHECK;
/* printf into a string of the rendering. */
bool render_format(struct render *r, struct value *out, const char *fmt, ...)
    PRINTF_LIKE(3, 4) MUST_CHECK;

/* --- variables (jinja_scope.c) ---------------------------------------------------------------- */
bool scope_push(struct render *r) MUST_CHECK;
void scope_pop(struct render *r);
void scope_capture(struct render *r); /* a closure is made of the current scope */
bool scope_set(struct render *r, int symbol, struct value v) MUST_CHECK;
bool scope_get(struct render *r, int symbol,
               struct value *out) MUST_CHECK; /* undefined if nowhere */

/* --- expressions (jinja_eval.c) --------------------------------------------------------------- */
bool eval(struct render *r, const struct node *n, struct value *out) MUST_CHECK;
bool eval_filter_on(struct render *r, const struct node *n, struct value subject,
                    struct value *out) MUST_CHECK;
bool render_assign(struct render *r, const struct node *target, struct value v) MUST_CHECK;

/* --- operators (jinja_ops.c) ------------------------------------------------------------------ */
bool op_binary(struct render *r, enum node_kind op, struct value a, struct value b,
               struct value *out) MUST_CHECK;
bool op_negate(struct render *r, struct value v, struct value *out) MUST_CHECK;
bool op_getattr(struct render *r, struct value object, const struct node *attr,
                struct value *out) MUST_CHECK;
bool op_attribute(struct render *r, struct value object, struct str name,
                  struct value *out) MUST_CHECK; /* no keys */
bool op_getitem(struct render *r, struct value object, struct value key,
                struct value *out) MUST_CHECK;
bool op_slice(struct render *r, struct value object, const struct value bounds[3],
              struct value *out) MUST_CHECK;
bool op_undefined(struct render *r, struct value v); /* the error of using it; always false */

/* --- calls (jinja_call.c) --------------------------------------------------------------------- */
struct named_arg {
    struct str name;
    struct value value;
};

struct args {
    struct value *pos;
    int n_pos;
    struct named_arg *named;
    int n_named;
};

#define MAX_PARAMS 6

/* A builtin call with its arguments sorted into the slots of its parameters. */
struct call {
    const struct builtin *fn;
    struct value self;            /* what is filtered, tested or asked */
    struct value arg[MAX_PARAMS]; /* VALUE_ABSENT where not given */
    const struct args *args;      /* as passed, for functions of any number of arguments */
};

/* params: names in order, one blank between; "!" after a name: must be given; "*": no sorting. */
struct builtin {
    const char *name;
    const char *params;
    bool (*fn)(struct render *r, struct call *c, struct value *out);
};

bool call_args(struct render *r, const struct call_args *a, struct args *out) MUST_CHECK;
bool call_value(struct render *r, struct value f, const struct args *a,
                struct value *out) MUST_CHECK;
bool call_builtin(struct render *r, const struct builtin *fn, struct value self,
                  const struct args *a, struct value *out) MUST_CHECK;
bool call_macro(struct render *r, const struct macro *m, const struct args *a,
                struct value *out) MUST_CHECK;
bool call_filter(struct render *r, struct str name, struct value self, const struct args *a,
                 struct value *out) MUST_CHECK;
bool call_test(struct render *r, struct str name, struct value self, const struct args *a,
               bool *out) MUST_CHECK;

/* Arguments of builtins, with the words of the error. Absent ones give `otherwise`. */
bool arg_int(struct render *r, struct call *c, int i, int64_t otherwise, int64_t *out) MUST_CHECK;
bool arg_bool(struct render *r, struct call *c, int i, bool otherwise, bool *out) MUST_CHECK;
bool arg_str(struct render *r, struct call *c, int i, const char *otherwise,
             struct str *out) MUST_CHECK;

/* --- statements (jinja_exec.c) ---------------------------------------------------------------- */
enum flow { FLOW_NEXT, FLOW_BREAK, FLOW_CONTINUE };
bool exec_body(struct render *r, const struct nodes *body, enum flow *flow) MUST_CHECK;
bool exec_for(struct render *r, const struct node *n, struct value iter, int64_t depth,
              enum flow *flow) MUST_CHECK;
bool exec_recursion(struct render *r, struct loop *loop, struct value iter,
                    struct value *out) MUST_CHECK;

/* --- printing (jinja_print.c) ----------------------------------------------------------------- */
bool print_str(struct render *r, struct buf *out, struct value v) MUST_CHECK;  /* Python's str() */
bool print_repr(struct render *r, struct buf *out, struct value v) MUST_CHECK; /* Python's repr() */
bool print_pretty(struct render *r, struct buf *out,
                  struct value v) MUST_CHECK;      /* pprint.pformat */
void print_escaped(struct buf *out, struct str s); /* HTML */
bool value_to_str(struct render *r, struct value v,
                  struct value *out) MUST_CHECK; /* keeps is_safe */
bool value_text(struct render *r, struct value v, struct str *out) MUST_CHECK;
bool value_escape(struct render *r, struct value v, struct value *out) MUST_CHECK;

struct tojson_style {
    int64_t indent;         /* -1: one line */
    struct str indent_text; /* used when indent is -2 */
    bool ensure_ascii, sort_keys, html;
    struct str item_separator, key_separator;
};
bool print_json(struct render *r, struct buf *out, struct value v,
                const struct tojson_style *s) MUST_CHECK;

/* --- formatting (jinja_format.c) -------------------------------------------------------------- */
bool format_percent(struct render *r, struct value fmt, struct value arg,
                    struct value *out) MUST_CHECK;
bool format_braces(struct render *r, struct value fmt, const struct args *a,
                   struct value *out) MUST_CHECK;

/* --- tables of builtins ----------------------------------------------------------------------- */
const struct builtin *filter_find(struct str name);        /* NULL: none */
const struct builtin *list_filter_find(struct str name);   /* those of jinja_filters_seq.c */
const struct builtin *number_filter_find(struct str name); /* those of jinja_filters_num.c */
const struct builtin *test_find(struct str name);
const struct builtin *global_find(struct str name);
const struct builtin *str_method_find(struct str name);
const struct builtin *list_method_find(struct str name);
const struct builtin *dict_method_find(struct str name);
const struct builtin *loop_method_find(struct str name);
const struct builtin *cycler_method_find(struct str name);
const struct builtin *tuple_method_find(struct str name);
const struct builtin *builtin_find(const struct builtin *table, size_t n, struct str name);

/* A Python path of attributes, "a.b.0": the value that map, sort, groupby and others look at. */
bool attribute_path(struct render *r, struct value object, struct value path,
                    struct value otherwise, struct value *out) MUST_CHECK;
/* sorted(items, key): stable, by precomputed keys. */
bool list_sort(struct render *r, struct list *items, struct list *keys, bool reverse) MUST_CHECK;
bool value_lowered(struct render *r, struct value v,
                   struct value *out) MUST_CHECK; /* strings only */
