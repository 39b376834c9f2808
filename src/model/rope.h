/* rope.h - how fast each pair of a head turns, and the table of cosines and sines. */
#pragma once

#include "model/model.h"

/* inv_freq[head_dim / 2] with scaling folded in; returns the factor on cosines and sines. Linear
 * scaling divides all; llama3 divides long wavelengths; YaRN (Peng et al. 2023) blends by a ramp
 * between the pairs that turn beta_fast and beta_slow times over the original context, at every
 * length (static). */
double rope_frequencies(const struct model_config *c, double *inv_freq);

/* table[n_positions, head_dim / 2, 2]: cosine and sine of position * inv_freq in double precision,
 * times the factor. */
void rope_table(const struct model_config *c, int n_positions, float *table);

/* axis[head_dim / 2]: which axis of the positions turns each pair (M-RoPE: time, height, width). */
void rope_axes(const struct model_config *c, int32_t *axis);
