/* pass@k and maj@k against brute force over all subsets; closed forms for larger cases. */
#include "test.h"

#include <math.h>

#include "task/metric.h"

static const struct {
    const char *name;
    struct answer_class classes[5];
    int n_classes, n_blank;
} cases[] = {
    {"all right", {{5, true}}, 1, 0},
    {"none right", {{3, false}, {2, false}}, 2, 0},
    {"one right of five", {{1, true}, {4, false}}, 2, 0},
    {"two answers of equal weight", {{4, true}, {4, false}}, 2, 0},
    {"right is second", {{3, true}, {4, false}, {1, false}}, 3, 0},
    {"right is first by one", {{3, true}, {2, false}, {2, false}, {1, false}}, 4, 0},
    {"all different", {{1, true}, {1, false}, {1, false}, {1, false}, {1, false}}, 5, 0},
    {"blanks do not vote", {{2, true}, {1, false}}, 2, 5},
    {"only blanks", {{0, false}}, 0, 6},
    {"blanks and ties", {{2, true}, {2, false}, {2, false}}, 3, 3},
    {"large right class", {{7, true}, {2, false}, {1, false}}, 3, 1},
};

/* The vote among the samples of one subset: 1 / (tied answers) if the right answer is among the
 * first. */
static double vote(const int *class_of, int n, unsigned subset, const struct answer_class *c,
                   int n_classes)
{
    int votes[8] = {0}, most = 0, tied = 0;
    bool right_leads = false;

    for (int i = 0; i < n; i++)
        if (subset >> i & 1 && class_of[i] >= 0)
            votes[class_of[i]]++;
    for (int k = 0; k < n_classes; k++)
        most = votes[k] > most ? votes[k] : most;
    for (int k = 0; k < n_classes; k++)
        if (most > 0 && votes[k] == most) {
            tied++;
            right_leads |= c[k].is_right;
        }
    return right_leads ? 1.0 / tied : 0;
}

TEST(both_agree_with_brute_force)
{
    for (size_t i = 0; i < LEN(cases); i++) {
        int class_of[16], n = 0, n_right = 0;
        double maj[16];

        for (int k = 0; k < cases[i].n_classes; k++)
            for (int s = 0; s < cases[i].classes[k].count; s++) {
                class_of[n++] = k;
                n_right += cases[i].classes[k].is_right;
            }
        for (int s = 0; s < cases[i].n_blank; s++)
            class_of[n++] = -1;
        maj_at_k(cases[i].classes, cases[i].n_classes, cases[i].n_blank, n, maj);
        for (int k = 1; k <= n; k++) {
            double sum_pass = 0, sum_maj = 0;
            int n_subsets = 0;

            for (unsigned subset = 0; subset < 1u << n; subset++) {
                bool any = false;

                if (__builtin_popcount(subset) != k)
                    continue;
                n_subsets++;
                for (int s = 0; s < n; s++)
                    any |= (subset >> s & 1) && class_of[s] >= 0 &&
                           cases[i].classes[class_of[s]].is_right;
                sum_pass += any;
                sum_maj += vote(class_of, n, subset, cases[i].classes, cases[i].n_classes);
            }
            CHECK(cases[i].name, fabs(pass_at_k(n, n_right, k) - sum_pass / n_subsets) < 1e-12);
            CHECK(cases[i].name, fabs(maj[k - 1] - sum_maj / n_subsets) < 1e-12);
        }
    }
}

TEST(large_cases_keep_their_closed_forms)
{
    const struct answer_class two[] = {{40, true}, {24, false}};
    struct answer_class many[513] = {{0}};
    double maj[512];

    maj_at_k(two, 2, 0, 64, maj);
    assert_true(fabs(maj[0] - 40.0 / 64) < 1e-12); /* one vote: the accuracy */
    assert_true(maj[63] == 1.0);                   /* all votes: the leader */
    /* Two votes: both right, or one of each and a fair coin. */
    assert_true(fabs(maj[1] - (40.0 * 39 + 40.0 * 24) / (64 * 63)) < 1e-12);
    for (int k = 1; k < 64; k++)
        assert_true(maj[k] >= maj[0] - 1e-12);
    /* 512 different answers: every vote is a tie of k, so each answer wins as often as any other.
     */
    for (int i = 0; i < 512; i++)
        many[i] = (struct answer_class){1, i == 7};
    maj_at_k(many, 512, 0, 512, maj);
    for (int k = 1; k <= 512; k++)
        assert_true(fabs(maj[k - 1] - 1.0 / 512) < 1e-12);
    assert_true(pass_at_k(64, 0, 64) == 0.0);
    assert_true(pass_at_k(64, 1, 64) == 1.0);
    assert_true(fabs(pass_at_k(64, 16, 1) - 0.25) < 1e-15);
    assert_true(fabs(pass_at_k(1000, 1, 500) - 0.5) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_agree_with_brute_force),
        cmocka_unit_test(large_cases_keep_their_closed_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
