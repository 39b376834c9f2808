/* verify.c - what a verdict costs. usage: bench_verify PAIRS.jsonl
 *
 * Times finding and comparing over a file of labelled pairs, one core, processor time of the thread
 * (the machine may be shared), and the rate over responses of 2,000 tokens with a box at the end.
 */
#include "formats/json.h"
#include "formats/jsonl.h"
#include "math/score.h"

enum { MAX_PAIRS = 1 << 20 };

static int64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

struct tally {
    int64_t *ns;
    int n, n_right, n_false_positive, n_missed, n_unknown;
};

static void score_pair(struct math_ctx *c, const struct json *row, struct arena *a, struct tally *t)
{
    const struct json *options = json_get(row, "options");
    struct score_opts o = score_opts_default();
    struct math_score s;
    bool want = json_bool(json_get(row, "expected"), false);
    int64_t from;

    o.math.precision = (int)json_int(json_get(options, "precision"), -1);
    o.math.rename_variables = !json_bool(json_get(options, "strict"), true);
    o.math.no_set_relation = !json_bool(json_get(options, "allow_set_relation_comp"), true);
    o.is_bare = str_eqz(json_str(json_get(options, "mode")), "answer");
    o.n_labels = (int)json_len(json_get(options, "strings"));
    from = cpu_ns();
    math_score(c, json_str(json_get(row, "gold")), json_str(json_get(row, "pred")), &o, a, &s);
    t->ns[t->n++] = cpu_ns() - from;
    t->n_right += (s.result == MATH_EQUAL) == want;
    t->n_false_positive += s.result == MATH_EQUAL && !want;
    t->n_missed += s.result != MATH_EQUAL && want;
    t->n_unknown += s.result == MATH_UNDECIDED;
}

static bool time_pairs(const char *path, struct err *e)
{
    struct math_ctx *c = math_ctx_open();
    struct tally t = {.ns = xcalloc(MAX_PAIRS, sizeof(int64_t))};
    struct file_map file = {0};
    struct jsonl it;
    struct arena a;
    struct str line;
    bool ok = file_map_open(path, &file, e);

    arena_init(&a, 0);
    jsonl_init(&it, (struct str){ok ? file.ptr : "", ok ? file.len : 0});
    while (ok && t.n < MAX_PAIRS && jsonl_next(&it, &line)) {
        struct json *row = json_parse(line, e);
        ok = row != NULL;
        if (ok)
            score_pair(c, row, &a, &t);
        json_close(row);
        arena_reset(&a);
    }
    if (ok && t.n > 0) {
        qsort(t.ns, (size_t)t.n, sizeof(*t.ns), by_size);
        printf("%d pairs: %d agree (%.2f %%), %d wrongly accepted, %d missed, %d unknown\n", t.n,
               t.n_right, 100.0 * t.n_right / t.n, t.n_false_positive, t.n_missed, t.n_unknown);
        printf("median %.1f us, 99th percentile %.1f us, maximum %.1f ms\n",
               (double)t.ns[t.n / 2] / 1e3, (double)t.ns[(size_t)t.n * 99 / 100] / 1e3,
               (double)t.ns[t.n - 1] / 1e6);
    }
    arena_clear(&a);
    file_map_close(&file);
    free(t.ns);
    math_ctx_close(c);
    return ok;
}

/* About 2,000 tokens of prose with formulas, then a box. */
static void time_responses(const char *gold, const char *boxed)
{
    static const char paragraph[] =
        "We set $x = \\frac{a}{b}$ and look at the cases one by one. If $a \\equiv 1 \\pmod{3}$, the sum "
        "$\\sum_{k=1}^{n} k^2$ is at least 14, so there are 3 values left. For n = 4 we get 30.\n\n";
    enum { ROUNDS = 5000, SIZE = 8 << 10 };
    struct math_ctx *c = math_ctx_open();
    struct score_opts o = score_opts_default();
    struct buf text = {0};
    struct arena a;
    int n_right = 0;
    int64_t from;

    while (text.len < SIZE)
        buf_addz(&text, paragraph);
    buf_addf(&text, "So the answer is $\\boxed{%s}$.", boxed);
    arena_init(&a, 0);
    from = cpu_ns();
    for (int i = 0; i < ROUNDS; i++) {
        struct math_score s;
        math_score(c, STR(gold), buf_str(&text), &o, &a, &s);
        n_right += s.result == MATH_EQUAL;
        arena_reset(&a);
    }
    from = cpu_ns() - from;
    printf("2,000 tokens with \\boxed{%s}: %.0f per second (%d of %d right)\n", boxed,
           1e9 * ROUNDS / (double)from, n_right, ROUNDS);
    arena_clear(&a);
    buf_clear(&text);
    math_ctx_close(c);
}

int main(int argc, char **argv)
{
    struct err e = ERR_INIT;

    if (argc != 2) {
        fprintf(stderr, "usage: %s PAIRS.jsonl\n", argv[0]);
        return 2;
    }
    if (!time_pairs(argv[1], &e)) {
        fprintf(stderr, "%s\n", e.msg);
        return 2;
    }
    time_responses("204", "204");
    time_responses("\\frac{3}{4}", "\\dfrac{3}{4}");
    time_responses("2+\\sqrt{2}", "\\sqrt{6+4\\sqrt{2}}");
    return 0;
}
