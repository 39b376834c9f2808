/* A row's logits have the same bits whatever stands around it (D3), and on any number of
 * ranks (D4): chunks, company, threads, shared blocks, copied blocks. */
#include <string.h>

#include "base/arena.h"
#include "base/macros.h"
#include "base/philox.h"
#include "run_model.h"

static const char *const names[] = {"qwen2-tied-bf16", "llama3-tied-f16", "qwen3-untied-yarn-f32"};
static const char *const sets[] = {"avx2", "avx512", "avx512_bf16", "amx_bf16"};
static const char *const dtypes[] = {"float32", "bfloat16"};

enum { N_IDS = 290, CHUNK = 256 };

static struct model *open_model(const char *name, const char *dtype, const char *isa, int n_threads,
                                int n_ranks, struct err *e)
{
    char dir[512];
    struct model_opts o = model_opts_default();
    struct model *m;

    snprintf(dir, sizeof(dir), "%s/models/%s", TEST_DATA, name);
    o.dtype = dtype;
    o.cpu_isa = isa;
    o.n_threads = n_threads;
    o.tensor_parallel_size = n_ranks;
    m = model_open(dir, &o, e);
    if (m && !model_alloc_blocks(m, 4 * RUN_BLOCKS, e)) {
        model_close(m);
        return NULL;
    }
    return m;
}

static void make_ids(int32_t *ids, int n, uint32_t stream)
{
    for (int i = 0; i < n; i++)
        ids[i] = (int32_t)(philox4x32(3, (uint32_t)i, stream, 0, 0).v[0] % 990);
}

/* Logits of all tokens, [N_IDS, vocab]. */
static float *run_all(struct model *m, const int32_t *ids, int chunk, int first_block)
{
    struct run r = {.model = m, .first_block = first_block, .chunk = chunk};
    struct err e = ERR_INIT;
    float *out = xcalloc((size_t)N_IDS * (size_t)model_config(m)->vocab_size, sizeof(*out));

    CHECK_OK("run", run_tokens(&r, ids, N_IDS, out, &e), &e);
    return out;
}

static void check_same(const char *what, const float *a, const float *b, size_t n)
{
    if (memcmp(a, b, n * sizeof(*a)) != 0)
        fail_msg("%s: logits differ in bits", what);
}

TEST(chunks_and_threads_do_not_change_bits)
{
    static const int chunks[] = {1, 7, 16, 256};

    for (size_t s = 0; s < LEN(sets); s++)
        for (size_t t = 0; t < LEN(dtypes); t++) {
            const char *name = names[(s + t) % LEN(names)];
            struct err e = ERR_INIT;
            int32_t ids[N_IDS];
            struct model *one = open_model(name, dtypes[t], sets[s], 1, 1, &e), *two;
            float *want;

            if (!one && e.code == ERR_UNSUPPORTED)
                continue; /* not on this CPU */
            CHECK_OK(sets[s], one, &e);
            two = open_model(name, dtypes[t], sets[s], 2, 1, &e);
            CHECK_OK(sets[s], two, &e);
            make_ids(ids, N_IDS, 1);
            want = run_all(one, ids, CHUNK, 1);
            for (size_t c = 0; c < LEN(chunks); c++) {
                float *got = run_all(c % 2 ? one : two, ids, chunks[c], 70);

                check_same(sets[s], got, want,
                           (size_t)N_IDS * (size_t)model_config(one)->vocab_size);
                free(got);
            }
            free(want);
            model_close(one);
            model_close(two);
        }
}

TEST(ranks_do_not_change_bits)
{
    static const struct {
        const char *name;
        int n_ranks;
    } cases[] = {{"qwen2-tied-bf16", 2},
                 {"qwen2-tied-bf16", 4},
                 {"llama3-untied-bf16-sharded", 4},
                 {"llama3-tied-f16", 2}};

    for (size_t c = 0; c < LEN(cases); c++)
        for (size_t t = 0; t < LEN(dtypes); t++) {
            struct err e = ERR_INIT;
            int32_t ids[N_IDS];
            struct model *one = open_model(cases[c].name, dtypes[t], "auto", 2, 1, &e), *many;
            float *want, *got;

            CHECK_OK(cases[c].name, one, &e);
            many = open_model(cases[c].name, dtypes[t], "auto", 1, cases[c].n_ranks, &e);
            CHECK_OK(cases[c].name, many, &e);
            make_ids(ids, N_IDS, 2);
            want = run_all(one, ids, CHUNK, 1);
            got = run_all(many, ids, 100, 1);
            check_same(cases[c].name, got, want,
                       (size_t)N_IDS * (size_t)model_config(one)->vocab_size);
            free(want);
            free(got);
            model_close(one);
            model_close(many);
        }
}

/* One step that decodes n sequences: all end in `last`, with one token to add to N_IDS - 1 that are
 * in the cache. */
static float *decode_step(struct model *m, int n, const int32_t *tables, const int32_t *last)
{
    int32_t positions[64], slots[64], start[65] = {0}, lens[64], rows[64];
    int n_blocks = (N_IDS + 15) / 16, vocab = model_config(m)->vocab_size;
    struct err e = ERR_INIT;
    struct batch b = {.n_tokens = n,
                      .n_seqs = n,
                      .n_logits = n,
                      .max_blocks = n_blocks,
                      .token_ids = last,
                      .positions = positions,
                      .slot_mapping = slots,
                      .block_table = tables,
                      .query_start = start,
                      .seq_lens = lens,
                      .logit_rows = rows};
    float *out = xcalloc((size_t)n * (size_t)vocab, sizeof(*out)), *logits;

    for (int i = 0; i < n; i++) {
        positions[i] = N_IDS - 1;
        slots[i] = tables[i * n_blocks + n_blocks - 1] * 16 + (N_IDS - 1) % 16;
        start[i + 1] = i + 1;
        lens[i] = N_IDS;
        rows[i] = i;
    }
    CHECK_OK("decode", model_forward(m, &b, &e) && model_logits(m, 0, n, &logits, &e), &e);
    memcpy(out, logits, (size_t)n * (size_t)vocab * sizeof(*out));
    return out;
}

/* One sequence, then 64 that share its blocks but for the last, which is copied for each. */
TEST(company_does_not_change_bits)
{
    enum { N_BLOCKS = (N_IDS + 15) / 16 };

    for (size_t s = 0; s < LEN(sets); s++)
        for (size_t t = 0; t < LEN(dtypes); t++) {
            struct err e = ERR_INIT;
            int32_t ids[N_IDS], tables[64 * N_BLOCKS], pairs[126], last[64];
            struct model *m = open_model("qwen2-tied-bf16", dtypes[t], sets[s], 2, 1, &e);
            struct run r = {.model = m, .first_block = 1, .chunk = CHUNK};
            float *alone, *among;

            if (!m && e.code == ERR_UNSUPPORTED)
                continue;
            CHECK_OK(sets[s], m, &e);
            make_ids(ids, N_IDS, 3);
            CHECK_OK(sets[s], run_tokens(&r, ids, N_IDS - 1, NULL, &e), &e);
            for (int i = 0; i < 64; i++) {
                for (int b = 0; b < N_BLOCKS; b++)
                    tables[i * N_BLOCKS + b] = 1 + b;
                tables[i * N_BLOCKS + N_BLOCKS - 1] = i == 0 ? N_BLOCKS : 100 + i;
                last[i] = ids[N_IDS - 1];
                if (i > 0) {
                    pairs[2 * i - 2] = N_BLOCKS;
                    pairs[2 * i - 1] = 100 + i;
                }
            }
            CHECK_OK(sets[s], model_copy_blocks(m, pairs, 63, &e), &e);
            alone = decode_step(m, 1, tables, last);
            among = decode_step(m, 64, tables, last);
            for (int i = 0; i < 64; i++)
                check_same(sets[s], among + (size_t)i * (size_t)model_config(m)->vocab_size, alone,
                           (size_t)model_config(m)->vocab_size);
            free(alone);
            free(among);
            model_close(m);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_and_threads_do_not_change_bits),
        cmocka_unit_test(ranks_do_not_change_bits),
        cmocka_unit_test(company_does_not_change_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
