/* docs.c - see docs.h. Lines are checked by the scanner of json_scan.h; no tree is built. */
#include "task/docs.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/num.h"
#include "formats/json_scan.h"
#include "formats/jsonl.h"

enum { MAX_DOCS = 1 << 24, MAX_FIELDS = 256 };

/* What stands in memory behind the public part. */
struct docs_file {
    struct docs docs; /* first, so that a struct docs * is one of these */
    struct arena arena;
    struct buf bytes; /* of the file: a copy, so that editing it during a run changes nothing */
    struct map by_id, by_prompt;
    struct map copies; /* content id to how many docs share it */
    int cap;
    char *path;
};

/* One line under way. */
struct reading {
    struct docs_file *f;
    const struct docs_keys *keys;
    size_t line_no;
    struct str line;
    struct str id; /* raw value of doc_id; "" if absent */
    struct str prompt;
    struct str answer;
    int n_to_rename;
    struct buf text; /* scratch */
};

static bool refuse(const struct reading *r, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);

static bool refuse(const struct reading *r, struct err *e, const char *fmt, ...)
{
    struct buf text = {0};
    va_list args;

    va_start(args, fmt);
    buf_addv(&text, fmt, args);
    va_end(args);
    err_set(e, ERR_INPUT, "%s:%zu: %s", r->f->docs.path, r->line_no, buf_z(&text));
    buf_clear(&text);
    return false;
}

/* The line is no JSON object; the commonest reasons have words of their own. */
static bool refuse_json(const struct reading *r, const struct json_scan *s, struct err *e)
{
    if (s->close == ']' || (!s->close && r->line.len && r->line.ptr[0] == '['))
        return refuse(r, e,
                      "a JSON array; JSON Lines are wanted, one object on each line "
                      "(jq -c '.[]' FILE writes them)");
    if (r->line_no == 1 && r->line.len &&
        (r->line.ptr[0] == 'P' || r->line.ptr[0] == '\x1f' || r->line.ptr[0] == '\x89'))
        return refuse(r, e,
                      "not JSON; is the file compressed, or Parquet? JSON Lines are wanted, one "
                      "object on each line");
    if (str_eqz(r->line, "{"))
        return refuse(r, e,
                      "the object goes on over several lines; JSON Lines are wanted, one object on "
                      "each line (jq -c . FILE writes them)");
    return refuse(r, e, "not a JSON object: %s at column %zu", s->fault, s->at + 1);
}

static bool is_one_of(const char *const *names, const struct json_scan *s)
{
    for (; names && *names; names++)
        if (json_scan_key_is(s, *names))
            return true;
    return false;
}

static bool has_key(const struct str *keys, int n, struct str key)
{
    for (int i = 0; i < n; i++)
        if (str_eq(keys[i], key))
            return true;
    return false;
}

/* Walks over the line's fields: notes the three that matter, refuses what no row may have. */
static bool read_fields(struct reading *r, struct err *e)
{
    struct json_scan s = json_scan(r->line);
    struct str seen[MAX_FIELDS];
    int n = 0;

    r->id = r->prompt = r->answer = (struct str){"", 0};
    r->n_to_rename = 0;
    while (json_scan_next(&s)) {
        if (s.close == ']')
            return refuse_json(r, &s, e);
        if (has_key(seen, n, s.key))
            return refuse(r, e, "the field \"" STR_FMT "\" stands there twice", STR_ARG(s.key));
        if (n == MAX_FIELDS)
            return refuse(r, e, "more than %d fields", MAX_FIELDS);
        seen[n++] = s.key;
        if (is_one_of(r->keys->refused, &s))
            return refuse(r, e,
                          "the field \"" STR_FMT "\" is one that results add; rename it "
                          "(is this a result file?)",
                          STR_ARG(s.key));
        r->n_to_rename += is_one_of(r->keys->renamed, &s);
        if (json_scan_key_is(&s, "doc_id"))
            r->id = s.value;
        if (json_scan_key_is(&s, r->keys->prompt))
            r->prompt = s.value;
        if (json_scan_key_is(&s, r->keys->answer))
            r->answer = s.value;
    }
    if (s.fault)
        return refuse_json(r, &s, e);
    return true;
}

static bool refuse_without_prompt(const struct reading *r, struct err *e)
{
    struct json_scan s = json_scan(r->line);
    struct buf names = {0};

    while (json_scan_next(&s) && names.len < 200) {
        buf_addz(&names, names.len ? ", " : "");
        buf_add_str(&names, s.key);
    }
    refuse(r, e, "no field \"%s\"; the line has: %s. Name the right one with --input_key",
           r->keys->prompt, names.len ? buf_z(&names) : "nothing");
    buf_clear(&names);
    return false;
}

static bool read_prompt(struct reading *r, struct doc *doc, struct err *e)
{
    if (r->prompt.len == 0)
        return refuse_without_prompt(r, e);
    if (!json_raw_is_string(r->prompt))
        return refuse(r, e, "the field \"%s\" is not a string", r->keys->prompt);
    buf_reset(&r->text);
    json_raw_str(r->prompt, &r->text);
    doc->prompt = str_dup(&r->f->arena, buf_str(&r->text));
    if (str_trim(doc->prompt).len == 0)
        return refuse(r, e, "the field \"%s\" is empty", r->keys->prompt);
    return true;
}

static bool read_id(struct reading *r, struct doc *doc, struct err *e)
{
    int64_t number;

    if (r->id.len == 0)
        return true;
    doc->has_id = true;
    if (json_raw_is_string(r->id)) {
        buf_reset(&r->text);
        json_raw_str(r->id, &r->text);
        doc->id = str_dup(&r->f->arena, buf_str(&r->text));
    } else if (parse_i64(r->id, &number)) {
        doc->id = r->id;
    } else {
        return refuse(r, e, "doc_id is neither a string nor a whole number");
    }
    if (doc->id.len == 0)
        return refuse(r, e, "doc_id is empty");
    if (doc->id.len > 1024)
        return refuse(r, e, "doc_id is longer than 1024 bytes");
    return true;
}

static struct str id_of_content(struct reading *r, const struct doc *doc)
{
    buf_reset(&r->text);
    buf_add_str(&r->text, doc->prompt);
    buf_addc(&r->text, '\0');
    buf_add_str(&r->text, doc->answer);
    return str_fmt(&r->f->arena, "%016llx",
                   (unsigned long long)siphash64(0, 0, r->text.ptr, r->text.len));
}

/* Puts the doc under its id; content ids that meet again get a number. */
static bool index_id(struct reading *r, struct doc *doc, int index, struct err *e)
{
    bool is_new;
    int64_t first, copy;
    struct str base;

    if (doc->has_id) {
        first = map_add(&r->f->by_id, doc->id, index, &is_new);
        return is_new || refuse(r, e,
                                "doc_id \"" STR_FMT "\" stands in line %zu already; every "
                                "problem needs an id of its own",
                                STR_ARG(doc->id), r->f->docs.items[first].line_no);
    }
    base = doc->id = id_of_content(r, doc);
    copy = map_add(&r->f->copies, base, 1, &is_new);
    if (!is_new) {
        doc->id = str_fmt(&r->f->arena, STR_FMT "-%lld", STR_ARG(base), (long long)++copy);
        map_set(&r->f->copies, base, copy);
    }
    map_add(&r->f->by_id, doc->id, index, &is_new);
    return is_new || refuse(r, e,
                            "its content gives the id \"" STR_FMT "\", which another line has as "
                            "doc_id; give this line a doc_id too",
                            STR_ARG(doc->id));
}

static void index_prompt(struct docs_file *f, int index)
{
    bool is_new;
    int64_t at = map_add(&f->by_prompt, f->docs.items[index].prompt, index, &is_new);

    f->docs.items[index].next_same_prompt = -1;
    f->docs.items[index].last_same_prompt = index;
    if (is_new)
        return;
    f->docs.items[f->docs.items[at].last_same_prompt].next_same_prompt = index;
    f->docs.items[at].last_same_prompt = index;
}

static struct doc *add_doc(struct docs_file *f)
{
    if (f->docs.n == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 64;
        f->docs.items = xrealloc(f->docs.items, (size_t)f->cap * sizeof(struct doc));
    }
    return &f->docs.items[f->docs.n++];
}

/* The line's fields, those that a result adds under a name of their own. */
static struct str rename_fields(struct reading *r)
{
    struct json_scan s = json_scan(r->line);

    buf_reset(&r->text);
    while (json_scan_next(&s)) {
        buf_addz(&r->text, r->text.len ? ",\"" : "\"");
        buf_addz(&r->text, is_one_of(r->keys->renamed, &s) ? "input_" : "");
        buf_add_str(&r->text, s.key);
        buf_addz(&r->text, "\":");
        buf_add_str(&r->text, s.value);
    }
    r->f->docs.n_renamed += r->n_to_rename;
    return str_dup(&r->f->arena, buf_str(&r->text));
}

static bool read_line(struct reading *r, struct err *e)
{
    struct doc *doc;

    if (r->line.len > DOC_MAX_LINE_BYTES)
        return refuse(r, e,
                      "the line has %zu bytes; at most %d are taken. JSON Lines are wanted, one "
                      "problem on each line",
                      r->line.len, DOC_MAX_LINE_BYTES);
    if (r->f->docs.n == MAX_DOCS)
        return refuse(r, e, "more than %d problems", MAX_DOCS);
    if (!read_fields(r, e))
        return false;
    doc = add_doc(r->f);
    *doc = (struct doc){.line_no = r->line_no, .answer = r->answer};
    doc->fields = str_trim(r->line);
    doc->fields = str_trim(str_slice(doc->fields, 1, doc->fields.len - 1));
    if (r->n_to_rename > 0)
        doc->fields = rename_fields(r);
    r->f->docs.n_without_answer += r->answer.len == 0;
    if (!read_prompt(r, doc, e) || !read_id(r, doc, e) || !index_id(r, doc, r->f->docs.n - 1, e))
        return false;
    index_prompt(r->f, r->f->docs.n - 1);
    return true;
}

struct docs *docs_open(const char *path, const struct docs_keys *keys, struct err *e)
{
    struct docs_file *f = xcalloc(1, sizeof(*f));
    struct reading r = {.f = f, .keys = keys};
    struct jsonl lines;
    struct str bytes;
    bool ok = false;

    arena_init(&f->arena, 0);
    map_init(&f->by_id);
    map_init(&f->by_prompt);
    f->docs.path = f->path = xstrdup(path);
    map_init(&f->copies);
    if (!file_read(path, 0, &f->bytes, e))
        goto out;
    bytes = buf_str(&f->bytes);
    sha256_hex(bytes.ptr, bytes.len, f->docs.sha256);
    if (str_starts(bytes, "\xEF\xBB\xBF"))
        bytes = str_slice(bytes, 3, bytes.len);
    jsonl_init(&lines, bytes);
    while (jsonl_next(&lines, &r.line)) {
        r.line_no = lines.line_no;
        if (!read_line(&r, e))
            goto out;
    }
    ok = f->docs.n > 0 || err_set(e, ERR_INPUT, "%s: the file holds no problems", path);

out:
    buf_clear(&r.text);
    if (ok)
        return &f->docs;
    docs_close(&f->docs);
    return NULL;
}

void docs_close(struct docs *d)
{
    struct docs_file *f = (struct docs_file *)d;

    if (!d)
        return;
    free(f->docs.items);
    free(f->path);
    map_clear(&f->by_id);
    map_clear(&f->by_prompt);
    map_clear(&f->copies);
    buf_clear(&f->bytes);
    arena_clear(&f->arena);
    free(f);
}

int docs_find(const struct docs *d, struct str id)
{
    return (int)map_find(&((const struct docs_file *)d)->by_id, id);
}

int docs_find_prompt(const struct docs *d, struct str prompt)
{
    return (int)map_find(&((const struct docs_file *)d)->by_prompt, prompt);
}
