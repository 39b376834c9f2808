/* jinja_value.c - making values; lists that grow, dicts that keep their order. */
#include <math.h>

#include "formats/jinja_render.h"

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

/* --- making ----------------------------------------------------------------------------------- */

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

/* --- dicts ------------------------------------------------------------------------------------ */

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

        if (!render_spend(r, 1) || !keys_equal(r, entry, key, hash, &is_equal))
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
