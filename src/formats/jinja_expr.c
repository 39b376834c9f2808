/* jinja_expr.c - expressions, by recursive descent in the order of precedence that Jinja2 has:
 * inline if, or, and, not, comparisons, + -, ~, * / // %, ** (to the left), unary signs, primaries
 * with their subscripts and calls, filters and tests. */
#include "formats/jinja_parser.h"
#include "formats/jinja_render.h"

static bool parse_unary(struct parser *p, bool with_filters, struct node **out) MUST_CHECK;
static bool parse_primary(struct parser *p, struct node **out) MUST_CHECK;
static bool parse_call_args(struct parser *p, struct call_args *out) MUST_CHECK;

static struct node *binary(struct parser *p, enum node_kind kind, uint32_t at, struct node *left,
                           struct node *right)
{
    struct node *n = node_new(p, kind, at);

    n->left = left;
    n->right = right;
    return n;
}

static struct node *constant(struct parser *p, uint32_t at, struct value v)
{
    struct node *n = node_new(p, NODE_CONST, at);

    n->value = v;
    return n;
}

/* --- primaries -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    struct value value;
} constants[] = {
    {"true", {.type = VALUE_BOOL, .b = true}},
    {"True", {.type = VALUE_BOOL, .b = true}},
    {"false", {.type = VALUE_BOOL}},
    {"False", {.type = VALUE_BOOL}},
    {"none", {.type = VALUE_NONE}},
    {"None", {.type = VALUE_NONE}},
};

/* The bodies around this place learn which of their special names are read. */
static void note_special_name(struct parser *p, struct str name)
{
    for (int i = 0; i < p->n_macros; i++) {
        p->macros[i]->uses_caller |= str_eqz(name, "caller");
        p->macros[i]->uses_kwargs |= str_eqz(name, "kwargs");
        p->macros[i]->uses_varargs |= str_eqz(name, "varargs");
    }
    if (str_eqz(name, "loop"))
        for (int i = 0; i < p->n_loops; i++)
            p->loops[i]->uses_loop = true;
}

static bool parse_name(struct parser *p, struct node **out)
{
    const struct token *token = take(p);

    for (size_t i = 0; i < LEN(constants); i++)
        if (str_eqz(token->text, constants[i].name)) {
            *out = constant(p, token->at, constants[i].value);
            return true;
        }
    note_special_name(p, token->text);
    *out = node_new(p, NODE_NAME, token->at);
    (*out)->symbol = jinja_parse_symbol(p, token->text);
    return true;
}

static bool parse_string(struct parser *p, struct node **out)
{
    const struct token *first = take(p);
    struct str text = first->text;

    while (is_kind(p, TOKEN_STRING)) { /* neighbours are one string, as in Python */
        struct str more = take(p)->text;

        text = str_fmt(&p->t->arena, STR_FMT STR_FMT, STR_ARG(text), STR_ARG(more));
    }
    *out = constant(p, first->at, value_str(text));
    return true;
}

static bool parse_list(struct parser *p, struct node **out)
{
    struct node *list = node_new(p, NODE_LIST, take(p)->at), *item;

    while (!is_kind(p, TOKEN_RBRACKET)) {
        if (list->list.n > 0 && !expect(p, TOKEN_COMMA, "',' or ']'"))
            return false;
        if (is_kind(p, TOKEN_RBRACKET))
            break;
        if (!parse_expression(p, &item))
            return false;
        nodes_push(p, &list->list, item);
    }
    *out = list;
    return expect(p, TOKEN_RBRACKET, "']'");
}

static bool parse_dict(struct parser *p, struct node **out)
{
    struct node *dict = node_new(p, NODE_DICT, take(p)->at), *key, *value;

    while (!is_kind(p, TOKEN_RBRACE)) {
        if (dict->list.n > 0 && !expect(p, TOKEN_COMMA, "',' or '}'"))
            return false;
        if (is_kind(p, TOKEN_RBRACE))
            break;
        if (!parse_expression(p, &key) || !expect(p, TOKEN_COLON, "':'") ||
            !parse_expression(p, &value))
            return false;
        nodes_push(p, &dict->list, key);
        nodes_push(p, &dict->list, value);
    }
    *out = dict;
    return expect(p, TOKEN_RBRACE, "'}'");
}

static bool is_tuple_end(const struct parser *p, const char *stop)
{
    return is_kind(p, TOKEN_PRINT_END) || is_kind(p, TOKEN_BLOCK_END) || is_kind(p, TOKEN_RPAREN) ||
           (stop && jinja_is_name(p, stop));
}

static bool parse_or(struct parser *p, struct node **out) MUST_CHECK;

/* What a tuple is made of: whole expressions, expressions without inline if, or targets. */
enum element {
    ELEMENT_EXPRESSION,
    ELEMENT_WITHOUT_IF,
    ELEMENT_PRIMARY,
    ELEMENT_PRIMARY_OR_NAMESPACE
};

static bool parse_namespace_ref(struct parser *p, struct node **out)
{
    const struct token *ns = take(p);

    take(p); /* the dot */
    if (!is_kind(p, TOKEN_NAME))
        return parse_fail(p, "expected an attribute of the namespace after '.'");
    *out = node_new(p, NODE_NAMESPACE_REF, ns->at);
    (*out)->attr.ns_symbol = jinja_parse_symbol(p, ns->text);
    (*out)->attr.name = take(p)->text;
    return true;
}

static bool parse_element(struct parser *p, enum element k, struct node **out)
{
    switch (k) {
    case ELEMENT_EXPRESSION:
        return parse_expression(p, out);
    case ELEMENT_WITHOUT_IF:
        return parse_or(p, out);
    case ELEMENT_PRIMARY_OR_NAMESPACE:
        if (is_kind(p, TOKEN_NAME) && peek_next(p)->kind == TOKEN_DOT)
            return parse_namespace_ref(p, out);
        return parse_primary(p, out);
    case ELEMENT_PRIMARY:
        return parse_primary(p, out);
    }
    return false;
}

static bool parse_elements(struct parser *p, enum element k, const char *stop, bool in_brackets,
                           struct node **out)
{
    struct node *tuple = node_new(p, NODE_TUPLE, peek(p)->at), *item;
    bool is_tuple = false;

    for (;;) {
        if (tuple->list.n > 0 && !expect(p, TOKEN_COMMA, "','"))
            return false;
        if (is_tuple_end(p, stop))
            break;
        if (!parse_element(p, k, &item))
            return false;
        nodes_push(p, &tuple->list, item);
        if (!is_kind(p, TOKEN_COMMA))
            break;
        is_tuple = true;
    }
    if (!is_tuple && tuple->list.n == 1) {
        *out = tuple->list.items[0];
        return true;
    }
    if (!is_tuple && !in_brackets)
        return parse_fail(p, "an expression is missing here");
    *out = tuple;
    return true;
}

static bool parse_brackets(struct parser *p, struct node **out)
{
    take(p);
    return parse_elements(p, ELEMENT_EXPRESSION, NULL, true, out) && expect(p, TOKEN_RPAREN, "')'");
}

static bool parse_primary(struct parser *p, struct node **out)
{
    const struct token *token = peek(p);
    bool is_good;

    if (!parse_enter(p))
        return false;
    switch (token->kind) {
    case TOKEN_NAME:
        is_good = parse_name(p, out);
        break;
    case TOKEN_STRING:
        is_good = parse_string(p, out);
        break;
    case TOKEN_INT:
        *out = constant(p, token->at, value_int(take(p)->i));
        is_good = true;
        break;
    case TOKEN_FLOAT:
        *out = constant(p, token->at, value_float(take(p)->f));
        is_good = true;
        break;
    case TOKEN_LPAREN:
        is_good = parse_brackets(p, out);
        break;
    case TOKEN_LBRACKET:
        is_good = parse_list(p, out);
        break;
    case TOKEN_LBRACE:
        is_good = parse_dict(p, out);
        break;
    default:
        is_good = parse_fail(p, "an expression cannot begin here");
    }
    p->depth--;
    return is_good;
}

/* --- subscripts, calls, filters, tests -------------------------------------------------------- */

static bool parse_attr(struct parser *p, struct node *object, struct node **out)
{
    uint32_t at = take(p)->at;
    const struct token *token = peek(p);

    if (token->kind == TOKEN_INT) {
        *out = binary(p, NODE_ITEM, at, object, constant(p, token->at, value_int(take(p)->i)));
        return true;
    }
    if (token->kind != TOKEN_NAME)
        return parse_fail(p, "expected a name or a number after '.'");
    take(p);
    *out = node_new(p, NODE_ATTR, at);
    (*out)->attr.object = object;
    (*out)->attr.name = token->text;
    (*out)->attr.str_fn = str_method_find(token->text);
    (*out)->attr.list_fn = list_method_find(token->text);
    (*out)->attr.dict_fn = dict_method_find(token->text);
    return true;
}

static bool parse_slice_part(struct parser *p, struct node **out)
{
    *out = NULL;
    if (is_kind(p, TOKEN_COLON) || is_kind(p, TOKEN_RBRACKET) || is_kind(p, TOKEN_COMMA))
        return true;
    return parse_expression(p, out);
}

static bool parse_subscribed(struct parser *p, struct node **out)
{
    struct node *start, *slice;
    uint32_t at = peek(p)->at;

    if (!parse_slice_part(p, &start))
        return false;
    if (!is_kind(p, TOKEN_COLON)) {
        *out = start;
        return start || parse_fail(p, "an index is missing here");
    }
    slice = node_new(p, NODE_SLICE, at);
    slice->slice.start = start;
    take(p);
    if (!parse_slice_part(p, &slice->slice.stop))
        return false;
    if (skip_kind(p, TOKEN_COLON) && !parse_slice_part(p, &slice->slice.step))
        return false;
    *out = slice;
    return true;
}

static bool parse_item(struct parser *p, struct node *object, struct node **out)
{
    uint32_t at = take(p)->at;
    struct node *index = NULL, *more, *tuple;

    if (!parse_subscribed(p, &index))
        return false;
    if (is_kind(p, TOKEN_COMMA)) {
        if (index->kind == NODE_SLICE)
            return parse_fail(p, "a slice cannot be one of several indices");
        tuple = node_new(p, NODE_TUPLE, at);
        nodes_push(p, &tuple->list, index);
        while (skip_kind(p, TOKEN_COMMA)) {
            if (!parse_expression(p, &more))
                return false;
            nodes_push(p, &tuple->list, more);
        }
        index = tuple;
    }
    *out = binary(p, NODE_ITEM, at, object, index);
    return expect(p, TOKEN_RBRACKET, "']'");
}

static bool parse_call(struct parser *p, struct node *callee, struct node **out)
{
    struct node *n = node_new(p, NODE_CALL, peek(p)->at);

    n->call.callee = callee;
    *out = n;
    return parse_call_args(p, &n->call.args);
}

static bool parse_postfix(struct parser *p, struct node *n, struct node **out)
{
    int depth = p->depth;

    for (;;) {
        bool is_good;

        if (is_kind(p, TOKEN_DOT))
            is_good = parse_enter(p) && parse_attr(p, n, &n);
        else if (is_kind(p, TOKEN_LBRACKET))
            is_good = parse_enter(p) && parse_item(p, n, &n);
        else if (is_kind(p, TOKEN_LPAREN))
            is_good = parse_enter(p) && parse_call(p, n, &n);
        else
            break;
        if (!is_good)
            return false;
    }
    p->depth = depth;
    *out = n;
    return true;
}

static bool add_keyword(struct parser *p, struct call_args *args, int *cap)
{
    struct keyword_arg *grown;

    if (args->n_named == *cap) {
        *cap = *cap ? *cap * 2 : 4;
        grown = arena_array(&p->t->arena, (size_t)*cap, sizeof(*grown));
        if (args->n_named > 0)
            memcpy(grown, args->named, (size_t)args->n_named * sizeof(*grown));
        args->named = grown;
    }
    args->named[args->n_named].name = take(p)->text;
    take(p); /* the "=" */
    return parse_expression(p, &args->named[args->n_named++].value);
}

static bool parse_call_args(struct parser *p, struct call_args *out)
{
    struct call_args args = {0};
    struct node *value;
    int cap = 0;
    bool is_first = true;

    if (!expect(p, TOKEN_LPAREN, "'('"))
        return false;
    for (; !is_kind(p, TOKEN_RPAREN); is_first = false) {
        if (!is_first && !expect(p, TOKEN_COMMA, "',' or ')'"))
            return false;
        if (is_kind(p, TOKEN_RPAREN))
            break;
        if (is_kind(p, TOKEN_MUL)) {
            if (args.star || args.star_star)
                return parse_fail(p, "a call takes one *list, before a **dict");
            take(p);
            if (!parse_expression(p, &args.star))
                return false;
        } else if (is_kind(p, TOKEN_POW)) {
            if (args.star_star)
                return parse_fail(p, "a call takes one **dict");
            take(p);
            if (!parse_expression(p, &args.star_star))
                return false;
        } else if (is_kind(p, TOKEN_NAME) && peek_next(p)->kind == TOKEN_ASSIGN) {
            if (args.star_star)
                return parse_fail(p, "nothing may follow a **dict");
            if (!add_keyword(p, &args, &cap))
                return false;
        } else {
            if (args.star || args.star_star || args.n_named > 0)
                return parse_fail(p, "an argument without a name cannot follow one with a name");
            if (!parse_expression(p, &value))
                return false;
            nodes_push(p, &args.pos, value);
        }
    }
    *out = args;
    return expect(p, TOKEN_RPAREN, "')'");
}

static bool parse_dotted_name(struct parser *p, const char *what, struct str *out)
{
    if (!is_kind(p, TOKEN_NAME))
        return parse_fail(p, "expected the name of a %s", what);
    *out = take(p)->text;
    while (skip_kind(p, TOKEN_DOT)) {
        struct str more;

        if (!is_kind(p, TOKEN_NAME))
            return parse_fail(p, "expected the name of a %s after '.'", what);
        more = take(p)->text;
        *out = str_fmt(&p->t->arena, STR_FMT "." STR_FMT, STR_ARG(*out), STR_ARG(more));
    }
    return true;
}

bool parse_filters(struct parser *p, struct node *subject, bool at_name, struct node **out)
{
    int depth = p->depth;

    for (; at_name || is_kind(p, TOKEN_PIPE); at_name = false) {
        struct node *n;

        if (!parse_enter(p))
            return false;
        if (!at_name)
            take(p);
        n = node_new(p, NODE_FILTER, peek(p)->at);
        n->apply.subject = subject;
        if (!parse_dotted_name(p, "filter", &n->apply.name))
            return false;
        n->apply.fn = filter_find(n->apply.name);
        if (is_kind(p, TOKEN_LPAREN) && !parse_call_args(p, &n->apply.args))
            return false;
        subject = n;
    }
    p->depth = depth;
    *out = subject;
    return true;
}

static bool begins_test_argument(const struct parser *p)
{
    switch (peek(p)->kind) {
    case TOKEN_NAME:
        return !jinja_is_name(p, "else") && !jinja_is_name(p, "or") && !jinja_is_name(p, "and");
    case TOKEN_STRING:
    case TOKEN_INT:
    case TOKEN_FLOAT:
    case TOKEN_LPAREN:
    case TOKEN_LBRACKET:
    case TOKEN_LBRACE:
        return true;
    default:
        return false;
    }
}

/* After `is not defined`, Jinja2 reads any word but else, or, and as the test's argument. Here the
 * words `if`, `in` and `not` end the test as well: "x is none if y", which Jinja2 refuses. */
static bool ends_test(const struct parser *p)
{
    return jinja_is_name(p, "if") || jinja_is_name(p, "in") || jinja_is_name(p, "not");
}

static bool parse_test(struct parser *p, struct node *subject, struct node **out)
{
    struct node *n = node_new(p, NODE_TEST, take(p)->at), *arg;
    bool is_negated = skip_name(p, "not");

    n->apply.subject = subject;
    if (!parse_dotted_name(p, "test", &n->apply.name))
        return false;
    n->apply.fn = test_find(n->apply.name);
    if (is_kind(p, TOKEN_LPAREN)) {
        if (!parse_call_args(p, &n->apply.args))
            return false;
    } else if (begins_test_argument(p) && !ends_test(p)) {
        if (jinja_is_name(p, "is"))
            return parse_fail(p, "tests cannot be chained with `is`: join them with `and`");
        if (!parse_primary(p, &arg) || !parse_postfix(p, arg, &arg))
            return false;
        nodes_push(p, &n->apply.args.pos, arg);
    }
    *out = is_negated ? binary(p, NODE_NOT, n->at, n, NULL) : n;
    return true;
}

static bool parse_filters_and_tests(struct parser *p, struct node *n, struct node **out)
{
    int depth = p->depth;

    for (;;) {
        bool is_good;

        if (is_kind(p, TOKEN_PIPE))
            is_good = parse_enter(p) && parse_filters(p, n, false, &n);
        else if (jinja_is_name(p, "is"))
            is_good = parse_enter(p) && parse_test(p, n, &n);
        else if (is_kind(p, TOKEN_LPAREN))
            is_good = parse_enter(p) && parse_call(p, n, &n);
        else
            break;
        if (!is_good)
            return false;
    }
    p->depth = depth;
    *out = n;
    return true;
}

/* --- operators -------------------------------------------------------------------------------- */

static bool parse_unary(struct parser *p, bool with_filters, struct node **out)
{
    enum node_kind sign = is_kind(p, TOKEN_SUB) ? NODE_NEG : NODE_POS;
    struct node *n;
    bool is_good;

    if (!parse_enter(p))
        return false;
    if (is_kind(p, TOKEN_SUB) || is_kind(p, TOKEN_ADD)) {
        uint32_t at = take(p)->at;

        is_good = parse_unary(p, false, &n);
        if (is_good)
            n = binary(p, sign, at, n, NULL);
    } else {
        is_good = parse_primary(p, &n);
    }
    is_good =
        is_good && parse_postfix(p, n, &n) && (!with_filters || parse_filters_and_tests(p, n, &n));
    p->depth--;
    *out = is_good ? n : NULL;
    return is_good;
}

struct operator
{
    enum token_kind token;
    enum node_kind node;
};

/* One level of operators to the left: a - b - c is (a - b) - c. */
static bool parse_left(struct parser *p, const struct operator* ops, size_t n_ops,
                       bool (*operand)(struct parser *, struct node **), struct node **out)
{
    int depth = p->depth;
    struct node *left, *right;

    if (!operand(p, &left))
        return false;
    for (;;) {
        const struct operator* op = NULL;
        uint32_t at = peek(p)->at;

        for (size_t i = 0; i < n_ops; i++)
            if (is_kind(p, ops[i].token))
                op = &ops[i];
        if (!op)
            break;
        take(p);
        if (!parse_enter(p) || !operand(p, &right)) /* a chain is as deep a tree as it is long */
            return false;
        left = binary(p, op->node, at, left, right);
    }
    p->depth = depth;
    *out = left;
    return true;
}

static bool parse_signed(struct parser *p, struct node **out)
{
    return parse_unary(p, true, out);
}

static bool parse_pow(struct parser *p, struct node **out)
{
    static const struct operator ops[] = {{TOKEN_POW, NODE_POW}};

    return parse_left(p, ops, LEN(ops), parse_signed, out);
}

static bool parse_product(struct parser *p, struct node **out)
{
    static const struct operator ops[] = {{TOKEN_MUL, NODE_MUL},
                                          {TOKEN_DIV, NODE_DIV},
                                          {TOKEN_FLOORDIV, NODE_FLOORDIV},
                                          {TOKEN_MOD, NODE_MOD}};

    return parse_left(p, ops, LEN(ops), parse_pow, out);
}

static bool parse_concat(struct parser *p, struct node **out)
{
    struct node *first, *more, *n;

    if (!parse_product(p, &first))
        return false;
    *out = first;
    if (!is_kind(p, TOKEN_TILDE))
        return true;
    n = node_new(p, NODE_CONCAT, peek(p)->at);
    nodes_push(p, &n->list, first);
    while (skip_kind(p, TOKEN_TILDE)) {
        if (!parse_product(p, &more))
            return false;
        nodes_push(p, &n->list, more);
    }
    *out = n;
    return true;
}

static bool parse_sum(struct parser *p, struct node **out)
{
    static const struct operator ops[] = {{TOKEN_ADD, NODE_ADD}, {TOKEN_SUB, NODE_SUB}};

    return parse_left(p, ops, LEN(ops), parse_concat, out);
}

static bool take_comparison(struct parser *p, enum compare_op *op)
{
    static const struct {
        enum token_kind token;
        enum compare_op op;
    } signs[] = {{TOKEN_EQ, OP_EQ}, {TOKEN_NE, OP_NE}, {TOKEN_LT, OP_LT},
                 {TOKEN_LE, OP_LE}, {TOKEN_GT, OP_GT}, {TOKEN_GE, OP_GE}};

    for (size_t i = 0; i < LEN(signs); i++)
        if (skip_kind(p, signs[i].token)) {
            *op = signs[i].op;
            return true;
        }
    if (skip_name(p, "in")) {
        *op = OP_IN;
        return true;
    }
    if (jinja_is_name(p, "not") && peek_next(p)->kind == TOKEN_NAME &&
        str_eqz(peek_next(p)->text, "in")) {
        take(p);
        take(p);
        *op = OP_NOT_IN;
        return true;
    }
    return false;
}

static bool parse_compare(struct parser *p, struct node **out)
{
    struct node *n;
    struct comparison *grown;
    uint32_t at;
    enum compare_op op;
    int cap = 0;

    if (!parse_sum(p, out))
        return false;
    at = peek(p)->at;
    if (!take_comparison(p, &op))
        return true;
    n = node_new(p, NODE_COMPARE, at);
    n->compare.first = *out;
    do {
        if (n->compare.n == cap) {
            cap = cap ? cap * 2 : 1;
            grown = arena_array(&p->t->arena, (size_t)cap, sizeof(*grown));
            if (n->compare.n > 0)
                memcpy(grown, n->compare.rest, (size_t)n->compare.n * sizeof(*grown));
            n->compare.rest = grown;
        }
        n->compare.rest[n->compare.n].op = op;
        if (!parse_sum(p, &n->compare.rest[n->compare.n++].right))
            return false;
    } while (take_comparison(p, &op));
    *out = n;
    return true;
}

static bool parse_not(struct parser *p, struct node **out)
{
    uint32_t at = peek(p)->at;
    struct node *n;
    bool is_good;

    if (!jinja_is_name(p, "not"))
        return parse_compare(p, out);
    take(p);
    is_good = parse_enter(p) && parse_not(p, &n);
    if (is_good) {
        p->depth--;
        *out = binary(p, NODE_NOT, at, n, NULL);
    }
    return is_good;
}

/* `and` and `or` are names, not signs. */
static bool parse_words(struct parser *p, const char *word, enum node_kind kind,
                        bool (*operand)(struct parser *, struct node **), struct node **out)
{
    int depth = p->depth;
    struct node *left, *right;

    if (!operand(p, &left))
        return false;
    while (jinja_is_name(p, word)) {
        uint32_t at = take(p)->at;

        if (!parse_enter(p) || !operand(p, &right))
            return false;
        left = binary(p, kind, at, left, right);
    }
    p->depth = depth;
    *out = left;
    return true;
}

static bool parse_and(struct parser *p, struct node **out)
{
    return parse_words(p, "and", NODE_AND, parse_not, out);
}

static bool parse_or(struct parser *p, struct node **out)
{
    return parse_words(p, "or", NODE_OR, parse_and, out);
}

bool parse_expression(struct parser *p, struct node **out)
{
    struct node *n, *cond;
    int depth = p->depth;

    if (!parse_enter(p) || !parse_or(p, &n))
        return false;
    while (jinja_is_name(p, "if")) {
        cond = node_new(p, NODE_COND, take(p)->at);
        cond->cond.then = n;
        if (!parse_enter(p) || !parse_or(p, &cond->cond.test))
            return false;
        if (skip_name(p, "else") && !parse_expression(p, &cond->cond.otherwise))
            return false;
        n = cond;
    }
    p->depth = depth;
    *out = n;
    return true;
}

bool parse_tuple(struct parser *p, enum inline_if k, const char *stop, struct node **out)
{
    return parse_elements(p, k == WITH_INLINE_IF ? ELEMENT_EXPRESSION : ELEMENT_WITHOUT_IF, stop,
                          false, out);
}

/* --- targets ---------------------------------------------------------------------------------- */

static bool check_target(struct parser *p, const struct node *n)
{
    if (n->kind == NODE_NAME || n->kind == NODE_NAMESPACE_REF)
        return true;
    if (n->kind != NODE_TUPLE && n->kind != NODE_LIST)
        return parse_fail_at(p, n->at, "this cannot be assigned to: a name is needed");
    for (int i = 0; i < n->list.n; i++)
        if (!check_target(p, n->list.items[i]))
            return false;
    return true;
}

bool parse_target(struct parser *p, enum target_kind k, const char *stop, struct node **out)
{
    enum element element =
        k == TARGET_WITH_NAMESPACE ? ELEMENT_PRIMARY_OR_NAMESPACE : ELEMENT_PRIMARY;

    return parse_elements(p, element, stop, false, out) && check_target(p, *out);
}

bool parse_name_target(struct parser *p, struct node **out)
{
    if (!is_kind(p, TOKEN_NAME))
        return parse_fail(p, "expected a name");
    return parse_name(p, out) && check_target(p, *out);
}
