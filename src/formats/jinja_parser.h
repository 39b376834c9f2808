/* jinja_parser.h - the parser's state, shared by statements and expressions. Private to
 * jinja_parse.c and jinja_expr.c. */
#pragma once

#include "formats/jinja_tree.h"

struct parser {
    struct jinja *t;
    const struct token *tokens;
    size_t at;
    int depth;                     /* of nested expressions and statements */
    int loop_depth;                /* break and continue are allowed above 0 */
    struct macro_node *macros[64]; /* that enclose this place, outermost first */
    int n_macros;
    struct for_node *loops[64];
    int n_loops;
    struct err *e;
};

enum { MAX_NESTING = 200 };

/* Always false; the place is that of the current token, or `at`. */
bool parse_fail(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool parse_fail_at(struct parser *p, uint32_t at, const char *fmt, ...) PRINTF_LIKE(3, 4);

const struct token *peek(const struct parser *p);
const struct token *peek_next(const struct parser *p);
const struct token *take(struct parser *p);
bool is_kind(const struct parser *p, enum token_kind kind);
bool jinja_is_name(const struct parser *p, const char *name);
bool skip_kind(struct parser *p, enum token_kind kind);
bool skip_name(struct parser *p, const char *name);
bool expect(struct parser *p, enum token_kind kind, const char *what) MUST_CHECK;
bool parse_enter(struct parser *p) MUST_CHECK; /* leave by p->depth-- */

struct node *node_new(struct parser *p, enum node_kind kind, uint32_t at);
void nodes_push(struct parser *p, struct nodes *list, struct node *n);
int jinja_parse_symbol(struct parser *p, struct str name);

/* What follows `for ... in` and `if` takes no inline if, as in Jinja2. */
enum inline_if { WITH_INLINE_IF, WITHOUT_INLINE_IF };

bool parse_expression(struct parser *p, struct node **out) MUST_CHECK;
/* One expression, or several with commas as a tuple. `stop` (may be NULL) is a name that ends it.
 */
bool parse_tuple(struct parser *p, enum inline_if k, const char *stop,
                 struct node **out) MUST_CHECK;
enum target_kind { TARGET_ANY, TARGET_WITH_NAMESPACE };
bool parse_target(struct parser *p, enum target_kind k, const char *stop,
                  struct node **out) MUST_CHECK;
bool parse_name_target(struct parser *p, struct node **out) MUST_CHECK;
/* A chain of filters on `subject`; at_name: the first one comes without its "|". */
bool parse_filters(struct parser *p, struct node *subject, bool at_name,
                   struct node **out) MUST_CHECK;
