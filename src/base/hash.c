/* hash.c - SipHash-2-4 with 64 and 128 bits of result, and SHA-256. */
#include "base/hash.h"

#include "base/num.h"

static uint64_t rotl(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotl(v[1], 13) ^ v[0], v[0] = rotl(v[0], 32);
    v[2] += v[3], v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotl(v[1], 17) ^ v[2], v[2] = rotl(v[2], 32);
}

static void sip_absorb(uint64_t v[4], uint64_t m)
{
    v[3] ^= m;
    sip_round(v);
    sip_round(v);
    v[0] ^= m;
}

static void sip_body(uint64_t v[4], uint64_t k0, uint64_t k1, const unsigned char *p, size_t len)
{
    uint64_t last = (uint64_t)len << 56;
    size_t n = len & ~(size_t)7;

    v[0] ^= k0 ^ 0x736f6d6570736575u;
    v[1] ^= k1 ^ 0x646f72616e646f6du;
    v[2] ^= k0 ^ 0x6c7967656e657261u;
    v[3] ^= k1 ^ 0x7465646279746573u;
    for (size_t i = 0; i < n; i += 8)
        sip_absorb(v, load_le64(p + i));
    for (size_t i = n; i < len; i++)
        last |= (uint64_t)p[i] << 8 * (i - n);
    sip_absorb(v, last);
}

static uint64_t sip_finish(uint64_t v[4])
{
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash64(uint64_t key_lo, uint64_t key_hi, const void *ptr, size_t len)
{
    uint64_t v[4] = {0};

    sip_body(v, key_lo, key_hi, ptr, len);
    v[2] ^= 0xff;
    return sip_finish(v);
}

struct hash128 siphash128(uint64_t key_lo, uint64_t key_hi, const void *ptr, size_t len)
{
    uint64_t v[4] = {0, 0xee, 0, 0};
    struct hash128 h;

    sip_body(v, key_lo, key_hi, ptr, len);
    v[2] ^= 0xee;
    h.lo = sip_finish(v);
    v[1] ^= 0xdd;
    h.hi = sip_finish(v);
    return h;
}

static uint32_t rotr32(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

static void sha256_block(uint32_t h[8], const unsigned char *p)
{
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
        0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
        0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
        0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
        0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
        0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
        0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
        0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
        0xc67178f2,
    };
    uint32_t w[64], s[8];

    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
               (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];

        w[i] = w[i - 16] + (rotr32(a, 7) ^ rotr32(a, 18) ^ a >> 3) + w[i - 7] +
               (rotr32(b, 17) ^ rotr32(b, 19) ^ b >> 10);
    }
    memcpy(s, h, sizeof(s));
    for (int i = 0; i < 64; i++) {
        uint32_t t1 = s[7] + (rotr32(s[4], 6) ^ rotr32(s[4], 11) ^ rotr32(s[4], 25)) +
                      ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[i] + w[i];
        uint32_t t2 = (rotr32(s[0], 2) ^ rotr32(s[0], 13) ^ rotr32(s[0], 22)) +
                      ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

        memmove(s + 1, s, 7 * sizeof(*s));
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += s[i];
}

void sha256_hex(const void *ptr, size_t len, char out[65])
{
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const unsigned char *p = ptr;
    unsigned char tail[128] = {0};
    size_t whole = len & ~(size_t)63, rest = len - whole;
    size_t n_tail = rest < 56 ? 64 : 128;

    for (size_t i = 0; i < whole; i += 64)
        sha256_block(h, p + i);
    if (rest)
        memcpy(tail, p + whole, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++)
        tail[n_tail - 1 - (size_t)i] = (unsigned char)((uint64_t)len * 8 >> 8 * i);
    for (size_t i = 0; i < n_tail; i += 64)
        sha256_block(h, tail + i);
    for (int i = 0; i < 8; i++)
        snprintf(out + 8 * i, 9, "%08x", h[i]);
}

uint64_t sample_seed(uint64_t run_seed, struct str doc_id, uint32_t sample_index)
{
    struct buf b = {0};
    unsigned char tail[5];
    uint64_t h;

    tail[0] = 0;
    for (int i = 0; i < 4; i++)
        tail[1 + i] = (unsigned char)(sample_index >> 8 * i);
    buf_add_str(&b, doc_id);
    buf_add(&b, tail, sizeof(tail));
    h = siphash64(run_seed, 0x6c6c6d6576616c00u, b.ptr, b.len);
    buf_clear(&b);
    return h & (uint64_t)INT64_MAX;
}
