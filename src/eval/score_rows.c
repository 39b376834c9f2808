/* score_rows.c - reads a file of generations: ours, today's tool's, and the 2025 tool's.
 *
 * A problem is known by its doc_id, or by its prompt where the file has no doc_id. Samples without
 * an index get the lowest free one in file order. Rows with an error are counted and left out; of
 * two rows with the same doc_id and index the first counts. */
#include "eval/score.h"

#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "formats/json.h"
#include "formats/jsonl.h"

struct reader {
    struct score *s;
    struct map problems; /* identity -> index */
    struct map taken;    /* "problem/sample" */
    int declared_samples;
    bool saw_prompt, saw_response, saw_label;
};

static bool is_true(const struct json *v)
{
    switch (json_type(v)) {
    case JSON_ABSENT:
    case JSON_NULL:
        return false;
    case JSON_BOOL:
        return json_bool(v, false);
    case JSON_STRING:
        return json_str(v).len > 0;
    case JSON_INT:
    case JSON_REAL:
        return json_num(v, 0) != 0;
    case JSON_ARRAY:
    case JSON_OBJECT:
        return json_len(v) > 0;
    }
    return false;
}

struct str score_field(struct arena *a, const struct json *row, const char *key)
{
    const struct json *v = json_get(row, key);
    struct buf b = {0};
    struct str s;

    if (json_type(v) == JSON_STRING)
        return str_dup(a, json_str(v));
    if (json_type(v) == JSON_ABSENT || json_type(v) == JSON_NULL)
        return STR("");
    json_write(&b, v);
    s = str_dup(a, buf_str(&b));
    buf_clear(&b);
    return s;
}

static int find_problem(struct reader *r, const struct json *row)
{
    struct score *s = r->s;
    struct str prompt = score_field(&s->arena, row, s->opts.input_key);
    struct str doc_id = score_field(&s->arena, row, "doc_id"), identity;
    char hex[65] = "";
    bool is_new;
    int64_t at;

    if (prompt.len) {
        r->saw_prompt = true;
        sha256_hex(prompt.ptr, prompt.len, hex);
        hex[16] = '\0';
    }
    identity = doc_id.len ? str_fmt(&s->arena, "d" STR_FMT, STR_ARG(doc_id))
                          : str_fmt(&s->arena, "p%s", hex);
    at = map_add(&r->problems, identity, s->n_problems, &is_new);
    if (!is_new)
        return (int)at;
    if (s->n_problems == s->cap_problems) {
        s->cap_problems = s->cap_problems ? 2 * s->cap_problems : 64;
        s->problems = xrealloc(s->problems, (size_t)s->cap_problems * sizeof(*s->problems));
    }
    s->problems[s->n_problems++] =
        (struct score_problem){.doc_id = doc_id, .prompt_hash = str_dup(&s->arena, STR(hex))};
    return (int)at;
}

/* The sample's index if it is free, the lowest free one if it is absent, -1 if it is taken. */
static int claim_index(struct reader *r, int problem, const struct json *index)
{
    struct str key;
    bool is_new;

    if (json_type(index) == JSON_INT) {
        key = str_fmt(&r->s->arena, "%d/%lld", problem, (long long)json_int(index, 0));
        map_add(&r->taken, key, 1, &is_new);
        return is_new ? (int)json_int(index, 0) : -1;
    }
    for (int i = r->s->problems[problem].n_rows;; i++) {
        key = str_fmt(&r->s->arena, "%d/%d", problem, i);
        map_add(&r->taken, key, 1, &is_new);
        if (is_new)
            return i;
    }
}

struct str score_generation(const struct json *gen, int part, bool *is_truncated)
{
    *is_truncated = false;
    if (json_type(gen) == JSON_ARRAY)
        gen = json_at(gen, (size_t)part);
    if (json_type(gen) == JSON_OBJECT) {
        *is_truncated = str_find(json_str(json_get(gen, "end_reason")), STR("max length"), 0) >= 0;
        gen = json_get(gen, "gen");
    }
    return json_str(gen);
}

static bool is_unclosed(struct str text)
{
    ptrdiff_t open = str_rfind(text, STR("<think>")), close = str_rfind(text, STR("</think>"));

    return open >= 0 && close < open;
}

static void add_row(struct reader *r, struct str line, size_t line_no, const struct json *row,
                    int problem, int part, const struct json *gen)
{
    struct score *s = r->s;
    struct score_row *to;
    struct str text;
    int index = claim_index(r, problem, part > 0 ? NULL : json_get(row, "sample_index"));

    if (index < 0) {
        s->counts.n_duplicates++;
        return;
    }
    if (s->opts.first_n_samples && index >= s->opts.first_n_samples)
        return;
    if (s->n_rows == s->cap_rows) {
        s->cap_rows = s->cap_rows ? 2 * s->cap_rows : 1024;
        s->rows = xrealloc(s->rows, (size_t)s->cap_rows * sizeof(*s->rows));
    }
    to = &s->rows[s->n_rows++];
    *to = (struct score_row){.line = line,
                             .line_no = line_no,
                             .problem = problem,
                             .sample_index = index,
                             .part = part,
                             .answer_class = -1};
    text = score_generation(gen, part, &to->is_truncated);
    to->is_truncated |= str_eqz(json_str(json_get(row, "finish_reason")), "length");
    to->is_unclosed = is_unclosed(text);
    to->is_empty = str_trim(text).len == 0;
    s->problems[problem].n_rows++;
}

static bool read_line(struct reader *r, struct str line, const struct jsonl *it, struct err *e)
{
    struct score *s = r->s;
    struct json *row = json_parse(line, e);
    const struct json *gen;
    int problem, n_parts = 1;

    if (!row && it->is_torn) {
        err_clear(e);
        s->counts.n_torn++;
        return true;
    }
    if (!row || json_type(row) != JSON_OBJECT) {
        err_set(e, ERR_INPUT, "%s, not an object", json_type_name(json_type(row)));
        err_prefix(e, "%s: line %zu", s->opts.input_path, it->line_no);
        json_close(row);
        return false;
    }
    s->counts.n_rows++;
    gen = json_get(row, s->opts.response_key);
    r->saw_label |= json_type(json_get(row, s->opts.label_key)) != JSON_ABSENT;
    r->declared_samples = MAX(r->declared_samples, (int)json_int(json_get(row, "n_samples"), 0));
    problem = find_problem(r, row);
    if (s->opts.group_key[0] && !s->problems[problem].group.len)
        s->problems[problem].group = score_field(&s->arena, row, s->opts.group_key);
    if (is_true(json_get(row, "error"))) {
        s->counts.n_errors++;
    } else if (json_type(gen) != JSON_ABSENT) {
        r->saw_response = true;
        if (json_type(gen) == JSON_ARRAY && json_len(gen) > 1)
            n_parts = (int)json_len(gen);
        for (int part = 0; part < n_parts; part++)
            add_row(r, line, it->line_no, row, problem, part, gen);
    } else {
        s->counts.n_errors++;
    }
    json_close(row);
    return true;
}

/* The manifest beside the file tells which problems there should be, and how many samples of each.
 */
static void read_manifest(struct reader *r)
{
    struct score *s = r->s;
    const char *path = str_fmt(&s->arena, "%s.manifest.json", s->opts.input_path).ptr;
    struct err ignored = ERR_INIT;
    struct json *m;

    if (!file_exists(path))
        return;
    m = json_parse_file(path, 0, &ignored);
    if (!m) {
        log_warn("%s cannot be read and is left out: %s", path, ignored.msg);
        return;
    }
    r->declared_samples = MAX(r->declared_samples, (int)json_int(json_get(m, "n_samples"), 0));
    for (struct json_iter it = json_iter(json_get(m, "doc_ids")); json_next(&it);) {
        struct json *row = json_new_object();

        json_set(row, "doc_id", json_clone(it.value));
        find_problem(r, row);
        json_close(row);
    }
    json_close(m);
}

/* Fills each problem's list of rows, ordered by sample index. */
static void index_rows(struct score *s)
{
    for (int p = 0; p < s->n_problems; p++) {
        s->problems[p].rows =
            arena_array(&s->arena, (size_t)MAX(s->problems[p].n_rows, 1), sizeof(int));
        s->problems[p].n_rows = 0;
    }
    for (int i = 0; i < s->n_rows; i++) {
        struct score_problem *p = &s->problems[s->rows[i].problem];
        int k = p->n_rows++;

        while (k > 0 && s->rows[p->rows[k - 1]].sample_index > s->rows[i].sample_index) {
            p->rows[k] = p->rows[k - 1];
            k--;
        }
        p->rows[k] = i;
    }
}

static bool check_fields(const struct reader *r, struct err *e)
{
    const struct score *s = r->s;

    if (s->counts.n_rows == 0)
        return err_set(e, ERR_INPUT, "%s holds no rows", s->opts.input_path);
    if (!r->saw_response && s->counts.n_errors < s->counts.n_rows)
        return err_set(e, ERR_INPUT,
                       "%s: no row has the field \"%s\"; --response_key names another",
                       s->opts.input_path, s->opts.response_key);
    if (!r->saw_response)
        return err_set(e, ERR_INPUT,
                       "%s: none of the %d rows has a generation in \"%s\" (--response_key)",
                       s->opts.input_path, s->counts.n_rows, s->opts.response_key);
    if (!r->saw_label)
        return err_set(e, ERR_INPUT, "%s: no row has the field \"%s\"; --label_key names another",
                       s->opts.input_path, s->opts.label_key);
    return true;
}

bool score_read_rows(struct score *s, struct err *e)
{
    struct reader r = {.s = s};
    struct jsonl it;
    struct str line;
    bool ok = true;

    if (!file_map_open(s->opts.input_path, &s->file, e))
        return false;
    map_init(&r.problems);
    map_init(&r.taken);
    read_manifest(&r);
    jsonl_init(&it, (struct str){s->file.ptr, s->file.len});
    while (ok && jsonl_next(&it, &line))
        ok = read_line(&r, line, &it, e);
    ok = ok && check_fields(&r, e);
    if (ok) {
        index_rows(s);
        s->n_samples = s->opts.n_samples ? s->opts.n_samples : r.declared_samples;
        if (s->opts.first_n_samples)
            s->n_samples = MIN(s->n_samples, s->opts.first_n_samples);
        for (int p = 0; p < s->n_problems && !s->opts.n_samples; p++)
            s->n_samples = MAX(s->n_samples, s->problems[p].n_rows);
    }
    map_clear(&r.problems);
    map_clear(&r.taken);
    return ok;
}
