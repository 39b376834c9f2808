/* decoder.h - one rank's share of a dense decoder, and its forward pass. */
#pragma once

#include "device/device.h"
#include "model/families.h"
#include "model/model.h"
#include "model/weights.h"

struct decoder_opts {
    struct device_opts device;
    int max_model_len, max_tokens, max_seqs, max_logits;
    struct comm *comm; /* borrowed */
};

struct decoder;

/* Takes its rank's share out of w, which only needs to live for this call. */
struct decoder *decoder_open(const struct model_config *c, const struct decoder_opts *o,
                             struct weights *w, struct err *e) MUST_CHECK;
void decoder_close(struct decoder *m); /* NULL is fine */

struct device *decoder_device(struct decoder *m);
size_t decoder_weight_bytes(const struct decoder *m);
size_t decoder_block_bytes(const struct decoder *m);
bool decoder_alloc_blocks(struct decoder *m, int n_blocks, struct err *e) MUST_CHECK;
void decoder_copy_blocks(struct decoder *m, const int32_t *pairs, int n_pairs);

/* Collective over comm: every rank is given the same batch. */
bool decoder_forward(struct decoder *m, const struct batch *b, struct err *e) MUST_CHECK;
/* Collective. *logits is [n, vocab_size] on rank 0, NULL on the others. */
bool decoder_logits(struct decoder *m, int first, int n, float **logits, struct err *e) MUST_CHECK;

/* Bytes that all ranks' packed weights will take, before any is packed. */
size_t decoder_weight_estimate(const struct model_config *c, enum dtype compute);
