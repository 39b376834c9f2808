/* Ranks as threads: sums are the binary tree over ranks, everything arrives everywhere. */
#include "parallel/comm.h"

#include <pthread.h>
#include <string.h>

#include "base/macros.h"
#include "test.h"

enum { N = 1003, ROUNDS = 50, MAX_RANKS = 8 };

struct rank {
    struct comm *comm;
    float sum[N];
    int gathered[MAX_RANKS * 3];
    int told[5];
    bool ok;
};

static float value(int rank, int i, int round)
{
    return (float)(rank * 7 + 1) * 1.1f + (float)i * 0.37f / (float)(rank + 1) + (float)round;
}

static void *play(void *arg)
{
    struct rank *r = arg;
    struct err e = ERR_INIT;

    r->ok = true;
    for (int round = 0; round < ROUNDS && r->ok; round++) {
        int mine[3] = {r->comm->rank, round, -r->comm->rank};

        for (int i = 0; i < N; i++)
            r->sum[i] = value(r->comm->rank, i, round);
        for (int i = 0; i < 5; i++)
            r->told[i] = r->comm->rank == 0 ? round + i : -1;
        r->ok = comm_all_reduce(r->comm, r->sum, N, &e) &&
                comm_all_gather(r->comm, r->gathered, mine, sizeof(mine), &e) &&
                comm_broadcast(r->comm, r->told, sizeof(r->told), &e) && comm_barrier(r->comm, &e);
        for (int i = 0; i < 5; i++)
            r->ok &= r->told[i] == round + i;
        for (int k = 0; k < r->comm->size; k++)
            r->ok &= r->gathered[3 * k] == k && r->gathered[3 * k + 1] == round &&
                     r->gathered[3 * k + 2] == -k;
    }
    return NULL;
}

static float tree(int first, int n, int i)
{
    float a, b;

    if (n == 1)
        return value(first, i, ROUNDS - 1);
    a = tree(first, n / 2, i);
    b = tree(first + n / 2, n / 2, i);
    return a + b;
}

TEST(ranks_agree)
{
    static const int sizes[] = {1, 2, 4, 8};

    for (size_t s = 0; s < LEN(sizes); s++) {
        struct comm *comms[MAX_RANKS];
        static struct rank ranks[MAX_RANKS];
        pthread_t threads[MAX_RANKS];
        struct err e = ERR_INIT;

        CHECK_OK("open", comm_threads_open(sizes[s], comms, &e), &e);
        for (int r = 0; r < sizes[s]; r++) {
            ranks[r].comm = comms[r];
            CHECK_INT("thread", pthread_create(&threads[r], NULL, play, &ranks[r]), 0);
        }
        for (int r = 0; r < sizes[s]; r++)
            pthread_join(threads[r], NULL);
        for (int r = 0; r < sizes[s]; r++) {
            CHECK("rank", ranks[r].ok);
            for (int i = 0; i < N; i++) {
                float want = tree(0, sizes[s], i);

                CHECK("bits of the sum", memcmp(&ranks[r].sum[i], &want, sizeof(want)) == 0);
            }
            comm_close(comms[r]);
        }
    }
}

TEST(odd_sizes_are_refused)
{
    struct comm *comms[MAX_RANKS];
    struct err e = ERR_INIT;

    CHECK("3 ranks", !comm_threads_open(3, comms, &e) && e.code == ERR_INPUT);
    CHECK_INT("self", comm_self()->size, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_agree),
        cmocka_unit_test(odd_sizes_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
