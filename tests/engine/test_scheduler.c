/* test_scheduler.c - the scheduler against a naive cache under random operations, and its rules one
 * by one. */
#include "test.h"

#include "engine/noise.h"
#include "engine/sched_sim.h"

static const struct {
    const char *name;
    int n_blocks;
    struct sched_limits limits;
    int n_ops;
} walks[] = {
    {"wide",
     200,
     {.max_num_seqs = 32, .max_num_batched_tokens = 64, .has_prefix_cache = true},
     4000},
    {"one seat",
     60,
     {.max_num_seqs = 1, .max_num_batched_tokens = 16, .has_prefix_cache = true},
     3000},
    {"one token",
     60,
     {.max_num_seqs = 8, .max_num_batched_tokens = 1, .has_prefix_cache = true},
     3000},
    {"tight pool",
     30,
     {.max_num_seqs = 16, .max_num_batched_tokens = 24, .has_prefix_cache = true},
     8000},
    {"tiny pool",
     8,
     {.max_num_seqs = 16, .max_num_batched_tokens = 24, .has_prefix_cache = true},
     8000},
    {"no cache",
     40,
     {.max_num_seqs = 16, .max_num_batched_tokens = 24, .has_prefix_cache = false},
     8000},
    {"chunk 3",
     40,
     {.max_num_seqs = 16, .max_num_batched_tokens = 40, .max_chunk = 3, .has_prefix_cache = true},
     8000},
    {"aging",
     40,
     {.max_num_seqs = 4, .max_num_batched_tokens = 24, .aging_steps = 3, .has_prefix_cache = true},
     8000},
    {"aging in a tiny pool",
     8,
     {.max_num_seqs = 16, .max_num_batched_tokens = 24, .aging_steps = 1, .has_prefix_cache = true},
     8000},
    {"reserve",
     50,
     {.max_num_seqs = 16,
      .max_num_batched_tokens = 40,
      .reserve_tokens = 24,
      .has_prefix_cache = true},
     8000},
};

TEST(random_operations)
{
    for (size_t w = 0; w < LEN(walks); w++) {
        struct sim s;
        struct sched_stats st;

        CHECK(walks[w].name, sim_open(&s, walks[w].n_blocks, &walks[w].limits));
        for (int i = 0; i < walks[w].n_ops; i++) {
            struct philox r = noise_words(w, (uint32_t)i, 0);
            uint8_t b[4];

            memcpy(b, r.v, sizeof(b));
            CHECK_OK(walks[w].name, sim_do(&s, b, (uint8_t)(r.v[1] >> 9)), &s.e);
        }
        CHECK_OK(walks[w].name, sim_drain(&s), &s.e);
        scheduler_stats(s.sched, &st);
        CHECK(walks[w].name, s.n_done > 100 && s.n_drawn > 100);
        CHECK(walks[w].name, st.n_preemptions > 0);
        CHECK(walks[w].name, (st.n_promotions > 0) == (walks[w].limits.aging_steps > 0));
        CHECK(walks[w].name, st.n_prefix_hits > 0 || !walks[w].limits.has_prefix_cache);
        sim_close(&s);
    }
}

/* --- rules ------------------------------------------------------------------------------------ */

static struct seq *add(struct sim *s, int n_prompt, int family, int n_out, int round)
{
    int32_t prompt[SIM_MAX_LEN];
    struct seq *q;
    int slot = 0;

    for (int i = 0; i < n_prompt; i++)
        prompt[i] = family * 1000 + i;
    q = seq_open(++s->next_id, prompt, n_prompt, n_prompt + n_out, SIM_BLOCK);
    q->round = round;
    while (s->seqs[slot])
        slot++;
    s->seqs[slot] = q;
    s->n_rows_seen[slot] = 0;
    s->first_row[slot] = n_prompt - 1;
    scheduler_add(s->sched, q);
    return q;
}

TEST(equal_prompts_are_prefilled_once)
{
    const struct sched_limits l = {
        .max_num_seqs = 8, .max_num_batched_tokens = 64, .has_prefix_cache = true};
    struct sim s;
    const struct plan *p;
    struct sched_stats st;

    CHECK("open", sim_open(&s, 100, &l));
    for (int i = 0; i < 4; i++)
        add(&s, 10, 1, 20, i);
    p = scheduler_plan(s.sched);
    CHECK_INT("one prompt is computed", p->n_tokens, 10);
    CHECK_INT("four sequences draw", p->n_items, 4);
    CHECK_INT("from one row", p->n_rows, 1);
    CHECK_INT("three full or partial blocks in use",
              kv_pool_n_blocks(s.pool) - kv_pool_n_free(s.pool), 3);
    CHECK_OK("run", sim_run(&s, p), &s.e);
    scheduler_commit(s.sched, p);
    CHECK_OK("take", sim_take(&s, p, 1), &s.e);
    p = scheduler_plan(s.sched);
    CHECK_INT("one token each", p->n_tokens, 4);
    CHECK_INT("all but the last copy the shared block", p->n_copies, 3);
    CHECK_OK("run", sim_run(&s, p), &s.e);
    scheduler_commit(s.sched, p);
    CHECK_OK("take", sim_take(&s, p, 1), &s.e);
    scheduler_stats(s.sched, &st);
    CHECK_INT("forks", st.n_forks, 3);
    CHECK_INT("hits", st.n_prefix_hits, 30);
    CHECK_OK("drain", sim_drain(&s), &s.e);
    sim_close(&s);
}

TEST(common_prefix_is_waited_for)
{
    const struct sched_limits l = {
        .max_num_seqs = 8, .max_num_batched_tokens = 8, .has_prefix_cache = true};
    struct sim s;
    const struct plan *p;
    struct seq *longer, *other;

    CHECK("open", sim_open(&s, 100, &l));
    add(&s, 16, 1, 4, 0);
    longer = add(&s, 20, 1, 4, 1);
    other = add(&s, 3, 2, 4, 2);
    p = scheduler_plan(s.sched);
    CHECK_INT("half the budget, then the other prompt", p->n_tokens, 7);
    CHECK("the longer one waits", longer->state == SEQ_WAITING);
    CHECK("others pass it by", other->state == SEQ_RUNNING);
    CHECK_OK("run", sim_run(&s, p), &s.e);
    scheduler_commit(s.sched, p);
    CHECK_OK("take", sim_take(&s, p, 1), &s.e);
    for (int i = 0; i < 8 && longer->state == SEQ_WAITING; i++)
        CHECK_OK("step", sim_step(&s, 1), &s.e);
    CHECK_INT("it found the whole common prefix", longer->n_cached, 16);
    CHECK_OK("drain", sim_drain(&s), &s.e);
    sim_close(&s);
}

TEST(order_is_priority_round_arrival)
{
    const struct sched_limits l = {
        .max_num_seqs = 8, .max_num_batched_tokens = 64, .has_prefix_cache = true};
    struct sim s;
    struct seq *q[4];
    const int want[] = {3, 1, 0, 2};
    int i = 0;

    CHECK("open", sim_open(&s, 100, &l));
    q[0] = add(&s, 4, 1, 4, 1);
    q[1] = add(&s, 4, 2, 4, 0);
    q[2] = add(&s, 4, 3, 4, 1);
    q[3] = seq_open(99, (const int32_t[]){9, 9}, 2, 6, SIM_BLOCK);
    q[3]->priority = -1;
    q[3]->round = 5;
    s.seqs[10] = q[3];
    s.first_row[10] = 1;
    scheduler_add(s.sched, q[3]);
    for (struct seq *at = scheduler_waiting(s.sched); at; at = at->next)
        CHECK_INT("order", at->id, q[want[i++]]->id);
    CHECK_OK("drain", sim_drain(&s), &s.e);
    sim_close(&s);
}

/* One seat, and somebody better comes with every step: how long the others wait. Each answer is one
 * token, so a seat is free in every step; a class behind n others joins one after each aging_steps.
 */
static const struct {
    const char *name;
    int aging_steps, priority,
        middle;   /* middle: a third class between, which always has somebody waiting; 0: none */
    int from, to; /* runs in a step of these; -1: in none of N_STARVED */
} starved[] = {
    {"without aging it starves", 0, 5, 0, -1, -1},
    {"it is served after the bound", 20, 5, 0, 20, 22},
    {"the distance of the numbers does not matter", 20, 1000000000, 0, 20, 22},
    {"from class to class", 20, 5, 3, 40, 43},
    {"in its turn where nobody is better", 20, 0, 0, 3, 3},
};

enum { N_STARVED = 400 };

static struct seq *add_class(struct sim *s, int family, int priority)
{
    int32_t prompt[] = {family, family + 1};
    struct seq *q = seq_open(++s->next_id, prompt, 2, 3, SIM_BLOCK);
    int slot = 0;

    while (s->seqs[slot])
        slot++;
    q->priority = priority;
    s->seqs[slot] = q;
    s->n_rows_seen[slot] = 0;
    s->first_row[slot] = 1;
    scheduler_add(s->sched, q);
    return q;
}

TEST(no_class_starves)
{
    for (size_t i = 0; i < LEN(starved); i++) {
        const struct sched_limits l = {
            .max_num_seqs = 1, .max_num_batched_tokens = 64, .aging_steps = starved[i].aging_steps};
        struct sim s;
        struct seq *q;
        uint64_t id;
        int ran_at = -1;

        CHECK("open", sim_open(&s, 100, &l));
        for (int k = 0; k < 3; k++)
            add_class(&s, 100 + 10 * k, 0);
        q = add_class(&s, 7, starved[i].priority);
        id = q->id;
        for (int step = 0; step < N_STARVED && ran_at < 0; step++) {
            bool lives = false;

            add_class(&s, 1000 + 10 * step, 0);
            if (starved[i].middle > 0 && step % 10 == 0)
                add_class(&s, 100000 + 10 * step, starved[i].middle);
            CHECK_OK(starved[i].name, sim_step(&s, 1), &s.e);
            for (int k = 0; k < SIM_MAX_SEQS; k++)
                lives |= s.seqs[k] && s.seqs[k]->id == id;
            if (!lives)
                ran_at = step;
        }
        if (ran_at < starved[i].from || ran_at > starved[i].to)
            fail_msg("%s: ran at step %d, expected %d to %d", starved[i].name, ran_at,
                     starved[i].from, starved[i].to);
        CHECK_OK(starved[i].name, sim_drain(&s), &s.e);
        sim_close(&s);
    }
}

TEST(the_latest_is_preempted_and_comes_back)
{
    const struct sched_limits l = {
        .max_num_seqs = 4, .max_num_batched_tokens = 64, .has_prefix_cache = true};
    struct sim s;
    struct seq *first, *second;
    struct sched_stats st;

    CHECK("open", sim_open(&s, 9, &l)); /* 8 blocks: 32 tokens */
    first = add(&s, 12, 1, 18, 0);
    second = add(&s, 12, 2, 18, 0);
    for (int i = 0; i < 100 && second->n_preemptions == 0; i++)
        CHECK_OK("step", sim_step(&s, 1), &s.e);
    CHECK("the second went", second->n_preemptions == 1 && first->n_preemptions == 0);
    CHECK("it kept its tokens",
          second->n_tokens > 12 && second->n_computed == 0 && second->n_blocks == 0);
    CHECK_OK("drain", sim_drain(&s), &s.e);
    scheduler_stats(s.sched, &st);
    CHECK_INT("both finished", s.n_done, 2);
    sim_close(&s);
}

TEST(a_reserve_holds_admission_back)
{
    struct sched_limits l = {
        .max_num_seqs = 4, .max_num_batched_tokens = 64, .has_prefix_cache = true};
    const struct {
        int reserve, n_running;
    } rows[] = {{0, 2}, {40, 1}};

    for (size_t i = 0; i < LEN(rows); i++) {
        struct sim s;
        struct sched_stats st;

        l.reserve_tokens = rows[i].reserve;
        CHECK("open", sim_open(&s, 13, &l));
        add(&s, 12, 1, 40 - 12, 0);
        add(&s, 12, 2, 40 - 12, 0);
        CHECK_OK("step", sim_step(&s, 1), &s.e);
        scheduler_stats(s.sched, &st);
        CHECK_INT("running", st.n_running, rows[i].n_running);
        CHECK_OK("drain", sim_drain(&s), &s.e);
        sim_close(&s);
    }
}

TEST(what_cannot_fit_is_named)
{
    const struct sched_limits l = {.max_num_seqs = 4, .max_num_batched_tokens = 64};
    struct sim s;
    struct seq *q;
    const struct plan *p;

    CHECK("open", sim_open(&s, 4, &l)); /* 3 blocks: 12 tokens */
    q = add(&s, 10, 1, 20, 0);
    for (int i = 0; i < 3; i++)
        CHECK_OK("step", sim_step(&s, 1), &s.e);
    p = scheduler_plan(s.sched);
    CHECK("alone and without room", p && p->exhausted == q && p->n_tokens == 0);
    sim_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations),
        cmocka_unit_test(equal_prompts_are_prefilled_once),
        cmocka_unit_test(common_prefix_is_waited_for),
        cmocka_unit_test(order_is_priority_round_arrival),
        cmocka_unit_test(no_class_starves),
        cmocka_unit_test(the_latest_is_preempted_and_comes_back),
        cmocka_unit_test(a_reserve_holds_admission_back),
        cmocka_unit_test(what_cannot_fit_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
