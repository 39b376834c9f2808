/* jinja_call.c - calls: arguments, builtins, macros and host functions. */
#include "formats/jinja_render.h"

/* --- arguments -------------------------------------------------------------------------------- */

static bool add_star(struct render *r, const struct node *star, struct args *out)
{
    struct value v, *grown;
    struct list *items;
    size_t n;

    if (!eval(r, star, &v) || !value_items(r, v, &items))
        return false;
    n = (size_t)out->n_pos + items->n;
    grown = render_array(r, MAX(n, 1), sizeof(*grown));
    if (!grown)
        return false;
    if (out->n_pos > 0)
        memcpy(grown, out->pos, (size_t)out->n_pos * sizeof(*grown));
    if (items->n > 0)
        memcpy(grown + out->n_pos, items->items, items->n * sizeof(*grown));
    out->pos = grown;
    out->n_pos = (int)n;
    return true;
}

static bool add_star_star(struct render *r, const struct node *star_star, struct args *out)
{
    struct value v;
    struct named_arg *grown;

    if (!eval(r, star_star, &v))
        return false;
    r->at = star_star->at;
    if (v.type != VALUE_DICT)
        return render_fail(r, "** needs a dict, not a %s", value_type_name(v));
    grown = render_array(r, (size_t)out->n_named + v.dict->n + 1, sizeof(*grown));
    if (!grown)
        return false;
    if (out->n_named > 0)
        memcpy(grown, out->named, (size_t)out->n_named * sizeof(*grown));
    out->named = grown;
    for (size_t i = 0; i < v.dict->n; i++) {
        const struct entry *entry = &v.dict->entries[i];

        if (entry->key.type != VALUE_STR)
            return render_fail(r, "** needs names for keys, not a %s", value_type_name(entry->key));
        out->named[out->n_named++] = (struct named_arg){entry->key.s, entry->value};
    }
    return true;
}

bool call_args(struct render *r, const struct call_args *a, struct args *out)
{
    *out = (struct args){0};
    if (a->pos.n > 0) {
        out->pos = render_array(r, (size_t)a->pos.n, sizeof(*out->pos));
        if (!out->pos)
            return false;
        for (int i = 0; i < a->pos.n; i++)
            if (!eval(r, a->pos.items[i], &out->pos[i]))
                return false;
        out->n_pos = a->pos.n;
    }
    if (a->star && !add_star(r, a->star, out))
        return false;
    if (a->n_named > 0) {
        out->named = render_array(r, (size_t)a->n_named, sizeof(*out->named));
        if (!out->named)
            return false;
        for (int i = 0; i < a->n_named; i++) {
            out->named[i].name = a->named[i].name;
            if (!eval(r, a->named[i].value, &out->named[i].value))
                return false;
        }
        out->n_named = a->n_named;
    }
    return !a->star_star || add_star_star(r, a->star_star, out);
}

/* --- builtins --------------------------------------------------------------------------------- */

struct param {
    struct str name;
    bool is_required;
};

static int split_params(const char *params, struct param *out)
{
    struct str rest = STR(params), name;
    int n = 0;

    while (rest.len > 0 && str_cut(&rest, ' ', &name)) {
        bool is_required = str_ends(name, "!");

        out[n++] = (struct param){str_slice(name, 0, name.len - is_required), is_required};
    }
    return n;
}

static bool sort_args(struct render *r, const struct builtin *fn, const struct args *a,
                      struct call *c)
{
    struct param params[MAX_PARAMS];
    int n = split_params(fn->params, params);

    if (a->n_pos > n)
        return render_fail(r, "%s() takes at most %d arguments, not %d", fn->name, n, a->n_pos);
    for (int i = 0; i < a->n_pos; i++)
        c->arg[i] = a->pos[i];
    for (int k = 0; k < a->n_named; k++) {
        int i = 0;

        while (i < n && !str_eq(params[i].name, a->named[k].name))
            i++;
        if (i == n)
            return render_fail(r, "%s() has no argument called '" STR_FMT "'", fn->name,
                               STR_ARG(a->named[k].name));
        if (value_given(c->arg[i]))
            return render_fail(r, "%s() got its argument '" STR_FMT "' twice", fn->name,
                               STR_ARG(params[i].name));
        c->arg[i] = a->named[k].value;
    }
    for (int i = 0; i < n; i++)
        if (params[i].is_required && !value_given(c->arg[i]))
            return render_fail(r, "%s() needs its argument '" STR_FMT "'", fn->name,
                               STR_ARG(params[i].name));
    return true;
}

bool call_builtin(struct render *r, const struct builtin *fn, struct value self,
                  const struct args *a, struct value *out)
{
    struct call c = {.fn = fn, .self = self, .args = a};
    size_t self_work = self.type == VALUE_STR ? self.s.len / 64 : 0;
    bool is_good;

    if (!render_spend(r, 1 + self_work))
        return false;
    if (strcmp(fn->params, "*") != 0 && !sort_args(r, fn, a, &c))
        return false;
    is_good = render_enter(r) && fn->fn(r, &c, out);
    r->depth--;
    return is_good;
}

const struct builtin *builtin_find(const struct builtin *table, size_t n, struct str name)
{
    for (size_t i = 0; i < n; i++)
        if (str_eqz(name, table[i].name))
            return &table[i];
    return NULL;
}

bool arg_int(struct render *r, struct call *c, int i, int64_t otherwise, int64_t *out)
{
    *out = otherwise;
    if (!value_given(c->arg[i]) || value_integer(c->arg[i], out))
        return true;
    if (c->arg[i].type == VALUE_UNDEFINED)
        return op_undefined(r, c->arg[i]);
    return render_fail(r, "%s() needs an integer, not a %s", c->fn->name,
                       value_type_name(c->arg[i]));
}

bool arg_bool(struct render *r, struct call *c, int i, bool otherwise, bool *out)
{
    *out = otherwise;
    return !value_given(c->arg[i]) || value_truth(r, c->arg[i], out);
}

bool arg_str(struct render *r, struct call *c, int i, const char *otherwise, struct str *out)
{
    *out = STR(otherwise);
    if (!value_given(c->arg[i]))
        return true;
    if (c->arg[i].type == VALUE_UNDEFINED)
        return op_undefined(r, c->arg[i]);
    if (c->arg[i].type != VALUE_STR)
        return render_fail(r, "%s() needs a str, not a %s", c->fn->name,
                           value_type_name(c->arg[i]));
    *out = c->arg[i].s;
    return true;
}

/* --- host functions --------------------------------------------------------------------------- */

struct jinja_call {
    struct render *r;
    const struct args *args;
    const struct value *self; /* what is filtered, as argument 0; NULL: a plain call */
    struct value result;
    bool is_refused;
};

bool jinja_arg(struct jinja_call *c, int i, const char *name, struct str *text)
{
    const struct value *v = NULL;

    if (c->self && i == 0)
        v = c->self;
    else if (i >= 0 && i - (c->self != NULL) < c->args->n_pos)
        v = &c->args->pos[i - (c->self != NULL)];
    for (int k = 0; !v && name && k < c->args->n_named; k++)
        if (str_eqz(c->args->named[k].name, name))
            v = &c->args->named[k].value;
    return v && value_text(c->r, *v, text);
}

void jinja_return(struct jinja_call *c, struct str text)
{
    char *copy = render_alloc(c->r, text.len + 1);

    if (!copy) {
        c->is_refused = true;
        return;
    }
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    c->result = value_str((struct str){copy, text.len});
}

bool jinja_refuse(struct jinja_call *c, struct str message)
{
    c->is_refused = true;
    return render_refuse(c->r, message);
}

static bool call_host(struct render *r, const struct jinja_func *f, const struct value *self,
                      const struct args *a, struct value *out)
{
    struct jinja_call c = {.r = r, .args = a, .self = self, .result = value_none()};

    if (!f->call(f->ctx, &c) || c.is_refused)
        return render_fail(r, "%s() failed without a reason", f->name); /* unless it gave one */
    *out = c.result;
    return r->e->code == ERR_NONE;
}

static const struct jinja_func *host_find(const struct render *r, struct str name)
{
    for (const struct jinja_func *f = r->data->funcs; f && f->name; f++)
        if (str_eqz(name, f->name))
            return f;
    return NULL;
}

bool call_filter(struct render *r, struct str name, struct value self, const struct args *a,
                 struct value *out)
{
    const struct builtin *fn = filter_find(name);
    const struct jinja_func *host = host_find(r, name);

    if (fn)
        return call_builtin(r, fn, self, a, out);
    if (host)
        return call_host(r, host, &self, a, out);
    return render_fail(r, "there is no filter called '" STR_FMT "'", STR_ARG(name));
}

bool call_test(struct render *r, struct str name, struct value self, const struct args *a,
               bool *out)
{
    const struct builtin *fn = test_find(name);
    struct value v;

    if (!fn)
        return render_fail(r, "there is no test called '" STR_FMT "'", STR_ARG(name));
    return call_builtin(r, fn, self, a, &v) && value_truth(r, v, out);
}

/* --- macros ----------------------------------------------------------------------------------- */

static struct named_arg *find_named(const struct args *a, const bool *is_taken, struct str name)
{
    for (int i = 0; i < a->n_named; i++)
        if (!is_taken[i] && str_eq(a->named[i].name, name))
            return &a->named[i];
    return NULL;
}

static bool bind_params(struct render *r, const struct macro_node *m, const struct args *a,
                        bool *is_taken)
{
    for (int i = 0; i < m->n_params; i++) {
        struct str name = r->t->symbol_names[m->params[i]];
        struct named_arg *named = i < a->n_pos ? NULL : find_named(a, is_taken, name);
        int i_default = i - (m->n_params - m->n_defaults);
        struct value v, message;

        if (!render_spend(r, 1 + (size_t)a->n_named / 8))
            return false;
        if (i < a->n_pos) {
            v = a->pos[i];
        } else if (named) {
            v = named->value;
            is_taken[named - a->named] = true;
        } else if (i_default >= 0) {
            if (!eval(r, m->defaults[i_default], &v))
                return false;
        } else if (!render_format(r, &message, "parameter '" STR_FMT "' was not provided",
                                  STR_ARG(name)) ||
                   !value_undefined(r, "", message.s, &v)) {
            return false;
        }
        if (!scope_set(r, m->params[i], v))
            return false;
    }
    return true;
}

static int symbol_of(const struct render *r, const char *name)
{
    return (int)map_find(&r->t->symbols, STR(name));
}

static bool bind_caller(struct render *r, const struct args *a, bool *is_taken)
{
    struct named_arg *named = find_named(a, is_taken, STR("caller"));
    struct value v;

    if (named) {
        is_taken[named - a->named] = true;
        v = named->value;
    } else if (!value_undefined(r, "", STR("no caller defined"), &v)) {
        return false;
    }
    return scope_set(r, symbol_of(r, "caller"), v);
}

static bool bind_kwargs(struct render *r, const struct args *a, const bool *is_taken)
{
    struct value kwargs;

    if (!value_dict(r, 0, &kwargs))
        return false;
    for (int i = 0; i < a->n_named; i++)
        if (!is_taken[i] &&
            !dict_set(r, kwargs.dict, value_str(a->named[i].name), a->named[i].value))
            return false;
    return scope_set(r, symbol_of(r, "kwargs"), kwargs);
}

static bool bind_varargs(struct render *r, const struct macro_node *m, const struct args *a)
{
    size_t n = a->n_pos > m->n_params ? (size_t)(a->n_pos - m->n_params) : 0;
    struct value varargs;

    if (!value_tuple(r, n, &varargs))
        return false;
    for (size_t i = 0; i < n; i++)
        varargs.list->items[i] = a->pos[(size_t)m->n_params + i];
    varargs.list->n = n;
    return scope_set(r, symbol_of(r, "varargs"), varargs);
}

/* The order is Jinja2's: parameters, caller, the rest by name, the rest by position. */
static bool bind_all(struct render *r, const struct macro_node *m, const struct args *a)
{
    bool *is_taken = render_array(r, (size_t)a->n_named + 1, sizeof(*is_taken));

    if (!is_taken || !bind_params(r, m, a, is_taken))
        return false;
    if (m->uses_caller && !m->has_caller_param && !bind_caller(r, a, is_taken))
        return false;
    if (m->uses_kwargs) {
        if (!bind_kwargs(r, a, is_taken))
            return false;
    } else {
        for (int i = 0; i < a->n_named; i++)
            if (!is_taken[i])
                return render_fail(r, "macro '" STR_FMT "' takes no keyword argument '" STR_FMT "'",
                                   STR_ARG(m->name), STR_ARG(a->named[i].name));
    }
    if (m->uses_varargs)
        return bind_varargs(r, m, a);
    if (a->n_pos > m->n_params)
        return render_fail(r, "macro '" STR_FMT "' takes not more than %d arguments, not %d",
                           STR_ARG(m->name), m->n_params, a->n_pos);
    return true;
}

bool call_macro(struct render *r, const struct macro *m, const struct args *a, struct value *out)
{
    struct scope *scope = r->scope;
    struct buf *old_out = r->out;
    size_t mark = render_text_begin(r);
    enum flow flow;

    r->scope = m->scope;
    r->out = &r->scratch;
    if (!scope_push(r) || !bind_all(r, m->node, a) || !exec_body(r, &m->node->body, &flow))
        return false;
    r->scope = scope;
    r->out = old_out;
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = r->autoescape;
    return true;
}

static bool call_loop(struct render *r, struct loop *l, const struct args *a, struct value *out)
{
    if (!l->node->loop->is_recursive)
        return render_fail(r, "loop() needs a loop that is marked `recursive`");
    if (a->n_pos != 1 || a->n_named != 0)
        return render_fail(r, "loop() takes one argument: what to iterate over");
    return exec_recursion(r, l, a->pos[0], out);
}

static bool call_joiner(struct joiner *j, struct value *out)
{
    *out = j->is_used ? j->separator : value_strz("");
    j->is_used = true;
    return true;
}

static bool call_by_type(struct render *r, struct value f, const struct args *a, struct value *out)
{
    switch (f.type) {
    case VALUE_FUNCTION:
        return call_builtin(r, f.function, value_none(), a, out);
    case VALUE_METHOD:
        return call_builtin(r, f.method->fn, f.method->self, a, out);
    case VALUE_MACRO:
        return call_macro(r, f.macro, a, out);
    case VALUE_LOOP:
        return call_loop(r, f.loop, a, out);
    case VALUE_HOST:
        return call_host(r, f.host, NULL, a, out);
    case VALUE_JOINER:
        return call_joiner(f.joiner, out);
    case VALUE_UNDEFINED:
        return op_undefined(r, f);
    default:
        return render_fail(r, "a %s cannot be called", value_type_name(f));
    }
}

bool call_value(struct render *r, struct value f, const struct args *a, struct value *out)
{
    bool is_good = render_enter(r) && render_spend(r, 1) && call_by_type(r, f, a, out);

    r->depth--;
    return is_good;
}
