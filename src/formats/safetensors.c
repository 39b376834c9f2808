/* safetensors.c - reads the header, trusts nothing. */
#include "formats/safetensors.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/num.h"
#include "formats/json.h"

struct safetensors {
    struct arena arena;
    const char *path;
    struct file_map file; /* zeroed when the bytes are the caller's */
    struct str bytes;
    size_t data_start;
    struct safetensors_entry *entries;
    int n_entries;
};

static const struct {
    const char *name;
    size_t size;
    enum safetensors_type type;
} types[] = {
    {"F32", 4, SAFETENSORS_F32},       {"F16", 2, SAFETENSORS_F16},
    {"BF16", 2, SAFETENSORS_BF16},     {"F64", 8, SAFETENSORS_OTHER},
    {"I64", 8, SAFETENSORS_OTHER},     {"I32", 4, SAFETENSORS_OTHER},
    {"I16", 2, SAFETENSORS_OTHER},     {"I8", 1, SAFETENSORS_OTHER},
    {"U64", 8, SAFETENSORS_OTHER},     {"U32", 4, SAFETENSORS_OTHER},
    {"U16", 2, SAFETENSORS_OTHER},     {"U8", 1, SAFETENSORS_OTHER},
    {"BOOL", 1, SAFETENSORS_OTHER},    {"F8_E4M3", 1, SAFETENSORS_OTHER},
    {"F8_E5M2", 1, SAFETENSORS_OTHER},
};

static bool read_type(const struct json *v, struct safetensors_entry *t, size_t *size,
                      struct err *e)
{
    t->type_name = json_str(json_get(v, "dtype"));
    for (size_t i = 0; i < LEN(types); i++) {
        if (str_eqz(t->type_name, types[i].name)) {
            t->type = types[i].type;
            *size = types[i].size;
            return true;
        }
    }
    return err_set(e, ERR_INPUT, "its dtype \"%.40s\" is not one of the format", t->type_name.ptr);
}

/* The shape, and in *n_bytes what it needs. */
static bool read_shape(const struct json *v, struct safetensors_entry *t, size_t size,
                       size_t *n_bytes, struct err *e)
{
    const struct json *shape = json_get(v, "shape");

    if (json_type(shape) != JSON_ARRAY || json_len(shape) > SAFETENSORS_MAX_RANK)
        return err_set(e, ERR_INPUT, "its shape is not an array of at most %d numbers",
                       SAFETENSORS_MAX_RANK);
    t->rank = (int)json_len(shape);
    *n_bytes = size;
    for (int i = 0; i < t->rank; i++) {
        const struct json *dim = json_at(shape, (size_t)i);

        t->shape[i] = json_int(dim, -1);
        if (json_type(dim) != JSON_INT || t->shape[i] < 0)
            return err_set(e, ERR_INPUT, "dimension %d of its shape is not a non-negative integer",
                           i);
        if (!size_mul(*n_bytes, (size_t)t->shape[i], n_bytes))
            return err_set(e, ERR_INPUT, "its shape needs more bytes than can be addressed");
    }
    return true;
}

static bool read_entry(struct safetensors *s, const struct json *v, struct safetensors_entry *t,
                       struct err *e)
{
    const struct json *offsets = json_get(v, "data_offsets");
    const struct json *from = json_at((struct json *)offsets, 0),
                      *to = json_at((struct json *)offsets, 1);
    size_t size = 0, needed = 0, data_len = s->bytes.len - s->data_start;
    int64_t begin = json_int(from, -1), end = json_int(to, -1);

    if (json_type(v) != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "its entry is %s, not an object",
                       json_type_name(json_type(v)));
    if (!read_type(v, t, &size, e) || !read_shape(v, t, size, &needed, e))
        return false;
    if (json_type(offsets) != JSON_ARRAY || json_len(offsets) != 2 || json_type(from) != JSON_INT ||
        json_type(to) != JSON_INT || begin < 0 || end < begin)
        return err_set(e, ERR_INPUT, "its data_offsets are not two ascending integers");
    if ((uint64_t)end > data_len)
        return err_set(e, ERR_INPUT,
                       "its data ends at byte %" PRId64
                       " of %zu: the file is cut short or the header is wrong",
                       end, data_len);
    t->n_bytes = (size_t)(end - begin);
    if (t->n_bytes != needed)
        return err_set(e, ERR_INPUT, "its shape needs %zu bytes, data_offsets give %zu", needed,
                       t->n_bytes);
    t->data = s->bytes.ptr + s->data_start + begin;
    return true;
}

static int by_data(const void *a, const void *b)
{
    const struct safetensors_entry *x = a, *y = b;

    if (x->data != y->data)
        return x->data < y->data ? -1 : 1;
    return x->n_bytes < y->n_bytes ? -1 : x->n_bytes > y->n_bytes;
}

/* Sorted by place, each tensor begins where the one before ends, and the last one ends the file. */
static bool check_places(struct safetensors *s, struct err *e)
{
    const char *at = s->bytes.ptr + s->data_start, *end = s->bytes.ptr + s->bytes.len;

    if (s->n_entries > 1)
        qsort(s->entries, (size_t)s->n_entries, sizeof(*s->entries), by_data);
    for (int i = 0; i < s->n_entries; i++) {
        const struct safetensors_entry *t = &s->entries[i];

        if (t->data < at)
            return err_set(e, ERR_INPUT, "tensors \"%.80s\" and \"%.80s\" overlap",
                           s->entries[i - 1].name.ptr, t->name.ptr);
        if (t->data > at)
            return err_set(e, ERR_INPUT, "%zu bytes before tensor \"%.80s\" belong to no tensor",
                           (size_t)(t->data - at), t->name.ptr);
        at = t->data + t->n_bytes;
    }
    if (at != end)
        return err_set(e, ERR_INPUT, "%zu bytes after the last tensor belong to no tensor",
                       (size_t)(end - at));
    return true;
}

static bool read_header(struct safetensors *s, struct str text, struct err *e)
{
    struct json *root = json_parse(text, e);
    struct json_iter it;
    bool ok = false;

    if (!root) {
        err_prefix(e, "header");
        return false;
    }
    if (json_type(root) != JSON_OBJECT) {
        err_set(e, ERR_INPUT, "the header is %s, not an object", json_type_name(json_type(root)));
        goto out;
    }
    s->entries = arena_array(&s->arena, json_len(root) + 1, sizeof(*s->entries));
    for (it = json_iter(root); json_next(&it);) {
        struct safetensors_entry *t = &s->entries[s->n_entries];

        if (str_eqz(it.key, "__metadata__"))
            continue;
        if (!read_entry(s, it.value, t, e)) {
            err_prefix(e, "tensor \"%.120s\"", it.key.ptr);
            goto out;
        }
        t->name = str_dup(&s->arena, it.key);
        t->type_name = str_dup(&s->arena, t->type_name);
        s->n_entries++;
    }
    ok = check_places(s, e);
out:
    json_close(root);
    return ok;
}

static bool read_bytes(struct safetensors *s, struct err *e)
{
    uint64_t n_header;

    if (s->bytes.len < 8)
        return err_set(e, ERR_INPUT, "%zu bytes are too few for a safetensors header",
                       s->bytes.len);
    n_header = load_le64(s->bytes.ptr);
    if (n_header > s->bytes.len - 8) /* not n_header + 8 > len: that sum may wrap */
        return err_set(e, ERR_INPUT, "the header claims %" PRIu64 " bytes, the file has %zu",
                       n_header, s->bytes.len - 8);
    if (n_header > SAFETENSORS_MAX_HEADER)
        return err_set(e, ERR_INPUT, "the header claims %" PRIu64 " bytes; the format allows %d",
                       n_header, SAFETENSORS_MAX_HEADER);
    s->data_start = 8 + (size_t)n_header;
    return read_header(s, (struct str){s->bytes.ptr + 8, (size_t)n_header}, e);
}

struct safetensors *safetensors_parse(struct str bytes, const char *name, struct err *e)
{
    struct safetensors *s = xcalloc(1, sizeof(*s));

    arena_init(&s->arena, 0);
    s->path = str_dup(&s->arena, STR(name)).ptr;
    s->bytes = bytes;
    if (!read_bytes(s, e)) {
        err_prefix(e, "%s", name);
        safetensors_close(s);
        return NULL;
    }
    return s;
}

struct safetensors *safetensors_open(const char *path, struct err *e)
{
    struct file_map file;
    struct safetensors *s;

    if (!file_map_open(path, &file, e))
        return NULL;
    s = safetensors_parse((struct str){file.ptr, file.len}, path, e);
    if (s)
        s->file = file;
    else
        file_map_close(&file);
    return s;
}

void safetensors_close(struct safetensors *s)
{
    if (!s)
        return;
    file_map_close(&s->file);
    arena_clear(&s->arena);
    free(s);
}

int safetensors_count(const struct safetensors *s)
{
    return s->n_entries;
}

const struct safetensors_entry *safetensors_at(const struct safetensors *s, int i)
{
    return &s->entries[i];
}

const char *safetensors_path(const struct safetensors *s)
{
    return s->path;
}

void safetensors_forget(const struct safetensors *s, const char *data, size_t n_bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)data + page - 1) / page * page,
              to = ((uintptr_t)data + n_bytes) / page * page;

    if (s->file.len > 0 && from < to)
        (void)madvise((void *)from, to - from,
                      MADV_DONTNEED); /* advice: clean pages of a file, read again if asked */
}
