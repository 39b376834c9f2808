/* tensor.h - a typed, strided view of memory on one device.
 *
 * Row-major. Rows of dim[0] may lie apart (`row`), so that the queries, keys and values of one
 * result are views of it; within a row everything is contiguous. A tensor owns nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum dtype { DTYPE_F32, DTYPE_BF16, DTYPE_F16, DTYPE_I32 };

size_t dtype_size(enum dtype t);
const char *dtype_name(enum dtype t); /* "float32", "bfloat16", "float16", "int32" */

struct device_mem;

struct tensor {
    enum dtype dtype;
    int rank;
    int64_t dim[4];
    int64_t row;            /* elements from one row of dim[0] to the next */
    struct device_mem *mem; /* not owned */
    size_t offset;          /* bytes from the start of mem */
};

/* A tensor of rank 1 or 2 over mem, rows back to back. */
struct tensor tensor_1d(enum dtype t, int64_t n, struct device_mem *mem, size_t offset);
struct tensor tensor_2d(enum dtype t, int64_t n_rows, int64_t n_cols, struct device_mem *mem,
                        size_t offset);
struct tensor tensor_rows(const struct tensor *t, int64_t first,
                          int64_t n); /* rows [first, first + n) */

/* Conversions of single values, rounding to nearest, ties to even; NaN stays NaN. */
float bf16_to_f32(uint16_t x);
uint16_t f32_to_bf16(float x);
float f16_to_f32(uint16_t x);
