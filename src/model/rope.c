/* rope.c - frequencies in double precision. */
#include "model/rope.h"

#include <math.h>

#include "base/macros.h"

enum { MAX_PAIRS = 256 };

static double original_len(const struct model_config *c)
{
    return c->rope.original_max_position_embeddings > 0 ? c->rope.original_max_position_embeddings
                                                        : c->max_position_embeddings;
}

static void scale_llama3(const struct model_config *c, double *f, int n)
{
    const struct rope_config *r = &c->rope;
    double len = original_len(c);

    for (int i = 0; i < n; i++) {
        double wavelength = 2 * M_PI / f[i];
        double s =
            (len / wavelength - r->low_freq_factor) / (r->high_freq_factor - r->low_freq_factor);

        if (wavelength > len / r->low_freq_factor)
            f[i] /= r->factor;
        else if (wavelength >= len / r->high_freq_factor)
            f[i] = (1 - s) * f[i] / r->factor + s * f[i];
    }
}

/* The pair (not whole) that makes n_turns over the original context. */
static double yarn_pair(const struct model_config *c, double n_turns)
{
    return c->head_dim * log(original_len(c) / (n_turns * 2 * M_PI)) / (2 * log(c->rope.theta));
}

static void scale_yarn(const struct model_config *c, double *f, int n)
{
    double low = fmax(floor(yarn_pair(c, c->rope.beta_fast)), 0);
    double high = fmin(ceil(yarn_pair(c, c->rope.beta_slow)), c->head_dim - 1);

    if (low == high)
        high += 0.001;
    for (int i = 0; i < n; i++) {
        double ramp = fmin(fmax((i - low) / (high - low), 0), 1);

        f[i] = ramp * f[i] / c->rope.factor + (1 - ramp) * f[i];
    }
}

double rope_frequencies(const struct model_config *c, double *inv_freq)
{
    const struct rope_config *r = &c->rope;
    int n = c->head_dim / 2;

    for (int i = 0; i < n; i++)
        inv_freq[i] = pow(r->theta, -2.0 * i / c->head_dim);
    switch (r->type) {
    case ROPE_DEFAULT:
        break;
    case ROPE_LINEAR:
        for (int i = 0; i < n; i++)
            inv_freq[i] /= r->factor;
        break;
    case ROPE_LLAMA3:
        scale_llama3(c, inv_freq, n);
        break;
    case ROPE_YARN:
        scale_yarn(c, inv_freq, n);
        if (r->attention_factor > 0)
            return r->attention_factor;
        return r->factor > 1 ? 0.1 * log(r->factor) + 1 : 1;
    }
    return 1;
}

void rope_table(const struct model_config *c, int n_positions, float *table)
{
    double inv_freq[MAX_PAIRS], factor = rope_frequencies(c, inv_freq);
    int n = c->head_dim / 2;

    for (int p = 0; p < n_positions; p++) {
        for (int i = 0; i < n; i++) {
            double angle = p * inv_freq[i];

            *table++ = (float)(cos(angle) * factor);
            *table++ = (float)(sin(angle) * factor);
        }
    }
}

void rope_axes(const struct model_config *c, int32_t *axis)
{
    const int *section = c->rope.mrope_section;

    for (int i = 0; i < c->head_dim / 2; i++) {
        if (c->n_axes == 1 || i < section[0])
            axis[i] = 0;
        else
            axis[i] = i < section[0] + section[1] ? 1 : 2;
    }
}
