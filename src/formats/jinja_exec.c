/* jinja_exec.c - statements: what a template prints and sets. */
#include "formats/jinja_render.h"

static bool exec(struct render *r, const struct node *n, enum flow *flow) MUST_CHECK;

static bool check_output(struct render *r)
{
    if (r->out->failed)
        return render_limit(r, "the template makes a text of more than %zu bytes", r->max_output);
    return true;
}

static bool exec_print(struct render *r, const struct node *n)
{
    struct value v;

    if (!eval(r, n->left, &v))
        return false;
    r->at = n->at;
    if (r->autoescape && !value_escape(r, v, &v))
        return false;
    return print_str(r, r->out, v) && check_output(r);
}

static bool exec_if(struct render *r, const struct node *n, enum flow *flow)
{
    for (int i = 0; i < n->branch.n; i++) {
        const struct if_arm *arm = &n->branch.arms[i];
        struct value test;
        bool truth = true;

        if (arm->test && (!eval(r, arm->test, &test) || !value_truth(r, test, &truth)))
            return false;
        if (truth)
            return exec_body(r, &arm->body, flow);
    }
    return true;
}

/* --- text caught instead of printed ----------------------------------------------------------- */

/* Runs the body in a scope of its own; its text becomes a string. */
static bool catch_body(struct render *r, const struct nodes *body, struct value *out)
{
    struct buf *old_out = r->out;
    size_t mark = render_text_begin(r);
    enum flow flow;

    r->out = &r->scratch;
    if (!scope_push(r) || !exec_body(r, body, &flow))
        return false;
    scope_pop(r);
    r->out = old_out;
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = r->autoescape;
    return true;
}

/* A chain of filters whose innermost subject is the text. */
static bool filter_text(struct render *r, const struct node *filter, struct value text,
                        struct value *out)
{
    bool is_good;

    if (!filter) {
        *out = text;
        return true;
    }
    is_good = render_enter(r) && filter_text(r, filter->apply.subject, text, &text) &&
              eval_filter_on(r, filter, text, out);
    r->depth--;
    return is_good;
}

static bool exec_set_block(struct render *r, const struct node *n)
{
    struct value text, v;

    return catch_body(r, &n->set.body, &text) && filter_text(r, n->set.value, text, &v) &&
           render_assign(r, n->set.target, v);
}

static bool exec_filter_block(struct render *r, const struct node *n)
{
    struct value text, v;

    if (!catch_body(r, &n->block.body, &text) || !filter_text(r, n->block.filter, text, &v))
        return false;
    return print_str(r, r->out, v) && check_output(r);
}

static bool exec_set(struct render *r, const struct node *n)
{
    struct value v;

    return eval(r, n->set.value, &v) && render_assign(r, n->set.target, v);
}

/* --- macros ----------------------------------------------------------------------------------- */

static bool make_macro(struct render *r, const struct macro_node *node, struct value *out)
{
    struct macro *m = render_alloc(r, sizeof(*m));

    if (!m)
        return false;
    scope_capture(r);
    *m = (struct macro){node, r->scope};
    *out = (struct value){.type = VALUE_MACRO, .macro = m};
    return true;
}

static bool exec_macro(struct render *r, const struct node *n)
{
    struct value m;

    return make_macro(r, n->macro, &m) && scope_set(r, n->macro->symbol, m);
}

/* {% call f(x) %}: f(x, caller=the body as a macro). */
static bool exec_call_block(struct render *r, const struct node *n)
{
    const struct node *call = n->call_block.call;
    struct value f, caller, v;
    struct args args;
    struct named_arg *named;

    if (!make_macro(r, n->call_block.macro, &caller) || !eval(r, call->call.callee, &f) ||
        !call_args(r, &call->call.args, &args))
        return false;
    named = render_array(r, (size_t)args.n_named + 1, sizeof(*named));
    if (!named)
        return false;
    if (args.n_named > 0)
        memcpy(named, args.named, (size_t)args.n_named * sizeof(*named));
    named[args.n_named++] = (struct named_arg){STR("caller"), caller};
    args.named = named;
    r->at = n->at;
    return call_value(r, f, &args, &v) && print_str(r, r->out, v) && check_output(r);
}

/* --- scopes and loops
 * --------------------------------------------------------------------------------------- */

static bool exec_scope(struct render *r, const struct nodes *body, enum flow *flow)
{
    struct scope *outer = r->scope;

    if (!scope_push(r) || !exec_body(r, body, flow))
        return false;
    r->scope = outer;
    return true;
}

/* The items that pass the loop's own `if`, in which the loop's variables are set. */
static bool filter_items(struct render *r, const struct for_node *f, struct list *items)
{
    size_t n_kept = 0;

    if (!scope_push(r))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        struct value test;
        bool truth;

        if (!render_assign(r, f->target, items->items[i]) || !eval(r, f->test, &test) ||
            !value_truth(r, test, &truth))
            return false;
        if (truth)
            items->items[n_kept++] = items->items[i];
        if (!r->scope->is_captured)
            r->scope->n = 0;
    }
    items->n = n_kept;
    scope_pop(r);
    return true;
}

/* A scope for one round: the one of the round before, emptied, unless a macro holds on to it. */
static bool fresh_scope(struct render *r, struct scope **kept)
{
    if (*kept && !(*kept)->is_captured) {
        (*kept)->n = 0;
        (*kept)->parent = r->scope;
        r->scope = *kept;
        return true;
    }
    if (!scope_push(r))
        return false;
    *kept = r->scope;
    return true;
}

/* *is_finished: some round reached its end. Jinja2 takes the `else` otherwise, so also when break
 * or continue cut short every round. */
static bool exec_rounds(struct render *r, const struct node *n, struct loop *loop,
                        bool *is_finished)
{
    const struct for_node *f = n->loop;
    struct scope *outer = r->scope, *kept = NULL;
    int loop_symbol = f->uses_loop ? (int)map_find(&r->t->symbols, STR("loop")) : -1;
    struct value self = {.type = VALUE_LOOP, .loop = loop};

    for (; loop->at < loop->items->n; loop->at++) {
        enum flow flow = FLOW_NEXT;

        if (!render_spend(r, 1) || !fresh_scope(r, &kept))
            return false;
        if (loop_symbol >= 0 && !scope_set(r, loop_symbol, self))
            return false;
        if (!render_assign(r, f->target, loop->items->items[loop->at]) ||
            !exec_body(r, &f->body, &flow))
            return false;
        r->scope = outer;
        if (flow == FLOW_BREAK)
            break;
        *is_finished |= flow == FLOW_NEXT;
    }
    return true;
}

bool exec_for(struct render *r, const struct node *n, struct value iter, int64_t depth,
              enum flow *flow)
{
    struct loop *loop = render_alloc(r, sizeof(*loop));
    struct scope *outer = r->scope;
    bool is_finished = false;

    if (!loop)
        return false;
    *loop = (struct loop){.depth = depth, .node = n, .scope = outer};
    r->at = n->at;
    if (!value_items(r, iter, &loop->items))
        return false;
    if (n->loop->test && !filter_items(r, n->loop, loop->items))
        return false;
    if (!exec_rounds(r, n, loop, &is_finished))
        return false;
    if (is_finished || n->loop->otherwise.n == 0)
        return true;
    /* a break there leaves the loop around this one */
    return exec_scope(r, &n->loop->otherwise, flow);
}

bool exec_recursion(struct render *r, struct loop *loop, struct value iter, struct value *out)
{
    struct scope *scope = r->scope;
    struct buf *old_out = r->out;
    size_t mark = render_text_begin(r);
    enum flow flow;

    r->scope = loop->scope;
    r->out = &r->scratch;
    if (!exec_for(r, loop->node, iter, loop->depth + 1, &flow))
        return false;
    r->scope = scope;
    r->out = old_out;
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = r->autoescape;
    return true;
}

/* --- blocks ----------------------------------------------------------------------------------- */

static bool exec_with(struct render *r, const struct with_node *w, enum flow *flow)
{
    struct scope *outer = r->scope;
    struct value *values = render_array(r, (size_t)w->n + 1, sizeof(*values));

    if (!values)
        return false;
    for (int i = 0; i < w->n; i++) /* all values are read outside */
        if (!eval(r, w->values[i], &values[i]))
            return false;
    if (!scope_push(r))
        return false;
    for (int i = 0; i < w->n; i++)
        if (!render_assign(r, w->targets[i], values[i]))
            return false;
    if (!exec_body(r, &w->body, flow))
        return false;
    r->scope = outer;
    return true;
}

static bool exec_autoescape(struct render *r, const struct node *n, enum flow *flow)
{
    bool before = r->autoescape;
    struct value v;

    if (!eval(r, n->block.filter, &v) || !value_truth(r, v, &r->autoescape) ||
        !exec_scope(r, &n->block.body, flow))
        return false;
    r->autoescape = before;
    return true;
}

static bool exec(struct render *r, const struct node *n, enum flow *flow)
{
    struct value v;

    r->at = n->at;
    switch (n->kind) {
    case NODE_DATA:
        buf_add_str(r->out, n->value.s);
        return check_output(r);
    case NODE_PRINT:
        return exec_print(r, n);
    case NODE_DO:
        return eval(r, n->left, &v);
    case NODE_IF:
        return exec_if(r, n, flow);
    case NODE_FOR:
        return eval(r, n->loop->iter, &v) && exec_for(r, n, v, 0, flow);
    case NODE_SET:
        return exec_set(r, n);
    case NODE_SET_BLOCK:
        return exec_set_block(r, n);
    case NODE_MACRO:
        return exec_macro(r, n);
    case NODE_CALL_BLOCK:
        return exec_call_block(r, n);
    case NODE_FILTER_BLOCK:
        return exec_filter_block(r, n);
    case NODE_WITH:
        return exec_with(r, n->with, flow);
    case NODE_SCOPE:
        return exec_scope(r, &n->block.body, flow);
    case NODE_AUTOESCAPE:
        return exec_autoescape(r, n, flow);
    case NODE_BREAK:
        *flow = FLOW_BREAK;
        return true;
    case NODE_CONTINUE:
        *flow = FLOW_CONTINUE;
        return true;
    default:
        return render_fail(
            r, "an expression stands where a statement should"); /* the parser makes none */
    }
}

bool exec_body(struct render *r, const struct nodes *body, enum flow *flow)
{
    *flow = FLOW_NEXT;
    if (!render_enter(r))
        return false;
    for (int i = 0; i < body->n && *flow == FLOW_NEXT; i++)
        if (!render_spend(r, 1) || !exec(r, body->items[i], flow))
            return false;
    r->depth--;
    return true;
}
