/* run_model.h - one sequence through a model, for tests: chunked prefill, logits of chosen rows. */
#pragma once

#include "model/model.h"
#include "test.h"

enum { RUN_MAX_TOKENS = 1024, RUN_BLOCKS = RUN_MAX_TOKENS / 16 };

struct run {
    struct model *model;
    int first_block; /* the sequence's blocks follow one another from here */
    int chunk;       /* most tokens of one step */
    int n_done;      /* tokens in the cache */
};

/* Adds n tokens; with out, the logits of every one of them, [n, vocab_size], are written there. */
static inline bool run_tokens(struct run *r, const int32_t *ids, int n, float *out, struct err *e)
{
    int32_t positions[3 * RUN_MAX_TOKENS], slots[RUN_MAX_TOKENS], rows[RUN_MAX_TOKENS],
        table[RUN_BLOCKS];
    int vocab = model_config(r->model)->vocab_size, n_axes = model_config(r->model)->n_axes;

    for (int i = 0; i < RUN_BLOCKS; i++)
        table[i] = r->first_block + i;
    for (int at = 0; at < n;) {
        int t = n - at < r->chunk ? n - at : r->chunk;
        int32_t start[2] = {0, t}, len = r->n_done + t;
        struct batch b = {.n_tokens = t,
                          .n_seqs = 1,
                          .n_logits = out ? t : 0,
                          .max_blocks = (len + 15) / 16,
                          .token_ids = ids + at,
                          .positions = positions,
                          .slot_mapping = slots,
                          .block_table = table,
                          .query_start = start,
                          .seq_lens = &len,
                          .logit_rows = rows};

        for (int i = 0; i < t; i++) {
            for (int a = 0; a < n_axes; a++)
                positions[a * t + i] = r->n_done + i;
            slots[i] = r->first_block * 16 + r->n_done + i;
            rows[i] = i;
        }
        if (!model_forward(r->model, &b, e))
            return false;
        for (int i = 0; out && i < t; i++) {
            float *logits;

            if (!model_logits(r->model, i, 1, &logits, e))
                return false;
            memcpy(out + (size_t)(at + i) * (size_t)vocab, logits, (size_t)vocab * sizeof(float));
        }
        at += t;
        r->n_done += t;
    }
    return true;
}
