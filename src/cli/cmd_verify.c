/* cmd_verify.c - judges pairs of gold and response, or explains one pair.
 *
 * Pairs are judged in forked workers, one line each, and written in input
 * order; all fields but `micros` follow from the line alone. */
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/map.h"
#include "base/opt.h"
#include "base/workers.h"
#include "cli/commands.h"
#include "formats/json.h"
#include "formats/jsonl.h"
#include "math/score.h"
#include "task/grader.h"

struct verify_opts {
    const char *pairs, *output, *mode;
    int max_workers;
};

static const struct opt verify_table[] = {
    OPT_STR(struct verify_opts, pairs, "",
            "JSONL of pairs: {\"id\", \"gold\", \"pred\", \"options\"}"),
    OPT_STR(struct verify_opts, output, "", "where verdicts go, JSONL; without it to stdout",
            .flags = OPT_UNRECORDED),
    OPT_CHOICE(struct verify_opts, mode, "response", "response|answer",
               "of a pair without options.mode: free text, or the bare answer"),
    OPT_INT(struct verify_opts, max_workers, "0", 0, 1024,
            "processes that judge; 0: one for each processor", .flags = OPT_UNRECORDED),
    {0},
};

static const char help[] =
    "llmeval verify --pairs FILE.jsonl [--output FILE.jsonl] [--max_workers "
    "N]\n"
    "llmeval verify GOLD RESPONSE\n\n"
    "Says whether a response's final answer equals the gold answer, by exact "
    "mathematics, and why.\n"
    "With `expected` in the pairs a table of agreement goes to stderr.\n\n"
    "Exit status: 0 all pairs were judged (whatever the verdicts); 2 bad usage "
    "or input; 3 some pair lost\n"
    "its worker and is unknown. For one pair: 0 right, 1 wrong or unknown, 2 "
    "bad usage.\n\n";

/* --- one pair
 * ----------------------------------------------------------------------------------
 */

struct pair {
    struct str gold, pred;
    struct score_opts opts;
};

static int n_labels(const struct json *strings)
{
    int n = 0;

    for (size_t i = 0; i < json_len(strings); i++) {
        struct str label = json_str(json_at(strings, i));

        if (label.len == 1 && label.ptr[0] >= 'A' && label.ptr[0] <= 'Z')
            n = MAX(n, label.ptr[0] - 'A' + 1);
    }
    return n;
}

static struct pair pair_read(const struct json *row, const char *mode)
{
    const struct json *options = json_get(row, "options"), *m = json_get(options, "mode");
    struct pair p = {json_str(json_get(row, "gold")), json_str(json_get(row, "pred")),
                     score_opts_default()};

    p.opts.is_bare =
        json_type(m) == JSON_STRING ? str_eqz(json_str(m), "answer") : strcmp(mode, "answer") == 0;
    p.opts.n_labels = n_labels(json_get(options, "strings"));
    p.opts.math.precision = (int)json_int(json_get(options, "precision"), p.opts.math.precision);
    p.opts.math.rename_variables = !json_bool(json_get(options, "strict"), true);
    p.opts.math.no_set_relation = !json_bool(json_get(options, "allow_set_relation_comp"), true);
    return p;
}

static enum verdict verdict_of(enum math_result r)
{
    return r == MATH_EQUAL ? VERDICT_RIGHT : r == MATH_DIFFERENT ? VERDICT_WRONG : VERDICT_UNKNOWN;
}

/* --- the batch
 * ---------------------------------------------------------------------------------
 */

enum expected { EXPECTED_ABSENT, EXPECTED_EQUAL, EXPECTED_DIFFERENT };

/* What stands before a verdict line on its way from a worker. */
struct verdict_head {
    enum verdict verdict;
    enum expected expected;
    bool is_bad_input; /* what follows is the message */
};

struct category {
    size_t n, n_missed;
};

struct batch {
    const struct verify_opts *opts;
    struct str *lines;
    size_t *line_nos;
    size_t n_lines;
    struct math_ctx *math; /* a worker's own, made at its first pair */
    struct buf out;
    size_t n[3][3]; /* [enum expected][enum verdict] */
    size_t n_lost;
    struct map categories; /* name -> index into by_category */
    struct category by_category[256];
    struct str names[256];
    int n_categories;
    struct arena arena;
};

static enum expected expected_of(const struct json *row)
{
    const struct json *v = json_get(row, "expected");

    if (json_type(v) != JSON_BOOL)
        return EXPECTED_ABSENT;
    return json_bool(v, false) ? EXPECTED_EQUAL : EXPECTED_DIFFERENT;
}

static void set_str(struct json *o, const char *key, struct str s)
{
    json_set(o, key, json_new_str(s));
}

static void write_verdict(struct buf *out, const struct json *id, const struct math_score *s,
                          int64_t micros)
{
    struct json *o = json_new_object();

    json_set(o, "id", id ? json_clone(id) : json_new_null());
    set_str(o, "verdict", STR(verdict_name(verdict_of(s->result))));
    set_str(o, "reason", STR(s->reason));
    set_str(o, "gold_form", s->gold_form);
    set_str(o, "pred_form", s->pred_form);
    set_str(o, "extracted", s->extracted);
    set_str(o, "rule", STR(s->rule));
    json_set(o, "micros", json_new_int(micros));
    json_write(out, o);
    buf_addc(out, '\n');
    json_close(o);
}

static void judge_row(struct batch *b, const struct json *row, struct buf *out)
{
    struct pair p = pair_read(row, b->opts->mode);
    struct verdict_head head = {.expected = expected_of(row)};
    struct math_score s;
    struct arena a;
    int64_t start;

    if (b->math == NULL)
        b->math = math_ctx_open();
    arena_init(&a, (size_t)256 << 20);
    start = clock_us();
    math_score(b->math, p.gold, p.pred, &p.opts, &a, &s);
    head.verdict = verdict_of(s.result);
    buf_add(out, &head, sizeof(head));
    write_verdict(out, json_get(row, "id"), &s, clock_us() - start);
    arena_clear(&a);
}

static void judge(void *ctx, size_t item, struct buf *out)
{
    struct batch *b = ctx;
    struct err e = ERR_INIT;
    struct json *row = json_parse(b->lines[item], &e);
    struct verdict_head bad = {.is_bad_input = true};

    if (row && json_type(row) != JSON_OBJECT)
        err_set(&e, ERR_INPUT, "a line must be an object, this is %s",
                json_type_name(json_type(row)));
    else if (row && (json_type(json_get(row, "gold")) != JSON_STRING ||
                     json_type(json_get(row, "pred")) != JSON_STRING))
        err_set(&e, ERR_INPUT, "\"gold\" and \"pred\" must be strings");
    if (e.code != ERR_NONE) {
        buf_add(out, &bad, sizeof(bad));
        buf_addz(out, e.msg);
    } else {
        judge_row(b, row, out);
    }
    json_close(row);
}

static void count(struct batch *b, struct str category, enum expected expected,
                  enum verdict verdict)
{
    bool is_new;
    int64_t i;

    b->n[expected][verdict]++;
    if (expected == EXPECTED_ABSENT || category.len == 0 ||
        b->n_categories == (int)LEN(b->by_category))
        return;
    i = map_add(&b->categories, category, b->n_categories, &is_new);
    if (is_new)
        b->names[b->n_categories++] = str_dup(&b->arena, category);
    b->by_category[i].n++;
    b->by_category[i].n_missed += (expected == EXPECTED_EQUAL) != (verdict == VERDICT_RIGHT);
}

/* Writes what is ready to stdout; with --output all is written at the end, at
 * once. */
static bool flush_out(struct batch *b, struct err *e)
{
    if (b->opts->output[0])
        return !b->out.failed ||
               err_set(e, ERR_MEMORY, "the verdicts are longer than %zu bytes", b->out.max);
    if (!file_write_all(STDOUT_FILENO, "stdout", buf_str(&b->out), e))
        return false;
    buf_reset(&b->out);
    return true;
}

static bool take(void *ctx, size_t item, enum worker_outcome outcome, struct str answer,
                 struct err *e)
{
    struct batch *b = ctx;
    struct verdict_head head = {.verdict = VERDICT_UNKNOWN};
    struct json *row = NULL;

    if (outcome == WORKER_DONE) {
        memcpy(&head, answer.ptr, sizeof(head));
        answer = str_slice(answer, sizeof(head), answer.len);
        if (head.is_bad_input)
            return err_set(e, ERR_INPUT, "%s:%zu: " STR_FMT, b->opts->pairs, b->line_nos[item],
                           STR_ARG(answer));
        buf_add_str(&b->out, answer);
        if (head.expected != EXPECTED_ABSENT)
            row = json_parse(b->lines[item], e);
    } else {
        struct math_score lost = {.result = MATH_UNDECIDED,
                                  .reason = worker_outcome_name(outcome),
                                  .rule = "",
                                  .extracted = {"", 0},
                                  .gold_form = {"", 0},
                                  .pred_form = {"", 0}};

        row = json_parse(b->lines[item], e);
        head.expected = expected_of(row);
        write_verdict(&b->out, json_get(row, "id"), &lost, 0);
        b->n_lost++;
    }
    count(b, json_str(json_get(row, "category")), head.expected, head.verdict);
    json_close(row);
    return e->code == ERR_NONE && flush_out(b, e);
}

static int by_name(const void *a, const void *b)
{
    return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static void print_agreement(struct batch *b)
{
    size_t n_equal = b->n[EXPECTED_EQUAL][0] + b->n[EXPECTED_EQUAL][1] + b->n[EXPECTED_EQUAL][2];
    size_t n_different =
        b->n[EXPECTED_DIFFERENT][0] + b->n[EXPECTED_DIFFERENT][1] + b->n[EXPECTED_DIFFERENT][2];
    size_t n_agree =
        b->n[EXPECTED_EQUAL][VERDICT_RIGHT] + n_different - b->n[EXPECTED_DIFFERENT][VERDICT_RIGHT];
    struct str *names = b->names;

    if (n_equal + n_different == 0)
        return;
    fprintf(stderr, "                     right    wrong  unknown\n");
    fprintf(stderr, "expected equal    %8zu %8zu %8zu\n", b->n[EXPECTED_EQUAL][VERDICT_RIGHT],
            b->n[EXPECTED_EQUAL][VERDICT_WRONG], b->n[EXPECTED_EQUAL][VERDICT_UNKNOWN]);
    fprintf(stderr, "expected differ   %8zu %8zu %8zu\n", b->n[EXPECTED_DIFFERENT][VERDICT_RIGHT],
            b->n[EXPECTED_DIFFERENT][VERDICT_WRONG], b->n[EXPECTED_DIFFERENT][VERDICT_UNKNOWN]);
    fprintf(stderr, "agreement %.2f %% (%zu of %zu), false positives %zu\n",
            100.0 * (double)n_agree / (double)(n_equal + n_different), n_agree,
            n_equal + n_different, b->n[EXPECTED_DIFFERENT][VERDICT_RIGHT]);
    qsort(names, (size_t)b->n_categories, sizeof(*names), by_name);
    for (int i = 0; i < b->n_categories; i++) {
        const struct category *c = &b->by_category[map_find(&b->categories, names[i])];

        if (c->n_missed > 0)
            fprintf(stderr, "  " STR_FMT ": %zu of %zu missed\n", STR_ARG(names[i]), c->n_missed,
                    c->n);
    }
}

static void index_lines(struct batch *b, struct str bytes)
{
    struct jsonl it;
    struct str line;
    size_t cap = 0;

    jsonl_init(&it, bytes);
    while (jsonl_next(&it, &line)) {
        if (b->n_lines == cap) {
            cap = cap ? 2 * cap : 1024;
            b->lines = xrealloc(b->lines, cap * sizeof(*b->lines));
            b->line_nos = xrealloc(b->line_nos, cap * sizeof(*b->line_nos));
        }
        b->lines[b->n_lines] = line;
        b->line_nos[b->n_lines++] = it.line_no;
    }
}

static struct workers_opts workers_of(const struct verify_opts *o)
{
    struct workers_opts w = workers_opts_default();

    if (o->max_workers > 0)
        w.n_workers = o->max_workers;
    return w;
}

static int verify_pairs(const struct verify_opts *o, struct err *e)
{
    struct batch *b = xcalloc(1, sizeof(*b));
    struct workers_opts w = workers_of(o);
    struct file_map file = {0};
    bool ok;
    int status = EXIT_OK;

    b->opts = o;
    map_init(&b->categories);
    arena_init(&b->arena, 0);
    ok = file_map_open(o->pairs, &file, e);
    if (ok) {
        index_lines(b, (struct str){file.ptr, file.len});
        ok = workers_run(&w, b->n_lines, judge, take, b, e) &&
             (!o->output[0] || file_replace(o->output, buf_str(&b->out), e));
    }
    if (ok) {
        print_agreement(b);
        if (b->n_lost > 0) {
            log_warn("%zu of %zu pairs lost their worker and are unknown", b->n_lost, b->n_lines);
            status = EXIT_SOME_FAILED;
        }
    } else {
        status = command_failed(e);
    }
    file_map_close(&file);
    map_clear(&b->categories);
    arena_clear(&b->arena);
    buf_clear(&b->out);
    free(b->lines);
    free(b->line_nos);
    free(b);
    return status;
}

/* --- one pair, explained
 * ----------------------------------------------------------------------- */

struct single {
    struct pair pair;
    enum verdict verdict;
};

static void field(struct buf *out, const char *name, struct str value, const char *note)
{
    buf_addf(out, "%-12s " STR_FMT, name, STR_ARG(value));
    if (note[0])
        buf_addf(out, "   (%s)", note);
    buf_addc(out, '\n');
}

static void explain(void *ctx, size_t item, struct buf *out)
{
    struct single *one = ctx;
    struct math_ctx *math = math_ctx_open();
    enum verdict verdict;
    struct math_score s;
    struct arena a;

    arena_init(&a, (size_t)256 << 20);
    math_score(math, one->pair.gold, one->pair.pred, &one->pair.opts, &a, &s);
    verdict = verdict_of(s.result);
    buf_add(out, &verdict, sizeof(verdict));
    field(out, "gold", s.extracted_gold, "");
    field(out, "  read as", s.gold_form, s.gold_kind);
    field(out, "extracted", s.extracted, s.rule);
    field(out, "  read as", s.pred_form, s.pred_kind);
    field(out, "verdict", STR(verdict_name(verdict)), s.reason);
    if (s.proof.len > 0)
        field(out, "because", s.proof, "");
    arena_clear(&a);
    math_ctx_close(math);
}

static bool take_single(void *ctx, size_t item, enum worker_outcome outcome, struct str answer,
                        struct err *e)
{
    struct single *one = ctx;

    if (outcome != WORKER_DONE) {
        one->verdict = VERDICT_UNKNOWN;
        printf("%-12s unknown   (%s)\n", "verdict", worker_outcome_name(outcome));
        return true;
    }
    memcpy(&one->verdict, answer.ptr, sizeof(one->verdict));
    answer = str_slice(answer, sizeof(one->verdict), answer.len);
    return file_write_all(STDOUT_FILENO, "stdout", answer, e);
}

static int verify_single(const struct verify_opts *o, const char *gold, const char *pred,
                         struct err *e)
{
    struct workers_opts w = workers_of(o);
    struct single one = {.pair = {STR(gold), STR(pred), score_opts_default()},
                         .verdict = VERDICT_UNKNOWN};

    one.pair.opts.is_bare = strcmp(o->mode, "answer") == 0;
    if (!workers_run(&w, 1, explain, take_single, &one, e))
        return command_failed(e);
    return one.verdict == VERDICT_RIGHT ? EXIT_OK : EXIT_CHECK;
}

/* --- the command
 * -------------------------------------------------------------------------------
 */

static bool wants_help(int argc, char **argv)
{
    return argc == 1 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0);
}

int cmd_verify(int argc, char **argv)
{
    struct verify_opts o = {0};
    struct opt_group groups[] = {{"Options", verify_table, &o}};
    struct opt_list rest = {0};
    struct err e = ERR_INIT;
    int status;

    if (wants_help(argc, argv))
        return command_help(help, groups, LEN(groups));
    if (!opts_parse(argc, argv, groups, LEN(groups), &rest, &e))
        status = command_failed(&e);
    else if (o.pairs[0] && rest.n == 0)
        status = verify_pairs(&o, &e);
    else if (!o.pairs[0] && rest.n == 2)
        status = verify_single(&o, rest.items[0], rest.items[1], &e);
    else {
        err_set(&e, ERR_INPUT,
                "give --pairs FILE.jsonl, or GOLD and RESPONSE; llmeval verify "
                "--help tells more");
        status = command_failed(&e);
    }
    opts_clear(groups, LEN(groups), &rest);
    return status;
}
