/* jinja_render.c - one rendering: its limits, its errors, its text, and the variables it begins
 * with. */
#include "formats/jinja_render.h"

#include "base/num.h"

enum { DEFAULT_DEPTH = 1000 };

static const int64_t default_steps = 50 * 1000 * 1000;
static const size_t default_output = (size_t)64 << 20, default_memory = (size_t)256 << 20;

/* --- errors ----------------------------------------------------------------------------------- */

static bool set_fault(struct render *r, enum jinja_fault_kind kind, struct str message)
{
    if (r->fault && r->fault->kind == JINJA_FAULT_NONE) {
        r->fault->kind = kind;
        jinja_place(r->t, r->at, &r->fault->line, &r->fault->column);
        buf_reset(&r->fault->message);
        buf_add_str(&r->fault->message, message);
    }
    return jinja_fail_at(r->t, r->at, kind == JINJA_FAULT_LIMIT ? ERR_MEMORY : ERR_INPUT, message,
                         r->e);
}

static bool fail_v(struct render *r, enum jinja_fault_kind kind, const char *fmt, va_list args)
{
    char text[400];

    vsnprintf(text, sizeof(text), fmt, args);
    return set_fault(r, kind, STR(text));
}

bool render_fail(struct render *r, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fail_v(r, JINJA_FAULT_RUNTIME, fmt, args);
    va_end(args);
    return false;
}

bool render_limit(struct render *r, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fail_v(r, JINJA_FAULT_LIMIT, fmt, args);
    va_end(args);
    return false;
}

bool render_refuse(struct render *r, struct str message)
{
    return set_fault(r, JINJA_FAULT_REFUSED, message);
}

/* --- limits ----------------------------------------------------------------------------------- */

bool render_spend(struct render *r, size_t work)
{
    if (work > (size_t)INT64_MAX || (r->steps_left -= (int64_t)work) < 0)
        return render_limit(
            r, "the template does not end within its %lld steps",
            (long long)(r->data->limits.max_steps ? r->data->limits.max_steps : default_steps));
    return true;
}

bool render_enter(struct render *r)
{
    if (++r->depth > r->max_depth)
        return render_limit(r, "the template or its data are nested more than %d deep",
                            r->max_depth);
    return true;
}

void *render_alloc(struct render *r, size_t n_bytes)
{
    void *p = n_bytes > r->arena.max ? NULL : arena_try(&r->arena, n_bytes);

    if (!p)
        render_limit(r, "the template needs more than %zu bytes of memory", r->arena.max);
    return p;
}

void *render_array(struct render *r, size_t n, size_t size)
{
    size_t n_bytes;

    if (!size_mul(n, size, &n_bytes))
        n_bytes = SIZE_MAX;
    return render_alloc(r, n_bytes);
}

/* --- text ------------------------------------------------------------------------------------- */

size_t render_text_begin(struct render *r)
{
    return r->scratch.len;
}

bool render_text_end(struct render *r, size_t mark, struct value *out)
{
    size_t n = r->scratch.len - mark;
    char *text;

    if (r->scratch.failed)
        return render_limit(r, "the template makes a text of more than %zu bytes", r->max_output);
    text = render_alloc(r, n + 1);
    if (!text)
        return false;
    if (n > 0)
        memcpy(text, r->scratch.ptr + mark, n);
    r->scratch.len = mark;
    *out = value_str((struct str){text, n});
    return render_spend(r, n / 64);
}

bool render_format(struct render *r, struct value *out, const char *fmt, ...)
{
    size_t mark = render_text_begin(r);
    va_list args;

    va_start(args, fmt);
    buf_addv(&r->scratch, fmt, args);
    va_end(args);
    return render_text_end(r, mark, out);
}

/* --- the variables at the start
 * ------------------------------------------------------------------- */

/* The JSON value that a name is bound to, if any; the last binding wins. */
static bool find_var(const struct jinja_data *d, struct str name, const struct json **out)
{
    for (int i = d->n_vars - 1; i >= 0; i--) {
        if (d->vars[i].name) {
            if (str_eqz(name, d->vars[i].name)) {
                *out = d->vars[i].value;
                return true;
            }
        } else if ((*out = json_get_str(d->vars[i].value, name)) != NULL) {
            return true;
        }
    }
    return false;
}

static bool fill_global(struct render *r, int symbol)
{
    struct str name = r->t->symbol_names[symbol];
    struct value *slot = &r->globals[symbol];
    const struct json *bound;
    const struct builtin *builtin;

    if (find_var(r->data, name, &bound))
        return value_from_json(r, bound, slot);
    for (const struct jinja_func *f = r->data->funcs; f && f->name; f++)
        if (str_eqz(name, f->name)) {
            *slot = (struct value){.type = VALUE_HOST, .host = f};
            return true;
        }
    builtin = global_find(name);
    if (builtin)
        *slot = (struct value){.type = VALUE_FUNCTION, .function = builtin};
    return true;
}

static bool fill_globals(struct render *r)
{
    r->globals = render_array(r, (size_t)MAX(r->t->n_symbols, 1), sizeof(*r->globals));
    if (!r->globals)
        return false;
    for (int i = 0; i < r->t->n_symbols; i++)
        if (!fill_global(r, i))
            return false;
    return true;
}

bool jinja_render(const struct jinja *t, const struct jinja_data *d, struct buf *out,
                  struct jinja_fault *fault, struct err *e)
{
    const struct jinja_limits *l = &d->limits;
    size_t out_start = out->len, old_max = out->max;
    struct render r = {
        .t = t,
        .data = d,
        .out = out,
        .steps_left = l->max_steps ? l->max_steps : default_steps,
        .max_depth = l->max_depth ? l->max_depth : DEFAULT_DEPTH,
        .max_output = l->max_output ? l->max_output : default_output,
        .autoescape = t->settings.autoescape,
        .random_state = d->seed,
        .fault = fault,
        .e = e,
    };
    enum flow flow;
    bool is_good;

    if (fault)
        fault->kind = JINJA_FAULT_NONE;
    arena_init(&r.arena, l->max_memory ? l->max_memory : default_memory);
    buf_init(&r.scratch, r.max_output);
    out->max = old_max && old_max < out_start + r.max_output ? old_max : out_start + r.max_output;
    is_good = fill_globals(&r) && exec_body(&r, &t->body, &flow);
    if (is_good && out->failed)
        is_good =
            render_limit(&r, "the template makes a text of more than %zu bytes", r.max_output);
    out->max = old_max;
    if (!is_good) {
        out->len = out_start;
        out->failed = false;
        if (out->ptr)
            out->ptr[out_start] = 0;
    }
    buf_clear(&r.scratch);
    arena_clear(&r.arena);
    return is_good;
}
