/* kernels_avx2.c - AVX2 and FMA; bf16 is widened to f32 on the fly. */
#include "device/cpu/kernels.h"

#if defined(__AVX2__)

#define VEC_LANES   8
#define GEMM_ROWS   4
#define GEMM_PANELS 1
#include "device/cpu/kernels_vec.h"

static bool is_supported(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct cpu_kernels kernels_avx2 = {
    .name = "avx2",
    .is_supported = is_supported,
    .gemm_bf16 = vec_gemm_bf16,
    .gemm_f32 = vec_gemm_f32,
    .attend_bf16 = vec_attend_bf16,
    .attend_f32 = vec_attend_f32,
    .rms_norm = vec_rms_norm,
    .add = vec_add,
    .divide = vec_divide,
    .rotate = vec_rotate,
    .silu_mul = vec_silu_mul,
    .to_bf16 = vec_to_bf16,
    .peak = vec_peak,
};

#endif
