/* store.c - see store.h.
 *
 * The index is one byte and one text hash for each (problem, sample), made in one pass over the
 * file. Rows without sample_index (2025's tool) take the lowest free index of their problem in file
 * order, after all rows that have one.
 *
 * Order of writing at open: the manifest is in place before the first row, so rows never lack one.
 */
#include "eval/store.h"

#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "eval/manifest.h"
#include "eval/store_file.h"
#include "eval/store_row.h"
#include "formats/json.h"
#include "formats/json_scan.h"
#include "task/docs.h"

enum { SAMPLE_DONE = 1, FSYNC_INTERVAL_MS = 1000 };

/* A row that did not say which sample it is. */
struct unnumbered {
    int doc;
    size_t line_no;
    int64_t offset, n_bytes;
    uint64_t text_hash;
};

struct store {
    struct store_opts o;
    struct store_file file;
    struct store_counts counts;
    unsigned char *state; /* [n_docs, n_samples] */
    uint64_t *text_hash;  /* [n_docs, n_samples]; 0: empty or absent */
    struct buf row;       /* scratch */
    struct buf text;      /* scratch */
    struct unnumbered *unnumbered;
    int n_unnumbered, cap_unnumbered;
    struct store_span *damaged;
    int n_damaged, cap_damaged;
    int64_t synced_ms;
    bool is_dirty;
};

static size_t slot(const struct store *s, int doc, int sample)
{
    return (size_t)doc * (size_t)s->o.n_samples + (size_t)sample;
}

/* 0: too short to tell. A sure model gives the same few lines again and again; a thousand bytes do
 * not come out alike by chance. */
static uint64_t hash_of_text(struct str raw_text)
{
    return raw_text.len < STORE_TWIN_BYTES ? 0 : siphash64(0, 1, raw_text.ptr, raw_text.len) | 1;
}

static void mark(struct store *s, int doc, int sample, uint64_t text_hash)
{
    s->state[slot(s, doc, sample)] = SAMPLE_DONE;
    s->text_hash[slot(s, doc, sample)] = text_hash;
    s->counts.n_rows++;
}

/* --- reading what is there -------------------------------------------------------------------- */

/* Damage: refused, or set aside when the user asked for repair. */
static bool damage(struct store *s, const struct store_line *line, const char *what, struct err *e)
{
    if (!s->o.repair)
        return err_set(e, ERR_INPUT,
                       "%s:%zu: %s; nothing was changed. --repair_resume moves such lines to "
                       "%s.damaged and samples them again",
                       s->file.path, line->line_no, what, path_base(s->file.path));
    if (s->n_damaged == s->cap_damaged) {
        s->cap_damaged = s->cap_damaged ? 2 * s->cap_damaged : 16;
        s->damaged = xrealloc(s->damaged, (size_t)s->cap_damaged * sizeof(*s->damaged));
    }
    s->damaged[s->n_damaged++] =
        (struct store_span){line->offset, (int64_t)line->text.len + !line->is_last};
    s->counts.n_damaged_lines++;
    return true;
}

/* A row that is whole but belongs to another run. */
static bool foreign(const struct store *s, const struct store_line *line, const char *what,
                    struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "%s:%zu: %s; this file holds another run. Name another --output_file",
                   s->file.path, line->line_no, what);
}

static struct str plain(struct store *s, struct str raw)
{
    buf_reset(&s->text);
    if (!json_raw_str(raw, &s->text))
        return raw; /* a number stands for its digits */
    return buf_str(&s->text);
}

static bool has_free_sample(const struct store *s, int doc)
{
    int n_taken = 0;

    for (int i = 0; i < s->o.n_samples; i++)
        n_taken += s->state[slot(s, doc, i)] != 0;
    for (int i = 0; i < s->n_unnumbered; i++)
        n_taken += s->unnumbered[i].doc == doc;
    return n_taken < s->o.n_samples;
}

/* The problem a row belongs to, by its doc_id or by its prompt; -1 with *what if there is none. */
static int doc_of_row(struct store *s, const struct store_row *row, const char **what)
{
    const struct docs *docs = s->o.docs;
    struct str prompt;
    int doc;

    if (row->doc_id.len > 0) {
        doc = docs_find(docs, plain(s, row->doc_id));
        *what = "its doc_id is not in the input";
        if (doc >= 0 && json_raw_is_string(row->prompt) &&
            !str_eq(plain(s, row->prompt), docs->items[doc].prompt)) {
            *what = "its prompt is not the one that the input has under this doc_id";
            return -1;
        }
        return doc;
    }
    *what = "it has neither a doc_id nor a prompt";
    if (!json_raw_is_string(row->prompt))
        return -1;
    prompt = plain(s, row->prompt);
    *what = "its prompt is not in the input";
    doc = docs_find_prompt(docs, prompt);
    while (doc >= 0 && docs->items[doc].next_same_prompt >= 0 && !has_free_sample(s, doc))
        doc = docs->items[doc].next_same_prompt;
    return doc;
}

static void remember_unnumbered(struct store *s, int doc, const struct store_line *line,
                                uint64_t text_hash)
{
    if (s->n_unnumbered == s->cap_unnumbered) {
        s->cap_unnumbered = s->cap_unnumbered ? 2 * s->cap_unnumbered : 64;
        s->unnumbered = xrealloc(s->unnumbered, (size_t)s->cap_unnumbered * sizeof(*s->unnumbered));
    }
    s->unnumbered[s->n_unnumbered++] = (struct unnumbered){
        doc, line->line_no, line->offset, (int64_t)line->text.len + !line->is_last, text_hash};
}

static bool take_row(struct store *s, const struct store_line *line, const struct store_row *row,
                     struct err *e)
{
    const char *what = NULL;
    int doc = doc_of_row(s, row, &what);
    uint64_t text_hash = hash_of_text(store_row_text(row->gen));
    char text[160];

    if (doc < 0)
        return foreign(s, line, what, e);
    if (row->n_samples >= 0 && row->n_samples != s->o.n_samples) {
        snprintf(text, sizeof(text), "its n_samples is %lld and --n_samples is %d",
                 (long long)row->n_samples, s->o.n_samples);
        return foreign(s, line, text, e);
    }
    if (row->sample_index >= s->o.n_samples) {
        snprintf(text, sizeof(text), "its sample_index is %lld and --n_samples is %d",
                 (long long)row->sample_index, s->o.n_samples);
        return foreign(s, line, text, e);
    }
    if (row->sample_index >= 0 && store_has(s, doc, (int)row->sample_index)) {
        snprintf(text, sizeof(text), "sample %lld of doc_id \"%.60s\" is there twice",
                 (long long)row->sample_index, s->o.docs->items[doc].id.ptr);
        return damage(s, line, text, e);
    }
    s->counts.n_truncated += row->is_truncated;
    s->counts.n_empty += row->is_empty;
    s->counts.n_clamped += row->is_clamped;
    if (row->sample_index >= 0)
        mark(s, doc, (int)row->sample_index, text_hash);
    else
        remember_unnumbered(s, doc, line, text_hash);
    return true;
}

static bool visit_line(void *ctx, const struct store_line *line, struct err *e)
{
    struct store *s = ctx;
    struct store_row row;
    const char *fault;

    if (str_trim(line->text).len == 0 && !line->is_last)
        return true;
    if (!store_row_read(line->text, s->o.prompt_key, s->o.response_key, &row, &fault)) {
        if (!line->is_last)
            return damage(s, line, fault, e);
        s->counts.n_torn_bytes = (int64_t)line->text.len;
        return true;
    }
    if (row.has_error) {
        s->counts.n_error_rows++;
        return true;
    }
    return take_row(s, line, &row, e);
}

/* Gives every row without a sample_index the lowest free one of its problem. */
static bool number_rows(struct store *s, struct err *e)
{
    int *next = xcalloc((size_t)s->o.docs->n, sizeof(*next));
    bool ok = true;

    for (int i = 0; ok && i < s->n_unnumbered; i++) {
        const struct unnumbered *u = &s->unnumbered[i];
        struct store_line line = {.line_no = u->line_no, .offset = u->offset};

        while (next[u->doc] < s->o.n_samples && store_has(s, u->doc, next[u->doc]))
            next[u->doc]++;
        if (next[u->doc] < s->o.n_samples)
            mark(s, u->doc, next[u->doc], u->text_hash);
        else
            ok = foreign(s, &line, "its problem has more rows than --n_samples", e);
    }
    free(next);
    return ok;
}

static bool ends_in_newline(struct store *s, struct err *e)
{
    char last = '\n';

    if (s->file.n_bytes > 0 && pread(s->file.fd, &last, 1, s->file.n_bytes - 1) != 1)
        return err_set_errno(e, "%s: cannot be read", s->file.path);
    return last == '\n' || store_file_append(&s->file, STR("\n"), e);
}

static bool read_rows(struct store *s, struct err *e)
{
    if (!store_file_each(&s->file, visit_line, s, e)) {
        if (!strstr(e->msg, s->file.path))
            err_prefix(e, "%s", s->file.path);
        return false;
    }
    if (!number_rows(s, e))
        return false;
    if (s->counts.n_torn_bytes > 0 &&
        !store_file_cut(&s->file, s->file.n_bytes - s->counts.n_torn_bytes, e))
        return false;
    if (s->n_damaged > 0 && !store_file_remove(&s->file, s->damaged, s->n_damaged, e))
        return false;
    return ends_in_newline(s, e);
}

/* --- the manifest ----------------------------------------------------------------------------- */

static bool write_manifest(const struct json *tree, const char *path, struct err *e)
{
    struct buf text = {0};
    bool ok;

    json_write_indent(&text, tree, 1);
    buf_addc(&text, '\n');
    ok = file_replace(path, buf_str(&text), e);
    buf_clear(&text);
    return ok;
}

static bool refuse_other_run(const struct store *s, const char *path, const struct buf *what,
                             struct err *e)
{
    return err_set(e, ERR_INPUT,
                   "%s was made by another run: %.300s. Give the options of that run, or name "
                   "another --output_file (%s says how it was made)",
                   s->file.path, buf_z(what), path_base(path));
}

static bool has_rows(const struct store *s)
{
    return s->file.n_bytes > 0;
}

/* Before the rows are read: a file of another run is refused by what differs. */
static bool check_manifest(struct store *s, const char *path, bool *is_there, struct err *e)
{
    struct json *have = NULL, *want;
    struct manifest m = {s->o.docs, s->o.n_samples, s->o.groups, s->o.n_groups};
    struct buf what = {0};
    bool ok = true;

    *is_there = false;
    if (!has_rows(s)) /* a manifest without rows binds nobody */
        return true;
    if (!manifest_read(path, &have, e)) {
        err_prefix(e, "the manifest is damaged (move it away to go on without the check)");
        return false;
    }
    if (!have) {
        s->counts.is_legacy = true;
        return true;
    }
    want = manifest_make(&m, 0);
    if (manifest_differs(have, want, &what))
        ok = refuse_other_run(s, path, &what, e);
    *is_there = json_get(have, "parameters") != NULL;
    buf_clear(&what);
    json_close(have);
    json_close(want);
    return ok;
}

static bool make_manifest(struct store *s, const char *path, struct err *e)
{
    struct manifest m = {s->o.docs, s->o.n_samples, s->o.groups, s->o.n_groups};
    struct json *tree = manifest_make(&m, s->counts.n_rows);
    bool ok = write_manifest(tree, path, e);

    json_close(tree);
    return ok;
}

/* --- the store -------------------------------------------------------------------------------- */

static bool alloc_index(struct store *s, struct err *e)
{
    size_t n;

    if (!size_mul((size_t)s->o.docs->n, (size_t)s->o.n_samples, &n) || n > (size_t)1 << 30)
        return err_set(e, ERR_INPUT, "%d problems with %d samples each are too many", s->o.docs->n,
                       s->o.n_samples);
    s->state = calloc(n, 1);
    s->text_hash = calloc(n, sizeof(*s->text_hash));
    return (s->state && s->text_hash) ||
           err_set(e, ERR_MEMORY, "no memory for the index of %zu samples", n);
}

struct store *store_open(const char *path, const struct store_opts *o, struct err *e)
{
    struct store *s = xcalloc(1, sizeof(*s));
    char *manifest = manifest_path(path);
    struct err ignored = ERR_INIT;
    bool has_manifest, ok;

    s->o = *o;
    s->synced_ms = clock_ms();
    ok = store_file_open(&s->file, path, e) && alloc_index(s, e) &&
         check_manifest(s, manifest, &has_manifest, e) && read_rows(s, e) &&
         (has_manifest || make_manifest(s, manifest, e));
    free(manifest);
    if (ok)
        return s;
    if (!store_close(s, &ignored))
        log_debug("%s", ignored.msg);
    return NULL;
}

bool store_has(const struct store *s, int doc, int sample)
{
    return s->state[slot(s, doc, sample)] != 0;
}

void store_counts(const struct store *s, struct store_counts *out)
{
    *out = s->counts;
}

static bool sync_now(struct store *s, struct err *e)
{
    s->synced_ms = clock_ms();
    s->is_dirty = false;
    return store_file_sync(&s->file, e);
}

bool store_tick(struct store *s, struct err *e)
{
    if (s->o.fsync != STORE_FSYNC_INTERVAL || !s->is_dirty ||
        clock_ms() - s->synced_ms < FSYNC_INTERVAL_MS)
        return true;
    return sync_now(s, e);
}

bool store_append(struct store *s, int doc, int sample, const struct gen_event *reply,
                  struct err *e)
{
    struct gen_event row = *reply;

    if (s->o.is_reproducible)
        row.latency_us = row.first_token_us = row.n_cached_tokens = -1;
    buf_reset(&s->text);
    json_write_str(&s->text, reply->text);
    buf_reset(&s->row);
    store_row_write(&s->row, &s->o.docs->items[doc], sample, s->o.n_samples, s->o.response_key,
                    &row);
    if (s->row.failed || s->row.len > STORE_MAX_LINE_BYTES)
        return err_set(e, ERR_MEMORY, "the answer to doc_id \"%.60s\" is too long for one line",
                       s->o.docs->items[doc].id.ptr);
    if (!store_file_append(&s->file, buf_str(&s->row), e)) {
        err_prefix(e, "%lld answers are safe; make room and run the same command again",
                   (long long)s->counts.n_rows);
        return false;
    }
    mark(s, doc, sample, hash_of_text(buf_str(&s->text)));
    s->counts.n_truncated += reply->finish_reason == FINISH_LENGTH;
    s->counts.n_empty += reply->text.len == 0;
    s->counts.n_clamped += reply->is_clamped;
    s->is_dirty = true;
    return s->o.fsync == STORE_FSYNC_ALWAYS ? sync_now(s, e) : store_tick(s, e);
}

/* Two samples of one problem with equal hashes. Samples are few, so pairs are compared. */
static bool has_twins(const struct store *s, int doc, int *a, int *b)
{
    const uint64_t *hash = &s->text_hash[slot(s, doc, 0)];

    for (int i = 0; i < s->o.n_samples; i++)
        for (int k = i + 1; hash[i] && k < s->o.n_samples; k++)
            if (hash[i] == hash[k]) {
                *a = i;
                *b = k;
                return true;
            }
    return false;
}

int store_n_identical(const struct store *s, int *first_doc, int *sample_a, int *sample_b)
{
    int n = 0, a, b;

    for (int doc = 0; doc < s->o.docs->n; doc++)
        if (has_twins(s, doc, &a, &b) && n++ == 0 && first_doc) {
            *first_doc = doc;
            *sample_a = a;
            *sample_b = b;
        }
    return n;
}

struct row_place {
    int64_t slot;
    struct store_span span;
};

struct row_places {
    struct store *s;
    struct row_place *items;
    int64_t n, last_slot;
    bool is_ordered, is_plain; /* every row names its sample */
};

static bool note_place(void *ctx, const struct store_line *line, struct err *e UNUSED)
{
    struct row_places *p = ctx;
    struct store_row row;
    const char *what;
    int doc;

    if (str_trim(line->text).len == 0)
        return true;
    p->is_plain =
        p->is_plain && !line->is_last && p->n < p->s->counts.n_rows &&
        store_row_read(line->text, p->s->o.prompt_key, p->s->o.response_key, &row, &what) &&
        !row.has_error && row.sample_index >= 0;
    if (!p->is_plain)
        return true;
    doc = doc_of_row(p->s, &row, &what);
    p->is_plain = doc >= 0;
    if (!p->is_plain)
        return true;
    p->items[p->n] = (struct row_place){(int64_t)slot(p->s, doc, (int)row.sample_index),
                                        {line->offset, (int64_t)line->text.len + 1}};
    p->is_ordered = p->is_ordered && p->items[p->n].slot > p->last_slot;
    p->last_slot = p->items[p->n++].slot;
    return true;
}

static int compare_places(const void *a, const void *b)
{
    int64_t x = ((const struct row_place *)a)->slot, y = ((const struct row_place *)b)->slot;

    return (x > y) - (x < y);
}

bool store_order(struct store *s, struct err *e)
{
    struct row_places p = {.s = s, .last_slot = -1, .is_ordered = true, .is_plain = true};
    struct store_span *spans;
    bool ok;

    if (s->counts.n_rows < (int64_t)s->o.docs->n * s->o.n_samples || s->n_unnumbered > 0 ||
        s->file.is_broken)
        return true;
    p.items = xcalloc((size_t)s->counts.n_rows + 1, sizeof(*p.items));
    spans = xcalloc((size_t)s->counts.n_rows + 1, sizeof(*spans));
    ok = store_file_each(&s->file, note_place, &p, e);
    if (ok && p.is_plain && !p.is_ordered) {
        qsort(p.items, (size_t)p.n, sizeof(*p.items), compare_places);
        for (int64_t i = 0; i < p.n; i++)
            spans[i] = p.items[i].span;
        ok = store_file_keep(&s->file, spans, p.n, e);
    }
    free(spans);
    free(p.items);
    return ok;
}

bool store_close(struct store *s, struct err *e)
{
    bool ok = true;

    if (!s)
        return true;
    if (s->is_dirty && s->o.fsync != STORE_FSYNC_NEVER && !s->file.is_broken)
        ok = sync_now(s, e);
    store_file_close(&s->file);
    buf_clear(&s->row);
    buf_clear(&s->text);
    free(s->state);
    free(s->text_hash);
    free(s->unnumbered);
    free(s->damaged);
    free(s);
    return ok;
}
