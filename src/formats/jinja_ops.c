/* jinja_ops.c - arithmetic, attributes, items and slices, by Python's rules. */
#include <math.h>

#include "formats/jinja_render.h"
#include "formats/jinja_text.h"

bool op_undefined(struct render *r, struct value v)
{
    const struct undefined *u = v.undefined;

    if (!u->owner)
        return render_fail(r, "'" STR_FMT "' is undefined", STR_ARG(u->name));
    if (!*u->owner)
        return render_fail(r, STR_FMT, STR_ARG(u->name));
    return render_fail(r, "'%s' has no attribute '" STR_FMT "'", u->owner, STR_ARG(u->name));
}

static const char *sign_of(enum node_kind op)
{
    static const char *const signs[] = {
        [NODE_ADD] = "+", [NODE_SUB] = "-",       [NODE_MUL] = "*",  [NODE_DIV] = "/",
        [NODE_MOD] = "%", [NODE_FLOORDIV] = "//", [NODE_POW] = "**",
    };

    return signs[op];
}

static bool wrong_types(struct render *r, enum node_kind op, struct value a, struct value b)
{
    if (a.type == VALUE_UNDEFINED || b.type == VALUE_UNDEFINED)
        return op_undefined(r, a.type == VALUE_UNDEFINED ? a : b);
    return render_fail(r, "'%s' cannot be applied to a %s and a %s", sign_of(op),
                       value_type_name(a), value_type_name(b));
}

static bool too_large(struct render *r, enum node_kind op)
{
    return render_fail(r, "the result of '%s' does not fit into 64 bits", sign_of(op));
}

static bool division_by_zero(struct render *r, enum node_kind op)
{
    return render_fail(r, "'%s' divides by zero", sign_of(op));
}

/* --- numbers ---------------------------------------------------------------------------------- */

static bool int_power(struct render *r, int64_t base, int64_t exponent, struct value *out)
{
    int64_t result = 1;

    if (exponent < 0) {
        if (base == 0)
            return division_by_zero(r, NODE_POW);
        *out = value_float(pow((double)base, (double)exponent));
        return true;
    }
    if (base == 0 || base == 1 || base == -1) {
        *out = value_int(exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base);
        return true;
    }
    for (int64_t i = 0; i < exponent; i++)
        if (__builtin_mul_overflow(result, base, &result))
            return too_large(r, NODE_POW);
    *out = value_int(result);
    return true;
}

static bool int_arithmetic(struct render *r, enum node_kind op, int64_t a, int64_t b,
                           struct value *out)
{
    int64_t c = 0;
    bool overflows = false;

    switch (op) {
    case NODE_ADD:
        overflows = __builtin_add_overflow(a, b, &c);
        break;
    case NODE_SUB:
        overflows = __builtin_sub_overflow(a, b, &c);
        break;
    case NODE_MUL:
        overflows = __builtin_mul_overflow(a, b, &c);
        break;
    case NODE_POW:
        return int_power(r, a, b, out);
    default:
        if (b == 0)
            return division_by_zero(r, op);
        if (op == NODE_DIV) {
            *out = value_float((double)((long double)a / (long double)b));
            return true;
        }
        if (b == -1) { /* INT64_MIN / -1 traps */
            overflows = op == NODE_FLOORDIV && __builtin_sub_overflow((int64_t)0, a, &c);
            break;
        }
        /* Python rounds down and gives the remainder the sign of b */
        c = op == NODE_FLOORDIV ? a / b - (a % b != 0 && (a % b < 0) != (b < 0))
                                : a % b + (a % b != 0 && (a % b < 0) != (b < 0) ? b : 0);
    }
    if (overflows)
        return too_large(r, op);
    *out = value_int(c);
    return true;
}

static double float_modulo(double a, double b)
{
    double m = fmod(a, b);

    if (m != 0)
        return (b < 0) != (m < 0) ? m + b : m;
    return copysign(0, b);
}

static double float_floor_division(double a, double b)
{
    double m = fmod(a, b), quotient = (a - m) / b, floored;

    if (m != 0 && (b < 0) != (m < 0))
        quotient -= 1;
    if (quotient == 0)
        return copysign(0, a / b);
    floored = floor(quotient);
    return quotient - floored > 0.5 ? floored + 1 : floored;
}

static bool float_power(struct render *r, double a, double b, struct value *out)
{
    double c;

    if (a == 0 && b < 0)
        return division_by_zero(r, NODE_POW);
    if (a < 0 && isfinite(a) && isfinite(b) && b != floor(b))
        return render_fail(r, "'**' of a negative number and a fraction is not real");
    c = pow(a, b);
    if (isinf(c) && isfinite(a) && isfinite(b))
        return render_fail(r, "the result of '**' is too large");
    *out = value_float(c);
    return true;
}

static bool float_arithmetic(struct render *r, enum node_kind op, double a, double b,
                             struct value *out)
{
    switch (op) {
    case NODE_ADD:
        *out = value_float(a + b);
        return true;
    case NODE_SUB:
        *out = value_float(a - b);
        return true;
    case NODE_MUL:
        *out = value_float(a * b);
        return true;
    case NODE_POW:
        return float_power(r, a, b, out);
    default:
        if (b == 0)
            return division_by_zero(r, op);
        *out = value_float(op == NODE_DIV   ? a / b
                           : op == NODE_MOD ? float_modulo(a, b)
                                            : float_floor_division(a, b));
        return true;
    }
}

/* --- sequences -------------------------------------------------------------------------------- */

static bool add_strings(struct render *r, struct value a, struct value b, struct value *out)
{
    bool is_safe = a.is_safe || b.is_safe;
    char *text;

    if (is_safe && (!value_escape(r, a, &a) || !value_escape(r, b, &b)))
        return false;
    text = render_alloc(r, a.s.len + b.s.len + 1);
    if (!text)
        return false;
    memcpy(text, a.s.ptr, a.s.len);
    memcpy(text + a.s.len, b.s.ptr, b.s.len);
    *out = value_str((struct str){text, a.s.len + b.s.len});
    out->is_safe = is_safe;
    return render_spend(r, out->s.len / 64);
}

static bool add_lists(struct render *r, struct value a, struct value b, struct value *out)
{
    const struct list *x = a.list, *y = b.list;

    if (!(a.type == VALUE_LIST ? value_list(r, x->n + y->n, out)
                               : value_tuple(r, x->n + y->n, out)))
        return false;
    if (x->n > 0)
        memcpy(out->list->items, x->items, x->n * sizeof(*x->items));
    if (y->n > 0)
        memcpy(out->list->items + x->n, y->items, y->n * sizeof(*y->items));
    out->list->n = x->n + y->n;
    return render_spend(r, out->list->n);
}

static bool repeat_string(struct render *r, struct value s, size_t n, struct value *out)
{
    size_t len;
    char *text;

    if (__builtin_mul_overflow(s.s.len, n, &len) || len == SIZE_MAX)
        len = SIZE_MAX - 1;
    text = render_alloc(r, len + 1);
    if (!text || !render_spend(r, len / 64))
        return false;
    for (size_t i = 0; s.s.len > 0 && i < n; i++)
        memcpy(text + i * s.s.len, s.s.ptr, s.s.len);
    *out = value_str((struct str){text, len});
    out->is_safe = s.is_safe;
    return render_spend(r, s.s.len > 0 ? n : 0);
}

static bool repeat_list(struct render *r, struct value l, size_t n, struct value *out)
{
    size_t len;

    if (__builtin_mul_overflow(l.list->n, n, &len))
        len = SIZE_MAX;
    if (!render_spend(r, len) ||
        !(l.type == VALUE_LIST ? value_list(r, len, out) : value_tuple(r, len, out)))
        return false;
    for (size_t i = 0; i < len; i++)
        out->list->items[i] = l.list->items[i % l.list->n];
    out->list->n = len;
    return true;
}

static bool repeat(struct render *r, struct value a, int64_t times, struct value *out)
{
    size_t n = times > 0 ? (size_t)times : 0;

    return a.type == VALUE_STR ? repeat_string(r, a, n, out) : repeat_list(r, a, n, out);
}

static bool is_sequence(struct value v)
{
    return v.type == VALUE_STR || v.type == VALUE_LIST || v.type == VALUE_TUPLE;
}

bool op_binary(struct render *r, enum node_kind op, struct value a, struct value b,
               struct value *out)
{
    int64_t i, j;
    double x, y;

    if (op == NODE_ADD && a.type == VALUE_STR && b.type == VALUE_STR)
        return add_strings(r, a, b, out);
    if (value_integer(a, &i) && value_integer(b, &j))
        return int_arithmetic(r, op, i, j, out);
    if (value_number(a, &x) && value_number(b, &y))
        return float_arithmetic(r, op, x, y, out);
    if (op == NODE_MOD && a.type == VALUE_STR)
        return format_percent(r, a, b, out);
    if (op == NODE_ADD && a.type == b.type && (a.type == VALUE_LIST || a.type == VALUE_TUPLE))
        return add_lists(r, a, b, out);
    if (op == NODE_MUL && is_sequence(a) && value_integer(b, &j))
        return repeat(r, a, j, out);
    if (op == NODE_MUL && is_sequence(b) && value_integer(a, &i))
        return repeat(r, b, i, out);
    return wrong_types(r, op, a, b);
}

bool op_negate(struct render *r, struct value v, struct value *out)
{
    int64_t i;

    if (v.type == VALUE_UNDEFINED)
        return op_undefined(r, v);
    if (v.type == VALUE_FLOAT) {
        *out = value_float(-v.f);
        return true;
    }
    if (!value_integer(v, &i))
        return render_fail(r, "a %s has no sign", value_type_name(v));
    return int_arithmetic(r, NODE_SUB, 0, i, out);
}

/* --- attributes ------------------------------------------------------------------------------- */

static bool bind_method(struct render *r, const struct builtin *fn, struct value self,
                        struct value *out)
{
    struct method *m = render_alloc(r, sizeof(*m));

    if (!m)
        return false;
    *m = (struct method){self, fn};
    *out = (struct value){.type = VALUE_METHOD, .method = m};
    return true;
}

static bool neighbour(struct render *r, const struct loop *l, bool is_next, struct value *out)
{
    if (is_next ? l->at + 1 < l->items->n : l->at > 0) {
        *out = l->items->items[is_next ? l->at + 1 : l->at - 1];
        return true;
    }
    return value_undefined(
        r, "", STR(is_next ? "there is no next item" : "there is no previous item"), out);
}

static bool loop_attribute(struct render *r, struct value self, struct str name, struct value *out)
{
    const struct loop *l = self.loop;
    int64_t at = (int64_t)l->at, n = (int64_t)l->items->n;
    const struct {
        const char *name;
        struct value value;
    } attributes[] = {
        {"index", value_int(at + 1)},
        {"index0", value_int(at)},
        {"first", value_bool(at == 0)},
        {"last", value_bool(at == n - 1)},
        {"length", value_int(n)},
        {"revindex", value_int(n - at)},
        {"revindex0", value_int(n - at - 1)},
        {"depth", value_int(l->depth + 1)},
        {"depth0", value_int(l->depth)},
    };
    const struct builtin *fn = loop_method_find(name);

    for (size_t i = 0; i < LEN(attributes); i++)
        if (str_eqz(name, attributes[i].name)) {
            *out = attributes[i].value;
            return true;
        }
    if (str_eqz(name, "previtem") || str_eqz(name, "nextitem"))
        return neighbour(r, l, str_eqz(name, "nextitem"), out);
    return !fn || bind_method(r, fn, self, out);
}

static bool macro_attribute(struct render *r, const struct macro_node *m, struct str name,
                            struct value *out)
{
    if (str_eqz(name, "name")) {
        *out = value_str(m->name);
    } else if (str_eqz(name, "catch_kwargs")) {
        *out = value_bool(m->uses_kwargs);
    } else if (str_eqz(name, "catch_varargs")) {
        *out = value_bool(m->uses_varargs);
    } else if (str_eqz(name, "caller")) {
        *out = value_bool(m->uses_caller);
    } else if (str_eqz(name, "arguments")) {
        if (!value_tuple(r, (size_t)m->n_params, out))
            return false;
        for (int i = 0; i < m->n_params; i++)
            out->list->items[out->list->n++] = value_str(r->t->symbol_names[m->params[i]]);
    }
    return true;
}

static bool range_attribute(const struct range *g, struct str name, struct value *out)
{
    if (str_eqz(name, "start"))
        *out = value_int(g->start);
    else if (str_eqz(name, "stop"))
        *out = value_int(g->stop);
    else if (str_eqz(name, "step"))
        *out = value_int(g->step);
    return true;
}

static bool tuple_attribute(struct render *r, struct value self, struct str name, struct value *out)
{
    const struct builtin *fn = tuple_method_find(name);

    if (self.list->is_group && (str_eqz(name, "grouper") || str_eqz(name, "list"))) {
        *out = self.list->items[str_eqz(name, "list")];
        return true;
    }
    return !fn || bind_method(r, fn, self, out);
}

static bool cycler_attribute(struct render *r, struct value self, struct str name,
                             struct value *out)
{
    const struct builtin *fn = cycler_method_find(name);

    if (str_eqz(name, "current")) {
        *out = self.cycler->items->items[self.cycler->at];
        return true;
    }
    return !fn || bind_method(r, fn, self, out);
}

/* What Python's getattr finds; *out stays absent if nothing. fn is the method of that name. */
static bool find_attribute(struct render *r, struct value object, struct str name,
                           const struct builtin *fn, struct value *out)
{
    struct entry *entry;

    *out = (struct value){0};
    switch (object.type) {
    case VALUE_UNDEFINED:
        return op_undefined(r, object);
    case VALUE_NAMESPACE:
        entry = dict_find_str(object.dict, name);
        if (entry)
            *out = entry->value;
        return true;
    case VALUE_LOOP:
        return loop_attribute(r, object, name, out);
    case VALUE_MACRO:
        return macro_attribute(r, object.macro->node, name, out);
    case VALUE_RANGE:
        return range_attribute(object.range, name, out);
    case VALUE_TUPLE:
        return tuple_attribute(r, object, name, out);
    case VALUE_CYCLER:
        return cycler_attribute(r, object, name, out);
    default:
        return !fn || bind_method(r, fn, object, out);
    }
}

bool op_getattr(struct render *r, struct value object, const struct node *n, struct value *out)
{
    const struct builtin *fn = object.type == VALUE_STR    ? n->attr.str_fn
                               : object.type == VALUE_DICT ? n->attr.dict_fn
                               : object.type == VALUE_LIST ? n->attr.list_fn
                                                           : NULL;
    struct entry *entry;

    if (object.type == VALUE_DICT && !fn) {
        entry = dict_find_str(object.dict, n->attr.name);
        if (entry) {
            *out = entry->value;
            return true;
        }
        return value_no_attribute(r, object, n->attr.name, out);
    }
    if (!find_attribute(r, object, n->attr.name, fn, out))
        return false;
    return value_given(*out) || value_no_attribute(r, object, n->attr.name, out);
}

bool op_attribute(struct render *r, struct value object, struct str name, struct value *out)
{
    const struct builtin *fn = object.type == VALUE_STR    ? str_method_find(name)
                               : object.type == VALUE_DICT ? dict_method_find(name)
                               : object.type == VALUE_LIST ? list_method_find(name)
                                                           : NULL;

    return find_attribute(r, object, name, fn, out);
}

/* --- items ------------------------------------------------------------------------------------ */

static bool no_element(struct render *r, struct value object, struct value key, struct value *out)
{
    size_t mark = render_text_begin(r);
    struct value message;

    if (key.type == VALUE_STR)
        return value_no_attribute(r, object, key.s, out);
    buf_addf(&r->scratch, "'%s' has no element ", value_kind(object));
    return print_repr(r, &r->scratch, key) && render_text_end(r, mark, &message) &&
           value_undefined(r, "", message.s, out);
}

/* *out stays absent where Python would raise KeyError, IndexError or TypeError. */
static bool index_sequence(struct render *r, struct value object, int64_t i, struct value *out)
{
    int64_t n;

    if (!value_length(r, object, &n))
        return false;
    if (i < 0)
        i += n;
    if (i < 0 || i >= n)
        return true;
    if (object.type == VALUE_RANGE) {
        *out = value_int(object.range->start + i * object.range->step);
    } else if (object.type == VALUE_STR) {
        size_t at = text_offset(object.s, (size_t)i), end = at;

        (void)utf8_next(object.s, &end);
        *out = value_str(str_slice(object.s, at, end));
        out->is_safe = object.is_safe;
    } else {
        *out = object.list->items[i];
    }
    return true;
}

static bool index_object(struct render *r, struct value object, struct value key, struct value *out)
{
    struct entry *entry;
    int64_t i;

    switch (object.type) {
    case VALUE_DICT:
        if (key.type == VALUE_STR) {
            entry = dict_find_str(object.dict, key.s);
        } else if (key.type == VALUE_LIST || key.type == VALUE_DICT || key.type == VALUE_VIEW) {
            return true; /* not hashable: no such key */
        } else if (!dict_find(r, object.dict, key, &entry)) {
            return false;
        }
        if (entry)
            *out = entry->value;
        return true;
    case VALUE_STR:
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_RANGE:
        return !value_integer(key, &i) || index_sequence(r, object, i, out);
    default:
        return true;
    }
}

bool op_getitem(struct render *r, struct value object, struct value key, struct value *out)
{
    *out = (struct value){0};
    if (object.type == VALUE_UNDEFINED)
        return op_undefined(r, object);
    if (!index_object(r, object, key, out))
        return false;
    if (!value_given(*out) && key.type == VALUE_STR && !op_attribute(r, object, key.s, out))
        return false;
    return value_given(*out) || no_element(r, object, key, out);
}

/* --- slices ----------------------------------------------------------------------------------- */

static bool slice_bound(struct render *r, struct value v, int64_t otherwise, int64_t n,
                        int64_t step, int64_t *out)
{
    int64_t lowest = step < 0 ? -1 : 0, highest = step < 0 ? n - 1 : n;

    if (v.type == VALUE_ABSENT || v.type == VALUE_NONE) {
        *out = otherwise;
        return true;
    }
    if (!value_integer(v, out))
        return v.type == VALUE_UNDEFINED
                   ? op_undefined(r, v)
                   : render_fail(r, "a slice is bounded by integers, not by a %s",
                                 value_type_name(v));
    if (*out < 0)
        *out = *out + n < lowest ? lowest : *out + n;
    *out = MIN(*out, highest);
    return true;
}

static bool slice_string(struct render *r, struct value s, int64_t start, int64_t step, int64_t n,
                         struct value *out)
{
    size_t mark, from, to, *offsets;
    int64_t n_all = 0;

    if (step == 1) {
        from = text_offset(s.s, (size_t)start);
        to = from + text_offset(str_slice(s.s, from, s.s.len), (size_t)n);
        *out = value_str(str_slice(s.s, from, to));
        out->is_safe = s.is_safe;
        return true;
    }
    offsets = render_array(r, s.s.len + 1, sizeof(*offsets));
    if (!offsets)
        return false;
    for (size_t i = 0; i < s.s.len;) {
        offsets[n_all++] = i;
        (void)utf8_next(s.s, &i);
    }
    offsets[n_all] = s.s.len;
    mark = render_text_begin(r);
    for (int64_t i = 0; i < n; i++)
        buf_add_str(&r->scratch,
                    str_slice(s.s, offsets[start + i * step], offsets[start + i * step + 1]));
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = s.is_safe;
    return render_spend(r, (size_t)n);
}

/* As Python does, the stop is that of the slice even where nothing is left: range(4)[2:1] is
 * range(2, 1). */
static bool slice_range(struct render *r, const struct range *g, const int64_t bounds[3], int64_t n,
                        struct value *out)
{
    struct range *cut = render_alloc(r, sizeof(*cut));

    if (!cut)
        return false;
    *cut = (struct range){.n = n};
    if (__builtin_mul_overflow(g->step, bounds[2], &cut->step) ||
        __builtin_mul_overflow(g->step, bounds[0], &cut->start) ||
        __builtin_add_overflow(g->start, cut->start, &cut->start) ||
        __builtin_mul_overflow(g->step, bounds[1], &cut->stop) ||
        __builtin_add_overflow(g->start, cut->stop, &cut->stop))
        return too_large(r, NODE_MUL);
    *out = (struct value){.type = VALUE_RANGE, .range = cut};
    return true;
}

bool op_slice(struct render *r, struct value object, const struct value bounds[3],
              struct value *out)
{
    int64_t n, start, stop, step = 1, count;

    if (object.type == VALUE_UNDEFINED)
        return op_undefined(r, object);
    if (!is_sequence(object) && object.type != VALUE_RANGE)
        return render_fail(r, "a %s cannot be sliced", value_type_name(object));
    if (bounds[2].type != VALUE_ABSENT && bounds[2].type != VALUE_NONE &&
        !value_integer(bounds[2], &step))
        return render_fail(r, "the step of a slice is an integer, not a %s",
                           value_type_name(bounds[2]));
    if (step == 0)
        return render_fail(r, "the step of a slice cannot be zero");
    step = MAX(step, -INT64_MAX);
    if (!value_length(r, object, &n) ||
        !slice_bound(r, bounds[0], step < 0 ? n - 1 : 0, n, step, &start) ||
        !slice_bound(r, bounds[1], step < 0 ? -1 : n, n, step, &stop))
        return false;
    count = step > 0 ? (stop > start ? (stop - start - 1) / step + 1 : 0)
                     : (start > stop ? (start - stop - 1) / -step + 1 : 0);
    if (object.type == VALUE_STR)
        return slice_string(r, object, count ? start : 0, step, count, out);
    if (object.type == VALUE_RANGE)
        return slice_range(r, object.range, (const int64_t[3]){start, stop, step}, count, out);
    if (!(object.type == VALUE_LIST ? value_list(r, (size_t)count, out)
                                    : value_tuple(r, (size_t)count, out)))
        return false;
    for (int64_t i = 0; i < count; i++)
        out->list->items[i] = object.list->items[start + i * step];
    out->list->n = (size_t)count;
    return render_spend(r, (size_t)count);
}
