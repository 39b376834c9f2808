/* noise.h - the noise of a token: a function of the sample's seed, the output position and the
 * token id.
 *
 * So no draw depends on the batch, on the order of the steps, or on what was filtered away before.
 * One Philox block serves four neighbouring token ids. */
#pragma once

#include <math.h>

#include "base/philox.h"

/* The words of token ids 4 * group .. 4 * group + 3. */
static inline struct philox noise_words(uint64_t seed, uint32_t position, uint32_t group)
{
    return philox4x32(seed, group, position, 0, 0);
}

/* Gumbel noise of one word: -ln(-ln u) with u = (x + 1/2) / 2^32, which is never 0 or 1. */
static inline float gumbel_of_word(uint32_t x)
{
    return (float)-log(-log(((double)x + 0.5) * 0x1p-32));
}

static inline float gumbel_noise(uint64_t seed, uint32_t position, uint32_t token_id)
{
    return gumbel_of_word(noise_words(seed, position, token_id / 4).v[token_id % 4]);
}
