/* hash.h - SipHash-2-4 (Aumasson and Bernstein 2012), and the seed of one sample. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct hash128 {
    uint64_t lo, hi;
};

uint64_t siphash64(uint64_t key_lo, uint64_t key_hi, const void *ptr, size_t len);
struct hash128 siphash128(uint64_t key_lo, uint64_t key_hi, const void *ptr, size_t len);

/* SHA-256 (FIPS 180-4) as 64 lower-case hex digits and NUL: input files in manifests. */
void sha256_hex(const void *ptr, size_t len, char out[65]);

/* The seed of one sample: SipHash-2-4 with key (run_seed, 0x6c6c6d6576616c00) over the bytes of
 * doc_id, one zero byte, and the sample index as 4 little-endian bytes; the top bit is cleared, so
 * that it travels as a non-negative 64-bit integer in JSON. */
uint64_t sample_seed(uint64_t run_seed, struct str doc_id, uint32_t sample_index);
