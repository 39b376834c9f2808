/* jinja_filters_seq.c - the filters for lists, dicts and other iterables. */
#include "formats/jinja_render.h"
#include "formats/jinja_text.h"

/* --- attributes and sorting ------------------------------------------------------------------- */

static bool one_step(struct render *r, struct value object, struct str part, struct value *out)
{
    int64_t i = 0;
    bool is_number = part.len > 0 && part.len < 18;

    for (size_t k = 0; k < part.len && is_number; k++) {
        is_number = part.ptr[k] >= '0' && part.ptr[k] <= '9';
        i = i * 10 + part.ptr[k] - '0';
    }
    return op_getitem(r, object, is_number ? value_int(i) : value_str(part), out);
}

bool attribute_path(struct render *r, struct value object, struct value path,
                    struct value otherwise, struct value *out)
{
    struct str rest = path.s, part;

    *out = object;
    if (path.type == VALUE_ABSENT || path.type == VALUE_NONE)
        return true;
    if (path.type != VALUE_STR) {
        if (!op_getitem(r, object, path, out))
            return false;
    } else {
        for (bool is_last = false; !is_last;) {
            ptrdiff_t dot = str_find_char(rest, '.', 0);

            is_last = dot < 0;
            part = str_slice(rest, 0, is_last ? rest.len : (size_t)dot);
            rest = str_slice(rest, part.len + !is_last, rest.len);
            if (!render_spend(r, 1) || !one_step(r, *out, part, out))
                return false;
            if (out->type == VALUE_UNDEFINED && value_given(otherwise) &&
                otherwise.type != VALUE_NONE)
                *out = otherwise;
        }
    }
    if (out->type == VALUE_UNDEFINED && value_given(otherwise) && otherwise.type != VALUE_NONE)
        *out = otherwise;
    return true;
}

bool value_lowered(struct render *r, struct value v, struct value *out)
{
    size_t mark;

    *out = v;
    if (v.type != VALUE_STR)
        return true;
    mark = render_text_begin(r);
    text_map(&r->scratch, v.s, TEXT_TO_LOWER);
    return render_text_end(r, mark, out);
}

/* Merges order[from, mid) and order[mid, to): stable, and failing as soon as two keys do not
 * compare. */
static bool merge(struct render *r, const struct list *keys, bool reverse, size_t *order,
                  size_t *spare, const size_t bounds[3])
{
    size_t i = bounds[0], j = bounds[1], n = bounds[0];

    while (i < bounds[1] && j < bounds[2]) {
        int relation;

        if (!value_compare(r, keys->items[order[j]], keys->items[order[i]], "<", &relation))
            return false;
        if (relation == 2)
            relation = 0;
        spare[n++] = (reverse ? relation > 0 : relation < 0) ? order[j++] : order[i++];
    }
    while (i < bounds[1])
        spare[n++] = order[i++];
    while (j < bounds[2])
        spare[n++] = order[j++];
    memcpy(order + bounds[0], spare + bounds[0], (bounds[2] - bounds[0]) * sizeof(*order));
    return true;
}

bool list_sort(struct render *r, struct list *items, struct list *keys, bool reverse)
{
    size_t n = items->n, *order, *spare;
    struct value *sorted;

    if (n < 2)
        return true;
    order = render_array(r, n, sizeof(*order));
    spare = order ? render_array(r, n, sizeof(*spare)) : NULL;
    sorted = spare ? render_array(r, n, sizeof(*sorted)) : NULL;
    if (!sorted)
        return false;
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t width = 1; width < n; width *= 2)
        for (size_t from = 0; from + width < n; from += 2 * width) {
            const size_t bounds[3] = {from, from + width, MIN(from + 2 * width, n)};

            if (!merge(r, keys, reverse, order, spare, bounds))
                return false;
        }
    for (size_t i = 0; i < n; i++)
        sorted[i] = items->items[order[i]];
    memcpy(items->items, sorted, n * sizeof(*sorted));
    return true;
}

/* What to compare an item by: an attribute of it perhaps, without regard to case perhaps. */
static bool key_of(struct render *r, struct value item, struct value attribute, bool case_sensitive,
                   struct value otherwise, struct value *out)
{
    return attribute_path(r, item, attribute, otherwise, out) &&
           (case_sensitive || value_lowered(r, *out, out));
}

/* A tuple of keys, as sort's attribute may be several with commas between them. One key makes a
 * tuple too: Python compares those item by item and asks for an order only where two items differ.
 */
static bool sort_key(struct render *r, struct value item, struct value attribute,
                     bool case_sensitive, struct value *out)
{
    struct str rest = attribute.s, part;
    struct value key;

    if (!value_tuple(r, 1, out))
        return false;
    if (attribute.type != VALUE_STR)
        return key_of(r, item, attribute, case_sensitive, (struct value){0}, &key) &&
               list_push(r, out->list, key);
    while (str_cut(&rest, ',', &part))
        if (!key_of(r, item, value_str(part), case_sensitive, (struct value){0}, &key) ||
            !list_push(r, out->list, key))
            return false;
    return true;
}

static bool as_list(struct list *l, struct value *out)
{
    *out = (struct value){.type = VALUE_LIST, .list = l};
    return true;
}

static bool filter_sort(struct render *r, struct call *c, struct value *out)
{
    bool reverse, case_sensitive;
    struct list *items;
    struct value keys, key;

    if (!arg_bool(r, c, 0, false, &reverse) || !arg_bool(r, c, 1, false, &case_sensitive) ||
        !value_items(r, c->self, &items) || !value_list(r, items->n, &keys))
        return false;
    for (size_t i = 0; i < items->n; i++)
        if (!sort_key(r, items->items[i], c->arg[2], case_sensitive, &key) ||
            !list_push(r, keys.list, key))
            return false;
    return list_sort(r, items, keys.list, reverse) && as_list(items, out);
}

static bool filter_dictsort(struct render *r, struct call *c, struct value *out)
{
    bool case_sensitive, reverse;
    struct str by;
    struct list *items;
    struct value keys, key, view_value;
    struct view view = {.kind = VIEW_ITEMS};

    if (!arg_bool(r, c, 0, false, &case_sensitive) || !arg_str(r, c, 1, "key", &by) ||
        !arg_bool(r, c, 2, false, &reverse))
        return false;
    if (!str_eqz(by, "key") && !str_eqz(by, "value"))
        return render_fail(r, "dictsort() sorts by 'key' or by 'value'");
    if (c->self.type != VALUE_DICT)
        return c->self.type == VALUE_UNDEFINED
                   ? op_undefined(r, c->self)
                   : render_fail(r, "dictsort() needs a dict, not a %s", value_type_name(c->self));
    view.dict = c->self.dict;
    view_value = (struct value){.type = VALUE_VIEW, .view = &view};
    if (!value_items(r, view_value, &items) || !value_list(r, items->n, &keys))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        key = items->items[i].list->items[str_eqz(by, "value")];
        if ((!case_sensitive && !value_lowered(r, key, &key)) || !list_push(r, keys.list, key))
            return false;
    }
    return list_sort(r, items, keys.list, reverse) && as_list(items, out);
}

static bool filter_unique(struct render *r, struct call *c, struct value *out)
{
    bool case_sensitive;
    struct list *items;
    struct value seen, key;
    size_t n = 0;

    if (!arg_bool(r, c, 0, false, &case_sensitive) || !value_items(r, c->self, &items) ||
        !value_dict(r, 0, &seen))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        struct entry *found;

        if (!key_of(r, items->items[i], c->arg[1], case_sensitive, (struct value){0}, &key) ||
            !dict_find(r, seen.dict, key, &found))
            return false;
        if (found)
            continue;
        if (!dict_set(r, seen.dict, key, value_none()))
            return false;
        items->items[n++] = items->items[i];
    }
    items->n = n;
    return value_stream(r, items, "unique", out);
}

static bool extreme(struct render *r, struct call *c, int sign, struct value *out)
{
    bool case_sensitive;
    struct list *items;
    struct value best, key;

    if (!arg_bool(r, c, 0, false, &case_sensitive) || !value_items(r, c->self, &items))
        return false;
    if (items->n == 0)
        return value_undefined(r, "", STR("no least or greatest item: the sequence is empty"), out);
    for (size_t i = 0; i < items->n; i++) {
        int relation = 0;

        if (!key_of(r, items->items[i], c->arg[1], case_sensitive, (struct value){0}, &key))
            return false;
        if (i > 0 && !value_compare(r, key, best, sign < 0 ? "<" : ">", &relation))
            return false;
        if (i == 0 || (relation != 2 && relation * sign > 0)) {
            best = key;
            *out = items->items[i];
        }
    }
    return true;
}

static bool filter_min(struct render *r, struct call *c, struct value *out)
{
    return extreme(r, c, -1, out);
}

static bool filter_max(struct render *r, struct call *c, struct value *out)
{
    return extreme(r, c, 1, out);
}

/* --- grouping --------------------------------------------------------------------------------- */

static bool new_group(struct render *r, struct value key, struct list *groups,
                      struct list **members)
{
    struct value list, group;

    if (!value_list(r, 0, &list) || !value_pair(r, key, list, &group))
        return false;
    group.list->is_group = true;
    *members = list.list;
    return list_push(r, groups, group);
}

static bool filter_groupby(struct render *r, struct call *c, struct value *out)
{
    bool case_sensitive, is_equal = false;
    struct list *items, *members = NULL;
    struct value keys, key, last = {0}, shown;

    if (!arg_bool(r, c, 2, false, &case_sensitive) || !value_items(r, c->self, &items) ||
        !value_list(r, items->n, &keys) || !value_list(r, 0, out))
        return false;
    for (size_t i = 0; i < items->n; i++)
        if (!key_of(r, items->items[i], c->arg[0], case_sensitive, c->arg[1], &key) ||
            !list_push(r, keys.list, key))
            return false;
    if (!list_sort(r, items, keys.list, false))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        if (!key_of(r, items->items[i], c->arg[0], case_sensitive, c->arg[1], &key) ||
            (members && !jinja_value_equal(r, key, last, &is_equal)))
            return false;
        if (!members || !is_equal) {
            /* a group is shown by the key of its first member, in its own case */
            if (!key_of(r, items->items[i], c->arg[0], true, c->arg[1], &shown) ||
                !new_group(r, shown, out->list, &members))
                return false;
            last = key;
        }
        if (!list_push(r, members, items->items[i]))
            return false;
    }
    return true;
}

static bool filter_batch(struct render *r, struct call *c, struct value *out)
{
    struct list *items;
    struct value rows, row = {0};
    int64_t n;

    if (!arg_int(r, c, 0, 1, &n) || !value_items(r, c->self, &items) || !value_list(r, 0, &rows))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        if (!value_given(row) || (int64_t)row.list->n == n) {
            if (!value_list(r, 0, &row) || !list_push(r, rows.list, row))
                return false;
        }
        if (!list_push(r, row.list, items->items[i]))
            return false;
    }
    while (value_given(row) && value_given(c->arg[1]) && c->arg[1].type != VALUE_NONE &&
           (int64_t)row.list->n < n)
        if (!list_push(r, row.list, c->arg[1]))
            return false;
    return value_stream(r, rows.list, "do_batch", out);
}

static bool filter_slice(struct render *r, struct call *c, struct value *out)
{
    struct list *items;
    struct value columns, column;
    int64_t n, per, more;
    size_t at = 0;
    bool fills = value_given(c->arg[1]) && c->arg[1].type != VALUE_NONE;

    if (!arg_int(r, c, 0, 1, &n) || !value_items(r, c->self, &items) || !value_list(r, 0, &columns))
        return false;
    if (n == 0)
        return render_fail(r, "slice() into no slices");
    per = (int64_t)items->n / MAX(n, 1);
    more = (int64_t)items->n % MAX(n, 1);
    for (int64_t i = 0; i < n; i++) {
        if (!value_list(r, 0, &column))
            return false;
        for (int64_t k = 0; k < per + (i < more); k++)
            if (!list_push(r, column.list, items->items[at++]))
                return false;
        if (fills && i >= more && !list_push(r, column.list, c->arg[1]))
            return false;
        if (!list_push(r, columns.list, column))
            return false;
    }
    return value_stream(r, columns.list, "do_slice", out);
}

/* --- choosing --------------------------------------------------------------------------------- */

static struct args rest_of(const struct args *a, int n_skip)
{
    struct args rest = *a;

    if (n_skip > 0)
        rest.pos += n_skip;
    rest.n_pos -= n_skip;
    return rest;
}

/* What map, select and reject walk over: like Jinja2 they take whatever is false for nothing. */
static bool items_if_true(struct render *r, struct value v, struct list **out)
{
    bool truth;
    struct value none;

    if (!value_truth(r, v, &truth))
        return false;
    if (truth)
        return value_items(r, v, out);
    if (!value_list(r, 0, &none))
        return false;
    *out = none.list;
    return true;
}

/* select, reject and their attr forms: items for which the test holds, or does not. */
static bool choose(struct render *r, struct call *c, bool by_attribute, bool wants,
                   struct value *out)
{
    const struct args *a = c->args;
    int n_skip = by_attribute;
    struct args rest;
    struct list *items;
    size_t n = 0;

    if (by_attribute && a->n_pos < 1)
        return render_fail(r, "%s() needs the name of an attribute", c->fn->name);
    if (a->n_pos > n_skip && a->pos[n_skip].type != VALUE_STR)
        return render_fail(r, "%s() needs the name of a test", c->fn->name);
    if (!items_if_true(r, c->self, &items))
        return false;
    rest = rest_of(a, MIN(n_skip + 1, a->n_pos));
    for (size_t i = 0; i < items->n; i++) {
        struct value v = items->items[i];
        bool holds;

        if (!render_spend(r, 1) ||
            (by_attribute && !attribute_path(r, v, a->pos[0], (struct value){0}, &v)))
            return false;
        if (a->n_pos > n_skip ? !call_test(r, a->pos[n_skip].s, v, &rest, &holds)
                              : !value_truth(r, v, &holds))
            return false;
        if (holds == wants)
            items->items[n++] = items->items[i];
    }
    items->n = n;
    return value_stream(r, items, "select_or_reject", out);
}

static bool filter_select(struct render *r, struct call *c, struct value *out)
{
    return choose(r, c, false, true, out);
}

static bool filter_reject(struct render *r, struct call *c, struct value *out)
{
    return choose(r, c, false, false, out);
}

static bool filter_selectattr(struct render *r, struct call *c, struct value *out)
{
    return choose(r, c, true, true, out);
}

static bool filter_rejectattr(struct render *r, struct call *c, struct value *out)
{
    return choose(r, c, true, false, out);
}

/* map(attribute='x', default=y) */
static bool map_attribute(struct render *r, struct call *c, struct list *items)
{
    struct value attribute = {0}, otherwise = {0};

    for (int i = 0; i < c->args->n_named; i++) {
        struct str name = c->args->named[i].name;

        if (str_eqz(name, "attribute"))
            attribute = c->args->named[i].value;
        else if (str_eqz(name, "default"))
            otherwise = c->args->named[i].value;
        else
            return render_fail(r, "map() has no argument called '" STR_FMT "'", STR_ARG(name));
    }
    if (!value_given(attribute))
        return render_fail(r, "map() needs a filter or an attribute");
    for (size_t i = 0; i < items->n; i++)
        if (!render_spend(r, 1) ||
            !attribute_path(r, items->items[i], attribute, otherwise, &items->items[i]))
            return false;
    return true;
}

static bool filter_map(struct render *r, struct call *c, struct value *out)
{
    struct list *items;
    struct args rest;

    if (!items_if_true(r, c->self, &items))
        return false;
    if (c->args->n_pos == 0)
        return map_attribute(r, c, items) && value_stream(r, items, "sync_do_map", out);
    if (c->args->pos[0].type != VALUE_STR)
        return render_fail(r, "map() needs the name of a filter");
    rest = rest_of(c->args, 1);
    for (size_t i = 0; i < items->n; i++)
        if (!call_filter(r, c->args->pos[0].s, items->items[i], &rest, &items->items[i]))
            return false;
    return value_stream(r, items, "sync_do_map", out);
}

/* --- the rest --------------------------------------------------------------------------------- */

static bool filter_length(struct render *r, struct call *c, struct value *out)
{
    int64_t n;

    if (!value_length(r, c->self, &n))
        return false;
    *out = value_int(n);
    return true;
}

static bool filter_first(struct render *r, struct call *c, struct value *out)
{
    struct list *items;

    if (c->self.type == VALUE_STREAM) { /* the rest of it stays */
        struct stream *s = c->self.stream;

        if (s->at < s->list->n) {
            *out = s->list->items[s->at++];
            return true;
        }
    } else {
        if (!value_items(r, c->self, &items))
            return false;
        if (items->n > 0) {
            *out = items->items[0];
            return true;
        }
    }
    return value_undefined(r, "", STR("no first item: the sequence is empty"), out);
}

static bool filter_last(struct render *r, struct call *c, struct value *out)
{
    struct list *items;

    if (c->self.type == VALUE_STREAM)
        return render_fail(r, "a generator has no last item: make a list of it first");
    if (!value_items(r, c->self, &items))
        return false;
    if (items->n == 0)
        return value_undefined(r, "", STR("no last item: the sequence is empty"), out);
    *out = items->items[items->n - 1];
    return true;
}

/* splitmix64: the draw depends on the seed of the rendering alone. */
static bool filter_random(struct render *r, struct call *c, struct value *out)
{
    struct list *items;
    uint64_t x;

    if (!value_items(r, c->self, &items))
        return false;
    if (items->n == 0)
        return value_undefined(r, "", STR("no random item: the sequence is empty"), out);
    r->random_state += 0x9e3779b97f4a7c15u;
    x = r->random_state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    *out = items->items[(x ^ (x >> 31)) % items->n];
    return true;
}

static bool filter_list(struct render *r, struct call *c, struct value *out)
{
    struct list *items;

    return value_items(r, c->self, &items) && as_list(items, out);
}

static bool filter_items(struct render *r, struct call *c, struct value *out)
{
    struct list *items;
    struct value v;
    struct view view = {.kind = VIEW_ITEMS};

    if (c->self.type == VALUE_UNDEFINED)
        return value_list(r, 0, &v) && value_stream(r, v.list, "do_items", out);
    if (c->self.type != VALUE_DICT)
        return render_fail(r, "items() needs a dict, not a %s", value_type_name(c->self));
    view.dict = c->self.dict;
    v = (struct value){.type = VALUE_VIEW, .view = &view};
    return value_items(r, v, &items) && value_stream(r, items, "do_items", out);
}

static bool filter_reverse(struct render *r, struct call *c, struct value *out)
{
    static const struct value whole[3] = {{0}, {0}, {.type = VALUE_INT, .i = -1}};
    struct list *items;

    if (c->self.type == VALUE_STR)
        return op_slice(r, c->self, whole, out);
    if (!value_items(r, c->self, &items))
        return false;
    for (size_t i = 0; i < items->n / 2; i++) {
        struct value v = items->items[i];

        items->items[i] = items->items[items->n - 1 - i];
        items->items[items->n - 1 - i] = v;
    }
    return value_stream(r, items, "reversed", out);
}

static bool filter_join(struct render *r, struct call *c, struct value *out)
{
    struct list *items;
    struct value d = value_strz("");
    bool is_safe = false;
    size_t mark;

    if ((value_given(c->arg[0]) && !value_to_str(r, c->arg[0], &d)) ||
        !value_items(r, c->self, &items))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        if (!attribute_path(r, items->items[i], c->arg[1], (struct value){0}, &items->items[i]) ||
            !value_to_str(r, items->items[i], &items->items[i]))
            return false;
        is_safe |= items->items[i].is_safe;
    }
    is_safe = (is_safe || d.is_safe) && r->autoescape;
    mark = render_text_begin(r);
    if (is_safe && !value_escape(r, d, &d))
        return false;
    for (size_t i = 0; i < items->n; i++) {
        if (is_safe && !value_escape(r, items->items[i], &items->items[i]))
            return false;
        if (i > 0)
            buf_add_str(&r->scratch, d.s);
        buf_add_str(&r->scratch, items->items[i].s);
    }
    if (!render_text_end(r, mark, out))
        return false;
    out->is_safe = is_safe;
    return true;
}

static bool filter_sum(struct render *r, struct call *c, struct value *out)
{
    struct list *items;
    struct value v;

    if (!value_items(r, c->self, &items))
        return false;
    *out = value_given(c->arg[1]) ? c->arg[1] : value_int(0);
    if (out->type == VALUE_STR)
        return render_fail(r, "sum() cannot add strings: use join");
    for (size_t i = 0; i < items->n; i++)
        if (!attribute_path(r, items->items[i], c->arg[0], (struct value){0}, &v) ||
            !op_binary(r, NODE_ADD, *out, v, out))
            return false;
    return true;
}

static bool filter_default(struct render *r, struct call *c, struct value *out)
{
    bool for_false, truth = true;

    if (!arg_bool(r, c, 1, false, &for_false))
        return false;
    if (c->self.type != VALUE_UNDEFINED && for_false && !value_truth(r, c->self, &truth))
        return false;
    if (c->self.type == VALUE_UNDEFINED || !truth)
        *out = value_given(c->arg[0]) ? c->arg[0] : value_strz("");
    else
        *out = c->self;
    return true;
}

/* Attributes only, never keys. */
static bool filter_attr(struct render *r, struct call *c, struct value *out)
{
    struct str name;

    if (!value_text(r, c->arg[0], &name) || !op_attribute(r, c->self, name, out))
        return false;
    return value_given(*out) || value_no_attribute(r, c->self, name, out);
}

static const struct builtin filters[] = {
    {"length", "", filter_length},
    {"count", "", filter_length},
    {"default", "default_value boolean", filter_default},
    {"d", "default_value boolean", filter_default},
    {"join", "d attribute", filter_join},
    {"list", "", filter_list},
    {"items", "", filter_items},
    {"first", "", filter_first},
    {"last", "", filter_last},
    {"map", "*", filter_map},
    {"select", "*", filter_select},
    {"reject", "*", filter_reject},
    {"selectattr", "*", filter_selectattr},
    {"rejectattr", "*", filter_rejectattr},
    {"sort", "reverse case_sensitive attribute", filter_sort},
    {"dictsort", "case_sensitive by reverse", filter_dictsort},
    {"unique", "case_sensitive attribute", filter_unique},
    {"min", "case_sensitive attribute", filter_min},
    {"max", "case_sensitive attribute", filter_max},
    {"groupby", "attribute! default case_sensitive", filter_groupby},
    {"batch", "linecount! fill_with", filter_batch},
    {"slice", "slices! fill_with", filter_slice},
    {"reverse", "", filter_reverse},
    {"sum", "attribute start", filter_sum},
    {"attr", "name!", filter_attr},
    {"random", "", filter_random},
};

const struct builtin *list_filter_find(struct str name)
{
    return builtin_find(filters, LEN(filters), name);
}
