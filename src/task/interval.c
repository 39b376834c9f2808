/* interval.c - see interval.h and docs/statistics.md. */
#include "task/interval.h"

#include <math.h>

#include "base/arena.h"

double normal_quantile(double p)
{
    double lo = -10, hi = 10; /* beyond, a double cannot tell p from 0 or 1 */

    while (hi - lo > 1e-12) {
        double mid = (lo + hi) / 2;

        if (erfc(-mid / sqrt(2)) / 2 < p)
            lo = mid;
        else
            hi = mid;
    }
    return (lo + hi) / 2;
}

/* The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method. */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), h = d;

    for (int m = 1; m < 10000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));

        d = 1 / (1 + even * d);
        c = 1 + even / c;
        h *= d * c;
        d = 1 / (1 + odd * d);
        c = 1 + odd / c;
        h *= d * c;
        if (fabs(d * c - 1) < 1e-15)
            break;
    }
    return h;
}

static double beta_incomplete(double a, double b, double x)
{
    double front;

    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    if (x < (a + 1) / (a + b + 2))
        return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double student_cdf(double t, double df)
{
    double tail = beta_incomplete(df / 2, 0.5, df / (df + t * t)) / 2;

    return t < 0 ? tail : 1 - tail;
}

double student_quantile(double p, double df)
{
    double lo = -1, hi = 1;

    while (student_cdf(lo, df) > p)
        lo *= 2;
    while (student_cdf(hi, df) < p)
        hi *= 2;
    while (hi - lo > 1e-12 * (1 + fabs(hi))) {
        double mid = (lo + hi) / 2;

        if (student_cdf(mid, df) < p)
            lo = mid;
        else
            hi = mid;
    }
    return (lo + hi) / 2;
}

static double clamp01(double x)
{
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

/* Wilson's score interval for n independent draws. */
static struct interval wilson(double p, double n, double z)
{
    double scale = 1 + z * z / n, centre = (p + z * z / (2 * n)) / scale;
    double half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / scale;

    return (struct interval){p, sqrt(p * (1 - p) / n), clamp01(centre - half),
                             clamp01(centre + half), true};
}

struct interval interval_these_problems(const struct tally *t, int n_problems, double confidence)
{
    double z = normal_quantile((1 + confidence) / 2), n_all = 0, n_right = 0, var = 0,
           floor_var = 0;
    bool single = false;
    struct interval r;

    for (int i = 0; i < n_problems; i++) {
        n_all += t[i].n;
        n_right += t[i].n_right;
        single |= t[i].n < 2;
    }
    /* One sample tells nothing about the spread within its problem; the spread of all samples
     * bounds it. */
    if (single)
        return wilson(n_right / n_all, n_all, z);
    for (int i = 0; i < n_problems; i++) {
        double n = t[i].n, p = t[i].n_right / n, weight = n / n_all;

        var += weight * weight * p * (1 - p) / (n - 1);
        if (t[i].n_right == 0 || t[i].n_right == t[i].n) {
            double q = (t[i].n_right + 0.5) /
                       (n + 1); /* Jeffreys' mean: all right is not certainly right */

            floor_var += weight * weight * q * (1 - q) / n;
        }
    }
    r.value = n_right / n_all;
    r.stderr_ = sqrt(var + floor_var);
    r.low = clamp01(r.value - z * r.stderr_);
    r.high = clamp01(r.value + z * r.stderr_);
    r.is_conservative = floor_var > 0.05 * var;
    return r;
}

/* Mean of x with weights that sum to 1, its clustered variance, and the interval on the logit
 * scale, where a score near 0 or 1 has the skewed interval that it needs. Few problems, or few
 * right or wrong ones, make the variance itself uncertain: then the hull with the interval that
 * counts one problem all right and one all wrong in addition (after Agresti and Coull 1998). */
static struct interval clustered(const double *x, const double *weight, int n, bool is_coarse,
                                 double confidence)
{
    double mean = x[0], var = 0, t = student_quantile((1 + confidence) / 2, MAX(n - 1, 1));
    struct interval r = {.low = 0, .high = 1};
    bool is_few;

    for (int i = 0; i < n; i++)
        mean += weight[i] * (x[i] - x[0]); /* exact when all are equal: 1 stays 1 */
    for (int i = 0; i < n; i++)
        var += weight[i] * weight[i] * (x[i] - mean) * (x[i] - mean);
    var *= n > 1 ? (double)n / (n - 1) : 1;
    r.value = mean;
    r.stderr_ = sqrt(var);
    is_few = is_coarse || n < 20 || n * MIN(mean, 1 - mean) < 5 || var == 0;
    r.is_conservative =
        is_few || n * MIN(mean, 1 - mean) < 8; /* as other draws would have been widened */
    if (n > 1 && var > 0 && mean > 0 && mean < 1) {
        double logit = log(mean / (1 - mean)), half = t * r.stderr_ / (mean * (1 - mean));

        r.low = 1 / (1 + exp(-(logit - half)));
        r.high = 1 / (1 + exp(-(logit + half)));
    }
    if (is_few && n > 1) {
        double m = (n * mean + 1) / (n + 2), sum = m * m + (1 - m) * (1 - m), half;

        for (int i = 0; i < n; i++)
            sum += weight[i] * n * (x[i] - m) * (x[i] - m);
        half = t * sqrt(sum / (n + 1) / (n + 2));
        r.low = var > 0 ? MIN(r.low, clamp01(m - half)) : clamp01(m - half);
        r.high = var > 0 ? MAX(r.high, clamp01(m + half)) : clamp01(m + half);
        r.low = MIN(r.low, mean);
        r.high = MAX(r.high, mean);
    }
    return r;
}

struct interval interval_problems_like_these(const struct tally *t, int n_problems,
                                             double confidence)
{
    double *x = xcalloc((size_t)n_problems, 2 * sizeof(*x)), *weight = x + n_problems, n_all = 0;
    bool is_coarse = false;
    struct interval r;

    for (int i = 0; i < n_problems; i++)
        n_all += t[i].n;
    for (int i = 0; i < n_problems; i++) {
        x[i] = (double)t[i].n_right / t[i].n;
        weight[i] = t[i].n / n_all;
        is_coarse |= t[i].n < 8;
    }
    r = clustered(x, weight, n_problems, is_coarse, confidence);
    free(x);
    return r;
}

struct interval interval_of_values(const double *value, int n_problems, double confidence)
{
    double *weight = xcalloc((size_t)n_problems, sizeof(*weight));
    struct interval r;

    for (int i = 0; i < n_problems; i++)
        weight[i] = 1.0 / n_problems;
    r = clustered(value, weight, n_problems, false, confidence);
    free(weight);
    return r;
}

/* SplitMix64 (Steele, Lea and Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile_sorted(const double *x, int n, double p)
{
    double at = p * (n - 1);
    int i = (int)at;

    return i + 1 < n ? x[i] + (at - i) * (x[i + 1] - x[i]) : x[n - 1];
}

struct interval interval_bootstrap(const double *value, const double *weight, int n_problems,
                                   int n_resamples, uint64_t seed, double confidence)
{
    double *means = xcalloc((size_t)n_resamples, sizeof(*means)), sum = 0, total = 0, mean = 0,
           var = 0;
    struct interval r = {0};

    for (int i = 0; i < n_problems; i++) {
        sum += weight[i] * value[i];
        total += weight[i];
    }
    for (int b = 0; b < n_resamples; b++) {
        double s = 0, w = 0;

        for (int i = 0; i < n_problems; i++) {
            /* The upper half of 64 bits times n: no bias worth naming, no division. */
            size_t k = (size_t)((next_random(&seed) >> 32) * (uint64_t)n_problems >> 32);

            s += weight[k] * value[k];
            w += weight[k];
        }
        means[b] = s / w;
        mean += means[b] / n_resamples;
    }
    for (int b = 0; b < n_resamples; b++)
        var += (means[b] - mean) * (means[b] - mean) / (n_resamples - 1);
    qsort(means, (size_t)n_resamples, sizeof(*means), by_value);
    r.value = sum / total;
    r.stderr_ = sqrt(var);
    r.low = quantile_sorted(means, n_resamples, (1 - confidence) / 2);
    r.high = quantile_sorted(means, n_resamples, (1 + confidence) / 2);
    free(means);
    return r;
}

struct paired paired_difference(const double *a, const double *b, int n_problems, double confidence)
{
    struct paired p = {.difference = {.low = -1, .high = 1}, .p_value = 1};
    double mean = 0, var = 0, half;

    for (int i = 0; i < n_problems; i++) {
        mean += (a[i] - b[i]) / n_problems;
        p.n_better += a[i] > b[i];
        p.n_worse += a[i] < b[i];
        p.n_equal += a[i] == b[i];
    }
    p.difference.value = mean;
    if (n_problems < 2)
        return p;
    for (int i = 0; i < n_problems; i++)
        var += (a[i] - b[i] - mean) * (a[i] - b[i] - mean);
    p.difference.stderr_ = sqrt(var / (n_problems - 1) / n_problems);
    half = student_quantile((1 + confidence) / 2, n_problems - 1) * p.difference.stderr_;
    p.difference.low = MAX(mean - half, -1);
    p.difference.high = MIN(mean + half, 1);
    p.difference.is_conservative = false;
    if (p.difference.stderr_ > 0)
        p.p_value = 2 * student_cdf(-fabs(mean) / p.difference.stderr_, n_problems - 1);
    else
        p.p_value = mean == 0 ? 1 : 0;
    return p;
}
