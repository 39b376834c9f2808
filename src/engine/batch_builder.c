/* batch_builder.c - sequences back to back, in the order of the plan. Forks compute nothing and do
 * not appear. */
#include "engine/batch_builder.h"

#include "base/arena.h"

void batch_builder_init(struct batch_builder *b, int max_tokens, int max_seqs, int max_blocks,
                        int n_axes, int block_size)
{
    size_t t = (size_t)max_tokens, s = (size_t)max_seqs;

    *b = (struct batch_builder){.max_tokens = max_tokens,
                                .max_seqs = max_seqs,
                                .max_blocks = max_blocks,
                                .n_axes = n_axes,
                                .block_size = block_size};
    b->token_ids = xcalloc(t, sizeof(int32_t));
    b->positions = xcalloc(t * (size_t)n_axes, sizeof(int32_t));
    b->slot_mapping = xcalloc(t, sizeof(int32_t));
    b->block_table = xcalloc(s * (size_t)max_blocks, sizeof(int32_t));
    b->query_start = xcalloc(s + 1, sizeof(int32_t));
    b->seq_lens = xcalloc(s, sizeof(int32_t));
    b->logit_rows = xcalloc(t, sizeof(int32_t));
}

void batch_builder_clear(struct batch_builder *b)
{
    free(b->token_ids);
    free(b->positions);
    free(b->slot_mapping);
    free(b->block_table);
    free(b->query_start);
    free(b->seq_lens);
    free(b->logit_rows);
    *b = (struct batch_builder){0};
}

static void add_tokens(struct batch_builder *b, struct batch *out, const struct plan_item *it)
{
    const struct seq *q = it->q;

    for (int i = 0; i < it->n_tokens; i++) {
        int pos = it->start + i, at = out->n_tokens + i;

        b->token_ids[at] = q->token_ids[pos];
        b->positions[at] = pos;
        b->slot_mapping[at] = q->blocks[pos / b->block_size] * b->block_size + pos % b->block_size;
    }
    /* Wanted rows are the last ones of the chunk: see plan_item in scheduler.c. */
    for (int i = it->n_tokens - it->n_rows - it->draws; i < it->n_tokens; i++)
        b->logit_rows[out->n_logits++] = out->n_tokens + i;
    memcpy(b->block_table + (size_t)out->n_seqs * (size_t)out->max_blocks, q->blocks,
           (size_t)q->n_blocks * sizeof(*q->blocks));
    b->seq_lens[out->n_seqs] = it->start + it->n_tokens;
    out->n_tokens += it->n_tokens;
    out->n_seqs++;
    b->query_start[out->n_seqs] = out->n_tokens;
}

struct batch batch_build(struct batch_builder *b, const struct plan *p)
{
    struct batch out = {
        .max_blocks = 1,
        .token_ids = b->token_ids,
        .positions = b->positions,
        .slot_mapping = b->slot_mapping,
        .block_table = b->block_table,
        .query_start = b->query_start,
        .seq_lens = b->seq_lens,
        .logit_rows = b->logit_rows,
    };

    for (int i = 0; i < p->n_items; i++)
        out.max_blocks = MAX(out.max_blocks, p->items[i].q->n_blocks);
    b->query_start[0] = 0;
    for (int i = 0; i < p->n_items; i++)
        if (p->items[i].n_tokens > 0)
            add_tokens(b, &out, &p->items[i]);
    for (int axis = 1; axis < b->n_axes; axis++)
        memcpy(b->positions + (size_t)axis * (size_t)out.n_tokens, b->positions,
               (size_t)out.n_tokens * sizeof(int32_t));
    return out;
}
