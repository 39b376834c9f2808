/* seq.c - making and freeing a sequence; all its arrays have their final size from the start. */
#include "engine/seq.h"

#include <assert.h>

#include "base/arena.h"

struct seq *seq_open(uint64_t id, const int32_t *prompt, int n_prompt, int max_tokens,
                     int block_size)
{
    struct seq *q = xcalloc(1, sizeof(*q));
    size_t n_blocks = ((size_t)max_tokens + (size_t)block_size - 1) / (size_t)block_size;

    q->id = id;
    q->token_ids = xcalloc((size_t)max_tokens, sizeof(*q->token_ids));
    q->blocks = xcalloc(n_blocks, sizeof(*q->blocks));
    q->hashes = xcalloc(n_blocks, sizeof(*q->hashes));
    memcpy(q->token_ids, prompt, (size_t)n_prompt * sizeof(*prompt));
    q->n_tokens = q->n_prompt = n_prompt;
    q->max_tokens = max_tokens;
    q->next_prompt_row = n_prompt - 1;
    return q;
}

void seq_close(struct seq *q)
{
    if (!q)
        return;
    assert(q->n_blocks == 0);
    free(q->token_ids);
    free(q->blocks);
    free(q->hashes);
    free(q);
}

void seq_append(struct seq *q, int32_t token_id)
{
    assert(q->n_tokens < q->max_tokens);
    q->token_ids[q->n_tokens++] = token_id;
}
