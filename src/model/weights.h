/* weights.h - the tensors of a model directory by name, and a rank's share of them.
 *
 * Opens model.safetensors, or the shards that model.safetensors.index.json names. Every tensor is
 * either asked for or on a short list of those that may be left; weights_check_all names any other.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "device/device.h"

struct weights;

struct weights *weights_open(const char *dir, struct err *e) MUST_CHECK;
/* No files: every tensor exists, with values from Philox under this seed. */
struct weights *weights_open_dummy(uint64_t seed);
void weights_close(struct weights *w); /* NULL is fine */

bool weights_has(const struct weights *w, const char *name); /* dummy: never */

/* The tensor of that name and of exactly that shape; n_cols 0: a vector of n_rows values. */
bool weights_get(struct weights *w, const char *name, int64_t n_rows, int64_t n_cols,
                 struct host_tensor *t, struct err *e) MUST_CHECK;
/* A vector as f32, checked to be finite. A dummy one is all `dummy`. */
bool weights_get_vector(struct weights *w, const char *name, int64_t n, float dummy, float *out,
                        struct err *e) MUST_CHECK;

void weights_forget(struct weights *w,
                    const struct host_tensor *t); /* its pages will not be read again */
/* A tensor that may be in the file without being asked for: names that contain this. */
void weights_allow(struct weights *w, const char *part);
bool weights_check_all(const struct weights *w, struct err *e) MUST_CHECK;

uint64_t weights_fingerprint(
    const struct weights *w); /* names, shapes, types and samples of the data */
