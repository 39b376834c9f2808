/* metric.h - pass@k and maj@k of one problem from its n samples.
 *
 * Both are expectations over the k-subsets of the samples that were drawn, computed exactly,
 * without drawing anything: unbiased estimates of what k fresh samples would do. docs/statistics.md
 * derives them. */
#pragma once

#include <stdbool.h>

/* The chance that k of n samples, n_right of them right, hold at least one right one:
 * 1 - C(n - n_right, k) / C(n, k) (Chen et al. 2021, arXiv 2107.03374). 1 <= k <= n. */
double pass_at_k(int n, int n_right, int k);

/* Samples of one problem that gave the same answer. */
struct answer_class {
    int count;
    bool is_right; /* at most one class of a problem */
};

/* out[k - 1], k = 1 to k_max: the chance that the right answer wins a majority vote among k of the
 * samples. A tie is broken evenly between the tied answers. The n_blank samples without an answer
 * are drawn like the others but do not vote; without any vote the problem is lost. k_max <= n, the
 * number of all samples. */
void maj_at_k(const struct answer_class *classes, int n_classes, int n_blank, int k_max,
              double *out);
