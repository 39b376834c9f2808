/* kernels_avx512_bf16.c - AVX-512 with bf16 dot products of pairs, accumulated in f32. */
#include "device/cpu/kernels.h"

#if defined(__AVX512BF16__)

#include <immintrin.h>

#define VEC_LANES   16
#define GEMM_ROWS   4
#define GEMM_PANELS 4
#include "device/cpu/kernels_vec.h"
#include "device/cpu/kernels_dpbf16.h"

static bool is_supported(void)
{
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}

const struct cpu_kernels kernels_avx512_bf16 = {
    .name = "avx512_bf16",
    .is_supported = is_supported,
    .gemm_bf16 = dp_gemm_bf16,
    .gemm_f32 = vec_gemm_f32,
    .attend_bf16 = dp_attend_bf16,
    .attend_f32 = vec_attend_f32,
    .rms_norm = vec_rms_norm,
    .add = vec_add,
    .divide = vec_divide,
    .rotate = vec_rotate,
    .silu_mul = vec_silu_mul,
    .to_bf16 = dp_to_bf16,
    .peak = dp_peak,
};

#endif
