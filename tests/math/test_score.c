/* Replays labelled pairs: no pair that differs may be judged equal, and the pairs that are missed
 * the other way are exactly those listed here. */
#include "test.h"

#include "base/arena.h"
#include "base/file.h"
#include "formats/json.h"
#include "formats/jsonl.h"
#include "math/score.h"

struct replay {
    struct math_ctx *math;
    const char *const *known; /* ids that are missed, ends with NULL */
    size_t n, n_known, n_false_positives, n_new_misses;
};

static struct score_opts opts_of(const struct json *options)
{
    struct score_opts o = score_opts_default();
    const struct json *strings = json_get(options, "strings");

    o.is_bare = str_eqz(json_str(json_get(options, "mode")), "answer");
    o.math.precision = (int)json_int(json_get(options, "precision"), -1);
    o.math.rename_variables = !json_bool(json_get(options, "strict"), true);
    o.math.no_set_relation = !json_bool(json_get(options, "allow_set_relation_comp"), true);
    for (size_t i = 0; i < json_len(strings); i++)
        o.n_labels = MAX(o.n_labels, json_str(json_at(strings, i)).ptr[0] - 'A' + 1);
    return o;
}

static bool is_known(const struct replay *r, struct str id)
{
    for (size_t i = 0; r->known[i]; i++) {
        if (str_eqz(id, r->known[i]))
            return true;
    }
    return false;
}

static void judge(struct replay *r, const struct json *row)
{
    struct score_opts o = opts_of(json_get(row, "options"));
    struct str id = json_str(json_get(row, "id"));
    bool expected = json_bool(json_get(row, "expected"), false);
    struct math_score s;
    struct arena a;

    arena_init(&a, (size_t)256 << 20);
    math_score(r->math, json_str(json_get(row, "gold")), json_str(json_get(row, "pred")), &o, &a,
               &s);
    CHECK(id.ptr, s.reason && s.reason[0]);
    CHECK(id.ptr, s.nothing_extracted == (strcmp(s.reason, "no answer found") == 0));
    r->n++;
    if (s.result == MATH_EQUAL && !expected) {
        print_error("false positive " STR_FMT ": " STR_FMT " (%s)\n", STR_ARG(id),
                    STR_ARG(s.extracted), s.reason);
        r->n_false_positives++;
    }
    if (s.result != MATH_EQUAL && expected) {
        if (is_known(r, id)) {
            r->n_known++;
        } else {
            print_error("new miss " STR_FMT ": " STR_FMT " (%s)\n", STR_ARG(id),
                        STR_ARG(s.extracted), s.reason);
            r->n_new_misses++;
        }
    }
    arena_clear(&a);
}

static void replay(const char *path, size_t n_pairs, const char *const *known)
{
    struct replay r = {.math = math_ctx_open(), .known = known};
    struct err e = ERR_INIT;
    struct file_map file;
    struct jsonl it;
    struct str line;
    size_t n_listed = 0;

    CHECK_OK(path, file_map_open(path, &file, &e), &e);
    jsonl_init(&it, (struct str){file.ptr, file.len});
    while (jsonl_next(&it, &line)) {
        struct json *row = json_parse(line, &e);

        CHECK_OK(path, row != NULL, &e);
        judge(&r, row);
        json_close(row);
    }
    while (known[n_listed])
        n_listed++;
    file_map_close(&file);
    math_ctx_close(r.math);
    CHECK_INT(path, r.n, n_pairs);
    CHECK_INT(path, r.n_false_positives, 0);
    CHECK_INT(path, r.n_new_misses, 0);
    CHECK_INT("listed misses that are missed no longer", n_listed - r.n_known, 0);
}

TEST(labelled_pairs_are_judged_as_labelled)
{
    static const char *const known[] = {
        NULL,
    };

    replay(TEST_DATA "/math/dev.jsonl", 3325, known);
}

TEST(further_pairs_are_judged_as_labelled)
{
    static const char *const known[] = {
        "j43", /* "A: 42" alone may be a ratio or a name */
        "j44", /* "Q: 6*7? A: 42" */
        NULL,
    };

    replay(TEST_DATA "/math/pairs.jsonl", 782, known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labelled_pairs_are_judged_as_labelled),
        cmocka_unit_test(further_pairs_are_judged_as_labelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
