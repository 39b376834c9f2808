/* model.c - opening a model, checking batches, and keeping ranks in step.
 *
 * Rank 0 checks and runs what the engine asks for. With more ranks it first sends each call to the
 * others: a header of fixed size, then one block of 32-bit words that holds the arrays back to
 * back. */
#include "model/model.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/num.h"
#include "base/thread.h"
#include "formats/json.h"
#include "model/config.h"
#include "model/decoder.h"

enum { DEFAULT_MAX_TOKENS = 256, DEFAULT_MAX_SEQS = 64, MAX_TOKENIZER_BYTES = 512 << 20 };

enum call { CALL_FORWARD, CALL_LOGITS, CALL_ALLOC, CALL_COPY, CALL_CLOSE };

struct header {
    int32_t call;
    int32_t a, b; /* logits: first, n; alloc, copy: count */
    int32_t n_tokens, n_seqs, n_logits, max_blocks, n_image_rows;
};

/* One rank: a decoder, and what it takes to receive calls. */
struct rank {
    struct model *model;
    struct comm *comm;
    struct decoder *decoder;
    int32_t *words; /* [max_words]: the arrays of a call */
    pthread_t thread;
    bool is_started;
    struct err err; /* of opening and of following */
};

struct model {
    struct model_config config;
    struct model_opts opts;
    struct decoder_opts decoder_opts;
    struct weights *weights; /* while loading */
    struct rank *ranks;      /* of this process; [0] is the caller's */
    int n_ranks;
    struct comm *comm; /* ranks[0].comm */
    int max_blocks, n_blocks;
    size_t max_words;
    uint64_t fingerprint;
    char numerics[160];
    pthread_mutex_t loading; /* ranks of one process load one after another */
};

struct model_opts model_opts_default(void)
{
    return (struct model_opts){.dtype = "auto",
                               .load_format = "auto",
                               .device = "auto",
                               .cpu_isa = "auto",
                               .rope_scaling = ""};
}

/* --- opening ---------------------------------------------------------------------------------- */

static bool read_options(struct model *m, struct err *e)
{
    struct model_opts *o = &m->opts;
    struct decoder_opts *d = &m->decoder_opts;
    int longest = model_config_max_len(&m->config), n_ranks = MAX(o->tensor_parallel_size, 1);

    if (o->dtype && strcmp(o->dtype, "float32") != 0 && strcmp(o->dtype, "bfloat16") != 0 &&
        strcmp(o->dtype, "auto") != 0)
        return err_set(e, ERR_INPUT, "dtype \"%s\" is not one of auto, bfloat16, float32",
                       o->dtype);
    if (o->load_format && strcmp(o->load_format, "auto") != 0 &&
        strcmp(o->load_format, "dummy") != 0)
        return err_set(e, ERR_INPUT, "load_format \"%s\" is not one of auto, dummy",
                       o->load_format);
    if (o->max_model_len > longest)
        return err_set(
            e, ERR_INPUT,
            "max_model_len %d is over the %d positions of this model; --rope_scaling may reach further",
            o->max_model_len, longest);
    d->device.name = o->device;
    d->device.cpu_isa = o->cpu_isa;
    d->device.compute = o->dtype && strcmp(o->dtype, "float32") == 0 ? DTYPE_F32 : DTYPE_BF16;
    d->device.n_threads = o->n_threads > 0 ? o->n_threads : MAX(thread_n_cpus() / n_ranks, 1);
    d->max_model_len = o->max_model_len > 0 ? o->max_model_len : longest;
    d->max_tokens = o->max_num_batched_tokens > 0 ? o->max_num_batched_tokens : DEFAULT_MAX_TOKENS;
    d->max_seqs = o->max_num_seqs > 0 ? o->max_num_seqs : DEFAULT_MAX_SEQS;
    d->max_logits = o->max_logits > 0 ? o->max_logits : d->max_seqs;
    m->max_blocks = (d->max_model_len + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS;
    m->max_words =
        (size_t)d->max_tokens * (size_t)(4 + m->config.n_axes) + 2 +
        (size_t)d->max_seqs * ((size_t)m->max_blocks + 2) +
        (size_t)d->max_tokens * (m->config.n_axes > 1 ? (size_t)m->config.hidden_size : 0);
    return true;
}

static bool check_special_ids(const struct model_config *c, struct err *e)
{
    for (int i = 0; i < c->n_eos_token_ids; i++)
        if (c->eos_token_ids[i] >= c->vocab_size)
            return err_set(e, ERR_INPUT, "eos_token_id %d is not below vocab_size %d",
                           c->eos_token_ids[i], c->vocab_size);
    return true;
}

/* Ids beyond the embedding would be read as another token's. Special tokens live in added_tokens.
 */
static bool check_tokenizer(const char *dir, const struct model_config *c, struct err *e)
{
    struct arena a;
    struct json *v = NULL;
    const char *path;
    int64_t max_id = -1;
    const struct json *added;
    bool ok = true;

    arena_init(&a, 0);
    path = path_join(&a, dir, "tokenizer.json");
    if (!file_exists(path))
        goto out;
    v = json_parse_file(path, MAX_TOKENIZER_BYTES, e);
    if (!v) {
        ok = false;
        goto out;
    }
    for (struct json_iter it = json_iter(json_get(json_get(v, "model"), "vocab")); json_next(&it);)
        max_id = MAX(max_id, json_int(it.value, -1));
    added = json_get(v, "added_tokens");
    for (size_t i = 0; i < json_len(added); i++)
        max_id = MAX(max_id, json_int(json_get(json_at((struct json *)added, i), "id"), -1));
    if (max_id >= c->vocab_size)
        ok = err_set(e, ERR_INPUT,
                     "%s: token id %" PRId64 " is not below vocab_size %d of config.json", path,
                     max_id, c->vocab_size);
out:
    json_close(v);
    arena_clear(&a);
    return ok;
}

static bool check_memory(struct model *m, struct device *d, struct err *e)
{
    size_t n_free, n_total,
        needed = decoder_weight_estimate(&m->config, m->decoder_opts.device.compute);

    needed /= (size_t)m->comm->size / (size_t)m->n_ranks;
    if (!d->ops->memory(d, &n_free, &n_total, e))
        return false;
    if (needed > n_free)
        return err_set(e, ERR_MEMORY, "the weights need %.2f GB in %s, %.2f GB are free%s",
                       (double)needed / 1e9, dtype_name(m->decoder_opts.device.compute),
                       (double)n_free / 1e9,
                       m->decoder_opts.device.compute == DTYPE_F32
                           ? "; --dtype bfloat16 needs half"
                           : "; ranks on several machines share them (mpirun -n N)");
    return true;
}

static bool open_rank(struct rank *r, struct err *e)
{
    struct model *m = r->model;
    struct decoder_opts o = m->decoder_opts;

    o.comm = r->comm;
    r->words = calloc(m->max_words, sizeof(*r->words));
    if (!r->words)
        return err_set(e, ERR_MEMORY, "no memory for the arrays of a step");
    pthread_mutex_lock(&m->loading);
    r->decoder = decoder_open(&m->config, &o, m->weights, e);
    pthread_mutex_unlock(&m->loading);
    return r->decoder != NULL;
}

/* Whether every rank has opened its share; all of them learn it, so that all stay or all leave. */
static bool all_opened(struct rank *r, bool ok, struct err *e)
{
    int32_t mine = ok, all[N_K_SEGMENTS] = {0};

    if (!comm_all_gather(r->comm, all, &mine, sizeof(mine), e))
        return false;
    for (int i = 0; i < r->comm->size; i++) {
        /* A rank of this process left its words before the gather; one of another process prints
         * them itself. */
        const char *why = i < r->model->n_ranks ? r->model->ranks[i].err.msg : "";

        if (!all[i])
            return err_set(e, ERR_INPUT, "rank %d could not open its share of the model%s%s", i,
                           why[0] ? ": " : "", why);
    }
    return true;
}

static bool follow(struct rank *r, struct err *e);

/* The life of a rank that is a thread: open, tell the others whether that went well, follow, close.
 */
static void *rank_main(void *arg)
{
    struct rank *r = arg;
    bool ok = open_rank(r, &r->err);

    if (all_opened(r, ok, &r->err))
        (void)follow(r, &r->err);
    decoder_close(r->decoder);
    r->decoder = NULL;
    return NULL;
}

static bool start_ranks(struct model *m, struct err *e)
{
    struct comm **comms = xcalloc((size_t)m->n_ranks, sizeof(struct comm *));
    bool ok = comm_threads_open(m->n_ranks, comms, e);

    for (int i = 0; ok && i < m->n_ranks; i++)
        m->ranks[i].comm = comms[i];
    free(comms);
    return ok;
}

static bool open_ranks(struct model *m, struct err *e)
{
    bool ok;

    for (int i = 1; i < m->n_ranks; i++) {
        if (pthread_create(&m->ranks[i].thread, NULL, rank_main, &m->ranks[i]) != 0)
            return err_set(e, ERR_IO, "cannot start a thread for rank %d", i);
        m->ranks[i].is_started = true;
    }
    ok = open_rank(&m->ranks[0], e);
    return all_opened(&m->ranks[0], ok, e);
}

static void set_fingerprint(struct model *m)
{
    const struct rope_config *r = &m->config.rope;
    double numbers[] = {r->type,
                        r->theta,
                        r->factor,
                        r->low_freq_factor,
                        r->high_freq_factor,
                        r->beta_fast,
                        r->beta_slow,
                        r->attention_factor,
                        r->original_max_position_embeddings,
                        m->config.rms_norm_eps,
                        m->config.n_heads,
                        m->config.head_dim};

    m->fingerprint =
        siphash64(weights_fingerprint(m->weights),
                  siphash64(0, 0, m->numerics, strlen(m->numerics)), numbers, sizeof(numbers));
}

struct model *model_open(const char *dir, const struct model_opts *o, struct err *e)
{
    struct model *m = xcalloc(1, sizeof(*m));
    bool is_dummy = o->load_format && strcmp(o->load_format, "dummy") == 0;
    struct device *probe = NULL;

    m->opts = *o;
    pthread_mutex_init(&m->loading, NULL);
    m->n_ranks = o->comm ? 1 : MAX(o->tensor_parallel_size, 1);
    m->ranks = xcalloc((size_t)m->n_ranks, sizeof(*m->ranks));
    for (int i = 0; i < m->n_ranks; i++)
        m->ranks[i].model = m;
    m->ranks[0].comm = o->comm ? o->comm : comm_self();
    if (!model_config_read(dir, o->rope_scaling, &m->config, e) || !read_options(m, e))
        goto fail;
    if (!is_dummy && (!check_tokenizer(dir, &m->config, e) || !check_special_ids(&m->config, e)))
        goto fail;
    m->weights = is_dummy ? weights_open_dummy(o->dummy_seed) : weights_open(dir, e);
    if (!m->weights)
        goto fail;
    if (m->n_ranks > 1 && !start_ranks(m, e))
        goto fail;
    m->comm = m->ranks[0].comm;
    probe = device_open(
        &(struct device_opts){.name = o->device, .cpu_isa = o->cpu_isa, .n_threads = 1}, e);
    if (!probe || !check_memory(m, probe, e) || !open_ranks(m, e))
        goto fail;
    snprintf(m->numerics, sizeof(m->numerics), "%s", decoder_device(m->ranks[0].decoder)->numerics);
    set_fingerprint(m);
    weights_close(m->weights);
    m->weights = NULL;
    device_close(probe);
    return m;

fail:
    err_prefix(e, "%s", dir);
    device_close(probe);
    model_close(m);
    return NULL;
}

/* --- calls to the other ranks ----------------------------------------------------------------- */

static bool send_call(struct model *m, struct header *h, struct err *e)
{
    return m->comm->size == 1 || comm_broadcast(m->comm, h, sizeof(*h), e);
}

static size_t put(int32_t *words, size_t at, const void *from, size_t n)
{
    memcpy(words + at, from, n * sizeof(*words));
    return at + n;
}

/* Where each array of a batch lies in the words of a call. */
static size_t batch_words(const struct header *h, int n_axes, int hidden_size)
{
    size_t t = (size_t)h->n_tokens, s = (size_t)h->n_seqs;

    return t * (2 + (size_t)n_axes) + s * ((size_t)h->max_blocks + 1) + s + 1 +
           (size_t)h->n_logits + (size_t)h->n_image_rows * (1 + (size_t)hidden_size);
}

static bool send_batch(struct model *m, const struct batch *b, struct err *e)
{
    struct header h = {.call = CALL_FORWARD,
                       .n_tokens = b->n_tokens,
                       .n_seqs = b->n_seqs,
                       .n_logits = b->n_logits,
                       .max_blocks = b->max_blocks,
                       .n_image_rows = b->n_image_rows};
    int32_t *w = m->ranks[0].words;
    size_t t = (size_t)b->n_tokens, s = (size_t)b->n_seqs, at = 0;

    if (m->comm->size == 1)
        return true;
    at = put(w, at, b->token_ids, t);
    at = put(w, at, b->slot_mapping, t);
    at = put(w, at, b->positions, t * (size_t)m->config.n_axes);
    at = put(w, at, b->block_table, s * (size_t)b->max_blocks);
    at = put(w, at, b->seq_lens, s);
    at = put(w, at, b->query_start, s + 1);
    at = put(w, at, b->logit_rows, (size_t)b->n_logits);
    if (b->n_image_rows > 0) {
        at = put(w, at, b->image_rows, (size_t)b->n_image_rows);
        at = put(w, at, b->image_embeds, (size_t)b->n_image_rows * (size_t)m->config.hidden_size);
    }
    return send_call(m, &h, e) && comm_broadcast(m->comm, w, at * sizeof(*w), e);
}

static bool receive_batch(struct rank *r, const struct header *h, struct batch *b, struct err *e)
{
    const struct model_config *c = &r->model->config;
    size_t n = batch_words(h, c->n_axes, c->hidden_size);
    const int32_t *w = r->words;

    if (!comm_broadcast(r->comm, r->words, n * sizeof(*r->words), e))
        return false;
    *b = (struct batch){.n_tokens = h->n_tokens,
                        .n_seqs = h->n_seqs,
                        .n_logits = h->n_logits,
                        .max_blocks = h->max_blocks,
                        .n_image_rows = h->n_image_rows};
    b->token_ids = w;
    b->slot_mapping = b->token_ids + h->n_tokens;
    b->positions = b->slot_mapping + h->n_tokens;
    b->block_table = b->positions + (size_t)h->n_tokens * (size_t)c->n_axes;
    b->seq_lens = b->block_table + (size_t)h->n_seqs * (size_t)h->max_blocks;
    b->query_start = b->seq_lens + h->n_seqs;
    b->logit_rows = b->query_start + h->n_seqs + 1;
    b->image_rows = b->logit_rows + h->n_logits;
    b->image_embeds = (const float *)(b->image_rows + h->n_image_rows);
    return true;
}

static bool receive_pairs(struct rank *r, int n, struct err *e)
{
    if (!comm_broadcast(r->comm, r->words, (size_t)n * 2 * sizeof(*r->words), e))
        return false;
    decoder_copy_blocks(r->decoder, r->words, n);
    return true;
}

static bool follow(struct rank *r, struct err *e)
{
    for (;;) {
        struct header h;
        struct batch b;
        float *logits;
        bool ok = false;

        if (!comm_broadcast(r->comm, &h, sizeof(h), e))
            return false;
        switch ((enum call)h.call) {
        case CALL_FORWARD:
            ok = receive_batch(r, &h, &b, e) && decoder_forward(r->decoder, &b, e);
            break;
        case CALL_LOGITS:
            ok = decoder_logits(r->decoder, h.a, h.b, &logits, e);
            break;
        case CALL_ALLOC:
            ok = decoder_alloc_blocks(r->decoder, h.a, e);
            break;
        case CALL_COPY:
            ok = receive_pairs(r, h.a, e);
            break;
        case CALL_CLOSE:
            return true;
        }
        if (!ok)
            return false;
    }
}

bool model_follow(struct model *m, struct err *e)
{
    return follow(&m->ranks[0], e);
}

void model_close(struct model *m)
{
    struct header h = {.call = CALL_CLOSE};
    struct err ignored = ERR_INIT;

    if (!m)
        return;
    /* Followers wait for a header only if all ranks opened; else each has left by itself. */
    if (m->comm && m->comm->size > 1 && m->comm->rank == 0 && m->numerics[0] != '\0')
        (void)!send_call(m, &h, &ignored);
    for (int i = 0; i < m->n_ranks; i++) {
        if (m->ranks[i].is_started)
            pthread_join(m->ranks[i].thread, NULL);
        decoder_close(m->ranks[i].decoder);
        free(m->ranks[i].words);
        if (!m->opts.comm)
            comm_close(m->ranks[i].comm);
    }
    weights_close(m->weights);
    pthread_mutex_destroy(&m->loading);
    free(m->ranks);
    free(m);
}

/* --- what the engine asks --------------------------------------------------------------------- */

const struct model_config *model_config(const struct model *m)
{
    return &m->config;
}

int model_max_model_len(const struct model *m)
{
    return m->decoder_opts.max_model_len;
}

const char *model_numerics(const struct model *m)
{
    return m->numerics;
}

uint64_t model_fingerprint(const struct model *m)
{
    return m->fingerprint;
}

int model_block_tokens(const struct model *m UNUSED)
{
    return KV_BLOCK_TOKENS;
}

size_t model_block_bytes(const struct model *m)
{
    return decoder_block_bytes(m->ranks[0].decoder) * (size_t)m->n_ranks;
}

size_t model_weight_bytes(const struct model *m)
{
    return decoder_weight_bytes(m->ranks[0].decoder) * (size_t)m->n_ranks;
}

bool model_memory_left(struct model *m, double utilization, size_t *n_bytes, struct err *e)
{
    struct device *d = decoder_device(m->ranks[0].decoder);
    size_t n_free, n_total;

    if (!d->ops->memory(d, &n_free, &n_total, e))
        return false;
    *n_bytes = (size_t)((double)n_free * utilization);
    return true;
}

bool model_alloc_blocks(struct model *m, int n_blocks, struct err *e)
{
    struct header h = {.call = CALL_ALLOC, .a = n_blocks};

    if (n_blocks < 2)
        return err_set(e, ERR_INPUT,
                       "%d kv blocks are too few: one is scratch, one sequence needs one",
                       n_blocks);
    if (!send_call(m, &h, e) || !decoder_alloc_blocks(m->ranks[0].decoder, n_blocks, e))
        return false;
    m->n_blocks = n_blocks;
    return true;
}

bool model_copy_blocks(struct model *m, const int32_t *pairs, int n_pairs, struct err *e)
{
    struct header h = {.call = CALL_COPY, .a = n_pairs};

    for (int i = 0; i < 2 * n_pairs; i++)
        if (pairs[i] < 0 || pairs[i] >= m->n_blocks)
            return err_set(e, ERR_INPUT, "kv block %d is not one of %d", (int)pairs[i],
                           m->n_blocks);
    if ((size_t)n_pairs * 2 > m->max_words)
        return err_set(e, ERR_INPUT, "%d pairs of kv blocks are too many at once", n_pairs);
    if (m->comm->size > 1 &&
        (!send_call(m, &h, e) ||
         !comm_broadcast(m->comm, memcpy(m->ranks[0].words, pairs, (size_t)n_pairs * 8),
                         (size_t)n_pairs * 8, e)))
        return false;
    decoder_copy_blocks(m->ranks[0].decoder, pairs, n_pairs);
    return true;
}

static bool check_seq(const struct model *m, const struct batch *b, int s, struct err *e)
{
    int n_new = b->query_start[s + 1] - b->query_start[s], len = b->seq_lens[s];

    if (n_new < 1 || len < n_new || len > m->decoder_opts.max_model_len)
        return err_set(e, ERR_INPUT,
                       "sequence %d of the batch has %d new of %d tokens; max_model_len is %d", s,
                       n_new, len, m->decoder_opts.max_model_len);
    if ((len + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS > b->max_blocks)
        return err_set(e, ERR_INPUT, "sequence %d of the batch has %d tokens in %d blocks", s, len,
                       b->max_blocks);
    for (int i = 0; i < (len + KV_BLOCK_TOKENS - 1) / KV_BLOCK_TOKENS; i++) {
        int block = b->block_table[(size_t)s * (size_t)b->max_blocks + (size_t)i];

        if (block < 0 || block >= m->n_blocks)
            return err_set(e, ERR_INPUT, "kv block %d of sequence %d is not one of %d", block, s,
                           m->n_blocks);
    }
    return true;
}

/* The engine's arrays come from requests in the end: what could reach outside of memory is refused.
 */
static bool check_batch(const struct model *m, const struct batch *b, struct err *e)
{
    const struct decoder_opts *o = &m->decoder_opts;

    if (b->n_tokens < 1 || b->n_tokens > o->max_tokens || b->n_seqs < 1 ||
        b->n_seqs > o->max_seqs || b->n_logits < 0 || b->n_logits > b->n_tokens ||
        b->max_blocks < 1 || b->max_blocks > m->max_blocks || b->n_image_rows < 0 ||
        b->n_image_rows > (m->config.n_axes > 1 ? b->n_tokens : 0))
        return err_set(
            e, ERR_INPUT,
            "a step of %d tokens in %d sequences with %d logits is over the limits %d and %d",
            b->n_tokens, b->n_seqs, b->n_logits, o->max_tokens, o->max_seqs);
    if (b->query_start[0] != 0 || b->query_start[b->n_seqs] != b->n_tokens)
        return err_set(e, ERR_INPUT, "the sequences of the batch do not add up to its %d tokens",
                       b->n_tokens);
    for (int t = 0; t < b->n_tokens; t++) {
        int slot = b->slot_mapping[t];

        if (b->token_ids[t] < 0 || b->token_ids[t] >= m->config.vocab_size)
            return err_set(e, ERR_INPUT, "token id %d is not below vocab_size %d",
                           (int)b->token_ids[t], m->config.vocab_size);
        if (slot < 0 || slot / KV_BLOCK_TOKENS >= m->n_blocks)
            return err_set(e, ERR_INPUT, "slot %d is not in one of %d kv blocks", slot,
                           m->n_blocks);
    }
    for (int i = 0; i < b->n_tokens * m->config.n_axes; i++)
        if (b->positions[i] < 0 || b->positions[i] >= o->max_model_len)
            return err_set(e, ERR_INPUT, "position %d is not below max_model_len %d",
                           (int)b->positions[i], o->max_model_len);
    for (int i = 0; i < b->n_logits; i++)
        if (b->logit_rows[i] < 0 || b->logit_rows[i] >= b->n_tokens)
            return err_set(e, ERR_INPUT, "logit row %d is not one of %d", (int)b->logit_rows[i],
                           b->n_tokens);
    for (int s = 0; s < b->n_seqs; s++)
        if (!check_seq(m, b, s, e))
            return false;
    return true;
}

bool model_forward(struct model *m, const struct batch *b, struct err *e)
{
    return check_batch(m, b, e) && send_batch(m, b, e) &&
           decoder_forward(m->ranks[0].decoder, b, e);
}

bool model_logits(struct model *m, int first, int n, float **logits, struct err *e)
{
    struct header h = {.call = CALL_LOGITS, .a = first, .b = n};

    if (first < 0 || n < 1 || n > m->decoder_opts.max_logits ||
        first + n > m->decoder_opts.max_tokens)
        return err_set(e, ERR_INPUT, "logits of rows %d to %d at once; the limit is %d rows", first,
                       first + n - 1, m->decoder_opts.max_logits);
    return send_call(m, &h, e) && decoder_logits(m->ranks[0].decoder, first, n, logits, e);
}
