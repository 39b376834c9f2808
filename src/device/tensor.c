/* tensor.c - types and views. */
#include "device/tensor.h"

#include <math.h>
#include <string.h>

size_t dtype_size(enum dtype t)
{
    return t == DTYPE_F32 || t == DTYPE_I32 ? 4 : 2;
}

const char *dtype_name(enum dtype t)
{
    static const char *const names[] = {"float32", "bfloat16", "float16", "int32"};

    return names[t];
}

struct tensor tensor_1d(enum dtype t, int64_t n, struct device_mem *mem, size_t offset)
{
    return (struct tensor){
        .dtype = t, .rank = 1, .dim = {n, 1, 1, 1}, .row = 1, .mem = mem, .offset = offset};
}

struct tensor tensor_2d(enum dtype t, int64_t n_rows, int64_t n_cols, struct device_mem *mem,
                        size_t offset)
{
    return (struct tensor){.dtype = t,
                           .rank = 2,
                           .dim = {n_rows, n_cols, 1, 1},
                           .row = n_cols,
                           .mem = mem,
                           .offset = offset};
}

struct tensor tensor_rows(const struct tensor *t, int64_t first, int64_t n)
{
    struct tensor v = *t;

    v.dim[0] = n;
    v.offset += (size_t)(first * t->row) * dtype_size(t->dtype);
    return v;
}

float bf16_to_f32(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

uint16_t f32_to_bf16(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof(bits));
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u)
        return (uint16_t)(bits >> 16 | 0x40u); /* a quiet NaN */
    return (uint16_t)((bits + 0x7FFFu + (bits >> 16 & 1u)) >> 16);
}

float f16_to_f32(uint16_t x)
{
    int exponent = x >> 10 & 0x1F;
    float fraction = (float)(x & 0x3FF), v;

    if (exponent == 0)
        v = ldexpf(fraction, -24);
    else if (exponent == 31)
        v = fraction != 0 ? NAN : INFINITY;
    else
        v = ldexpf(1024.0f + fraction, exponent - 25);
    return x & 0x8000 ? -v : v;
}
