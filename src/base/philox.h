/* philox.h - Philox4x32-10 (Salmon et al. 2011): random numbers as a function of a key and a
 * counter.
 *
 * Nothing is consumed, so any draw can be made again, in any order and on any device: token noise
 * and dummy weights both come from here. */
#pragma once

#include <stdint.h>

struct philox {
    uint32_t v[4];
};

static inline struct philox philox4x32(uint64_t key, uint32_t c0, uint32_t c1, uint32_t c2,
                                       uint32_t c3)
{
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);

    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;

        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (struct philox){{c0, c1, c2, c3}};
}
