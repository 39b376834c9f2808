/* model.h - a language model from a Hugging Face directory, ready to run steps.
 *
 * model_open reads config.json and the weights, packs them for the device and gives back the pages
 * of the files. The engine owns the model and calls it from one thread (the one that calls
 * model_forward); model_config and the plain numbers may be read by any thread after open.
 *
 * The cache is the model's: blocks of 16 tokens, keys and values of all layers, known outside by
 * number alone. Block 0 is scratch: it belongs to no sequence and may be written by anybody.
 *
 * With tensor_parallel_size N the ranks 1 to N-1 are threads inside the model, or the other
 * processes of `comm`, which call model_follow: in both cases only rank 0 calls what stands below.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/batch.h"
#include "parallel/comm.h"

enum rope_type { ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3, ROPE_YARN };

struct rope_config {
    enum rope_type type;
    double theta;
    double factor;                            /* linear, llama3, yarn */
    double low_freq_factor, high_freq_factor; /* llama3 */
    double beta_fast, beta_slow,
        attention_factor;                 /* yarn; attention_factor 0: 0.1 ln(factor) + 1 */
    int original_max_position_embeddings; /* 0: max_position_embeddings */
    int mrope_section[3]; /* pairs turned by time, height, width; all 0: text only */
};

enum { MAX_EOS_IDS = 16 };

/* What config.json and generation_config.json say, in this program's words. */
struct model_config {
    char arch[64]; /* "Qwen2ForCausalLM" */
    int vocab_size, hidden_size, intermediate_size, n_layers, n_heads, n_kv_heads, head_dim;
    int max_position_embeddings;
    double rms_norm_eps;
    struct rope_config rope;
    bool has_qkv_bias, has_o_bias, has_mlp_bias, has_head_norm, tie_word_embeddings;
    int sliding_window; /* 0: none; else no context may be longer, so that it never slides */
    int n_axes;         /* of positions: 1, or 3 with M-RoPE */
    int bos_token_id;   /* -1: none */
    int eos_token_ids[MAX_EOS_IDS],
        n_eos_token_ids; /* config.json and generation_config.json together */
    /* generation_config.json; what it does not say is NaN or -1 */
    double temperature, top_p, repetition_penalty;
    int top_k;
};

struct model_opts {
    const char *dtype;       /* "auto" (bfloat16), "bfloat16", "float32" */
    const char *load_format; /* "auto" or "dummy" */
    const char *device;      /* "auto", "cpu" */
    const char *cpu_isa;     /* "auto", "plain", "avx2", "avx512", "avx512_bf16", "amx_bf16" */
    const char
        *rope_scaling; /* JSON that replaces rope_scaling of config.json; "" : as it is there */
    int max_model_len; /* 0: what the configuration allows */
    int max_num_batched_tokens; /* most tokens of one step; 0: 256 */
    int max_num_seqs;           /* most sequences of one step; 0: 64 */
    int max_logits;             /* most rows of one model_logits; 0: max_num_seqs */
    int n_threads;              /* of each rank; 0: the CPUs of this process divided by the ranks */
    int tensor_parallel_size;   /* ranks as threads of this process; 0 or 1: none */
    struct comm *comm;          /* ranks as processes, borrowed; NULL: none */
    uint64_t dummy_seed;
};

struct model;

struct model_opts model_opts_default(void);

/* Refuses, with one clear line: an unknown architecture, a broken or incomplete file, a tensor of
 * the wrong shape or type, one that nobody asked for, NaN or infinite weights, a rope type it does
 * not know, a tensor_parallel_size that does not divide the heads, weights that do not fit into
 * memory. */
struct model *model_open(const char *dir, const struct model_opts *o, struct err *e) MUST_CHECK;
void model_close(struct model *m); /* NULL is fine; releases followers */

/* Reads the two configuration files alone. rope_scaling: JSON that replaces what they say; NULL or
 * "". */
bool model_config_read(const char *dir, const char *rope_scaling, struct model_config *c,
                       struct err *e) MUST_CHECK;
/* The longest context that the positions allow: with YaRN factor * original. */
int model_config_max_len(const struct model_config *c);
/* What a token meets: the values of all layers' matrices, those of the head, and the additions and
 * multiplications of attention for one query over `context` keys. */
double model_layer_weights(const struct model_config *c);
double model_head_weights(const struct model_config *c);
double model_attention_flops(const struct model_config *c, double context);

const struct model_config *model_config(const struct model *m);
int model_max_model_len(const struct model *m);
const char *model_numerics(const struct model *m); /* for manifests: "cpu amx_bf16 bfloat16" */
/* SipHash of names, shapes and samples of the weights, dtype and rope: seed of prefix-cache hashes.
 */
uint64_t model_fingerprint(const struct model *m);

/* --- the cache -------------------------------------------------------------------------------- */

int model_block_tokens(const struct model *m); /* 16 */
size_t model_block_bytes(
    const struct model *m); /* of one block, all layers, K and V, all ranks of this process */
size_t model_weight_bytes(const struct model *m); /* packed, all ranks of this process */
/* Memory that may still be taken for blocks: the smaller of what the cgroup and the machine have
 * left, times utilization (0 to 1), in bytes. */
bool model_memory_left(struct model *m, double utilization, size_t *n_bytes,
                       struct err *e) MUST_CHECK;
/* Once, before the first step. n_blocks includes block 0. */
bool model_alloc_blocks(struct model *m, int n_blocks, struct err *e) MUST_CHECK;
/* pairs[2 i] to pairs[2 i + 1], all layers, in order; before the next model_forward. */
bool model_copy_blocks(struct model *m, const int32_t *pairs, int n_pairs,
                       struct err *e) MUST_CHECK;

/* --- a step ----------------------------------------------------------------------------------- */

/* Runs all tokens of b, stores their keys and values, and keeps the last hidden state of
 * logit_rows. */
bool model_forward(struct model *m, const struct batch *b, struct err *e) MUST_CHECK;
/* Logits of entries [first, first + n) of the last step's logit_rows: *logits is [n, vocab_size]
 * f32 on the host, good until the next call on this model; n up to max_logits. The engine may write
 * to it. */
bool model_logits(struct model *m, int first, int n, float **logits, struct err *e) MUST_CHECK;

/* Ranks above 0 of a `comm`: repeats rank 0's calls until rank 0 closes its model. */
bool model_follow(struct model *m, struct err *e) MUST_CHECK;
