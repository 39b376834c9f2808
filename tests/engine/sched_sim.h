/* sched_sim.h - a naive cache that watches the scheduler at work.
 *
 * The pretended device keeps, for each slot of each block, a fingerprint of all tokens up to that
 * position. A plan is right when every position that a sequence builds on holds the fingerprint of
 * its own tokens: then no block was shared, copied, evicted or found wrongly. Bytes drive it, so
 * that a test can feed random numbers and a fuzzer its inputs. */
#pragma once

#include "base/arena.h"
#include "engine/scheduler.h"

enum { SIM_BLOCK = 4, SIM_MAX_SEQS = 48, SIM_MAX_BLOCKS = 256, SIM_MAX_LEN = 96 };

struct sim {
    struct kv_pool *pool;
    struct scheduler *sched;
    struct sched_limits limits;
    uint64_t slots[SIM_MAX_BLOCKS][SIM_BLOCK];
    struct seq *seqs[SIM_MAX_SEQS];
    int n_rows_seen[SIM_MAX_SEQS]; /* prompt rows delivered to each */
    int first_row[SIM_MAX_SEQS];
    uint64_t n_steps, n_drawn, n_done, next_id;
    struct err e;
};

#define SIM_REQUIRE(s, claim, ...) \
    do { \
        if (!(claim)) { \
            err_set(&(s)->e, ERR_INPUT, __VA_ARGS__); \
            return false; \
        } \
    } while (0)

static inline uint64_t sim_fingerprint(const int32_t *ids, int n)
{
    return siphash64(1, 2, ids, (size_t)n * sizeof(*ids));
}

static inline bool sim_open(struct sim *s, int n_blocks, const struct sched_limits *l)
{
    memset(s, 0, sizeof(*s));
    s->limits = *l;
    s->pool = kv_pool_open(n_blocks, SIM_BLOCK, &s->e);
    s->sched = s->pool ? scheduler_open(l, s->pool) : NULL;
    return s->sched != NULL;
}

static inline void sim_close(struct sim *s)
{
    scheduler_close(s->sched);
    for (int i = 0; i < SIM_MAX_SEQS; i++)
        seq_close(s->seqs[i]);
    kv_pool_close(s->pool);
}

static inline void sim_drop(struct sim *s, int i)
{
    scheduler_finish(s->sched, s->seqs[i]);
    seq_close(s->seqs[i]);
    s->seqs[i] = NULL;
    s->n_done++;
}

/* A request whose shape comes from four bytes: prompts of one family begin alike. */
static inline void sim_add(struct sim *s, const uint8_t b[4])
{
    int32_t prompt[SIM_MAX_LEN];
    int n_prompt = 1 + b[1] % (SIM_MAX_LEN / 2), max_tokens, slot = 0;
    int pool_tokens = kv_pool_n_blocks(s->pool) * SIM_BLOCK;
    struct seq *q;

    while (slot < SIM_MAX_SEQS && s->seqs[slot])
        slot++;
    if (slot == SIM_MAX_SEQS)
        return;
    for (int i = 0; i < n_prompt; i++)
        prompt[i] = i < n_prompt - (b[0] >> 4) % 5 ? (b[0] & 3) * 1000 + i : b[1] + 7 * i;
    n_prompt = MIN(n_prompt, pool_tokens - 1);
    max_tokens = MIN(n_prompt + 1 + b[2] % (SIM_MAX_LEN / 2 - 1), pool_tokens);
    q = seq_open(++s->next_id, prompt, n_prompt, max_tokens, SIM_BLOCK);
    q->priority = (b[3] >> 2) % 8 == 7 ? 1 : 0;
    q->round = b[3] >> 6;
    if (n_prompt > 2 && (b[3] & 3) == 1) {
        q->is_score = true;
        q->next_prompt_row = b[2] % (n_prompt - 1);
    } else if (n_prompt > 1 && (b[3] & 3) == 2) {
        q->next_prompt_row = b[2] % (n_prompt - 1);
    }
    s->seqs[slot] = q;
    s->n_rows_seen[slot] = 0;
    s->first_row[slot] = q->next_prompt_row;
    scheduler_add(s->sched, q);
}

static inline int sim_slot_of(const struct sim *s, const struct seq *q)
{
    int i = 0;

    while (s->seqs[i] != q)
        i++;
    return i;
}

static inline bool sim_run_item(struct sim *s, const struct plan *p, const struct plan_item *it)
{
    const struct seq *q = it->q;
    int end = it->start + it->n_tokens;

    SIM_REQUIRE(s, it->start == q->n_computed, "an item starts at %d of %d computed", it->start,
                q->n_computed);
    for (int pos = 0; pos < end; pos++) {
        int block = q->blocks[pos / SIM_BLOCK];
        uint64_t *slot = &s->slots[block][pos % SIM_BLOCK],
                 want = sim_fingerprint(q->token_ids, pos + 1);

        if (pos >= it->start) {
            SIM_REQUIRE(s, kv_pool_refs(s->pool, block) == 1 || it->fork_of >= 0 || p->n_items > 1,
                        "block %d is written and shared", block);
            *slot = want;
        }
        SIM_REQUIRE(s, *slot == want, "position %d of sequence %d reads what is not its own", pos,
                    (int)q->id);
    }
    s->n_rows_seen[sim_slot_of(s, q)] += it->n_rows;
    return true;
}

/* Forks read what their leader writes in the same step, so they come second. */
static inline bool sim_run(struct sim *s, const struct plan *p)
{
    int n_tokens = 0, n_rows = 0;

    for (int i = 0; i < p->n_copies; i++)
        memcpy(s->slots[p->copies[2 * i + 1]], s->slots[p->copies[2 * i]], sizeof(s->slots[0]));
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < p->n_items; i++)
            if ((p->items[i].fork_of >= 0) == (pass == 1) && !sim_run_item(s, p, &p->items[i]))
                return false;
    for (int i = 0; i < p->n_items; i++) {
        const struct plan_item *it = &p->items[i];

        n_tokens += it->n_tokens;
        if (it->fork_of >= 0) {
            const struct plan_item *leader = &p->items[it->fork_of];

            SIM_REQUIRE(s,
                        leader->draws && it->first_row == leader->first_row + leader->n_rows &&
                            it->q->n_prompt == leader->q->n_prompt,
                        "a fork draws from a wrong row");
        } else if (it->first_row >= 0) {
            SIM_REQUIRE(s, it->first_row == n_rows, "rows are not in order");
            n_rows += it->n_rows + it->draws;
        }
    }
    SIM_REQUIRE(s, n_tokens == p->n_tokens && n_rows == p->n_rows, "the plan's sums are wrong");
    SIM_REQUIRE(s, n_tokens <= s->limits.max_num_batched_tokens, "%d tokens in a step", n_tokens);
    return true;
}

/* Appends a token to whoever drew one; finishes at the limit, or when `dice` says so. */
static inline bool sim_take(struct sim *s, const struct plan *p, uint8_t dice)
{
    struct seq *drew[SIM_MAX_SEQS];
    int n_drew = 0;

    for (int i = 0; i < p->n_items; i++)
        if (p->items[i].draws ||
            (p->items[i].q->is_score && p->items[i].q->n_computed == seq_goal(p->items[i].q)))
            drew[n_drew++] = p->items[i].q;
    for (int i = 0; i < n_drew; i++) {
        struct seq *q = drew[i];
        int slot = sim_slot_of(s, q), n_rows = q->n_prompt - 1 - s->first_row[slot];

        SIM_REQUIRE(s, s->n_rows_seen[slot] == n_rows, "%d prompt rows, expected %d",
                    s->n_rows_seen[slot], n_rows);
        s->n_drawn++;
        if (q->is_score) {
            sim_drop(s, slot);
            continue;
        }
        if (q->n_tokens < q->max_tokens)
            seq_append(q, (int32_t)((dice >> (i % 6)) & 3));
        if (q->n_tokens == q->max_tokens || (dice + i) % 37 == 0)
            sim_drop(s, slot);
    }
    return true;
}

static inline bool sim_step(struct sim *s, uint8_t dice)
{
    const struct plan *p = scheduler_plan(s->sched);

    if (!p)
        return true;
    s->n_steps++;
    SIM_REQUIRE(s, p->n_tokens > 0, "an empty step");
    SIM_REQUIRE(s, !p->exhausted, "sequence %d is said not to fit", (int)p->exhausted->id);
    if (!sim_run(s, p))
        return false;
    scheduler_commit(s->sched, p);
    return sim_take(s, p, dice) && scheduler_check(s->sched, &s->e);
}

/* Four bytes, one operation; the invariants are checked after it. */
static inline bool sim_do(struct sim *s, const uint8_t b[4], uint8_t op)
{
    if (op % 16 < 5) {
        sim_add(s, b);
    } else if (op % 16 < 13) {
        return sim_step(s, b[0]);
    } else if (op % 16 < 15) {
        struct seq *q = scheduler_running(s->sched);

        for (int i = 0; q && q->next && i < b[0] % 16; i++)
            q = q->next;
        if (q)
            scheduler_preempt(s->sched, q);
    } else if (s->seqs[b[0] % SIM_MAX_SEQS]) {
        sim_drop(s, b[0] % SIM_MAX_SEQS);
    }
    return scheduler_check(s->sched, &s->e);
}

/* Steps until nothing is left; no sequence may be stuck. */
static inline bool sim_drain(struct sim *s)
{
    struct sched_stats st;

    for (int i = 0; i < 100000; i++) {
        if (!scheduler_running(s->sched) && !scheduler_waiting(s->sched)) {
            scheduler_stats(s->sched, &st);
            SIM_REQUIRE(s, kv_pool_n_free(s->pool) == kv_pool_n_blocks(s->pool), "blocks are lost");
            return true;
        }
        if (!sim_step(s, (uint8_t)(i * 7 + 1)))
            return false;
    }
    SIM_REQUIRE(s, false, "sequences are stuck");
}
