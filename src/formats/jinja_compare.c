/* jinja_compare.c - what values are: truth, equality, order, membership, length, items. */
#include <math.h>

#include "formats/jinja_render.h"

bool value_integer(struct value v, int64_t *out)
{
    if (v.type == VALUE_INT)
        *out = v.i;
    else if (v.type == VALUE_BOOL)
        *out = v.b;
    else
        return false;
    return true;
}

bool value_number(struct value v, double *out)
{
    int64_t i;

    if (v.type == VALUE_FLOAT)
        *out = v.f;
    else if (value_integer(v, &i))
        *out = (double)i;
    else
        return false;
    return true;
}

bool value_callable(struct value v)
{
    switch (v.type) {
    case VALUE_FUNCTION:
    case VALUE_METHOD:
    case VALUE_MACRO:
    case VALUE_LOOP:
    case VALUE_JOINER:
    case VALUE_HOST:
    case VALUE_UNDEFINED: /* Python's callable() looks for __call__, which Undefined has */
        return true;
    default:
        return false;
    }
}

bool value_same(struct value a, struct value b)
{
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case VALUE_NONE:
        return true;
    case VALUE_BOOL:
        return a.b == b.b;
    case VALUE_INT:
        return a.i == b.i;
    case VALUE_FLOAT:
        return a.f == b.f;
    case VALUE_STR:
        return str_eq(a.s, b.s);
    default:
        return a.list == b.list;
    }
}

bool value_truth(struct render *r, struct value v, bool *out)
{
    switch (v.type) {
    case VALUE_UNDEFINED:
        *out = false;
        return !r->t->settings.strict_undefined || op_undefined(r, v);
    case VALUE_ABSENT:
    case VALUE_NONE:
        *out = false;
        return true;
    case VALUE_BOOL:
        *out = v.b;
        return true;
    case VALUE_INT:
        *out = v.i != 0;
        return true;
    case VALUE_FLOAT:
        *out = v.f != 0;
        return true;
    case VALUE_STR:
        *out = v.s.len > 0;
        return true;
    case VALUE_LIST:
    case VALUE_TUPLE:
        *out = v.list->n > 0;
        return true;
    case VALUE_DICT:
        *out = v.dict->n > 0;
        return true;
    case VALUE_VIEW:
        *out = v.view->dict->n > 0;
        return true;
    case VALUE_RANGE:
        *out = v.range->n > 0;
        return true;
    default:
        *out = true;
        return true;
    }
}

static bool lists_equal(struct render *r, const struct list *a, const struct list *b, bool *out)
{
    *out = a->n == b->n;
    if (!render_enter(r))
        return false;
    for (size_t i = 0; i < a->n && i < b->n && *out; i++)
        if (!jinja_value_equal(r, a->items[i], b->items[i], out))
            return false;
    r->depth--;
    return true;
}

static bool dicts_equal(struct render *r, const struct dict *a, const struct dict *b, bool *out)
{
    *out = a->n == b->n;
    if (!render_enter(r))
        return false;
    for (size_t i = 0; i < a->n && *out; i++) {
        struct entry *other;

        if (!dict_find(r, b, a->entries[i].key, &other))
            return false;
        *out = other != NULL;
        if (other && !jinja_value_equal(r, a->entries[i].value, other->value, out))
            return false;
    }
    r->depth--;
    return true;
}

static bool numbers_equal(struct value a, struct value b)
{
    int64_t i, j;
    double x = 0, y = 0;

    if (value_integer(a, &i) && value_integer(b, &j))
        return i == j;
    (void)value_number(a, &x);
    (void)value_number(b, &y);
    if (a.type != b.type && x == y &&
        fabs(x) >= 0x1p53) { /* an int that a double cannot tell apart */
        struct value whole = a.type == VALUE_FLOAT ? b : a;
        double real = a.type == VALUE_FLOAT ? x : y;

        return real < 0x1p63 && (int64_t)real == whole.i;
    }
    return x == y;
}

static bool is_number(struct value v)
{
    return v.type == VALUE_INT || v.type == VALUE_BOOL || v.type == VALUE_FLOAT;
}

bool jinja_value_equal(struct render *r, struct value a, struct value b, bool *out)
{
    *out = false;
    if (!render_spend(r, 1))
        return false;
    if ((a.type == VALUE_UNDEFINED || b.type == VALUE_UNDEFINED) && r->t->settings.strict_undefined)
        return op_undefined(r, a.type == VALUE_UNDEFINED ? a : b);
    if (is_number(a) && is_number(b)) {
        *out = numbers_equal(a, b);
        return true;
    }
    if (a.type != b.type)
        return true;
    switch (a.type) {
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        *out = true;
        return true;
    case VALUE_STR:
        *out = str_eq(a.s, b.s);
        return !*out || render_spend(r, a.s.len / 256);
    case VALUE_LIST:
    case VALUE_TUPLE:
        return lists_equal(r, a.list, b.list, out);
    case VALUE_DICT:
        return dicts_equal(r, a.dict, b.dict, out);
    case VALUE_RANGE:
        *out = a.range->n == b.range->n && (a.range->n == 0 || a.range->start == b.range->start) &&
               (a.range->n <= 1 || a.range->step == b.range->step);
        return true;
    case VALUE_METHOD:
        *out = a.method->fn == b.method->fn && value_same(a.method->self, b.method->self);
        return true;
    default:
        *out = a.list == b.list;
        return true;
    }
}

static bool compare_lists(struct render *r, const struct list *a, const struct list *b,
                          const char *sign, int *order)
{
    if (!render_enter(r))
        return false;
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        bool is_equal;

        if (!jinja_value_equal(r, a->items[i], b->items[i], &is_equal))
            return false;
        if (!is_equal) {
            r->depth--;
            return value_compare(r, a->items[i], b->items[i], sign, order);
        }
    }
    r->depth--;
    *order = a->n < b->n ? -1 : a->n > b->n;
    return true;
}

bool value_compare(struct render *r, struct value a, struct value b, const char *sign, int *order)
{
    int64_t i, j;
    double x, y;

    if (!render_spend(r, 1))
        return false;
    if (value_integer(a, &i) && value_integer(b, &j)) {
        *order = i < j ? -1 : i > j;
        return true;
    }
    if (value_number(a, &x) && value_number(b, &y)) {
        *order = x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
        if (*order == 0 && !numbers_equal(a, b))
            *order =
                a.type == VALUE_INT ? (a.i < (int64_t)y ? -1 : 1) : (b.i < (int64_t)x ? 1 : -1);
        return true;
    }
    if (a.type == VALUE_STR && b.type == VALUE_STR) {
        int sign_of_bytes = str_cmp(a.s, b.s); /* bytes of UTF-8 sort as code points do */

        *order = sign_of_bytes < 0 ? -1 : sign_of_bytes > 0;
        return render_spend(r, MIN(a.s.len, b.s.len) / 256);
    }
    if (a.type == b.type && (a.type == VALUE_LIST || a.type == VALUE_TUPLE))
        return compare_lists(r, a.list, b.list, sign, order);
    if (a.type == VALUE_UNDEFINED || b.type == VALUE_UNDEFINED)
        return op_undefined(r, a.type == VALUE_UNDEFINED ? a : b);
    return render_fail(r, "'%s' cannot be applied to a %s and a %s", sign, value_type_name(a),
                       value_type_name(b));
}

static bool list_contains(struct render *r, struct value item, const struct list *l, size_t from,
                          bool *out)
{
    *out = false;
    for (size_t i = from; i < l->n && !*out; i++)
        if (!jinja_value_equal(r, item, l->items[i], out))
            return false;
    return true;
}

static bool range_contains(const struct range *g, struct value item)
{
    int64_t i;

    if (item.type == VALUE_FLOAT && item.f == floor(item.f) && fabs(item.f) < 0x1p62)
        i = (int64_t)item.f;
    else if (!value_integer(item, &i))
        return false;
    if (g->n == 0 || (g->step > 0 ? i < g->start || i >= g->stop : i > g->start || i <= g->stop))
        return false;
    return (i - g->start) % g->step == 0;
}

bool value_contains(struct render *r, struct value item, struct value in, bool *out)
{
    struct list *items;
    struct entry *found;

    switch (in.type) {
    case VALUE_STR:
        if (item.type == VALUE_UNDEFINED)
            return op_undefined(r, item);
        if (item.type != VALUE_STR)
            return render_fail(r, "'in' looks for a str in a str, not for a %s",
                               value_type_name(item));
        *out = str_find(in.s, item.s, 0) >= 0;
        return render_spend(r, in.s.len / 64);
    case VALUE_LIST:
    case VALUE_TUPLE:
        return list_contains(r, item, in.list, 0, out);
    case VALUE_DICT:
        if (!dict_find(r, in.dict, item, &found))
            return false;
        *out = found != NULL;
        return true;
    case VALUE_RANGE:
        *out = range_contains(in.range, item);
        return true;
    case VALUE_UNDEFINED:
    case VALUE_VIEW:
    case VALUE_STREAM:
        return value_items(r, in, &items) && list_contains(r, item, items, 0, out);
    default:
        return render_fail(r, "'in' cannot look into a %s", value_type_name(in));
    }
}

bool value_length(struct render *r, struct value v, int64_t *n)
{
    switch (v.type) {
    case VALUE_STR:
        *n = (int64_t)utf8_count(v.s);
        return render_spend(r, v.s.len / 64);
    case VALUE_LIST:
    case VALUE_TUPLE:
        *n = (int64_t)v.list->n;
        return true;
    case VALUE_DICT:
        *n = (int64_t)v.dict->n;
        return true;
    case VALUE_VIEW:
        *n = (int64_t)v.view->dict->n;
        return true;
    case VALUE_RANGE:
        *n = v.range->n;
        return true;
    case VALUE_LOOP:
        *n = (int64_t)v.loop->items->n;
        return true;
    case VALUE_UNDEFINED:
        *n = 0;
        return !r->t->settings.strict_undefined || op_undefined(r, v);
    default:
        return render_fail(r, "a %s has no length", value_type_name(v));
    }
}

bool value_iterable(struct value v)
{
    switch (v.type) {
    case VALUE_UNDEFINED:
    case VALUE_STR:
    case VALUE_LIST:
    case VALUE_TUPLE:
    case VALUE_DICT:
    case VALUE_RANGE:
    case VALUE_VIEW:
    case VALUE_STREAM:
    case VALUE_LOOP:
        return true;
    default:
        return false;
    }
}

static bool characters(struct render *r, struct str s, struct list *l)
{
    for (size_t i = 0; i < s.len;) {
        size_t from = i;

        (void)utf8_next(s, &i);
        if (!list_push(r, l, value_str(str_slice(s, from, i))))
            return false;
    }
    return true;
}

static bool view_items(struct render *r, const struct dict *d, enum view_kind kind, struct list *l)
{
    for (size_t i = 0; i < d->n; i++) {
        struct value v = kind == VIEW_KEYS ? d->entries[i].key : d->entries[i].value;

        if (kind == VIEW_ITEMS && !value_pair(r, d->entries[i].key, d->entries[i].value, &v))
            return false;
        if (!list_push(r, l, v))
            return false;
    }
    return true;
}

static bool copy_items(struct render *r, const struct list *from, size_t at, struct list *to)
{
    size_t n = from->n - at;

    if (n == 0)
        return true;
    to->items = render_array(r, n, sizeof(*to->items));
    if (!to->items)
        return false;
    memcpy(to->items, from->items + at, n * sizeof(*to->items));
    to->n = to->cap = n;
    return render_spend(r, n);
}

static bool range_items(struct render *r, const struct range *g, struct list *l)
{
    if (!render_spend(r, (size_t)g->n))
        return false;
    for (int64_t i = 0; i < g->n; i++)
        if (!list_push(r, l, value_int(g->start + i * g->step)))
            return false;
    return true;
}

bool value_items(struct render *r, struct value v, struct list **out)
{
    struct value l;
    size_t at;

    if (!value_list(r, 0, &l))
        return false;
    *out = l.list;
    switch (v.type) {
    case VALUE_UNDEFINED:
        return !r->t->settings.strict_undefined || op_undefined(r, v);
    case VALUE_STR:
        return characters(r, v.s, l.list);
    case VALUE_LIST:
    case VALUE_TUPLE:
        return copy_items(r, v.list, 0, l.list);
    case VALUE_DICT:
        return view_items(r, v.dict, VIEW_KEYS, l.list);
    case VALUE_VIEW:
        return view_items(r, v.view->dict, v.view->kind, l.list);
    case VALUE_RANGE:
        return range_items(r, v.range, l.list);
    case VALUE_STREAM:
        at = v.stream->at;
        v.stream->at = v.stream->list->n;
        return copy_items(r, v.stream->list, at, l.list);
    case VALUE_LOOP: /* what the loop has not handed out yet */
        return copy_items(r, v.loop->items, MIN(v.loop->at + 1, v.loop->items->n), l.list);
    default:
        return render_fail(r, "a %s cannot be iterated over", value_type_name(v));
    }
}
