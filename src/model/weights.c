/* weights.c - shards, names, and what nobody asked for. */
#include "model/weights.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/map.h"
#include "formats/json.h"
#include "formats/safetensors.h"

enum { MAX_SHARDS = 4096, MAX_INDEX_BYTES = 256 << 20, MAX_ALLOWED = 8 };

struct item {
    const struct safetensors_entry *entry;
    const struct safetensors *shard;
    bool is_used;
};

struct weights {
    struct arena arena;
    struct safetensors **shards;
    int n_shards;
    struct item *items;
    int n_items;
    struct map names; /* -> items */
    const char *allowed[MAX_ALLOWED];
    int n_allowed;
    bool is_dummy;
    uint64_t seed;
};

static struct weights *weights_new(void)
{
    struct weights *w = xcalloc(1, sizeof(*w));

    arena_init(&w->arena, 0);
    map_init(&w->names);
    return w;
}

struct weights *weights_open_dummy(uint64_t seed)
{
    struct weights *w = weights_new();

    w->is_dummy = true;
    w->seed = seed;
    return w;
}

void weights_close(struct weights *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->n_shards; i++)
        safetensors_close(w->shards[i]);
    free(w->shards);
    free(w->items);
    map_clear(&w->names);
    arena_clear(&w->arena);
    free(w);
}

static bool add_shard(struct weights *w, const char *path, struct err *e)
{
    struct safetensors *s = safetensors_open(path, e);
    int n;

    if (!s)
        return false;
    n = safetensors_count(s);
    w->shards = xrealloc(w->shards, (size_t)(w->n_shards + 1) * sizeof(struct safetensors *));
    w->shards[w->n_shards++] = s;
    w->items = xrealloc(w->items, (size_t)(w->n_items + n) * sizeof(*w->items));
    for (int i = 0; i < n; i++) {
        const struct safetensors_entry *entry = safetensors_at(s, i);
        bool is_new;
        int64_t at = map_add(&w->names, entry->name, w->n_items, &is_new);

        if (!is_new)
            return err_set(e, ERR_INPUT, "%s: tensor \"%.120s\" is in %s too", path,
                           entry->name.ptr, safetensors_path(w->items[at].shard));
        w->items[w->n_items++] = (struct item){.entry = entry, .shard = s};
    }
    return true;
}

/* Opens each file that weight_map names, in the order of first mention. */
static bool add_shards(struct weights *w, const char *dir, const struct json *map, struct err *e)
{
    struct map files;
    bool ok = false, is_new;
    struct json_iter it;

    map_init(&files);
    for (it = json_iter(map); json_next(&it);) {
        struct str file = json_str(it.value);

        if (file.len == 0 || str_find_char(file, '/', 0) >= 0 || strlen(file.ptr) != file.len) {
            err_set(e, ERR_INPUT,
                    "tensor \"%.120s\": \"%.80s\" is not the name of a file in this folder",
                    it.key.ptr, file.ptr);
            goto out;
        }
        (void)map_add(&files, file, 1, &is_new);
        if (is_new && w->n_shards == MAX_SHARDS) {
            err_set(e, ERR_INPUT, "more than %d shards", MAX_SHARDS);
            goto out;
        }
        if (is_new && !add_shard(w, path_join(&w->arena, dir, file.ptr), e))
            goto out;
    }
    for (it = json_iter(map); json_next(&it);) {
        int64_t at = map_find(&w->names, it.key);

        if (at < 0 ||
            !str_eqz(json_str(it.value), path_base(safetensors_path(w->items[at].shard)))) {
            err_set(e, ERR_INPUT, "tensor \"%.120s\" is not in %.80s, where the index puts it",
                    it.key.ptr, json_str(it.value).ptr);
            goto out;
        }
    }
    ok = true;
out:
    map_clear(&files);
    return ok;
}

static bool open_index(struct weights *w, const char *dir, const char *path, struct err *e)
{
    struct json *index = json_parse_file(path, MAX_INDEX_BYTES, e);
    const struct json *map = json_get(index, "weight_map");
    bool ok;

    if (!index)
        return false;
    if (json_type(map) != JSON_OBJECT || json_len(map) == 0)
        ok = err_set(e, ERR_INPUT, "%s: \"weight_map\" is not an object that names tensors", path);
    else if (!(ok = add_shards(w, dir, map, e)))
        err_prefix(e, "%s", path);
    json_close(index);
    return ok;
}

struct weights *weights_open(const char *dir, struct err *e)
{
    struct weights *w = weights_new();
    const char *file = path_join(&w->arena, dir, "model.safetensors");
    const char *index = path_join(&w->arena, dir, "model.safetensors.index.json");
    bool ok;

    if (file_exists(file))
        ok = add_shard(w, file, e);
    else if (file_exists(index))
        ok = open_index(w, dir, index, e);
    else
        ok =
            err_set(e, ERR_INPUT,
                    "%s: there is neither model.safetensors nor model.safetensors.index.json", dir);
    if (ok)
        return w;
    weights_close(w);
    return NULL;
}

bool weights_has(const struct weights *w, const char *name)
{
    return map_find(&w->names, STR(name)) >= 0;
}

static void write_shape(char *out, size_t size, int rank, const int64_t *shape)
{
    size_t n = (size_t)snprintf(out, size, "[");

    for (int i = 0; i < rank && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%" PRId64, i ? ", " : "", shape[i]);
    if (n < size)
        snprintf(out + n, size - n, "]");
}

static bool check_shape(const struct safetensors_entry *t, int64_t n_rows, int64_t n_cols,
                        struct err *e)
{
    const int64_t wanted[2] = {n_rows, n_cols};
    int rank = n_cols == 0 ? 1 : 2;
    char got[96], want[96];

    if (t->rank == rank && t->shape[0] == n_rows && (rank == 1 || t->shape[1] == n_cols))
        return true;
    write_shape(got, sizeof(got), t->rank, t->shape);
    write_shape(want, sizeof(want), rank, wanted);
    return err_set(e, ERR_INPUT, "its shape is %s, config.json asks for %s", got, want);
}

static void dummy_tensor(const struct weights *w, const char *name, int64_t n_rows, int64_t n_cols,
                         struct host_tensor *t)
{
    *t = (struct host_tensor){
        .dtype = DTYPE_BF16,
        .n_rows = n_rows,
        .n_cols = n_cols,
        .row = n_cols,
        .dummy_key = siphash64(w->seed, 0, name, strlen(name)),
        .dummy_cols = n_cols,
    };
}

bool weights_get(struct weights *w, const char *name, int64_t n_rows, int64_t n_cols,
                 struct host_tensor *t, struct err *e)
{
    static const enum dtype dtypes[] = {[SAFETENSORS_F32] = DTYPE_F32,
                                        [SAFETENSORS_F16] = DTYPE_F16,
                                        [SAFETENSORS_BF16] = DTYPE_BF16};
    int64_t at = map_find(&w->names, STR(name));
    const struct safetensors_entry *entry;

    if (w->is_dummy) {
        dummy_tensor(w, name, n_rows, MAX(n_cols, 1), t);
        return true;
    }
    if (at < 0)
        return err_set(e, ERR_INPUT, "tensor \"%s\" is missing from the weights", name);
    entry = w->items[at].entry;
    if (entry->type == SAFETENSORS_OTHER) {
        err_set(e, ERR_UNSUPPORTED, "its type is %.16s; F32, F16 and BF16 are supported",
                entry->type_name.ptr);
        goto fail;
    }
    if (!check_shape(entry, n_rows, n_cols, e))
        goto fail;
    w->items[at].is_used = true;
    *t = (struct host_tensor){
        .dtype = dtypes[entry->type],
        .ptr = entry->data,
        .n_rows = n_rows,
        .n_cols = MAX(n_cols, 1),
        .row = MAX(n_cols, 1),
    };
    return true;

fail:
    err_prefix(e, "%s: tensor \"%s\"", safetensors_path(w->items[at].shard), name);
    return false;
}

static float value_at(const struct host_tensor *t, int64_t i)
{
    uint16_t half;
    float x;

    if (t->dtype == DTYPE_F32) {
        memcpy(&x, (const char *)t->ptr + i * 4, sizeof(x));
        return x;
    }
    memcpy(&half, (const char *)t->ptr + i * 2, sizeof(half));
    return t->dtype == DTYPE_BF16 ? bf16_to_f32(half) : f16_to_f32(half);
}

bool weights_get_vector(struct weights *w, const char *name, int64_t n, float dummy, float *out,
                        struct err *e)
{
    struct host_tensor t;

    if (!weights_get(w, name, n, 0, &t, e))
        return false;
    for (int64_t i = 0; i < n; i++) {
        out[i] = t.ptr ? value_at(&t, i) : dummy;
        if (!isfinite(out[i]))
            return err_set(e, ERR_INPUT,
                           "tensor \"%s\" holds a value that is not finite at [%" PRId64 "]", name,
                           i);
    }
    return true;
}

void weights_forget(struct weights *w, const struct host_tensor *t)
{
    for (int i = 0; t->ptr && i < w->n_items; i++) {
        const struct safetensors_entry *entry = w->items[i].entry;

        if ((const char *)t->ptr >= entry->data &&
            (const char *)t->ptr < entry->data + entry->n_bytes)
            safetensors_forget(w->items[i].shard, entry->data, entry->n_bytes);
    }
}

void weights_allow(struct weights *w, const char *part)
{
    if (w->n_allowed < MAX_ALLOWED)
        w->allowed[w->n_allowed++] = part;
}

static bool is_allowed(const struct weights *w, struct str name)
{
    for (int i = 0; i < w->n_allowed; i++)
        if (str_find(name, STR(w->allowed[i]), 0) >= 0)
            return true;
    return false;
}

bool weights_check_all(const struct weights *w, struct err *e)
{
    const struct item *first = NULL;
    int n = 0;

    for (int i = 0; i < w->n_items; i++) {
        if (w->items[i].is_used || is_allowed(w, w->items[i].entry->name))
            continue;
        first = first ? first : &w->items[i];
        n++;
    }
    if (n == 0)
        return true;
    return err_set(e, ERR_INPUT, "%s: tensor \"%.120s\"%s has no place in this architecture",
                   safetensors_path(first->shard), first->entry->name.ptr,
                   n > 1 ? " (and others)" : "");
}

uint64_t weights_fingerprint(const struct weights *w)
{
    uint64_t sum = siphash64(w->seed, w->is_dummy, "weights", 7);

    /* Adding makes the sum independent of how the tensors are spread over shards. */
    for (int i = 0; i < w->n_items; i++) {
        const struct safetensors_entry *t = w->items[i].entry;
        uint64_t key = siphash64(0, t->n_bytes, t->name.ptr, t->name.len);
        uint64_t shape = siphash64(key, t->type, t->shape, sizeof(t->shape));
        size_t n = MIN(t->n_bytes, (size_t)4096);

        sum += siphash64(key, shape, t->data, n) ^
               siphash64(shape, key, t->data + (t->n_bytes - n) / 2, n) ^
               siphash64(shape, 0, t->data + (t->n_bytes - n), n);
    }
    return sum;
}
