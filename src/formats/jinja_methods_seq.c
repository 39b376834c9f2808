/* jinja_methods_seq.c - the methods of lists, tuples, dicts, loops and cyclers. */
#include "formats/jinja_render.h"

/* --- lists ------------------------------------------------------------------------------------ */

static bool none(struct value *out)
{
    *out = value_none();
    return true;
}

static bool list_append(struct render *r, struct call *c, struct value *out)
{
    return list_push(r, c->self.list, c->arg[0]) && none(out);
}

static bool list_extend(struct render *r, struct call *c, struct value *out)
{
    struct list *items;

    if (!value_items(r, c->arg[0], &items))
        return false;
    for (size_t i = 0; i < items->n; i++)
        if (!list_push(r, c->self.list, items->items[i]))
            return false;
    return none(out);
}

static bool list_insert(struct render *r, struct call *c, struct value *out)
{
    struct list *l = c->self.list;
    int64_t at, n = (int64_t)l->n;

    if (!arg_int(r, c, 0, 0, &at))
        return false;
    at = at < 0 ? MAX(at + n, 0) : MIN(at, n);
    if (!list_push(r, l, c->arg[1]) || !render_spend(r, l->n))
        return false;
    memmove(l->items + at + 1, l->items + at, (size_t)(n - at) * sizeof(*l->items));
    l->items[at] = c->arg[1];
    return none(out);
}

static void remove_at(struct list *l, size_t at)
{
    memmove(l->items + at, l->items + at + 1, (l->n - at - 1) * sizeof(*l->items));
    l->n--;
}

static bool list_pop(struct render *r, struct call *c, struct value *out)
{
    struct list *l = c->self.list;
    int64_t at;

    if (!arg_int(r, c, 0, -1, &at))
        return false;
    at += at < 0 ? (int64_t)l->n : 0;
    if (at < 0 || at >= (int64_t)l->n)
        return render_fail(r, "pop() from a list of %zu items: there is none at that index", l->n);
    *out = l->items[at];
    remove_at(l, (size_t)at);
    return render_spend(r, l->n - (size_t)at);
}

/* The index of the first equal item between the optional bounds; -1: none. */
static bool find_item(struct render *r, struct call *c, int64_t *out)
{
    struct list *l = c->self.list;
    int64_t n = (int64_t)l->n, start, stop;
    bool is_equal = false;

    *out = -1;
    if (!arg_int(r, c, 1, 0, &start) || !arg_int(r, c, 2, n, &stop))
        return false;
    start = start < 0 ? MAX(start + n, 0) : start;
    stop = stop < 0 ? stop + n : MIN(stop, n);
    for (int64_t i = start; i < stop; i++) {
        if (!jinja_value_equal(r, l->items[i], c->arg[0], &is_equal))
            return false;
        if (is_equal) {
            *out = i;
            return true;
        }
    }
    return true;
}

static bool list_index(struct render *r, struct call *c, struct value *out)
{
    int64_t at;

    if (!find_item(r, c, &at))
        return false;
    if (at < 0)
        return render_fail(r, "index(): the value is not in the %s", value_type_name(c->self));
    *out = value_int(at);
    return true;
}

static bool list_remove(struct render *r, struct call *c, struct value *out)
{
    int64_t at;

    if (!find_item(r, c, &at))
        return false;
    if (at < 0)
        return render_fail(r, "remove(): the value is not in the list");
    remove_at(c->self.list, (size_t)at);
    return none(out);
}

static bool list_count(struct render *r, struct call *c, struct value *out)
{
    int64_t n = 0;

    for (size_t i = 0; i < c->self.list->n; i++) {
        bool is_equal;

        if (!jinja_value_equal(r, c->self.list->items[i], c->arg[0], &is_equal))
            return false;
        n += is_equal;
    }
    *out = value_int(n);
    return true;
}

static bool list_copy(struct render *r, struct call *c, struct value *out)
{
    struct list *copy;

    if (!value_items(r, c->self, &copy))
        return false;
    *out = (struct value){.type = VALUE_LIST, .list = copy};
    return true;
}

static bool list_clear(struct render *r, struct call *c, struct value *out)
{
    c->self.list->n = 0;
    return none(out);
}

static bool list_reverse(struct render *r, struct call *c, struct value *out)
{
    struct list *l = c->self.list;

    for (size_t i = 0; i < l->n / 2; i++) {
        struct value v = l->items[i];

        l->items[i] = l->items[l->n - 1 - i];
        l->items[l->n - 1 - i] = v;
    }
    return render_spend(r, l->n) && none(out);
}

static bool list_sort_method(struct render *r, struct call *c, struct value *out)
{
    struct list *keys, *l = c->self.list;
    bool reverse;

    if (!arg_bool(r, c, 0, false, &reverse) || !value_items(r, c->self, &keys) ||
        !list_sort(r, l, keys, reverse))
        return false;
    return none(out);
}

static const struct builtin list_methods[] = {
    {"append", "object!", list_append},
    {"extend", "iterable!", list_extend},
    {"insert", "index! object!", list_insert},
    {"pop", "index", list_pop},
    {"index", "value! start stop", list_index},
    {"count", "value!", list_count},
    {"remove", "value!", list_remove},
    {"copy", "", list_copy},
    {"clear", "", list_clear},
    {"reverse", "", list_reverse},
    {"sort", "reverse", list_sort_method},
};

static const struct builtin tuple_methods[] = {
    {"index", "value! start stop", list_index},
    {"count", "value!", list_count},
};

/* --- dicts ------------------------------------------------------------------------------------ */

static bool view_of(struct render *r, struct call *c, enum view_kind kind, struct value *out)
{
    struct view *v = render_alloc(r, sizeof(*v));

    if (!v)
        return false;
    *v = (struct view){c->self.dict, kind};
    *out = (struct value){.type = VALUE_VIEW, .view = v};
    return true;
}

static bool dict_items(struct render *r, struct call *c, struct value *out)
{
    return view_of(r, c, VIEW_ITEMS, out);
}

static bool dict_keys(struct render *r, struct call *c, struct value *out)
{
    return view_of(r, c, VIEW_KEYS, out);
}

static bool dict_values(struct render *r, struct call *c, struct value *out)
{
    return view_of(r, c, VIEW_VALUES, out);
}

static bool dict_get(struct render *r, struct call *c, struct value *out)
{
    struct entry *entry;

    if (!dict_find(r, c->self.dict, c->arg[0], &entry))
        return false;
    *out = entry ? entry->value : value_given(c->arg[1]) ? c->arg[1] : value_none();
    return true;
}

static bool dict_setdefault(struct render *r, struct call *c, struct value *out)
{
    struct value otherwise = value_given(c->arg[1]) ? c->arg[1] : value_none();
    struct entry *entry;

    if (!dict_find(r, c->self.dict, c->arg[0], &entry))
        return false;
    *out = entry ? entry->value : otherwise;
    return entry || dict_set(r, c->self.dict, c->arg[0], otherwise);
}

static bool dict_pop(struct render *r, struct call *c, struct value *out)
{
    struct entry *entry;

    if (!dict_find(r, c->self.dict, c->arg[0], &entry))
        return false;
    if (!entry && !value_given(c->arg[1]))
        return render_fail(r, "pop(): the dict has no such key");
    *out = entry ? entry->value : c->arg[1];
    return !entry || dict_remove(r, c->self.dict, entry);
}

static bool dict_popitem(struct render *r, struct call *c, struct value *out)
{
    struct dict *d = c->self.dict;

    if (d->n == 0)
        return render_fail(r, "popitem(): the dict is empty");
    return value_pair(r, d->entries[d->n - 1].key, d->entries[d->n - 1].value, out) &&
           dict_remove(r, d, &d->entries[d->n - 1]);
}

/* What dict() and update() take: a dict or pairs, then names. */
static bool merge_into(struct render *r, struct dict *d, const struct args *a, const char *who)
{
    if (a->n_pos > 1)
        return render_fail(r, "%s() takes one argument without a name", who);
    if (a->n_pos == 1 && (a->pos[0].type == VALUE_DICT || a->pos[0].type == VALUE_NAMESPACE)) {
        const struct dict *from = a->pos[0].dict;

        for (size_t i = 0, n = from->n; i < n; i++)
            if (!dict_set(r, d, from->entries[i].key, from->entries[i].value))
                return false;
    } else if (a->n_pos == 1) {
        struct list *pairs, *pair;

        if (!value_items(r, a->pos[0], &pairs))
            return false;
        for (size_t i = 0; i < pairs->n; i++) {
            if (!value_items(r, pairs->items[i], &pair))
                return false;
            if (pair->n != 2)
                return render_fail(r, "%s() needs pairs, and item %zu has %zu parts", who, i,
                                   pair->n);
            if (!dict_set(r, d, pair->items[0], pair->items[1]))
                return false;
        }
    }
    for (int i = 0; i < a->n_named; i++)
        if (!dict_set(r, d, value_str(a->named[i].name), a->named[i].value))
            return false;
    return true;
}

static bool dict_update(struct render *r, struct call *c, struct value *out)
{
    return merge_into(r, c->self.dict, c->args, "update") && none(out);
}

static bool copy_dict(struct render *r, const struct dict *d, struct value *out)
{
    if (!value_dict(r, d->n, out))
        return false;
    for (size_t i = 0; i < d->n; i++)
        if (!dict_set(r, out->dict, d->entries[i].key, d->entries[i].value))
            return false;
    return true;
}

static bool dict_copy(struct render *r, struct call *c, struct value *out)
{
    return copy_dict(r, c->self.dict, out);
}

static bool dict_clear(struct render *r, struct call *c, struct value *out)
{
    c->self.dict->n = 0;
    c->self.dict->index = NULL;
    return none(out);
}

static const struct builtin dict_methods[] = {
    {"items", "", dict_items},
    {"get", "key! default", dict_get},
    {"keys", "", dict_keys},
    {"values", "", dict_values},
    {"pop", "key! default", dict_pop},
    {"update", "*", dict_update},
    {"setdefault", "key! default", dict_setdefault},
    {"popitem", "", dict_popitem},
    {"copy", "", dict_copy},
    {"clear", "", dict_clear},
};

/* --- loops and cyclers ------------------------------------------------------------------------ */

static bool loop_cycle(struct render *r, struct call *c, struct value *out)
{
    if (c->args->n_pos == 0)
        return render_fail(r, "cycle() needs items to cycle through");
    *out = c->args->pos[c->self.loop->at % (size_t)c->args->n_pos];
    return true;
}

/* True on the first call and whenever the arguments are not those of the call before. */
static bool loop_changed(struct render *r, struct call *c, struct value *out)
{
    struct list *last = c->self.loop->last_changed;
    struct value now;
    bool is_equal = last && last->n == (size_t)c->args->n_pos;

    if (!value_tuple(r, (size_t)c->args->n_pos, &now))
        return false;
    for (int i = 0; i < c->args->n_pos; i++) {
        now.list->items[now.list->n++] = c->args->pos[i];
        if (is_equal && !jinja_value_equal(r, last->items[i], c->args->pos[i], &is_equal))
            return false;
    }
    c->self.loop->last_changed = now.list;
    *out = value_bool(!is_equal);
    return true;
}

static bool cycler_next(struct render *r, struct call *c, struct value *out)
{
    struct cycler *y = c->self.cycler;

    *out = y->items->items[y->at];
    y->at = (y->at + 1) % y->items->n;
    return true;
}

static bool cycler_reset(struct render *r, struct call *c, struct value *out)
{
    c->self.cycler->at = 0;
    return none(out);
}

static const struct builtin loop_methods[] = {
    {"cycle", "*", loop_cycle},
    {"changed", "*", loop_changed},
};

static const struct builtin cycler_methods[] = {
    {"next", "", cycler_next},
    {"reset", "", cycler_reset},
};

const struct builtin *list_method_find(struct str name)
{
    return builtin_find(list_methods, LEN(list_methods), name);
}

const struct builtin *tuple_method_find(struct str name)
{
    return builtin_find(tuple_methods, LEN(tuple_methods), name);
}

const struct builtin *dict_method_find(struct str name)
{
    return builtin_find(dict_methods, LEN(dict_methods), name);
}

const struct builtin *loop_method_find(struct str name)
{
    return builtin_find(loop_methods, LEN(loop_methods), name);
}

const struct builtin *cycler_method_find(struct str name)
{
    return builtin_find(cycler_methods, LEN(cycler_methods), name);
}

/* --- global functions ------------------------------------------------------------------------- */

static bool global_range(struct render *r, struct call *c, struct value *out)
{
    struct range *g = render_alloc(r, sizeof(*g));
    int64_t first, second, step;
    __int128 n;

    if (!g || !arg_int(r, c, 0, 0, &first) || !arg_int(r, c, 1, first, &second) ||
        !arg_int(r, c, 2, 1, &step))
        return false;
    if (!value_given(c->arg[1]))
        first = 0;
    if (step == 0)
        return render_fail(r, "range() cannot go by steps of zero");
    n = step > 0 ? ((__int128)second - first + step - 1) / step
                 : ((__int128)second - first + step + 1) / step;
    if (n > 1000 * 1000 * 1000)
        return render_fail(r, "range() of more than a billion numbers");
    *g = (struct range){first, second, step, n > 0 ? (int64_t)n : 0};
    *out = (struct value){.type = VALUE_RANGE, .range = g};
    return true;
}

static bool global_dict(struct render *r, struct call *c, struct value *out)
{
    return value_dict(r, (size_t)c->args->n_named, out) &&
           merge_into(r, out->dict, c->args, "dict");
}

static bool global_namespace(struct render *r, struct call *c, struct value *out)
{
    if (!value_dict(r, (size_t)c->args->n_named, out) ||
        !merge_into(r, out->dict, c->args, "namespace"))
        return false;
    out->type = VALUE_NAMESPACE;
    return true;
}

static bool global_cycler(struct render *r, struct call *c, struct value *out)
{
    struct cycler *y = render_alloc(r, sizeof(*y));
    struct value items;

    if (!y)
        return false;
    if (c->args->n_pos == 0)
        return render_fail(r, "cycler() needs items to cycle through");
    if (!value_list(r, (size_t)c->args->n_pos, &items))
        return false;
    memcpy(items.list->items, c->args->pos, (size_t)c->args->n_pos * sizeof(*items.list->items));
    items.list->n = (size_t)c->args->n_pos;
    y->items = items.list;
    *out = (struct value){.type = VALUE_CYCLER, .cycler = y};
    return true;
}

static bool global_joiner(struct render *r, struct call *c, struct value *out)
{
    struct joiner *j = render_alloc(r, sizeof(*j));

    if (!j)
        return false;
    j->separator = value_given(c->arg[0]) ? c->arg[0] : value_strz(", ");
    *out = (struct value){.type = VALUE_JOINER, .joiner = j};
    return true;
}

static const struct builtin globals[] = {
    {"range", "start! stop step", global_range},
    {"dict", "*", global_dict},
    {"namespace", "*", global_namespace},
    {"cycler", "*", global_cycler},
    {"joiner", "sep", global_joiner},
};

const struct builtin *global_find(struct str name)
{
    return builtin_find(globals, LEN(globals), name);
}
