/* thinking.c - one state and one count. */
#include "engine/thinking.h"

static void follow(struct thinking *t, int32_t token_id)
{
    if (token_id == t->limit.open_id)
        t->is_open = true;
    else if (token_id == t->limit.close_id)
        t->is_open = false;
    else if (t->is_open)
        t->n_thought++;
}

void thinking_init(struct thinking *t, const struct thinking_limit *limit, const int32_t *prompt,
                   int n_prompt)
{
    int begin = n_prompt;

    *t = (struct thinking){.limit = *limit};
    if (!limit->is_set)
        return;
    /* Thoughts of earlier turns are closed and do not count. */
    while (begin > 0 && prompt[begin - 1] != limit->open_id && prompt[begin - 1] != limit->close_id)
        begin--;
    for (int i = begin > 0 ? begin - 1 : 0; i < n_prompt; i++)
        follow(t, prompt[i]);
}

int32_t thinking_forced(const struct thinking *t)
{
    return t->limit.is_set && t->is_open && t->n_thought >= t->limit.budget ? t->limit.close_id
                                                                            : -1;
}

void thinking_take(struct thinking *t, int32_t token_id)
{
    if (!t->limit.is_set)
        return;
    t->n_forced += thinking_forced(t) >= 0;
    follow(t, token_id);
}
