/* interval.h - how far a score may be off, and by which question.
 *
 * Two questions, two intervals. "These problems": how would the score move if the same problems
 * were sampled again? "Problems like these": how would it move with other problems of the same
 * kind? The second is wider; it is the one that compares models. docs/statistics.md has the
 * formulas, their sources and the simulated coverage. Everything here is deterministic. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

double normal_quantile(double p); /* 0 < p < 1 */
double student_cdf(double t, double df);
double student_quantile(double p, double df); /* 0 < p < 1 */

struct interval {
    double value, stderr_, low, high;
    bool is_conservative; /* covers at least as often as stated; for few problems or few samples */
};

/* Right answers of one problem. */
struct tally {
    int n_right, n; /* n >= 1 */
};

/* Mean of all samples; the uncertainty that drawing other samples of the same problems would show.
 */
struct interval interval_these_problems(const struct tally *t, int n_problems, double confidence);

/* Mean of all samples; problems are a random choice, samples of one problem hang together. */
struct interval interval_problems_like_these(const struct tally *t, int n_problems,
                                             double confidence);

/* The same for any value in [0, 1] that each problem has, such as its pass@k; problems weigh
 * equally. */
struct interval interval_of_values(const double *value, int n_problems, double confidence);

/* Percentile bootstrap over problems of the weighted mean sum(w x) / sum(w); n_resamples >= 2.
 * The resamples follow from seed alone. */
struct interval interval_bootstrap(const double *value, const double *weight, int n_problems,
                                   int n_resamples, uint64_t seed, double confidence);

/* a[i] - b[i] over the same problems: mean, Student's t interval over problems, two-sided p-value.
 * With fewer than two problems the interval is the whole of [-1, 1] and p_value is 1. */
struct paired {
    struct interval difference;
    double p_value;
    int n_better, n_worse, n_equal;
};
struct paired paired_difference(const double *a, const double *b, int n_problems,
                                double confidence);
