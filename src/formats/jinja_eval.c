/* jinja_eval.c - expressions to values. */
#include "formats/jinja_render.h"

static bool eval_list(struct render *r, const struct node *n, struct value *out)
{
    size_t n_items = (size_t)n->list.n;

    if (!(n->kind == NODE_LIST ? value_list(r, n_items, out) : value_tuple(r, n_items, out)))
        return false;
    for (int i = 0; i < n->list.n; i++)
        if (!eval(r, n->list.items[i], &out->list->items[i]))
            return false;
    out->list->n = n_items;
    return true;
}

static bool eval_dict(struct render *r, const struct node *n, struct value *out)
{
    if (!value_dict(r, (size_t)n->list.n / 2, out))
        return false;
    for (int i = 0; i < n->list.n; i += 2) {
        struct value key, v;

        if (!eval(r, n->list.items[i], &key) || !eval(r, n->list.items[i + 1], &v))
            return false;
        r->at = n->list.items[i]->at;
        if (!dict_set(r, out->dict, key, v))
            return false;
    }
    return true;
}

static bool eval_slice(struct render *r, const struct node *n, struct value object,
                       struct value *out)
{
    const struct node *const parts[3] = {n->slice.start, n->slice.stop, n->slice.step};
    struct value bounds[3] = {0};

    for (int i = 0; i < 3; i++)
        if (parts[i] && !eval(r, parts[i], &bounds[i]))
            return false;
    r->at = n->at;
    return op_slice(r, object, bounds, out);
}

static bool eval_item(struct render *r, const struct node *n, struct value *out)
{
    struct value object, key;

    if (!eval(r, n->left, &object))
        return false;
    if (n->right->kind == NODE_SLICE)
        return eval_slice(r, n->right, object, out);
    if (!eval(r, n->right, &key))
        return false;
    r->at = n->at;
    return op_getitem(r, object, key, out);
}

static bool eval_attr(struct render *r, const struct node *n, struct value *out)
{
    struct value object;

    if (!eval(r, n->attr.object, &object))
        return false;
    r->at = n->at;
    return op_getattr(r, object, n, out);
}

/* object.method(...): called without making the bound method first. */
static bool eval_method_call(struct render *r, const struct node *n, struct value *out)
{
    const struct node *callee = n->call.callee;
    struct value object, f;
    struct args args;
    const struct builtin *fn;

    if (!eval(r, callee->attr.object, &object))
        return false;
    fn = object.type == VALUE_STR    ? callee->attr.str_fn
         : object.type == VALUE_DICT ? callee->attr.dict_fn
         : object.type == VALUE_LIST ? callee->attr.list_fn
                                     : NULL;
    r->at = callee->at;
    if (!fn && !op_getattr(r, object, callee, &f))
        return false;
    if (!call_args(r, &n->call.args, &args))
        return false;
    r->at = callee->at;
    return fn ? call_builtin(r, fn, object, &args, out) : call_value(r, f, &args, out);
}

static bool eval_call(struct render *r, const struct node *n, struct value *out)
{
    struct value f;
    struct args args;

    if (n->call.callee->kind == NODE_ATTR)
        return eval_method_call(r, n, out);
    if (!eval(r, n->call.callee, &f) || !call_args(r, &n->call.args, &args))
        return false;
    r->at = n->call.callee->at;
    return call_value(r, f, &args, out);
}

bool eval_filter_on(struct render *r, const struct node *n, struct value subject, struct value *out)
{
    struct args args;

    if (!call_args(r, &n->apply.args, &args))
        return false;
    r->at = n->at;
    if (n->apply.fn)
        return call_builtin(r, n->apply.fn, subject, &args, out);
    return call_filter(r, n->apply.name, subject, &args, out);
}

static bool eval_filter(struct render *r, const struct node *n, struct value *out)
{
    struct value subject;

    return eval(r, n->apply.subject, &subject) && eval_filter_on(r, n, subject, out);
}

static bool eval_test(struct render *r, const struct node *n, struct value *out)
{
    struct value subject;
    struct args args;
    bool truth;

    if (!eval(r, n->apply.subject, &subject) || !call_args(r, &n->apply.args, &args))
        return false;
    r->at = n->at;
    if (n->apply.fn)
        return call_builtin(r, n->apply.fn, subject, &args, out);
    if (!call_test(r, n->apply.name, subject, &args, &truth))
        return false;
    *out = value_bool(truth);
    return true;
}

static bool eval_logic(struct render *r, const struct node *n, struct value *out)
{
    bool truth;

    if (!eval(r, n->left, out) || !value_truth(r, *out, &truth))
        return false;
    return truth == (n->kind == NODE_OR) || eval(r, n->right, out);
}

static bool eval_not(struct render *r, const struct node *n, struct value *out)
{
    struct value v;
    bool truth;

    if (!eval(r, n->left, &v) || !value_truth(r, v, &truth))
        return false;
    *out = value_bool(!truth);
    return true;
}

static bool eval_binary(struct render *r, const struct node *n, struct value *out)
{
    struct value a, b;

    if (!eval(r, n->left, &a) || !eval(r, n->right, &b))
        return false;
    r->at = n->at;
    return op_binary(r, n->kind, a, b, out);
}

static bool eval_sign(struct render *r, const struct node *n, struct value *out)
{
    struct value v, minus;

    if (!eval(r, n->left, &v))
        return false;
    r->at = n->at;
    if (!op_negate(r, v, &minus))
        return false;
    *out = n->kind == NODE_NEG ? minus : v.type == VALUE_BOOL ? value_int(v.b) : v;
    return true;
}

static bool eval_concat(struct render *r, const struct node *n, struct value *out)
{
    struct value *parts = render_array(r, (size_t)n->list.n, sizeof(*parts));
    bool is_safe = false;
    size_t mark;

    if (!parts)
        return false;
    for (int i = 0; i < n->list.n; i++) {
        if (!eval(r, n->list.items[i], &parts[i]))
            return false;
        is_safe |= parts[i].is_safe;
    }
    is_safe &= r->autoescape;
    r->at = n->at;
    mark = render_text_begin(r);
    for (int i = 0; i < n->list.n; i++) {
        if (is_safe && !value_escape(r, parts[i], &parts[i]))
            return false;
        if (!print_str(r, &r->scratch, parts[i]))
            return false;
    }
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = is_safe;
    return true;
}

static bool compare_one(struct render *r, enum compare_op op, struct value a, struct value b,
                        bool *out)
{
    static const char *const signs[] = {
        [OP_LT] = "<", [OP_LE] = "<=", [OP_GT] = ">", [OP_GE] = ">="};
    int order;

    switch (op) {
    case OP_EQ:
        return jinja_value_equal(r, a, b, out);
    case OP_NE:
        if (!jinja_value_equal(r, a, b, out))
            return false;
        *out = !*out;
        return true;
    case OP_IN:
        return value_contains(r, a, b, out);
    case OP_NOT_IN:
        if (!value_contains(r, a, b, out))
            return false;
        *out = !*out;
        return true;
    default:
        if (!value_compare(r, a, b, signs[op], &order))
            return false;
        *out = order != 2 && (op == OP_LT   ? order < 0
                              : op == OP_LE ? order <= 0
                              : op == OP_GT ? order > 0
                                            : order >= 0);
        return true;
    }
}

/* a < b < c compares a with b and, if that holds, b with c. */
static bool eval_compare(struct render *r, const struct node *n, struct value *out)
{
    struct value left, right;
    bool holds = true;

    if (!eval(r, n->compare.first, &left))
        return false;
    for (int i = 0; i < n->compare.n && holds; i++) {
        if (!eval(r, n->compare.rest[i].right, &right))
            return false;
        r->at = n->at;
        if (!compare_one(r, n->compare.rest[i].op, left, right, &holds))
            return false;
        left = right;
    }
    *out = value_bool(holds);
    return true;
}

static bool eval_cond(struct render *r, const struct node *n, struct value *out)
{
    struct value test;
    bool truth;

    if (!eval(r, n->cond.test, &test) || !value_truth(r, test, &truth))
        return false;
    if (truth)
        return eval(r, n->cond.then, out);
    if (n->cond.otherwise)
        return eval(r, n->cond.otherwise, out);
    return value_undefined(r, "", STR("the inline if was false and has no else"), out);
}

static bool eval_deeper(struct render *r, const struct node *n, struct value *out)
{
    switch (n->kind) {
    case NODE_LIST:
    case NODE_TUPLE:
        return eval_list(r, n, out);
    case NODE_DICT:
        return eval_dict(r, n, out);
    case NODE_ATTR:
        return eval_attr(r, n, out);
    case NODE_ITEM:
        return eval_item(r, n, out);
    case NODE_CALL:
        return eval_call(r, n, out);
    case NODE_FILTER:
        return eval_filter(r, n, out);
    case NODE_TEST:
        return eval_test(r, n, out);
    case NODE_NOT:
        return eval_not(r, n, out);
    case NODE_NEG:
    case NODE_POS:
        return eval_sign(r, n, out);
    case NODE_AND:
    case NODE_OR:
        return eval_logic(r, n, out);
    case NODE_CONCAT:
        return eval_concat(r, n, out);
    case NODE_COMPARE:
        return eval_compare(r, n, out);
    case NODE_COND:
        return eval_cond(r, n, out);
    default:
        return eval_binary(r, n, out);
    }
}

bool eval(struct render *r, const struct node *n, struct value *out)
{
    bool is_good;

    if (n->kind == NODE_CONST) {
        *out = n->value;
        return true;
    }
    if (!render_spend(r, 1))
        return false;
    r->at = n->at;
    if (n->kind == NODE_NAME)
        return scope_get(r, n->symbol, out);
    is_good = render_enter(r) && eval_deeper(r, n, out);
    r->depth--;
    return is_good;
}

/* --- assignment ------------------------------------------------------------------------------- */

static bool assign_parts(struct render *r, const struct node *target, struct value v)
{
    struct list *items;

    r->at = target->at;
    if (!value_items(r, v, &items))
        return false;
    if (items->n != (size_t)target->list.n)
        return render_fail(r, "%zu values cannot be unpacked into %d names", items->n,
                           target->list.n);
    for (int i = 0; i < target->list.n; i++)
        if (!render_assign(r, target->list.items[i], items->items[i]))
            return false;
    return true;
}

bool render_assign(struct render *r, const struct node *target, struct value v)
{
    struct value ns;

    if (target->kind == NODE_NAME)
        return scope_set(r, target->symbol, v);
    if (target->kind != NODE_NAMESPACE_REF)
        return assign_parts(r, target, v);
    r->at = target->at;
    if (!scope_get(r, target->attr.ns_symbol, &ns))
        return false;
    if (ns.type != VALUE_NAMESPACE)
        return render_fail(
            r, "only an attribute of a namespace can be set, and '" STR_FMT "' is a %s",
            STR_ARG(r->t->symbol_names[target->attr.ns_symbol]), value_type_name(ns));
    return dict_set(r, ns.dict, value_str(target->attr.name), v);
}
