/* score_grade.c - verdicts by forked workers, then the answers of each problem as classes.
 *
 * Two batches. First every row: a worker parses its line again (parsing is cheap beside keeping
 * every tree) and answers with a verdict and strings. Then every problem with several kinds of
 * wrong answer: keys that differ may still be one answer, and the grader's `same` decides. */
#include "base/num.h"
#include "base/workers.h"
#include "eval/score.h"
#include "formats/json.h"

enum {
    MAX_COMPARED = 48
}; /* classes of one problem that are compared with each other beyond their keys */

static void pack_str(struct buf *out, struct str s)
{
    unsigned char n[4] = {(unsigned char)s.len, (unsigned char)(s.len >> 8),
                          (unsigned char)(s.len >> 16), (unsigned char)(s.len >> 24)};

    buf_add(out, n, 4);
    buf_add_str(out, s);
}

static struct str unpack_str(struct str *in, struct arena *a)
{
    struct str s = {"", 0};
    size_t n = in->len >= 4 ? load_le32(in->ptr) : 0;

    if (in->len < 4 || n > in->len - 4)
        return s;
    s = str_dup(a, str_slice(*in, 4, 4 + n));
    *in = str_slice(*in, 4 + n, in->len);
    return s;
}

/* In a worker process: what is opened here lives as long as that process. */
static void *state_of(struct score *s)
{
    if (!s->grader_state && s->grader->open)
        s->grader_state = s->grader->open();
    return s->grader_state;
}

static void grade_row(void *ctx, size_t item, struct buf *out)
{
    struct score *s = ctx;
    const struct score_row *r = &s->rows[item];
    struct err e = ERR_INIT;
    struct json *row = json_parse(r->line, &e);
    struct grade g = {.how = ""};
    struct grade_input in = {.doc = row};
    struct arena a;
    bool ignored;

    arena_init(&a, 0);
    in.gold = score_field(&a, row, s->opts.label_key);
    in.response = score_generation(json_get(row, s->opts.response_key), r->part, &ignored);
    if (!s->grader->grade(state_of(s), &in, &a, &g, &e)) {
        g = (struct grade){.verdict = VERDICT_UNKNOWN};
        g.how = str_dup(&a, STR(e.msg)).ptr;
    }
    buf_addc(out, (char)g.verdict);
    buf_addc(out, (char)(g.nothing_extracted | g.gold_unreadable << 1));
    pack_str(out, g.extracted);
    pack_str(out, g.extracted_gold);
    pack_str(out, g.key);
    pack_str(out, STR(g.how ? g.how : ""));
    arena_clear(&a);
    json_close(row);
}

/* What stands where an answer was cut off is a step on the way, not the answer: it is not right,
 * whatever it is equal to, and has no vote. */
static void take_as_cut(struct score *s, struct score_row *r)
{
    r->shows_gold = r->verdict == VERDICT_RIGHT;
    r->how = str_fmt(&s->arena, "cut off by the token limit; what stands there is %s (" STR_FMT ")",
                     verdict_name(r->verdict), STR_ARG(r->how));
    r->verdict = VERDICT_WRONG;
    r->key = STR("");
}

static bool take_row(void *ctx, size_t item, enum worker_outcome outcome, struct str answer,
                     struct err *e)
{
    struct score *s = ctx;
    struct score_row *r = &s->rows[item];

    if (outcome != WORKER_DONE || answer.len < 2) {
        r->verdict = VERDICT_UNKNOWN;
        r->worker_lost = true;
        r->how = STR(worker_outcome_name(outcome));
        return true;
    }
    r->verdict = (enum verdict)answer.ptr[0];
    r->nothing_extracted = answer.ptr[1] & 1;
    r->gold_unreadable = answer.ptr[1] & 2;
    answer = str_slice(answer, 2, answer.len);
    r->extracted = unpack_str(&answer, &s->arena);
    r->extracted_gold = unpack_str(&answer, &s->arena);
    r->key = unpack_str(&answer, &s->arena);
    r->how = unpack_str(&answer, &s->arena);
    if (r->is_truncated)
        take_as_cut(s, r);
    return true;
}

/* Classes by verdict and key, in order of first appearance: all right samples are one class. */
static void classes_by_key(struct score *s, struct score_problem *p)
{
    struct str *keys = arena_array(&s->arena, (size_t)p->n_rows + 1, sizeof(*keys));

    p->classes = arena_array(&s->arena, (size_t)p->n_rows + 1, sizeof(*p->classes));
    p->class_text = arena_array(&s->arena, (size_t)p->n_rows + 1, sizeof(*p->class_text));
    for (int i = 0; i < p->n_rows; i++) {
        struct score_row *r = &s->rows[p->rows[i]];
        bool is_right = r->verdict == VERDICT_RIGHT;
        int c = 0;

        if (!is_right && r->key.len == 0) {
            p->n_blank++;
            continue;
        }
        while (c < p->n_classes &&
               !(p->classes[c].is_right == is_right && (is_right || str_eq(keys[c], r->key))))
            c++;
        if (c == p->n_classes) {
            p->classes[c] = (struct answer_class){0, is_right};
            p->class_text[c] = r->extracted;
            keys[c] = r->key;
            p->n_classes++;
        }
        p->classes[c].count++;
        p->n_right += is_right;
        r->answer_class = c;
    }
}

static void merge_problem(void *ctx, size_t item, struct buf *out)
{
    struct score *s = ctx;
    const struct score_problem *p = &s->problems[item];
    int n = MIN(p->n_classes, MAX_COMPARED);
    struct arena a;

    arena_init(&a, 0);
    for (int c = 0; c < n; c++) {
        int into = c;

        for (int d = 0; d < c && into == c && !p->classes[c].is_right; d++)
            if (!p->classes[d].is_right &&
                s->grader->same(state_of(s), p->class_text[d], p->class_text[c], &a))
                into = d;
        arena_reset(&a);
        buf_addc(out, (char)into);
    }
    arena_clear(&a);
}

static bool take_merge(void *ctx, size_t item, enum worker_outcome outcome, struct str answer,
                       struct err *e)
{
    struct score *s = ctx;
    struct score_problem *p = &s->problems[item];
    int *into;

    if (outcome != WORKER_DONE)
        return true; /* the classes by key stand */
    into = arena_array(&s->arena, (size_t)p->n_classes + 1, sizeof(*into));
    for (int c = 0; c < p->n_classes; c++) {
        into[c] = c;
        if ((size_t)c < answer.len && answer.ptr[c] < c)
            into[c] = into[(int)answer.ptr[c]];
        if (into[c] != c) {
            p->classes[into[c]].count += p->classes[c].count;
            p->classes[c].count = 0;
        }
    }
    for (int i = 0; i < p->n_rows; i++) {
        struct score_row *r = &s->rows[p->rows[i]];

        if (r->answer_class >= 0)
            r->answer_class = into[r->answer_class];
    }
    return true;
}

/* Biggest class first (the earlier one on ties), empty ones dropped. */
static void sort_classes(struct score *s, struct score_problem *p)
{
    int *order = arena_array(&s->arena, (size_t)p->n_classes + 1, sizeof(*order));
    int *place = arena_array(&s->arena, (size_t)p->n_classes + 1, sizeof(*place));
    struct answer_class *classes =
        arena_array(&s->arena, (size_t)p->n_classes + 1, sizeof(*classes));
    struct str *text = arena_array(&s->arena, (size_t)p->n_classes + 1, sizeof(*text));
    int n = 0;

    for (int c = 0; c < p->n_classes; c++) {
        int k = n;

        if (p->classes[c].count == 0)
            continue;
        for (; k > 0 && p->classes[order[k - 1]].count < p->classes[c].count; k--)
            order[k] = order[k - 1];
        order[k] = c;
        n++;
    }
    for (int k = 0; k < n; k++) {
        classes[k] = p->classes[order[k]];
        text[k] = p->class_text[order[k]];
        place[order[k]] = k;
    }
    for (int i = 0; i < p->n_rows; i++) {
        struct score_row *r = &s->rows[p->rows[i]];

        if (r->answer_class >= 0)
            r->answer_class = place[r->answer_class];
    }
    p->classes = classes;
    p->class_text = text;
    p->n_classes = n;
}

bool score_grade(struct score *s, struct err *e)
{
    struct workers_opts o = workers_opts_default();

    o.n_workers = MIN(MIN(s->opts.max_workers, o.n_workers), MAX(s->n_rows, 1));
    o.item_cpu_ms = (int)(s->opts.timeout * 1000);
    o.item_wall_ms = MAX(o.item_wall_ms, 3 * o.item_cpu_ms);
    if (!workers_run(&o, (size_t)s->n_rows, grade_row, take_row, s, e))
        return false;
    for (int p = 0; p < s->n_problems; p++)
        classes_by_key(s, &s->problems[p]);
    if (s->grader->same && !workers_run(&o, (size_t)s->n_problems, merge_problem, take_merge, s, e))
        return false;
    for (int p = 0; p < s->n_problems; p++)
        sort_classes(s, &s->problems[p]);
    return true;
}
