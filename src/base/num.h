/* num.h - checked sizes, strict text to number. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/str.h"

/* *out = a * b, a + b; false, and *out untouched, when the result does not fit. */
bool size_mul(size_t a, size_t b, size_t *out) MUST_CHECK;
bool size_add(size_t a, size_t b, size_t *out) MUST_CHECK;

/* The whole of s must be one number; blanks, signs of overflow, NaN and infinities are refused. */
bool parse_i64(struct str s, int64_t *out) MUST_CHECK;
bool parse_u64(struct str s, uint64_t *out) MUST_CHECK;
bool parse_f64(struct str s, double *out) MUST_CHECK;

/* Little-endian loads from unaligned memory. */
uint32_t load_le32(const void *p);
uint64_t load_le64(const void *p);
