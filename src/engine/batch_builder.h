/* batch_builder.h - a plan of the scheduler as the arrays of one step.
 *
 * Owns the arrays of struct batch, sized once; what batch_build fills is good until the next call.
 */
#pragma once

#include "engine/scheduler.h"
#include "model/batch.h"

struct batch_builder {
    int max_tokens, max_seqs, max_blocks, n_axes, block_size;
    int32_t *token_ids, *positions, *slot_mapping, *block_table, *query_start, *seq_lens,
        *logit_rows;
};

void batch_builder_init(struct batch_builder *b, int max_tokens, int max_seqs, int max_blocks,
                        int n_axes, int block_size);
void batch_builder_clear(struct batch_builder *b);
struct batch batch_build(struct batch_builder *b, const struct plan *p);
