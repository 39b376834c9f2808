/* generator_local.h - the engine behind the waist: chat template and tokenizer in front, streaming
 * text behind, the model on a thread of its own.
 *
 * A sample's tokens follow from its prompt, its parameters and its seed, whatever else runs.
 * Requests are encoded on the caller's thread, by submit; a prompt that cannot be made, or does not
 * fit, ends in GEN_FAILED with the class that says why. */
#pragma once

#include "base/opt.h"
#include "generator/generator.h"
#include "model/model.h"

struct engine_opts {
    const char *model_name_or_path;
    const char *served_name; /* not an option: set by the command; "" : the folder's name */
    int64_t seed_base;       /* not an option: seeds of requests that bring none */
    int aging_steps;         /* not an option: as the scheduler takes it; 0 but for a server */
    const char *dtype, *load_format, *rope_scaling, *device, *cpu_isa, *quantization;
    const char *chat_template, *logprobs_mode;
    int max_model_len;
    double gpu_memory_utilization;
    int tensor_parallel_size;
    int max_num_seqs, max_num_batched_tokens;
    int n_threads;
    int num_kv_blocks;
    bool enable_prefix_caching;
    /* Known to users of other engines; without effect here. */
    const char *model_revision;
    bool trust_remote_code, enforce_eager, enable_chunked_prefill;
    int pipeline_parallel_size, block_size;
    double swap_space, cpu_offload_gb;
};

extern const struct opt engine_table[];

/* How the model is to be opened; defaults filled in. */
struct model_opts engine_opts_model(const struct engine_opts *o);

/* Loads the model. Errors name the file, or say what did not fit and which flags help. */
struct generator *generator_local_open(const struct engine_opts *o, struct err *e) MUST_CHECK;

/* Under mpirun, on ranks above 0: repeats rank 0's steps until it is done, and sets *followed.
 * Elsewhere it returns at once. */
bool generator_local_follow(const struct engine_opts *o, bool *followed, struct err *e) MUST_CHECK;

/* What the arithmetic depends on, for manifests: "cpu avx512_bf16 bfloat16". */
const char *generator_local_numerics(const struct generator *g);

struct engine_stats;
void generator_local_engine_stats(const struct generator *g, struct engine_stats *out);
