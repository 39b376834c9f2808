/* batch.h - one step's work, sequences back to back.
 *
 * Host arrays, owned by whoever fills them and unchanged until model_forward returns. Sequence s
 * brings the tokens [query_start[s], query_start[s+1]), which are the last of its seq_lens[s]
 * tokens: those before them are in the cache already. Prefill, chunk and decode differ only in how
 * many there are. */
#pragma once

#include <stdint.h>

struct batch {
    int n_tokens, n_seqs, n_logits;
    int max_blocks;              /* columns of block_table */
    const int32_t *token_ids;    /* [T] */
    const int32_t *positions;    /* [n_axes, T]; 3 axes with M-RoPE, all equal for text */
    const int32_t *slot_mapping; /* [T] block * 16 + offset: where the token's key and value go */
    const int32_t *block_table;  /* [S, max_blocks]; entries past the sequence's end are not read */
    const int32_t *query_start;  /* [S + 1] */
    const int32_t *seq_lens;     /* [S] this step's tokens included */
    const int32_t *logit_rows;   /* [n_logits] rows of the step whose logits may be asked for */

    /* Image embeddings that replace the rows of placeholder tokens; 0 rows for text. */
    int n_image_rows;
    const int32_t *image_rows; /* [n_image_rows] rows of the step */
    const float *image_embeds; /* [n_image_rows, hidden_size] */
};
