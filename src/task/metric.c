/* metric.c - see metric.h.
 *
 * maj@k: let the right answer get j of the k votes. The number of ways to choose the other k - j
 * samples so that no other answer gets more than j votes and exactly t get j is the coefficient of
 * z^(k-j) u^t in (1 + z)^n_blank * product over other answers, m votes each, of  sum over x < j of
 * C(m,x) z^x + [m >= j] C(m,j) u z^j. The right answer then wins with chance 1 / (t + 1).
 * Coefficients reach C(n, n/2), beyond double from n = 1030 on, hence long double. */
#include "task/metric.h"

#include <math.h>

#include "base/arena.h"

double pass_at_k(int n, int n_right, int k)
{
    double none = 1;

    if (n - n_right < k)
        return 1;
    for (int i = 0; i < k; i++)
        none *= (double)(n - n_right - i) / (n - i);
    return 1 - none;
}

static long double choose(int n, int k)
{
    long double c = 1;

    for (int i = 0; i < k; i++)
        c = c * (n - i) / (i + 1);
    return k <= n ? c : 0;
}

/* ways[t][d], rows of n_degrees: choices of d samples among the answers seen so far with t answers
 * at j votes. */
struct ways {
    long double *at, *next;
    int n_degrees, n_ties; /* ties: rows in use beyond row 0 */
};

static void times_class(struct ways *w, int m, int j)
{
    int top = MIN(m, j - 1), rows = w->n_ties + 1, n = w->n_degrees;
    long double *swap;

    memset(w->next, 0, (size_t)(rows + (m >= j)) * (size_t)n * sizeof(*w->next));
    for (int x = 0; x <= MIN(m, j); x++) {
        long double c = choose(m, x);
        int up = x > top; /* j votes: one tied answer more */

        for (int t = 0; t < rows; t++)
            for (int d = 0; d + x < n; d++)
                w->next[(t + up) * n + d + x] += c * w->at[t * n + d];
    }
    w->n_ties += m >= j;
    swap = w->at;
    w->at = w->next;
    w->next = swap;
}

static void times_blank(struct ways *w, int n_blank)
{
    int n = w->n_degrees;

    memset(w->next, 0, (size_t)(w->n_ties + 1) * (size_t)n * sizeof(*w->next));
    for (int x = 0; x <= MIN(n_blank, n - 1); x++)
        for (int t = 0; t <= w->n_ties; t++)
            for (int d = 0; d + x < n; d++)
                w->next[t * n + d + x] += choose(n_blank, x) * w->at[t * n + d];
    memcpy(w->at, w->next, (size_t)(w->n_ties + 1) * (size_t)n * sizeof(*w->at));
}

void maj_at_k(const struct answer_class *classes, int n_classes, int n_blank, int k_max,
              double *out)
{
    int n = n_blank, n_right = 0;
    long double *total = xcalloc((size_t)k_max + 1, sizeof(*total));

    for (int c = 0; c < n_classes; c++) {
        n += classes[c].count;
        n_right += classes[c].is_right ? classes[c].count : 0;
    }
    for (int j = 1; j <= MIN(n_right, k_max); j++) {
        int n_degrees = k_max - j + 1, n_rows = 1; /* an answer below j votes cannot tie */
        long double *memory;
        struct ways w;

        for (int c = 0; c < n_classes; c++)
            n_rows += !classes[c].is_right && classes[c].count >= j;
        w = (struct ways){.n_degrees = n_degrees};
        w.at = memory = xcalloc((size_t)n_rows * (size_t)n_degrees, 2 * sizeof(*w.at));
        w.next = w.at + n_rows * n_degrees;
        w.at[0] = 1;
        for (int c = 0; c < n_classes; c++)
            if (!classes[c].is_right)
                times_class(&w, classes[c].count, j);
        times_blank(&w, n_blank);
        for (int d = 0; d < n_degrees; d++)
            for (int t = 0; t <= w.n_ties; t++)
                total[d + j] += choose(n_right, j) * w.at[t * n_degrees + d] / (t + 1);
        free(memory);
    }
    for (int k = 1; k <= k_max; k++)
        out[k - 1] = (double)(total[k] / choose(n, k));
    free(total);
}
