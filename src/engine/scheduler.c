/* scheduler.c - plan, commit, preempt.
 *
 * Invariants, which scheduler_check walks:
 *   running is in order of (class, admission); so whoever is preempted, the last, is not planned
 * yet waiting is in order of (class, preempted first, round, arrival) a waiting sequence holds
 * no blocks, and has computed nothing a running one holds blocks for all that it computed sum of
 * references == sum of block table lengths
 *
 * Equal prompts are prefilled once: while one is on its way, others with the same prompt wait; when
 * its last token is planned they are admitted as forks, which draw from the same row of logits and
 * share all blocks. A sequence that has to write into a shared block gets a copy of it first; the
 * last one writes in place. */
#include "engine/scheduler.h"

#include <assert.h>

#include "base/arena.h"

enum { MIN_EXPECTED_REST = 256, EWMA_SAMPLES = 32 };

struct queue {
    struct seq *head, *tail;
    int n;
};

struct scheduler {
    struct sched_limits limits;
    struct kv_pool *pool;
    int block_size;
    struct queue running, waiting;
    struct plan plan;
    int *prefilling; /* items of the plan whose sequences have not computed their whole prompt */
    int n_prefilling;
    uint64_t clock;
    uint64_t n_plans; /* made so far */
    uint64_t n_finished;
    struct sched_stats stats;
};

/* --- queues ----------------------------------------------------------------------------------- */

static bool waits_before(const struct seq *a, const struct seq *b)
{
    if (a->class_now != b->class_now)
        return a->class_now < b->class_now;
    if ((a->n_preemptions > 0) != (b->n_preemptions > 0))
        return a->n_preemptions > 0;
    if (a->round != b->round)
        return a->round < b->round;
    return a->arrival < b->arrival;
}

static bool runs_before(const struct seq *a, const struct seq *b)
{
    return a->class_now != b->class_now ? a->class_now < b->class_now : a->admission < b->admission;
}

static void queue_insert(struct queue *l, struct seq *q,
                         bool (*before)(const struct seq *, const struct seq *))
{
    struct seq *at = l->tail;

    while (at && before(q, at))
        at = at->prev;
    q->prev = at;
    q->next = at ? at->next : l->head;
    if (q->next)
        q->next->prev = q;
    else
        l->tail = q;
    if (at)
        at->next = q;
    else
        l->head = q;
    l->n++;
}

static void queue_remove(struct queue *l, struct seq *q)
{
    if (q->prev)
        q->prev->next = q->next;
    else
        l->head = q->next;
    if (q->next)
        q->next->prev = q->prev;
    else
        l->tail = q->prev;
    q->prev = q->next = NULL;
    l->n--;
}

/* --- open and close --------------------------------------------------------------------------- */

struct scheduler *scheduler_open(const struct sched_limits *l, struct kv_pool *pool)
{
    struct scheduler *s = xcalloc(1, sizeof(*s));
    size_t n = (size_t)l->max_num_seqs;

    assert(l->max_num_seqs > 0 && l->max_num_batched_tokens > 0);
    s->limits = *l;
    s->pool = pool;
    s->block_size = kv_pool_block_size(pool);
    s->plan.items = xcalloc(n, sizeof(*s->plan.items));
    s->plan.copies = xcalloc(2 * n, sizeof(*s->plan.copies));
    s->prefilling = xcalloc(n, sizeof(*s->prefilling));
    return s;
}

void scheduler_close(struct scheduler *s)
{
    if (!s)
        return;
    while (s->running.head)
        scheduler_finish(s, s->running.head);
    while (s->waiting.head)
        scheduler_finish(s, s->waiting.head);
    free(s->plan.items);
    free(s->plan.copies);
    free(s->prefilling);
    free(s);
}

/* --- hashes ----------------------------------------------------------------------------------- */

/* Makes the hashes of the first n full blocks known. */
static void extend_hashes(const struct scheduler *s, struct seq *q, int n)
{
    while (q->n_hashes < n) {
        int i = q->n_hashes++;
        struct hash128 parent = i > 0 ? q->hashes[i - 1] : s->limits.hash_root;

        q->hashes[i] =
            kv_hash_block(parent, q->token_ids + i * s->block_size, s->block_size, q->extra);
    }
}

static bool same_hash(struct hash128 a, struct hash128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

void scheduler_add(struct scheduler *s, struct seq *q)
{
    int n_full = q->n_prompt / s->block_size, rest = q->n_prompt % s->block_size;

    assert(q->n_prompt > 0 && seq_goal(q) > 0);
    extend_hashes(s, q, n_full);
    q->prompt_hash = kv_hash_block(n_full > 0 ? q->hashes[n_full - 1] : s->limits.hash_root,
                                   q->token_ids + q->n_prompt - rest, rest, q->extra);
    q->state = SEQ_WAITING;
    q->class_now = q->priority;
    q->n_waited = 0;
    q->waits_since = s->n_plans;
    q->arrival = ++s->clock;
    queue_insert(&s->waiting, q, waits_before);
}

/* --- blocks ----------------------------------------------------------------------------------- */

static int blocks_for(const struct scheduler *s, int n_tokens)
{
    return (n_tokens + s->block_size - 1) / s->block_size;
}

static void give_blocks(struct scheduler *s, struct seq *q)
{
    while (q->n_blocks > 0)
        kv_pool_give(s->pool, q->blocks[--q->n_blocks]);
    q->n_computed = 0;
}

void scheduler_preempt(struct scheduler *s, struct seq *q)
{
    assert(q->state == SEQ_RUNNING);
    s->stats.n_preemptions++;
    s->stats.n_preempted_tokens += (uint64_t)q->n_computed;
    give_blocks(s, q);
    q->n_preemptions++;
    queue_remove(&s->running, q);
    q->state = SEQ_WAITING;
    q->waits_since = s->n_plans;
    queue_insert(&s->waiting, q, waits_before);
}

/* Whether the block that holds position `start` exists and belongs to others too. */
static bool must_copy(const struct scheduler *s, const struct seq *q, int start)
{
    int i = start / s->block_size;

    return i < q->n_blocks && kv_pool_refs(s->pool, q->blocks[i]) > 1;
}

/* Blocks for positions [start, end), all writable. The pool has them: the caller has made sure. */
static void take_blocks(struct scheduler *s, struct seq *q, int start, int end)
{
    if (must_copy(s, q, start)) {
        int i = start / s->block_size, copy = kv_pool_take(s->pool);

        assert(copy > 0 && i == q->n_blocks - 1);
        s->plan.copies[2 * s->plan.n_copies] = q->blocks[i];
        s->plan.copies[2 * s->plan.n_copies + 1] = copy;
        s->plan.n_copies++;
        s->stats.n_copied_blocks++;
        kv_pool_give(s->pool, q->blocks[i]);
        q->blocks[i] = copy;
    }
    while (q->n_blocks < blocks_for(s, end)) {
        int block = kv_pool_take(s->pool);

        assert(block > 0);
        q->blocks[q->n_blocks++] = block;
    }
}

/* Makes room for positions [start, end) by preempting from the end of the running. False: q itself
 * had to go, or is alone and still without room. */
static bool make_room(struct scheduler *s, struct seq *q, int start, int end)
{
    for (;;) {
        int n = blocks_for(s, end) - q->n_blocks + must_copy(s, q, start);
        struct seq *victim = s->running.tail;

        if (kv_pool_n_free(s->pool) >= n)
            return true;
        if (victim == q && s->running.head == q) {
            s->plan.exhausted = q;
            return false;
        }
        scheduler_preempt(s, victim);
        if (victim == q)
            return false;
    }
}

/* --- the plan --------------------------------------------------------------------------------- */

static int chunk_cap(const struct scheduler *s)
{
    int all = s->limits.max_num_batched_tokens;

    if (s->limits.max_chunk > 0)
        return MIN(s->limits.max_chunk, all);
    return s->running.n + s->waiting.n > 1 ? MAX(all / 2, 1) : all;
}

static bool wants_prompt_rows(const struct seq *q)
{
    return q->next_prompt_row < q->n_prompt - 1;
}

static void plan_item(struct scheduler *s, struct seq *q, int n_tokens)
{
    int start = q->n_computed, end = start + n_tokens, first = MAX(start, q->next_prompt_row);
    struct plan_item *it = &s->plan.items[s->plan.n_items];

    *it = (struct plan_item){
        .q = q, .start = start, .n_tokens = n_tokens, .first_row = -1, .fork_of = -1};
    if (wants_prompt_rows(q))
        it->n_rows = MAX(0, MIN(end, q->n_prompt - 1) - first);
    it->draws = !q->is_score && end == q->n_tokens;
    if (it->n_rows > 0 || it->draws) {
        it->first_row = s->plan.n_rows;
        s->plan.n_rows += it->n_rows + it->draws;
    }
    if (start < q->n_prompt)
        s->prefilling[s->n_prefilling++] = s->plan.n_items;
    s->plan.n_items++;
    s->plan.n_tokens += n_tokens;
}

static bool plan_running(struct scheduler *s)
{
    uint64_t n_preemptions = s->stats.n_preemptions;
    int cap = chunk_cap(s);

    for (struct seq *q = s->running.head, *next; q; q = next) {
        int n = MIN(seq_goal(q) - q->n_computed, cap);

        n = MIN(n, s->limits.max_num_batched_tokens - s->plan.n_tokens);
        if (n > 0) {
            if (!make_room(s, q, q->n_computed, q->n_computed + n))
                break;
            take_blocks(s, q, q->n_computed, q->n_computed + n);
        }
        next = q->next;
        plan_item(s, q, n);
    }
    return s->stats.n_preemptions == n_preemptions;
}

/* Blocks that running sequences are expected to ask for soon. */
static int reserve_blocks(const struct scheduler *s)
{
    int n = 0;

    if (s->limits.reserve_tokens <= 0)
        return 0;
    for (const struct seq *q = s->running.head; q; q = q->next) {
        double rest = s->stats.expected_output - (q->n_tokens - q->n_prompt);
        int tokens =
            s->n_finished > 0 ? (int)MAX(rest, MIN_EXPECTED_REST) : s->limits.reserve_tokens;

        tokens = MIN(tokens, s->limits.reserve_tokens);
        tokens = q->is_score ? 0 : MIN(tokens, q->max_tokens - q->n_tokens);
        n += blocks_for(s, seq_goal(q) + tokens) - q->n_blocks;
    }
    return n;
}

static bool may_fork(const struct seq *q)
{
    return !q->is_score && q->n_tokens == q->n_prompt && !wants_prompt_rows(q);
}

/* What a running twin means for a waiting sequence. */
enum twin { TWIN_NONE, TWIN_WAIT, TWIN_FORK };

static enum twin find_twin(const struct scheduler *s, const struct seq *q, int *item)
{
    if (!may_fork(q))
        return TWIN_NONE;
    for (int i = 0; i < s->n_prefilling; i++) {
        const struct plan_item *it = &s->plan.items[s->prefilling[i]];

        if (it->q->is_score || !same_hash(it->q->prompt_hash, q->prompt_hash))
            continue;
        *item = s->prefilling[i];
        return it->draws && it->q->n_tokens == it->q->n_prompt ? TWIN_FORK : TWIN_WAIT;
    }
    return TWIN_NONE;
}

/* Whether a running sequence is about to publish the block that q would compute first. */
static bool is_being_computed(const struct scheduler *s, const struct seq *q, int block)
{
    for (int i = 0; i < s->n_prefilling; i++) {
        const struct seq *r = s->plan.items[s->prefilling[i]].q;

        if (block < r->n_prompt / s->block_size && same_hash(r->hashes[block], q->hashes[block]))
            return true;
    }
    return false;
}

/* Cached full blocks with which q can begin. At least one token is left to compute, and all whose
 * logits are wanted. */
static int match_prefix(const struct scheduler *s, const struct seq *q, int *n_unreferenced,
                        int *n_most)
{
    int most = (wants_prompt_rows(q) ? MIN(q->next_prompt_row, seq_goal(q) - 1) : seq_goal(q) - 1) /
               s->block_size;
    int n = 0;

    *n_unreferenced = 0;
    *n_most = most = MIN(most, q->n_hashes);
    if (!s->limits.has_prefix_cache)
        return 0;
    for (; n < most; n++) {
        int block = kv_pool_find(s->pool, q->hashes[n]);

        if (block < 0)
            break;
        *n_unreferenced += kv_pool_refs(s->pool, block) == 0;
    }
    return n;
}

static void start_running(struct scheduler *s, struct seq *q, int n_cached)
{
    queue_remove(&s->waiting, q);
    q->state = SEQ_RUNNING;
    q->n_waited += (int)(s->n_plans - q->waits_since);
    q->admission = ++s->clock;
    q->n_computed = n_cached;
    queue_insert(&s->running, q, runs_before);
    if (q->n_preemptions > 0)
        return;
    q->n_cached = MIN(n_cached, q->n_prompt);
    s->stats.n_prefix_queries += (uint64_t)q->n_prompt;
    s->stats.n_prefix_hits += (uint64_t)q->n_cached;
}

static void admit_fork(struct scheduler *s, struct seq *q, int leader_item)
{
    const struct plan_item *leader = &s->plan.items[leader_item];

    for (q->n_blocks = 0; q->n_blocks < leader->q->n_blocks; q->n_blocks++) {
        q->blocks[q->n_blocks] = leader->q->blocks[q->n_blocks];
        kv_pool_share(s->pool, q->blocks[q->n_blocks]);
    }
    start_running(s, q, q->n_prompt);
    s->plan.items[s->plan.n_items++] =
        (struct plan_item){.q = q,
                           .start = q->n_prompt,
                           .draws = true,
                           .first_row = leader->first_row + leader->n_rows,
                           .fork_of = leader_item};
    s->stats.n_forks++;
}

/* Admits one waiting sequence, or passes it by when its prefix is on the way. False: the queue has
 * to stop. */
static bool admit(struct scheduler *s, struct seq *q)
{
    int reserve = s->running.n > 0 ? reserve_blocks(s) : 0, item, n_unreferenced, most;
    enum twin twin = find_twin(s, q, &item);
    int n_match, start, n, n_blocks;

    if (twin == TWIN_WAIT)
        return true;
    if (twin == TWIN_FORK) {
        if (kv_pool_n_free(s->pool) - 1 < reserve)
            return false;
        admit_fork(s, q, item);
        return true;
    }
    if (s->plan.n_tokens == s->limits.max_num_batched_tokens)
        return s->n_prefilling > 0; /* only forks, which compute nothing, can still be admitted */
    n_match = match_prefix(s, q, &n_unreferenced, &most);
    if (s->limits.has_prefix_cache && n_match < most && is_being_computed(s, q, n_match))
        return true;
    start = n_match * s->block_size;
    n = MIN(seq_goal(q) - start, chunk_cap(s));
    n = MIN(n, s->limits.max_num_batched_tokens - s->plan.n_tokens);
    n_blocks = blocks_for(s, start + n) - n_match;
    if (kv_pool_n_free(s->pool) - n_unreferenced - n_blocks < reserve)
        return false;
    for (int i = 0; i < n_match; i++) {
        q->blocks[q->n_blocks++] = kv_pool_find(s->pool, q->hashes[i]);
        kv_pool_share(s->pool, q->blocks[i]);
    }
    start_running(s, q, start);
    take_blocks(s, q, start, start + n);
    plan_item(s, q, n);
    return true;
}

/* Whoever has waited for long joins the class before its own in the queue, where it has its place
 * by arrival. Times of waiting add up, so that a sequence that is preempted again and again comes
 * forward too. */
static void promote_aged(struct scheduler *s)
{
    const struct seq *first = s->waiting.head;
    int better, class_now;

    if (s->limits.aging_steps <= 0 || !first || first->class_now == s->waiting.tail->class_now)
        return;
    better = class_now = first->class_now;
    for (struct seq *q = s->waiting.head, *next; q; q = next) {
        next = q->next;
        if (q->class_now != class_now) {
            better = class_now;
            class_now = q->class_now;
        }
        if (better == class_now ||
            s->n_plans - q->waits_since + (uint64_t)q->n_waited < (uint64_t)s->limits.aging_steps)
            continue;
        queue_remove(&s->waiting, q);
        q->class_now = better;
        q->n_waited = 0;
        q->waits_since = s->n_plans;
        queue_insert(&s->waiting, q, waits_before);
        s->stats.n_promotions++;
    }
}

const struct plan *scheduler_plan(struct scheduler *s)
{
    struct plan *p = &s->plan;

    p->n_items = p->n_tokens = p->n_rows = p->n_copies = 0;
    p->exhausted = NULL;
    s->n_prefilling = 0;
    if (s->running.n + s->waiting.n == 0)
        return NULL;
    promote_aged(s);
    if (plan_running(s)) {
        for (struct seq *q = s->waiting.head, *next; q && s->running.n < s->limits.max_num_seqs;
             q = next) {
            next = q->next;
            if (!admit(s, q))
                break;
        }
    }
    if (s->running.n == 0 && !p->exhausted)
        p->exhausted = s->waiting.head;
    s->n_plans++;
    assert(p->n_tokens > 0 ||
           p->exhausted); /* a step that does nothing would be repeated for ever */
    return p;
}

void scheduler_commit(struct scheduler *s, const struct plan *plan)
{
    for (int i = 0; i < plan->n_items; i++) {
        const struct plan_item *it = &plan->items[i];
        struct seq *q = it->q;
        int first = q->n_computed / s->block_size, last;

        if (it->fork_of >= 0)
            continue;
        q->n_computed += it->n_tokens;
        q->next_prompt_row += it->n_rows;
        if (!s->limits.has_prefix_cache)
            continue;
        last = q->n_computed / s->block_size;
        extend_hashes(s, q, last);
        for (int b = first; b < last; b++)
            kv_pool_publish(s->pool, q->blocks[b], q->hashes[b]);
    }
}

void scheduler_finish(struct scheduler *s, struct seq *q)
{
    int n_output = q->n_tokens - q->n_prompt;

    if (q->state == SEQ_FINISHED)
        return;
    give_blocks(s, q);
    queue_remove(q->state == SEQ_RUNNING ? &s->running : &s->waiting, q);
    q->state = SEQ_FINISHED;
    if (n_output == 0)
        return;
    s->n_finished++;
    s->stats.expected_output +=
        (n_output - s->stats.expected_output) / (double)MIN(s->n_finished, EWMA_SAMPLES);
}

struct seq *scheduler_running(const struct scheduler *s)
{
    return s->running.head;
}

struct seq *scheduler_waiting(const struct scheduler *s)
{
    return s->waiting.head;
}

void scheduler_stats(const struct scheduler *s, struct sched_stats *out)
{
    *out = s->stats;
    out->n_running = s->running.n;
    out->n_waiting = s->waiting.n;
}

/* --- check ------------------------------------------------------------------------------------ */

static bool check_seq(const struct scheduler *s, const struct seq *q, struct err *e)
{
    if (q->class_now > q->priority || (s->limits.aging_steps == 0 && q->class_now != q->priority))
        return err_set(e, ERR_INPUT, "sequence %llu of priority %d is in class %d",
                       (unsigned long long)q->id, q->priority, q->class_now);
    if (q->state == SEQ_WAITING && (q->n_blocks > 0 || q->n_computed > 0))
        return err_set(e, ERR_INPUT, "sequence %llu waits with %d blocks",
                       (unsigned long long)q->id, q->n_blocks);
    if (q->n_computed > seq_goal(q) || blocks_for(s, q->n_computed) > q->n_blocks)
        return err_set(e, ERR_INPUT, "sequence %llu computed %d of %d tokens in %d blocks",
                       (unsigned long long)q->id, q->n_computed, q->n_tokens, q->n_blocks);
    for (int i = 0; i < q->n_blocks; i++)
        if (q->blocks[i] <= 0 || kv_pool_refs(s->pool, q->blocks[i]) <= 0)
            return err_set(e, ERR_INPUT, "sequence %llu holds block %d, which is free",
                           (unsigned long long)q->id, q->blocks[i]);
    return true;
}

bool scheduler_check(const struct scheduler *s, struct err *e)
{
    long n_refs = 0, n_held = 0;
    int n = 0;

    if (!kv_pool_check(s->pool, e))
        return false;
    for (const struct seq *q = s->running.head; q; q = q->next, n++) {
        if (q->state != SEQ_RUNNING || (q->next && !runs_before(q, q->next)))
            return err_set(e, ERR_INPUT, "the running are out of order");
        if (!check_seq(s, q, e))
            return false;
        n_held += q->n_blocks;
    }
    for (const struct seq *q = s->waiting.head; q; q = q->next, n++) {
        if (q->state != SEQ_WAITING || (q->next && !waits_before(q, q->next)))
            return err_set(e, ERR_INPUT, "the waiting are out of order");
        if (!check_seq(s, q, e))
            return false;
    }
    for (int b = 1; b <= kv_pool_n_blocks(s->pool); b++)
        n_refs += kv_pool_refs(s->pool, b);
    if (n != s->running.n + s->waiting.n || s->running.n > s->limits.max_num_seqs)
        return err_set(e, ERR_INPUT, "%d sequences in lists, %d running and %d waiting", n,
                       s->running.n, s->waiting.n);
    if (n_refs != n_held)
        return err_set(e, ERR_INPUT, "%ld references, %ld entries in block tables", n_refs, n_held);
    return true;
}
