/* manifest.c - see manifest.h. */
#include "eval/manifest.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/num.h"
#include "formats/json.h"
#include "task/docs.h"

char *manifest_path(const char *output_file)
{
    struct buf path = {0};

    buf_addf(&path, "%s.manifest.json", output_file);
    return path.ptr;
}

/* One option under its own name and with its own type; a list becomes an array. */
static void add_parameter(void *ctx, const struct opt *o, struct str value)
{
    struct json *parameters = ctx, *list;
    int64_t i;
    double x;

    switch (o->type) {
    case OPT_TYPE_BOOL:
        json_set(parameters, o->name, json_new_bool(str_eqz(value, "true")));
        return;
    case OPT_TYPE_INT:
    case OPT_TYPE_I64:
        if (parse_i64(value, &i))
            json_set(parameters, o->name, json_new_int(i));
        return;
    case OPT_TYPE_REAL:
        if (parse_f64(value, &x))
            json_set(parameters, o->name, json_new_real(x));
        return;
    case OPT_TYPE_LIST:
        list = json_get(parameters, o->name);
        if (!list) {
            list = json_new_array();
            json_set(parameters, o->name, list);
        }
        json_push(list, json_new_str(value));
        return;
    case OPT_TYPE_STR:
        json_set(parameters, o->name, json_new_str(value));
    }
}

struct json *manifest_make(const struct manifest *m, int64_t n_rows_before)
{
    struct json *tree = json_new_object(), *ids = json_new_array(), *parameters = json_new_object();
    char now[32];

    for (int i = 0; i < m->docs->n; i++)
        json_push(ids, json_new_str(m->docs->items[i].id));
    clock_iso8601(now, sizeof(now));
    opts_each(m->groups, m->n_groups, add_parameter, parameters);
    json_set(tree, "program", json_new_str(STR("llmeval " LLMEVAL_VERSION)));
    json_set(tree, "created", json_new_str(STR(now)));
    json_set(tree, "input_file", json_new_str(STR(path_base(m->docs->path))));
    json_set(tree, "input_sha256", json_new_str(STR(m->docs->sha256)));
    json_set(tree, "n_samples", json_new_int(m->n_samples));
    if (n_rows_before > 0)
        json_set(tree, "n_rows_before", json_new_int(n_rows_before));
    json_set(tree, "parameters", parameters);
    json_set(tree, "doc_ids", ids);
    return tree;
}

bool manifest_read(const char *path, struct json **out, struct err *e)
{
    *out = NULL;
    if (!file_exists(path))
        return true;
    *out = json_parse_file(path, (size_t)1 << 30, e);
    if (*out && json_type(*out) != JSON_OBJECT) {
        json_close(*out);
        *out = NULL;
        err_set(e, ERR_INPUT, "%s: not a JSON object", path);
    }
    return *out != NULL;
}

static void add_value(struct buf *out, const struct json *v)
{
    if (v)
        json_write(out, v);
    else
        buf_addz(out, "nothing");
}

static bool value_differs(const char *name, const struct json *have, const struct json *want,
                          struct buf *what)
{
    bool is_number = (json_type(have) == JSON_INT || json_type(have) == JSON_REAL) &&
                     (json_type(want) == JSON_INT || json_type(want) == JSON_REAL);

    if (is_number ? json_num(have, 0) == json_num(want, 0) : json_same(have, want))
        return false;
    buf_addf(what, "%s%s was ", what->len ? "; " : "", name);
    add_value(what, have);
    buf_addz(what, " and is now ");
    add_value(what, want);
    return true;
}

/* An id of the older tools may be a number where ours is its digits. */
static bool same_id(const struct json *a, const struct json *b)
{
    struct buf text = {0};
    bool is_same = json_same(a, b);

    if (!is_same && json_type(a) == JSON_INT) {
        json_write(&text, a);
        is_same = str_eq(buf_str(&text), json_str(b));
        buf_clear(&text);
    }
    return is_same;
}

static bool ids_differ(const struct json *have, const struct json *want, struct buf *what)
{
    const char *comma = what->len ? "; " : "";

    if (json_len(have) != json_len(want)) {
        buf_addf(what, "%sthe input had %zu problems and has now %zu", comma, json_len(have),
                 json_len(want));
        return true;
    }
    for (size_t i = 0; i < json_len(want); i++)
        if (!same_id(json_at(have, i), json_at(want, i))) {
            buf_addf(what, "%sproblem %zu of the input was ", comma, i + 1);
            add_value(what, json_at(have, i));
            buf_addz(what, " and is now ");
            add_value(what, json_at(want, i));
            return true;
        }
    return false;
}

bool manifest_differs(const struct json *have, const struct json *want, struct buf *what)
{
    const struct json *had = json_get(have, "parameters");
    bool differs = false;

    if (json_get(have, "n_samples"))
        differs |= value_differs("n_samples", json_get(have, "n_samples"),
                                 json_get(want, "n_samples"), what);
    if (json_get(have, "doc_ids"))
        differs |= ids_differ(json_get(have, "doc_ids"), json_get(want, "doc_ids"), what);
    if (!differs && json_get(have, "input_sha256"))
        differs |= value_differs("input_sha256", json_get(have, "input_sha256"),
                                 json_get(want, "input_sha256"), what);
    for (struct json_iter it = json_iter(json_get(want, "parameters")); json_next(&it);) {
        struct json *before = json_get_str(had, it.key);

        if (before && !str_eqz(it.key, "n_samples"))
            differs |= value_differs(it.key.ptr, before, it.value, what);
    }
    return differs;
}
