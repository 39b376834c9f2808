/* jinja_scope.c - variables of nested bodies.
 *
 * Jinja2 gives bodies of loops, macros, call, set, filter and with blocks a scope of their own:
 * they read outwards, and what they set is gone after them. `if` has none. The outermost scope is
 * an array by symbol, filled before the first node runs. */
#include "formats/jinja_render.h"

bool scope_push(struct render *r)
{
    struct scope *s = render_alloc(r, sizeof(*s));

    if (!s)
        return false;
    s->parent = r->scope;
    r->scope = s;
    return true;
}

void scope_pop(struct render *r)
{
    r->scope = r->scope->parent;
}

void scope_capture(struct render *r)
{
    for (struct scope *s = r->scope; s && !s->is_captured; s = s->parent)
        s->is_captured = true;
}

static bool add_binding(struct render *r, struct scope *s, int symbol, struct value v)
{
    if (s->n == s->cap) {
        int cap = s->cap ? s->cap * 2 : 4;
        struct binding *grown = render_array(r, (size_t)cap, sizeof(*grown));

        if (!grown)
            return false;
        if (s->n > 0)
            memcpy(grown, s->vars, (size_t)s->n * sizeof(*grown));
        s->vars = grown;
        s->cap = cap;
    }
    s->vars[s->n++] = (struct binding){symbol, v};
    return true;
}

bool scope_set(struct render *r, int symbol, struct value v)
{
    struct scope *s = r->scope;

    if (!s) {
        r->globals[symbol] = v;
        return true;
    }
    for (int i = 0; i < s->n; i++)
        if (s->vars[i].symbol == symbol) {
            s->vars[i].value = v;
            return true;
        }
    return add_binding(r, s, symbol, v) && render_spend(r, (size_t)s->n / 8);
}

bool scope_get(struct render *r, int symbol, struct value *out)
{
    for (const struct scope *s = r->scope; s; s = s->parent) {
        if (!render_spend(r, (size_t)s->n / 8))
            return false;
        for (int i = 0; i < s->n; i++)
            if (s->vars[i].symbol == symbol) {
                *out = s->vars[i].value;
                return true;
            }
    }
    *out = r->globals[symbol];
    if (out->type != VALUE_ABSENT)
        return true;
    return value_undefined(r, NULL, r->t->symbol_names[symbol], out);
}
