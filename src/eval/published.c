/* published.c - see published.h. */
#include "eval/published.h"

#include <dirent.h>

#include "base/arena.h"
#include "base/file.h"
#include "formats/json.h"
#include "formats/yaml.h"

struct published {
    struct arena arena;
    struct published_figure *figures;
    int n, cap;
    const struct published_figure **found; /* the answer of the last published_find */
};

static bool add_figure(struct published *p, const struct json *file, const struct json *row,
                       struct err *e)
{
    const struct json *accuracy = json_get(row, "accuracy");

    if (json_str(json_get(row, "task")).len == 0 ||
        json_str(json_get(row, "reported_by")).len == 0 ||
        (json_type(accuracy) != JSON_REAL && json_type(accuracy) != JSON_INT))
        return err_set(e, ERR_INPUT, "a figure needs task, reported_by and accuracy (a number)");
    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 32;
        p->figures = xrealloc(p->figures, (size_t)p->cap * sizeof(*p->figures));
    }
    p->figures[p->n++] = (struct published_figure){
        .model = str_dup(&p->arena, json_str(json_get(file, "model"))),
        .task = str_dup(&p->arena, json_str(json_get(row, "task"))),
        .reported_by = str_dup(&p->arena, json_str(json_get(row, "reported_by"))),
        .source = str_dup(&p->arena, json_str(json_get(file, "source"))),
        .accuracy = json_num(accuracy, 0),
    };
    return true;
}

static bool read_one(struct published *p, const char *path, struct err *e)
{
    struct json *file = yaml_parse_file(path, e);
    bool ok = file != NULL;

    if (ok && json_str(json_get(file, "model")).len == 0)
        ok = err_set(e, ERR_INPUT, "%s: \"model\" is missing", path);
    for (struct json_iter it = json_iter(json_get(file, "figures")); ok && json_next(&it);)
        if (!add_figure(p, file, it.value, e)) {
            err_prefix(e, "%s", path);
            ok = false;
        }
    json_close(file);
    return ok;
}

static int is_yaml(const struct dirent *d)
{
    return str_ends(STR(d->d_name), ".yaml");
}

struct published *published_open(const char *folder, struct err *e)
{
    struct published *p = xcalloc(1, sizeof(*p));
    struct dirent **names = NULL;
    int n = scandir(folder, &names, is_yaml, alphasort);
    bool ok = true;

    arena_init(&p->arena, 0);
    for (int i = 0; i < n; i++) {
        ok = ok && read_one(p, path_join(&p->arena, folder, names[i]->d_name), e);
        free(names[i]);
    }
    free(names);
    if (ok)
        return p;
    published_close(p);
    return NULL;
}

void published_close(struct published *p)
{
    if (!p)
        return;
    arena_clear(&p->arena);
    free(p->figures);
    free(p->found);
    free(p);
}

static struct str last_part(struct str name)
{
    while (str_ends(name, "/"))
        name.len--;
    return str_slice(name, (size_t)(str_rfind(name, STR("/")) + 1), name.len);
}

const struct published_figure *const *published_find(struct published *p, struct str model,
                                                     struct str task, int *n)
{
    *n = 0;
    p->found = xrealloc(p->found, (size_t)(p->n + 1) * sizeof(*p->found));
    for (int i = 0; i < p->n; i++)
        if (str_eq_nocase(last_part(model), last_part(p->figures[i].model)) &&
            str_eq(p->figures[i].task, task))
            p->found[(*n)++] = &p->figures[i];
    return p->found;
}
