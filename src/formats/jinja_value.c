/* jinja_value.c - making, comparing and walking values. */
#include <math.h>

#include "formats/jinja_render.h"
#include "formats/jinja_text.h"

static const struct {
    const char *kind, *type;
} kinds[] = {
    [VALUE_ABSENT] = {"missing value", "missing value"},
    [VALUE_UNDEFINED] = {"undefined value", "Undefined"},
    [VALUE_NONE] = {"None", "NoneType"},
    [VALUE_BOOL] = {"bool object", "bool"},
    [VALUE_INT] = {"int object", "int"},
    [VALUE_FLOAT] = {"float object", "float"},
    [VALUE_STR] = {"str object", "str"},
    [VALUE_LIST] = {"list object", "list"},
    [VALUE_TUPLE] = {"tuple object", "tuple"},
    [VALUE_DICT] = {"dict object", "dict"},
    [VALUE_RANGE] = {"range object", "range"},
    [VALUE_VIEW] = {"view of a dict", "dict_items"},
    [VALUE_STREAM] = {"generator object", "generator"},
    [VALUE_FUNCTION] = {"function object", "function"},
    [VALUE_METHOD] = {"method object", "method"},
    [VALUE_MACRO] = {"macro object", "Macro"},
    [VALUE_LOOP] = {"loop object", "LoopContext"},
    [VALUE_NAMESPACE] = {"namespace object", "Namespace"},
    [VALUE_CYCLER] = {"cycler object", "Cycler"},
    [VALUE_JOINER] = {"joiner object", "Joiner"},
    [VALUE_HOST] = {"function object", "function"},
};

const char *value_kind(struct value v)
{
    return kinds[v.type].kind;
}

const char *value_type_name(struct value v)
{
    return kinds[v.type].type;
}

/* --- making --------------------------------------------------------------------------------------
 */

static bool new_list(struct render *r, enum value_type type, size_t n, struct value *out)
{
    struct list *l = render_alloc(r, sizeof(*l));

    if (!l)
        return false;
    if (n > 0) {
        l->items = render_array(r, n, sizeof(*l->items));
        if (!l->items)
            return false;
        l->cap = n;
    }
    *out = (struct value){.type = type, .list = l};
    return true;
}

bool value_list(struct render *r, size_t n_reserve, struct value *out)
{
    return new_list(r, VALUE_LIST, n_reserve, out);
}

bool value_tuple(struct render *r, size_t n_reserve, struct value *out)
{
    return new_list(r, VALUE_TUPLE, n_reserve, out);
}

bool value_pair(struct render *r, struct value a, struct value b, struct value *out)
{
    if (!value_tuple(r, 2, out))
        return false;
    out->list->items[0] = a;
    out->list->items[1] = b;
    out->list->n = 2;
    return true;
}

bool value_dict(struct render *r, size_t n_reserve, struct value *out)
{
    struct dict *d = render_alloc(r, sizeof(*d));

    if (!d)
        return false;
    if (n_reserve > 0) {
        d->entries = render_array(r, n_reserve, sizeof(*d->entries));
        if (!d->entries)
            return false;
        d->cap = n_reserve;
    }
    *out = (struct value){.type = VALUE_DICT, .dict = d};
    return true;
}

bool value_stream(struct render *r, struct list *items, const char *name, struct value *out)
{
    struct stream *s = render_alloc(r, sizeof(*s));

    if (!s)
        return false;
    *s = (struct stream){.list = items, .name = name};
    *out = (struct value){.type = VALUE_STREAM, .stream = s};
    return true;
}

bool value_undefined(struct render *r, const char *owner, struct str name, struct value *out)
{
    struct undefined *u = render_alloc(r, sizeof(*u));

    if (!u)
        return false;
    *u = (struct undefined){owner, name};
    *out = (struct value){.type = VALUE_UNDEFINED, .undefined = u};
    return true;
}

bool value_no_attribute(struct render *r, struct value owner, struct str name, struct value *out)
{
    return value_undefined(r, value_kind(owner), name, out);
}

static bool from_json_array(struct render *r, const struct json *j, struct value *out)
{
    if (!value_list(r, json_len(j), out))
        return false;
    for (struct json_iter it = json_iter(j); json_next(&it);)
        if (!value_from_json(r, it.value, &out->list->items[out->list->n++]))
            return false;
    return true;
}

static bool from_json_object(struct render *r, const struct json *j, struct value *out)
{
    if (!value_dict(r, json_len(j), out))
        return false;
    for (struct json_iter it = json_iter(j); json_next(&it);) {
        struct value v;

        if (!value_from_json(r, it.value, &v) || !dict_set(r, out->dict, value_str(it.key), v))
            return false;
    }
    return true;
}

bool value_from_json(struct render *r, const struct json *j, struct value *out)
{
    if (!render_spend(r, 1))
        return false;
    switch (json_type(j)) {
    case JSON_BOOL:
        *out = value_bool(json_bool(j, false));
        return true;
    case JSON_INT:
        *out = value_int(json_int(j, 0));
        return true;
    case JSON_REAL:
        *out = value_float(json_num(j, 0));
        return true;
    case JSON_STRING:
        *out = value_str(json_str(j));
        return true;
    case JSON_ARRAY:
        return from_json_array(r, j, out);
    case JSON_OBJECT:
        return from_json_object(r, j, out);
    case JSON_ABSENT:
    case JSON_NULL:
        break;
    }
    *out = value_none();
    return true;
}

bool list_push(struct render *r, struct list *l, struct value v)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        struct value *grown = render_array(r, cap, sizeof(*grown));

        if (!grown)
            return false;
        if (l->n > 0)
            memcpy(grown, l->items, l->n * sizeof(*grown));
        l->items = grown;
        l->cap = cap;
    }
    l->items[l->n++] = v;
    return render_spend(r, 1);
}

/* --- dicts ---------------------------------------------------------------------------------------
 */

enum { SMALL_DICT = 8 };

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    return h;
}

static uint64_t hash_bytes(struct str s)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < s.len; i++)
        h = (h ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
    return mix(h);
}

static uint64_t hash_number(struct value v)
{
    double f;
    int64_t i;

    if (value_integer(v, &i))
        return mix((uint64_t)i);
    f = v.f;
    if (f == floor(f) && f >= -0x1p62 && f <= 0x1p62)
        return mix((uint64_t)(int64_t)f); /* 1.0 and 1 are one key */
    memcpy(&i, &f, sizeof(i));
    return mix((uint64_t)i);
}

/* Fails for what Python cannot hash. Keys are never deeper than the stack allows: tuples in tuples
 * count as levels. */
static bool hash_key(struct render *r, struct value key, uint64_t *out)
{
    switch (key.type) {
    case VALUE_STR:
        *out = hash_bytes(key.s);
        return render_spend(r, key.s.len / 64);
    case VALUE_BOOL:
    case VALUE_INT:
    case VALUE_FLOAT:
        *out = hash_number(key);
        return true;
    case VALUE_NONE:
    case VALUE_UNDEFINED:
        *out = mix((uint64_t)key.type);
        return true;
    case VALUE_TUPLE:
        if (!render_enter(r))
            return false;
        *out = key.list->n;
        for (size_t i = 0; i < key.list->n; i++) {
            uint64_t h;

            if (!hash_key(r, key.list->items[i], &h))
                return false;
            *out = mix(*out * 31 + h);
        }
        r->depth--;
        return render_spend(r, key.list->n);
    case VALUE_LIST:
    case VALUE_DICT:
    case VALUE_VIEW:
        return render_fail(r, "a %s cannot be a key", value_type_name(key));
    default:
        *out = mix((uint64_t)(uintptr_t)key.list);
        return true;
    }
}

static bool index_entries(struct render *r, struct dict *d)
{
    size_t n = 16;

    while (n < d->cap * 2)
        n *= 2;
    d->index = render_array(r, n, sizeof(*d->index));
    if (!d->index)
        return false;
    d->n_index = n;
    for (size_t i = 0; i < d->n; i++) {
        size_t slot = d->entries[i].hash & (n - 1);

        while (d->index[slot])
            slot = (slot + 1) & (n - 1);
        d->index[slot] = (uint32_t)i + 1;
    }
    return true;
}

static bool keys_equal(struct render *r, const struct entry *entry, struct value key, uint64_t hash,
                       bool *out)
{
    *out = false;
    if (entry->hash != hash)
        return true;
    if (key.type == VALUE_STR && entry->key.type == VALUE_STR) {
        *out = str_eq(key.s, entry->key.s);
        return true;
    }
    return jinja_value_equal(r, entry->key, key, out);
}

static bool find_hashed(struct render *r, const struct dict *d, struct value key, uint64_t hash,
                        struct entry **out)
{
    bool is_equal;

    *out = NULL;
    if (!d->index) {
        for (size_t i = 0; i < d->n; i++) {
            if (!keys_equal(r, &d->entries[i], key, hash, &is_equal))
                return false;
            if (is_equal) {
                *out = &d->entries[i];
                return true;
            }
        }
        return true;
    }
    for (size_t slot = hash & (d->n_index - 1); d->index[slot];
         slot = (slot + 1) & (d->n_index - 1)) {
        struct entry *entry = &d->entries[d->index[slot] - 1];

        if (!keys_equal(r, entry, key, hash, &is_equal))
            return false;
        if (is_equal) {
            *out = entry;
            return true;
        }
    }
    return true;
}

bool dict_find(struct render *r, const struct dict *d, struct value key, struct entry **out)
{
    uint64_t hash;

    return hash_key(r, key, &hash) && find_hashed(r, d, key, hash, out);
}

struct entry *dict_find_str(const struct dict *d, struct str key)
{
    uint64_t hash;

    if (!d->index) {
        for (size_t i = 0; i < d->n; i++)
            if (d->entries[i].key.type == VALUE_STR && str_eq(d->entries[i].key.s, key))
                return &d->entries[i];
        return NULL;
    }
    hash = hash_bytes(key);
    for (size_t slot = hash & (d->n_index - 1); d->index[slot];
         slot = (slot + 1) & (d->n_index - 1)) {
        struct entry *entry = &d->entries[d->index[slot] - 1];

        if (entry->hash == hash && entry->key.type == VALUE_STR && str_eq(entry->key.s, key))
            return entry;
    }
    return NULL;
}

static bool grow_entries(struct render *r, struct dict *d)
{
    size_t cap = d->cap ? d->cap * 2 : 4;
    struct entry *grown = render_array(r, cap, sizeof(*grown));

    if (!grown)
        return false;
    if (d->n > 0)
        memcpy(grown, d->entries, d->n * sizeof(*grown));
    d->entries = grown;
    d->cap = cap;
    d->index = NULL; /* made again below, for the larger capacity */
    return true;
}

bool dict_set(struct render *r, struct dict *d, struct value key, struct value v)
{
    struct entry *found;
    uint64_t hash;

    if (!hash_key(r, key, &hash) || !find_hashed(r, d, key, hash, &found))
        return false;
    if (found) {
        found->value = v;
        return true;
    }
    if (d->n == d->cap && !grow_entries(r, d))
        return false;
    d->entries[d->n++] = (struct entry){key, v, hash};
    if (d->index) {
        size_t slot = hash & (d->n_index - 1);

        while (d->index[slot])
            slot = (slot + 1) & (d->n_index - 1);
        d->index[slot] = (uint32_t)d->n;
    } else if (d->n > SMALL_DICT && !index_entries(r, d)) {
        return false;
    }
    return render_spend(r, 1);
}

bool dict_remove(struct render *r, struct dict *d, struct entry *entry)
{
    size_t i = (size_t)(entry - d->entries);

    memmove(entry, entry + 1, (d->n - i - 1) * sizeof(*entry));
    d->n--;
    d->index = NULL;
    if (d->n > SMALL_DICT && !index_entries(r, d))
        return false;
    return render_spend(r, d->n);
}

/* --- asking --------------------------------------------------------------------------------------
 */

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

        if (!find_hashed(r, b, a->entries[i].key, a->entries[i].hash, &other))
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
