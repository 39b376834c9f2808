/* jinja_value.h - the values of a running template: Python's, in C. Private to jinja_*.c.
 *
 * A value is 24 bytes and is copied freely. Lists, dicts and the rest are shared by pointer, as in
 * Python, and live in the arena of their rendering. Strings are UTF-8 and never change. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct render;
struct builtin;
struct macro;
struct loop;
struct jinja_func;

enum value_type {
    VALUE_ABSENT, /* no value: an argument that was not given, an empty slot */
    VALUE_UNDEFINED,
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_STR,
    VALUE_LIST,
    VALUE_TUPLE,
    VALUE_DICT,
    VALUE_RANGE,
    VALUE_VIEW,   /* dict.keys(), .values(), .items() */
    VALUE_STREAM, /* Python's generator: can be walked once, has no length */
    VALUE_FUNCTION,
    VALUE_METHOD,
    VALUE_MACRO,
    VALUE_LOOP,
    VALUE_NAMESPACE, /* attributes in a dict */
    VALUE_CYCLER,
    VALUE_JOINER,
    VALUE_HOST,
};

struct value {
    enum value_type type;
    bool is_safe; /* a string that escaping leaves alone (Markup) */
    union {
        bool b;
        int64_t i;
        double f;
        struct str s;
        struct list *list; /* LIST, TUPLE */
        struct dict *dict; /* DICT, NAMESPACE */
        struct range *range;
        struct view *view;
        struct stream *stream;
        const struct undefined *undefined;
        const struct builtin *function;
        const struct method *method;
        const struct macro *macro;
        struct loop *loop;
        struct cycler *cycler;
        struct joiner *joiner;
        const struct jinja_func *host;
    };
};

/* Why a value is undefined: the name, and the kind of object that lacks it ("" for a variable). */
struct undefined {
    const char *owner; /* "dict object"; NULL: a variable; "": name is the whole message */
    struct str name;
};

struct list {
    struct value *items;
    size_t n, cap;
    bool is_group; /* a pair of groupby, whose parts are also .grouper and .list */
};

struct entry {
    struct value key, value;
    uint64_t hash;
};

/* Keeps the order of insertion. Up to eight keys are searched one by one; beyond that by `index`,
 * an open hash table of entry numbers plus one. */
struct dict {
    struct entry *entries;
    size_t n, cap;
    uint32_t *index;
    size_t n_index; /* a power of two, or 0 */
};

struct range {
    int64_t start, stop, step;
    int64_t n;
};

enum view_kind { VIEW_KEYS, VIEW_VALUES, VIEW_ITEMS };

struct view {
    struct dict *dict;
    enum view_kind kind;
};

struct stream {
    struct list *list;
    size_t at;
    const char *name; /* the function that a Python repr would show */
};

struct method {
    struct value self;
    const struct builtin *fn;
};

struct cycler {
    struct list *items;
    size_t at;
};

struct joiner {
    struct value separator;
    bool is_used;
};

static inline struct value value_none(void)
{
    return (struct value){.type = VALUE_NONE};
}
static inline struct value value_bool(bool b)
{
    return (struct value){.type = VALUE_BOOL, .b = b};
}
static inline struct value value_int(int64_t i)
{
    return (struct value){.type = VALUE_INT, .i = i};
}
static inline struct value value_float(double f)
{
    return (struct value){.type = VALUE_FLOAT, .f = f};
}
static inline struct value value_str(struct str s)
{
    return (struct value){.type = VALUE_STR, .s = s};
}
static inline struct value value_strz(const char *z)
{
    return value_str(STR(z));
}
static inline struct value value_safe(struct str s)
{
    return (struct value){.type = VALUE_STR, .is_safe = true, .s = s};
}
static inline bool value_is(struct value v, enum value_type t)
{
    return v.type == t;
}
static inline bool value_given(struct value v)
{
    return v.type != VALUE_ABSENT;
}

/* "dict object", "str object": how messages name a value; "'str'" alone by value_type_name. */
const char *value_kind(struct value v);
const char *value_type_name(struct value v);

/* --- making; false: the rendering is over its memory, and its error is set -------------------- */
bool value_list(struct render *r, size_t n_reserve, struct value *out) MUST_CHECK;
bool value_tuple(struct render *r, size_t n_reserve, struct value *out) MUST_CHECK;
bool value_pair(struct render *r, struct value a, struct value b, struct value *out) MUST_CHECK;
bool value_dict(struct render *r, size_t n_reserve, struct value *out) MUST_CHECK;
bool value_stream(struct render *r, struct list *items, const char *name,
                  struct value *out) MUST_CHECK;
bool value_undefined(struct render *r, const char *owner, struct str name,
                     struct value *out) MUST_CHECK;
bool value_no_attribute(struct render *r, struct value owner, struct str name,
                        struct value *out) MUST_CHECK;
struct json;
bool value_from_json(struct render *r, const struct json *j, struct value *out) MUST_CHECK;

bool list_push(struct render *r, struct list *l, struct value v) MUST_CHECK;
bool dict_set(struct render *r, struct dict *d, struct value key, struct value v) MUST_CHECK;
bool dict_find(struct render *r, const struct dict *d, struct value key,
               struct entry **out) MUST_CHECK;
struct entry *dict_find_str(const struct dict *d, struct str key);
bool dict_remove(struct render *r, struct dict *d, struct entry *entry) MUST_CHECK;

/* --- asking ----------------------------------------------------------------------------------- */
bool value_truth(struct render *r, struct value v, bool *out) MUST_CHECK;
bool jinja_value_equal(struct render *r, struct value a, struct value b, bool *out) MUST_CHECK;
/* *order below, at or above 0; NaN compares as unordered: *order is 2. Fails between types. */
bool value_compare(struct render *r, struct value a, struct value b, const char *sign,
                   int *order) MUST_CHECK;
bool value_contains(struct render *r, struct value item, struct value in, bool *out) MUST_CHECK;
bool value_length(struct render *r, struct value v, int64_t *n) MUST_CHECK;
/* A list with the items of any iterable; a stream is used up. Never the value's own list. */
bool value_items(struct render *r, struct value v, struct list **out) MUST_CHECK;
bool value_iterable(struct value v);
bool value_callable(struct value v);
bool value_same(struct value a, struct value b);  /* Python's `is` */
bool value_number(struct value v, double *out);   /* int, float or bool */
bool value_integer(struct value v, int64_t *out); /* int or bool */
