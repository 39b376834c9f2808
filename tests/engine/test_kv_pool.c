/* test_kv_pool.c - the block pool against a naive one under random operations, and the hash chain.
 */
#include "test.h"

#include "engine/kv_pool.h"
#include "engine/noise.h"

enum { N_BLOCKS = 24, N_HASHES = 40 };

/* The naive pool: an ordered list of free blocks, and for each block its references and content. */
struct naive {
    int refs[N_BLOCKS], content[N_BLOCKS]; /* content 0: unpublished */
    int order[N_BLOCKS], n_free;           /* order[0] is taken next */
};

static void naive_insert(struct naive *m, int at, int b)
{
    memmove(m->order + at + 1, m->order + at, (size_t)(m->n_free - at) * sizeof(int));
    m->order[at] = b;
    m->n_free++;
}

static void naive_remove(struct naive *m, int b)
{
    int i = 0;

    while (m->order[i] != b)
        i++;
    m->n_free--;
    memmove(m->order + i, m->order + i + 1, (size_t)(m->n_free - i) * sizeof(int));
}

static int naive_find(const struct naive *m, int content)
{
    for (int b = 1; b < N_BLOCKS; b++)
        if (m->content[b] == content)
            return b;
    return -1;
}

static struct hash128 hash_of(int content)
{
    /* Few low bits, so that the probe runs of the index grow long and collide. */
    return (struct hash128){(uint64_t)(content % 5), (uint64_t)content};
}

static void naive_step(struct naive *m, struct kv_pool *p, const uint32_t r[4])
{
    int b = 1 + (int)(r[1] % (N_BLOCKS - 1)), content = 1 + (int)(r[2] % N_HASHES), want;

    switch (r[0] % 5) {
    case 0:
        want = m->n_free > 0 ? m->order[0] : -1;
        CHECK_INT("take", kv_pool_take(p), want);
        if (want < 0)
            break;
        naive_remove(m, want);
        m->refs[want] = 1;
        m->content[want] = 0;
        break;
    case 1:
        b = naive_find(m, content);
        CHECK_INT("find", kv_pool_find(p, hash_of(content)), b);
        if (b < 0)
            break;
        kv_pool_share(p, b);
        if (m->refs[b]++ == 0)
            naive_remove(m, b);
        break;
    case 2:
    case 3:
        if (m->refs[b] == 0)
            break;
        kv_pool_give(p, b);
        if (--m->refs[b] == 0)
            naive_insert(m, m->content[b] ? m->n_free : 0, b);
        break;
    default:
        if (m->refs[b] == 0)
            break;
        kv_pool_publish(p, b, hash_of(content));
        if (m->content[b] == 0 && naive_find(m, content) < 0)
            m->content[b] = content;
    }
}

TEST(random_operations)
{
    struct err e = ERR_INIT;
    struct kv_pool *p = kv_pool_open(N_BLOCKS, 16, &e);
    struct naive m = {0};

    for (int b = 1; b < N_BLOCKS; b++)
        m.order[m.n_free++] = b;
    for (int i = 0; i < 200000; i++) {
        struct philox r = noise_words(7, (uint32_t)i, 0);

        naive_step(&m, p, r.v);
        CHECK_OK("invariants", kv_pool_check(p, &e), &e);
        CHECK_INT("free", kv_pool_n_free(p), m.n_free);
        for (int b = 1; b < N_BLOCKS; b++) {
            CHECK_INT("refs", kv_pool_refs(p, b), m.refs[b]);
            CHECK_INT("published", kv_pool_is_published(p, b), m.content[b] != 0);
        }
    }
    kv_pool_close(p);
}

TEST(every_size_opens)
{
    for (int n = 1; n < 40; n++) {
        struct err e = ERR_INIT;
        struct kv_pool *p = kv_pool_open(n, 16, &e);

        CHECK_OK("fresh", kv_pool_check(p, &e), &e);
        for (int b = 1; b < n; b++)
            CHECK_INT("in order", kv_pool_take(p), b);
        CHECK_INT("empty", kv_pool_take(p), -1);
        CHECK_OK("empty", kv_pool_check(p, &e), &e);
        kv_pool_close(p);
    }
}

TEST(hash_chain)
{
    const int32_t a[] = {1, 2, 3, 4}, b[] = {1, 2, 3, 5};
    const struct hash128 none = {0, 0}, image = {1, 1};
    struct hash128 root = kv_hash_root("m", 1), other = kv_hash_root("n", 1), h[5];

    h[0] = kv_hash_block(root, a, 4, none);
    h[1] = kv_hash_block(root, b, 4, none);
    h[2] = kv_hash_block(other, a, 4, none);
    h[3] = kv_hash_block(h[0], a, 4, none);
    h[4] = kv_hash_block(root, a, 4, image);
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < i; j++)
            CHECK("tokens, model, parent and picture all count",
                  h[i].lo != h[j].lo && h[i].hi != h[j].hi);
    CHECK("repeatable", kv_hash_block(root, a, 4, none).lo == h[0].lo);
}

TEST(philox_known_answers)
{
    static const struct {
        const char *name;
        uint32_t counter[4], key[2], want[4];
    } rows[] = {
        {"zeros", {0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {"ones",
         {~0u, ~0u, ~0u, ~0u},
         {~0u, ~0u},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {"pi",
         {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };

    for (size_t i = 0; i < LEN(rows); i++) {
        const uint32_t *c = rows[i].counter;
        struct philox out =
            philox4x32(rows[i].key[0] | (uint64_t)rows[i].key[1] << 32, c[0], c[1], c[2], c[3]);

        for (int j = 0; j < 4; j++)
            CHECK_INT(rows[i].name, out.v[j], rows[i].want[j]);
    }
    CHECK("noise is finite at both ends",
          isfinite(gumbel_of_word(0)) && isfinite(gumbel_of_word(~0u)));
    CHECK("and rises", gumbel_of_word(0) < gumbel_of_word(1u << 31) &&
                           gumbel_of_word(1u << 31) < gumbel_of_word(~0u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations),
        cmocka_unit_test(every_size_opens),
        cmocka_unit_test(hash_chain),
        cmocka_unit_test(philox_known_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
