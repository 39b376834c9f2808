/* cmd_inspect_logits.c - what a model makes of given token ids, without sampling or scheduler.
 *
 * Each input line is one sequence of its own, computed from an empty cache in blocks 1, 2, ... */
#include <inttypes.h>
#include <math.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/log.h"
#include "base/opt.h"
#include "cli/commands.h"
#include "cli/inspect.h"
#include "formats/json.h"
#include "formats/jsonl.h"
#include "model/model.h"

struct options {
    const char *model_name_or_path, *input_file, *logits_file, *dtype, *load_format, *rope_scaling,
        *cpu_isa;
    int max_model_len, max_num_batched_tokens, n_threads, tensor_parallel_size;
    bool json;
};

static const struct opt option_table[] = {
    OPT_STR(struct options, model_name_or_path, "", "folder of the model", .flags = OPT_REQUIRED),
    OPT_STR(
        struct options, input_file, "",
        "JSONL: {\"ids\": [...], \"positions\": [...], \"top\": N, \"greedy\": N, \"continuation\": [...]}",
        .flags = OPT_REQUIRED),
    OPT_STR(struct options, logits_file, "",
            "write vocab_size little-endian float32 for each asked position"),
    OPT_CHOICE(struct options, dtype, "auto", "auto|float32|bfloat16",
               "type of weights, activations and cache"),
    OPT_CHOICE(struct options, load_format, "auto", "auto|dummy",
               "dummy: random weights, only config.json is read"),
    OPT_STR(struct options, rope_scaling, "", "JSON that replaces rope_scaling of config.json"),
    OPT_CHOICE(struct options, cpu_isa, "auto", "auto|plain|avx2|avx512|avx512_bf16|amx_bf16",
               "CPU kernel set"),
    OPT_INT(struct options, max_model_len, "0", 0, 16777216, "longest context; 0: the model's"),
    OPT_INT(struct options, max_num_batched_tokens, "256", 1, 65536, "tokens of one step"),
    OPT_INT(struct options, n_threads, "0", 0, 256, "worker threads; 0: one for each CPU"),
    OPT_INT(struct options, tensor_parallel_size, "1", 1, 8,
            "ranks as threads of this process; under mpirun its processes are the ranks"),
    OPT_BOOL(struct options, json, "false", "JSON lines, which is the only form"),
    {0},
};

/* One line of input. */
struct query {
    int line_no;
    int32_t *ids, *continuation;
    int *positions;
    int n_ids, n_continuation, n_positions;
    int n_top, n_greedy; /* -1: not asked for */
    bool has_continuation;
};

struct run {
    const struct options *o;
    struct comm *comm; /* ranks as processes under mpirun, or NULL */
    struct model *model;
    const struct model_config *config;
    struct arena arena; /* lines */
    struct query *queries;
    int n_queries, longest; /* tokens that the cache must hold */
    FILE *logits;
    int32_t *table, *positions, *slots, *rows; /* of a step */
    int n_done;                                /* tokens of the present sequence in the cache */
};

/* --- input ------------------------------------------------------------------------------------ */

/* An array of integers within [0, below). */
static bool read_ids(struct run *r, const struct json *v, const char *key, int below, int32_t **out,
                     int *n, struct err *e)
{
    const struct json *array = json_get(v, key);

    if (json_type(array) != JSON_ARRAY)
        return err_set(e, ERR_INPUT, "\"%s\" is %s, not an array", key,
                       json_type_name(json_type(array)));
    *n = (int)json_len(array);
    *out = arena_array(&r->arena, (size_t)*n + 1, sizeof(**out));
    for (int i = 0; i < *n; i++) {
        int64_t id = json_int(json_at((struct json *)array, (size_t)i), -1);

        if (id < 0 || id >= below)
            return err_set(e, ERR_INPUT, "\"%s\"[%d] is not an integer within 0 to %d", key, i,
                           below - 1);
        (*out)[i] = (int32_t)id;
    }
    return true;
}

static bool read_count(const struct json *v, const char *key, int max, int *out, struct err *e)
{
    const struct json *n = json_get(v, key);

    *out = -1;
    if (json_type(n) == JSON_ABSENT || json_type(n) == JSON_NULL)
        return true;
    if (json_type(n) != JSON_INT || json_int(n, -1) < 0 || json_int(n, -1) > max)
        return err_set(e, ERR_INPUT, "\"%s\" is not an integer within 0 to %d", key, max);
    *out = (int)json_int(n, -1);
    return true;
}

/* Without "positions" the last one is meant, unless the line asks for something else only. */
static bool read_positions(struct run *r, const struct json *v, struct query *q, struct err *e)
{
    if (json_type(json_get(v, "positions")) != JSON_ABSENT)
        return read_ids(r, v, "positions", q->n_ids, &q->positions, &q->n_positions, e);
    q->positions = arena_array(&r->arena, 1, sizeof(*q->positions));
    q->positions[0] = q->n_ids - 1;
    q->n_positions = q->n_top >= 0 || (q->n_greedy < 0 && !q->has_continuation) ? 1 : 0;
    return true;
}

static bool read_query(struct run *r, const struct json *v, struct query *q, struct err *e)
{
    int max_len = model_max_model_len(r->model), needed;

    if (json_type(v) != JSON_OBJECT)
        return err_set(e, ERR_INPUT, "the line is %s, not an object", json_type_name(json_type(v)));
    if (!read_ids(r, v, "ids", r->config->vocab_size, &q->ids, &q->n_ids, e))
        return false;
    if (q->n_ids == 0)
        return err_set(e, ERR_INPUT, "\"ids\" is empty");
    q->has_continuation = json_type(json_get(v, "continuation")) != JSON_ABSENT;
    if (q->has_continuation && !read_ids(r, v, "continuation", r->config->vocab_size,
                                         &q->continuation, &q->n_continuation, e))
        return false;
    if (!read_count(v, "top", r->config->vocab_size, &q->n_top, e) ||
        !read_count(v, "greedy", max_len, &q->n_greedy, e))
        return false;
    if (!read_positions(r, v, q, e))
        return false;
    needed = q->n_ids + MAX(MAX(q->n_greedy - 1, q->n_continuation - 1), 0);
    if (needed > max_len)
        return err_set(e, ERR_INPUT, "%d tokens are over max_model_len %d", needed, max_len);
    r->longest = MAX(r->longest, needed);
    return true;
}

static bool read_queries(struct run *r, struct err *e)
{
    struct file_map file;
    struct jsonl lines;
    struct str line;
    bool ok = true;

    if (!file_map_open(r->o->input_file, &file, e))
        return false;
    jsonl_init(&lines, (struct str){file.ptr, file.len});
    while (ok && jsonl_next(&lines, &line)) {
        struct json *v = json_parse(line, e);
        struct query q = {.line_no = (int)lines.line_no};

        ok = v && read_query(r, v, &q, e);
        json_close(v);
        if (!ok)
            err_prefix(e, "%s:%d", r->o->input_file, q.line_no);
        r->queries = xrealloc(r->queries, (size_t)(r->n_queries + 1) * sizeof(*r->queries));
        r->queries[r->n_queries++] = q;
    }
    file_map_close(&file);
    return ok;
}

/* --- the model -------------------------------------------------------------------------------- */

/* Adds n tokens to the present sequence; the logits of the last step's rows can then be asked for.
 */
static bool step(struct run *r, const int32_t *ids, int n, struct err *e)
{
    int32_t start[2] = {0, n}, len = r->n_done + n;
    struct batch b = {
        .n_tokens = n,
        .n_seqs = 1,
        .n_logits = n,
        .max_blocks = (len + 15) / 16,
        .token_ids = ids,
        .positions = r->positions,
        .slot_mapping = r->slots,
        .block_table = r->table,
        .query_start = start,
        .seq_lens = &len,
        .logit_rows = r->rows,
    };

    for (int i = 0; i < n; i++) {
        for (int axis = 0; axis < r->config->n_axes; axis++)
            r->positions[axis * n + i] = r->n_done + i;
        r->slots[i] = 16 + r->n_done + i;
        r->rows[i] = i;
    }
    r->n_done += n;
    return model_forward(r->model, &b, e);
}

static double log_sum_exp(const float *logits, int n)
{
    double max = -INFINITY, sum = 0;

    for (int i = 0; i < n; i++)
        max = fmax(max, logits[i]);
    for (int i = 0; i < n; i++)
        sum += exp(logits[i] - max);
    return max + log(sum);
}

static int argmax(const float *x, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++)
        if (x[i] > x[best])
            best = i;
    return best;
}

/* The n best of one position, ties to the lower id. */
static struct json *top_of(const float *logits, int vocab_size, int n, int position)
{
    struct json *out = json_new_object(), *ids = json_new_array(), *logprobs = json_new_array();
    double norm = log_sum_exp(logits, vocab_size);
    bool *is_taken = xcalloc((size_t)vocab_size, sizeof(*is_taken));

    for (int k = 0; k < MIN(n, vocab_size); k++) {
        int best = -1;

        for (int i = 0; i < vocab_size; i++)
            if (!is_taken[i] && (best < 0 || logits[i] > logits[best]))
                best = i;
        is_taken[best] = true;
        json_push(ids, json_new_int(best));
        json_push(logprobs, json_new_real(logits[best] - norm));
    }
    free(is_taken);
    json_set(out, "position", json_new_int(position));
    json_set(out, "ids", ids);
    json_set(out, "logprobs", logprobs);
    return out;
}

/* Computes all ids; kept[n_positions, vocab_size] gets the logits of the asked positions in their
 * order, last those of the last id. */
static bool prefill(struct run *r, const struct query *q, float *kept, float *last, struct err *e)
{
    size_t vocab = (size_t)r->config->vocab_size;

    r->n_done = 0;
    for (int at = 0; at < q->n_ids;) {
        int n = MIN(q->n_ids - at, r->o->max_num_batched_tokens);

        if (!step(r, q->ids + at, n, e))
            return false;
        for (int row = 0; row < n; row++) {
            bool is_wanted = at + row == q->n_ids - 1;
            float *logits;

            for (int i = 0; i < q->n_positions; i++)
                is_wanted |= q->positions[i] == at + row;
            if (!is_wanted)
                continue;
            if (!model_logits(r->model, row, 1, &logits, e))
                return false;
            for (int i = 0; i < q->n_positions; i++)
                if (q->positions[i] == at + row)
                    memcpy(kept + (size_t)i * vocab, logits, vocab * sizeof(float));
            if (at + row == q->n_ids - 1)
                memcpy(last, logits, vocab * sizeof(float));
        }
        at += n;
    }
    return true;
}

static struct json *greedy(struct run *r, const struct query *q, const float *last, struct err *e)
{
    struct json *out = json_new_object(), *tokens = json_new_array(), *logprobs = json_new_array();
    const float *logits = last;

    json_set(out, "tokens", tokens);
    json_set(out, "logprobs", logprobs);
    for (int i = 0; i < q->n_greedy; i++) {
        int32_t best = argmax(logits, r->config->vocab_size);
        float *next;

        json_push(tokens, json_new_int(best));
        json_push(logprobs,
                  json_new_real(logits[best] - log_sum_exp(logits, r->config->vocab_size)));
        if (i + 1 == q->n_greedy)
            break;
        if (!step(r, &best, 1, e) || !model_logits(r->model, 0, 1, &next, e)) {
            json_close(out);
            return NULL;
        }
        logits = next;
    }
    return out;
}

static struct json *continuation(struct run *r, const struct query *q, const float *last,
                                 struct err *e)
{
    struct json *out = json_new_object(), *logprobs = json_new_array();
    const float *logits = last;
    double sum = 0;
    bool is_greedy = true;

    json_set(out, "logprobs", logprobs);
    for (int i = 0, in_step = 0, n_step = 0; i < q->n_continuation; i++) {
        double logprob = logits[q->continuation[i]] - log_sum_exp(logits, r->config->vocab_size);
        float *next;

        json_push(logprobs, json_new_real(logprob));
        sum += logprob;
        is_greedy &= argmax(logits, r->config->vocab_size) == q->continuation[i];
        if (i + 1 == q->n_continuation)
            break;
        if (in_step == n_step) {
            n_step = MIN(q->n_continuation - 1 - i, r->o->max_num_batched_tokens);
            in_step = 0;
            if (!step(r, q->continuation + i, n_step, e))
                goto fail;
        }
        if (!model_logits(r->model, in_step++, 1, &next, e))
            goto fail;
        logits = next;
    }
    json_set(out, "sum_logprob", json_new_real(sum));
    json_set(out, "is_greedy", json_new_bool(is_greedy));
    return out;

fail:
    json_close(out);
    return NULL;
}

/* --- output ----------------------------------------------------------------------------------- */

static bool write_logits(struct run *r, const struct query *q, const float *kept, struct err *e)
{
    size_t n = (size_t)q->n_positions * (size_t)r->config->vocab_size;

    if (!r->logits || fwrite(kept, sizeof(float), n, r->logits) == n)
        return true;
    return err_set_errno(e, "%s: cannot write", r->o->logits_file);
}

static struct json *answer(struct run *r, const struct query *q, float *kept, float *last,
                           struct err *e)
{
    struct json *out = json_new_object(), *part;

    if (!prefill(r, q, kept, last, e) || !write_logits(r, q, kept, e))
        goto fail;
    if (q->n_top >= 0) {
        part = json_new_array();
        for (int i = 0; i < q->n_positions; i++)
            json_push(part, top_of(kept + (size_t)i * (size_t)r->config->vocab_size,
                                   r->config->vocab_size, q->n_top, q->positions[i]));
        json_set(out, "top", part);
    }
    if (q->n_greedy >= 0) {
        part = greedy(r, q, last, e);
        if (!part)
            goto fail;
        json_set(out, "greedy", part);
        r->n_done = q->n_ids; /* what follows is written over */
    }
    if (q->has_continuation) {
        part = continuation(r, q, last, e);
        if (!part)
            goto fail;
        json_set(out, "continuation", part);
    }
    return out;

fail:
    json_close(out);
    return NULL;
}

static bool run_query(struct run *r, const struct query *q, struct err *e)
{
    size_t vocab = (size_t)r->config->vocab_size;
    float *kept = calloc((size_t)q->n_positions + 1, vocab * sizeof(*kept));
    float *last = calloc(vocab, sizeof(*last));
    struct json *out = NULL;
    struct buf line = {0};

    if (!kept || !last)
        err_set(e, ERR_MEMORY, "no memory for the logits of %d positions", q->n_positions);
    else
        out = answer(r, q, kept, last, e);
    if (out) {
        json_write(&line, out);
        buf_addc(&line, '\n');
        fwrite(line.ptr, 1, line.len, stdout);
    } else {
        err_prefix(e, "%s:%d", r->o->input_file, q->line_no);
    }
    buf_clear(&line);
    free(kept);
    free(last);
    json_close(out);
    return e->code == ERR_NONE;
}

static bool open_model(struct run *r, struct err *e)
{
    struct model_opts m = model_opts_default();

    m.dtype = r->o->dtype;
    m.load_format = r->o->load_format;
    m.rope_scaling = r->o->rope_scaling;
    m.cpu_isa = r->o->cpu_isa;
    m.max_model_len = r->o->max_model_len;
    m.max_num_batched_tokens = r->o->max_num_batched_tokens;
    m.n_threads = r->o->n_threads;
    m.tensor_parallel_size = r->o->tensor_parallel_size;
    if (comm_mpi_launched()) {
        r->comm = comm_mpi_open(e);
        if (!r->comm)
            return false;
        m.comm = r->comm;
        m.tensor_parallel_size = r->comm->size;
    }
    r->model = model_open(r->o->model_name_or_path, &m, e);
    if (!r->model)
        return false;
    r->config = model_config(r->model);
    return true;
}

static bool run_all(struct run *r, struct err *e)
{
    int n_blocks, n = r->o->max_num_batched_tokens;

    if (!open_model(r, e))
        return false;
    if (r->comm && r->comm->rank > 0)
        return model_follow(r->model, e);
    if (!read_queries(r, e))
        return false;
    n_blocks = (r->longest + 15) / 16;
    if (!model_alloc_blocks(r->model, n_blocks + 2, e))
        return false;
    r->table = xcalloc((size_t)n_blocks + 1, sizeof(*r->table));
    for (int i = 0; i < n_blocks; i++)
        r->table[i] = i + 1;
    r->positions = xcalloc((size_t)n * (size_t)r->config->n_axes, sizeof(*r->positions));
    r->slots = xcalloc((size_t)n, sizeof(*r->slots));
    r->rows = xcalloc((size_t)n, sizeof(*r->rows));
    if (r->o->logits_file[0] != '\0') {
        r->logits = fopen(r->o->logits_file, "wb");
        if (!r->logits)
            return err_set_errno(e, "%s: cannot open for writing", r->o->logits_file);
    }
    for (int i = 0; i < r->n_queries; i++)
        if (!run_query(r, &r->queries[i], e))
            return false;
    if (r->logits) {
        FILE *f = r->logits;

        r->logits = NULL;
        if (fclose(f) != 0)
            return err_set_errno(e, "%s: cannot write", r->o->logits_file);
    }
    return fflush(stdout) == 0 || err_set_errno(e, "cannot write to stdout");
}

int cmd_inspect_logits(int argc, char **argv)
{
    struct options o = {0};
    const struct opt_group groups[] = {{"options", option_table, &o}};
    struct run r = {.o = &o};
    struct err e = ERR_INIT;
    bool ok;

    if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0))
        return command_help(
            "usage: llmeval inspect logits --model_name_or_path DIR --input_file F.jsonl [OPTIONS]\n\n"
            "Prints one JSON line for each input line: \"top\" of the asked positions (the last one\n"
            "by default), a \"greedy\" continuation that no end-of-sequence id stops, the\n"
            "logprobs of a given \"continuation\".\n\n",
            groups, LEN(groups));
    arena_init(&r.arena, 0);
    ok = opts_parse(argc, argv, groups, LEN(groups), NULL, &e) && run_all(&r, &e);
    if (r.logits)
        fclose(r.logits);
    model_close(r.model);
    comm_close(r.comm);
    free(r.queries);
    free(r.table);
    free(r.positions);
    free(r.slots);
    free(r.rows);
    arena_clear(&r.arena);
    opts_clear(groups, LEN(groups), NULL);
    return ok ? EXIT_OK : command_failed(&e);
}
