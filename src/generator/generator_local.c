/* generator_local.c - two threads and two lists between them.
 *
 *   caller:  submit --(tasks, cancels)--> engine thread: step, text, events --(events)--> poll
 *
 * A task belongs to the caller until submit returns, then to the engine's thread, and comes back
 * with its last event. The eventfd behind the events also carries generator_wake, which a signal
 * handler may call. */
#include "generator/generator_local.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "formats/json.h"
#include "generator/local_task.h"

enum {
    MAX_IN_FLIGHT = 4096,
    DEFAULT_NUM_SEQS = 64,
    DEFAULT_BATCHED_TOKENS = 256,
    MOST_BATCHED_TOKENS =
        2048, /* a step beyond it gains nothing and its scratch memory is lost to the cache */
    MAX_LOGITS = 64,
    RESERVE_TOKENS = 2048, /* kept free for each running sequence while another is admitted */
    MAX_TOKENIZER_CONFIG = 64 << 20,
};

const struct opt engine_table[] = {
    OPT_STR(struct engine_opts, model_name_or_path, "",
            "folder of the model: config.json, safetensors, tokenizer.json", .alias = "model"),
    OPT_CHOICE(struct engine_opts, dtype, "auto", "auto|bfloat16|float16|half|float32|float",
               "type of activations and cache; auto: bfloat16"),
    OPT_INT(struct engine_opts, max_model_len, "0", 0, 1 << 24,
            "tokens of prompt and answer together; 0: what the model allows"),
    OPT_STR(struct engine_opts, rope_scaling, "",
            "JSON instead of the model's rope_scaling, such as "
            "'{\"rope_type\":\"yarn\",\"factor\":4.0,\"original_max_position_embeddings\":32768}'"),
    OPT_REAL(struct engine_opts, gpu_memory_utilization, "0.9", 0.01, 1,
             "share of the free memory that the KV cache may take", .flags = OPT_UNRECORDED),
    OPT_INT(struct engine_opts, tensor_parallel_size, "1", 1, 64,
            "ranks that share the model, as threads; results do not depend on it",
            .flags = OPT_UNRECORDED),
    OPT_INT(struct engine_opts, max_num_seqs, "0", 0, 1 << 16, "sequences that run at once; 0: 64",
            .flags = OPT_UNRECORDED),
    OPT_INT(struct engine_opts, max_num_batched_tokens, "0", 0, 1 << 24,
            "tokens of one step; 0: 256", .flags = OPT_UNRECORDED),
    OPT_BOOL(struct engine_opts, enable_prefix_caching, "true",
             "prompts that begin alike share what was computed", .flags = OPT_UNRECORDED),
    OPT_INT(struct engine_opts, num_kv_blocks, "0", 0, 1 << 30,
            "blocks of the KV cache, 16 tokens each; 0: by memory", .flags = OPT_UNRECORDED,
            .alias = "num_gpu_blocks_override"),
    OPT_CHOICE(struct engine_opts, load_format, "auto", "auto|safetensors|dummy",
               "dummy: invented weights, for measurements"),
    OPT_CHOICE(struct engine_opts, device, "auto", "auto|cpu|cuda|npu", "where the model runs",
               .flags = OPT_UNRECORDED),
    OPT_CHOICE(struct engine_opts, cpu_isa, "auto", "auto|plain|avx2|avx512|avx512_bf16|amx_bf16",
               "instructions to compute with; part of the arithmetic"),
    OPT_INT(struct engine_opts, n_threads, "0", 0, 1024, "threads of each rank; 0: all CPUs",
            .flags = OPT_UNRECORDED),
    OPT_STR(struct engine_opts, chat_template, "",
            "file or text instead of the model's chat template"),
    OPT_CHOICE(struct engine_opts, logprobs_mode, "raw_logprobs",
               "raw_logprobs|processed_logprobs|raw|processed",
               "log probabilities of generated tokens: raw, as the model gives them, or after "
               "penalties, temperature, top_k and the like"),
    OPT_STR(struct engine_opts, quantization, "",
            "refused unless empty: weights are computed as they are stored"),
    OPT_STR(struct engine_opts, model_revision, "",
            "nothing is downloaded: the folder is what it is",
            .flags = OPT_NO_EFFECT | OPT_UNRECORDED, .alias = "revision"),
    OPT_BOOL(struct engine_opts, trust_remote_code, "false", "code of a model folder is never run",
             .flags = OPT_NO_EFFECT | OPT_UNRECORDED),
    OPT_BOOL(struct engine_opts, enforce_eager, "false", "there are no captured graphs",
             .flags = OPT_NO_EFFECT | OPT_UNRECORDED),
    OPT_BOOL(struct engine_opts, enable_chunked_prefill, "true",
             "prompts are always cut to fit a step; results do not depend on it",
             .flags = OPT_NO_EFFECT | OPT_UNRECORDED),
    OPT_INT(struct engine_opts, pipeline_parallel_size, "1", 1, 64,
            "layers are not spread over machines", .flags = OPT_NO_EFFECT | OPT_UNRECORDED),
    OPT_INT(struct engine_opts, block_size, "16", 1, 1024, "a cache block holds 16 tokens",
            .flags = OPT_NO_EFFECT | OPT_UNRECORDED),
    OPT_REAL(struct engine_opts, swap_space, "0", 0, 1e6, "preempted sequences are computed again",
             .flags = OPT_NO_EFFECT | OPT_UNRECORDED),
    OPT_REAL(struct engine_opts, cpu_offload_gb, "0", 0, 1e6, "weights lie in one place",
             .flags = OPT_NO_EFFECT | OPT_UNRECORDED),
    {0},
};

struct cancel {
    uint64_t id;
    struct cancel *next;
};

struct local {
    struct generator base;
    struct engine_opts opts;
    char *model_name;
    struct local_prompt *prompt;
    struct grammar_cache *grammars;
    struct json *info;
    struct local_source source;
    int event_fd;
    pthread_t thread;
    bool has_thread;

    /* the caller's */
    int n_in_flight;
    uint64_t n_submitted;
    struct local_event *spent; /* handed out by the last poll */

    pthread_mutex_t lock;
    pthread_cond_t changed; /* something for the engine, or the model is open */
    /* guarded by lock: */
    struct local_task *submitted, **submitted_end;
    struct cancel *cancels;
    struct local_event *events, **events_end;
    bool is_open, is_broken, is_closing;
    struct err err; /* why open failed, or what broke the engine */
    struct gen_stats stats;
    struct engine_stats engine_stats;

    /* the engine thread's: */
    struct comm *comm;
    struct model *model;
    struct engine *engine;
    struct local_task *live; /* taken and not finished */
    struct local_event *made, **made_end;
    struct gen_stats counts;
};

static struct local *of(const struct generator *g)
{
    return CONTAINER_OF((struct generator *)(uintptr_t)g, struct local, base);
}

/* --- the engine's thread: text ---------------------------------------------------------------- */

static void emit(struct local *g, struct local_event *ev)
{
    if (!ev)
        return;
    *g->made_end = ev;
    g->made_end = &ev->next;
}

static void live_add(struct local *g, struct local_task *t)
{
    t->prev = NULL;
    t->next = g->live;
    if (g->live)
        g->live->prev = t;
    g->live = t;
}

static void live_remove(struct local *g, struct local_task *t)
{
    if (t->prev)
        t->prev->next = t->next;
    else if (g->live == t)
        g->live = t->next;
    if (t->next)
        t->next->prev = t->prev;
}

/* The last event of a task; its sequence goes back to the engine. */
static void end_task(struct local *g, struct local_task *t)
{
    struct local_event *ev = local_event_last(t, &g->source);

    g->counts.n_prompt_tokens += (uint64_t)MAX(ev->ev.n_prompt_tokens, 0);
    g->counts.n_completion_tokens += (uint64_t)MAX(ev->ev.n_completion_tokens, 0);
    g->counts.n_cached_tokens += (uint64_t)MAX(ev->ev.n_cached_tokens, 0);
    *(ev->ev.kind == GEN_DONE ? &g->counts.n_done : &g->counts.n_failed) += 1;
    live_remove(g, t);
    if (t->seq)
        engine_release(g->engine, t->seq);
    t->seq = NULL;
    emit(g, ev);
}

/* The token that ended a sequence is part of its ids, not of its text, unless that was asked for.
 */
static bool is_token_shown(const struct local_task *t)
{
    enum engine_finish f = t->seq->finish;

    return t->include_stop || (f != ENGINE_EOS && f != ENGINE_STOP_TOKEN);
}

static void take_output(struct local *g, struct local_task *t)
{
    const struct seq *q = t->seq->seq;
    bool stopped = false, is_finished;

    if (t->first_us == 0)
        t->first_us = clock_us();
    if (!t->request.is_score && t->seq->finish != ENGINE_NO_TOKEN &&
        t->seq->finish != ENGINE_EXHAUSTED && is_token_shown(t) &&
        !local_text_add(&t->text, q->token_ids[q->n_tokens - 1], &stopped, &t->err))
        t->fail_class = FAIL_ENGINE;
    if (stopped) {
        engine_stop(g->engine, t->seq, ENGINE_STOPPED);
        t->seq->finish =
            ENGINE_STOPPED; /* also when the same token was the last that max_tokens allows */
    }
    if (t->fail_class != FAIL_NONE)
        engine_stop(g->engine, t->seq, ENGINE_CANCELLED);
    is_finished = t->seq->finish != ENGINE_RUNNING;
    if (is_finished && t->fail_class == FAIL_NONE && !t->request.is_score &&
        !local_text_finish(&t->text, &t->err))
        t->fail_class = FAIL_ENGINE;
    if (t->streams && t->fail_class == FAIL_NONE && t->seq->finish != ENGINE_NO_TOKEN)
        emit(g, local_event_delta(t, &g->source, is_finished));
    if (is_finished)
        end_task(g, t);
}

/* --- the engine's thread: loop ---------------------------------------------------------------- */

static void take_task(struct local *g, struct local_task *t)
{
    live_add(g, t);
    if (t->fail_class == FAIL_NONE) {
        t->seq = engine_add(g->engine, &t->request, &t->err);
        if (!t->seq)
            t->fail_class = t->err.code == ERR_INPUT ? FAIL_REQUEST : FAIL_ENGINE;
        if (!t->seq)
            t->http_status = t->err.code == ERR_INPUT ? 400 : 500;
    }
    if (t->fail_class != FAIL_NONE)
        end_task(g, t);
}

static void take_cancel(struct local *g, uint64_t id)
{
    struct local_task *t = g->live;

    while (t && t->id != id)
        t = t->next;
    if (!t)
        return;
    local_task_fail(t, FAIL_CANCELLED, 499, "the request was cancelled");
    engine_stop(g->engine, t->seq, ENGINE_CANCELLED);
    end_task(g, t);
}

static void fail_all(struct local *g, const struct err *why)
{
    while (g->live) {
        local_task_fail(g->live, FAIL_ENGINE, 500, why->msg);
        end_task(g, g->live);
    }
}

/* Hands over what was made, takes what came in; sleeps while there is nothing to do. False:
 * closing. */
static bool exchange(struct local *g, struct local_task **tasks, struct cancel **cancels)
{
    bool is_closing, has_made = g->made != NULL;
    uint64_t one = 1;

    pthread_mutex_lock(&g->lock);
    if (has_made) {
        *g->events_end = g->made;
        g->events_end = g->made_end;
        g->made = NULL;
        g->made_end = &g->made;
    }
    engine_stats(g->engine, &g->engine_stats);
    g->stats = g->counts;
    if (has_made && write(g->event_fd, &one, sizeof(one)) < 0)
        log_debug("the event counter is full");
    while (!g->is_closing && !g->submitted && !g->cancels && engine_is_idle(g->engine))
        pthread_cond_wait(&g->changed, &g->lock);
    *tasks = g->submitted;
    g->submitted = NULL;
    g->submitted_end = &g->submitted;
    *cancels = g->cancels;
    g->cancels = NULL;
    is_closing = g->is_closing;
    pthread_mutex_unlock(&g->lock);
    return !is_closing;
}

static void set_broken(struct local *g, const struct err *why)
{
    pthread_mutex_lock(&g->lock);
    g->is_broken = true;
    g->err = *why;
    pthread_mutex_unlock(&g->lock);
}

static void serve(struct local *g)
{
    struct local_task *tasks;
    struct cancel *cancels;
    struct err e = ERR_INIT;
    bool is_open = true;

    while (is_open) {
        struct engine_seq **outputs;
        int n_outputs = 0;

        is_open = exchange(g, &tasks, &cancels);
        for (struct local_task *t = tasks, *next; t; t = next) {
            next = t->next;
            take_task(g, t);
        }
        for (struct cancel *c = cancels, *next; c; c = next) {
            next = c->next;
            take_cancel(g, c->id);
            free(c);
        }
        if (!is_open || engine_is_idle(g->engine))
            continue;
        if (e.code == ERR_NONE && !engine_step(g->engine, &outputs, &n_outputs, &e)) {
            err_prefix(&e, "the engine stopped");
            set_broken(g, &e);
        }
        for (int i = 0; i < n_outputs; i++)
            take_output(g, outputs[i]->user);
        if (e.code != ERR_NONE)
            fail_all(g, &e);
    }
    while (g->live) {
        struct local_task *t = g->live;

        live_remove(g, t);
        engine_release(g->engine, t->seq);
        local_task_close(t);
    }
}

/* --- open ------------------------------------------------------------------------------------- */

static int default_int(int value, int otherwise)
{
    return value > 0 ? value : otherwise;
}

static const char *dtype_of(const char *name)
{
    return strcmp(name, "float") == 0 ? "float32" : strcmp(name, "half") == 0 ? "float16" : name;
}

struct model_opts engine_opts_model(const struct engine_opts *o)
{
    struct model_opts m = model_opts_default();

    m.dtype = dtype_of(o->dtype);
    m.load_format = strcmp(o->load_format, "safetensors") == 0 ? "auto" : o->load_format;
    m.device = o->device;
    m.cpu_isa = o->cpu_isa;
    m.rope_scaling = strcmp(o->rope_scaling, "{}") == 0 ? "" : o->rope_scaling;
    m.max_model_len = o->max_model_len;
    m.max_num_seqs = default_int(o->max_num_seqs, DEFAULT_NUM_SEQS);
    m.max_num_batched_tokens =
        MIN(default_int(o->max_num_batched_tokens, DEFAULT_BATCHED_TOKENS), MOST_BATCHED_TOKENS);
    m.max_num_seqs =
        MIN(m.max_num_seqs, m.max_num_batched_tokens); /* more could not all move in one step */
    m.max_logits = MIN(m.max_num_seqs, MAX_LOGITS);
    m.n_threads = o->n_threads;
    m.tensor_parallel_size = o->tensor_parallel_size;
    return m;
}

static bool open_engine(struct local *g, struct err *e)
{
    struct model_opts m = engine_opts_model(&g->opts);
    struct engine_limits l = {
        .max_num_seqs = m.max_num_seqs,
        .max_num_batched_tokens = m.max_num_batched_tokens,
        .max_logits = m.max_logits,
        .memory_utilization = g->opts.gpu_memory_utilization,
        .n_blocks = g->opts.num_kv_blocks,
        .has_prefix_cache = g->opts.enable_prefix_caching,
        .reserve_tokens = RESERVE_TOKENS,
        .aging_steps = g->opts.aging_steps,
        .processed_logprobs = strncmp(g->opts.logprobs_mode, "processed", 9) == 0,
        .n_threads = g->opts.n_threads,
    };

    if (g->opts.max_num_batched_tokens > MOST_BATCHED_TOKENS)
        log_info("--max_num_batched_tokens %d: a step here takes %d at most",
                 g->opts.max_num_batched_tokens, MOST_BATCHED_TOKENS);
    if (comm_mpi_launched()) {
        m.comm = g->comm = comm_mpi_open(e);
        m.tensor_parallel_size = 1; /* the ranks are processes */
        if (!g->comm)
            return false;
    }
    g->model = model_open(g->opts.model_name_or_path, &m, e);
    if (!g->model)
        return false;
    g->engine = engine_open(g->model, &l, e);
    if (!g->engine)
        return false;
    g->base.max_model_len = model_max_model_len(g->model);
    g->base.max_running = m.max_num_seqs;
    return true;
}

static void *run(void *arg)
{
    struct local *g = arg;
    struct err e = ERR_INIT;
    bool ok = open_engine(g, &e);

    pthread_mutex_lock(&g->lock);
    g->is_open = ok;
    g->is_broken = !ok;
    g->err = e;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
    if (ok)
        serve(g);
    engine_close(g->engine);
    model_close(g->model);
    comm_close(g->comm);
    return NULL;
}

static bool check_opts(const struct engine_opts *o, struct err *e)
{
    struct stat st;

    if (!o->model_name_or_path || !*o->model_name_or_path)
        return err_set(e, ERR_INPUT, "--model_name_or_path is missing: the folder of a model");
    if (stat(o->model_name_or_path, &st) != 0 || !S_ISDIR(st.st_mode))
        return err_set(e, ERR_INPUT,
                       "%s: is not a folder; models are read from disk, nothing is downloaded",
                       o->model_name_or_path);
    if (*o->quantization)
        return err_set(
            e, ERR_UNSUPPORTED,
            "--quantization %s: weights are computed as they are stored, in bfloat16 or float32",
            o->quantization);
    return true;
}

/* What /tokenizer_info shows: tokenizer_config.json as it is, where the folder has one. */
static bool read_tokenizer_config(struct local *g, struct err *e)
{
    struct arena a;
    const char *path;
    bool ok = true;

    arena_init(&a, 0);
    path = path_join(&a, g->opts.model_name_or_path, "tokenizer_config.json");
    if (file_exists(path))
        ok = (g->info = json_parse_file(path, MAX_TOKENIZER_CONFIG, e)) != NULL;
    arena_clear(&a);
    return ok;
}

static const struct generator_ops local_ops;
static const struct generator_text_ops local_text_ops;

static bool wait_for_model(struct local *g, struct err *e)
{
    bool ok;

    pthread_mutex_lock(&g->lock);
    while (!g->is_open && !g->is_broken)
        pthread_cond_wait(&g->changed, &g->lock);
    ok = g->is_open;
    if (!ok)
        err_set(e, g->err.code, "%s", g->err.msg);
    pthread_mutex_unlock(&g->lock);
    return ok;
}

/* What a constrained answer may be made of: everything but special tokens. */
static struct str allowed_piece(const void *ctx, int32_t id)
{
    const struct tokenizer *t = ctx;

    return tokenizer_is_special(t, id) ? STR("") : tokenizer_piece(t, id);
}

struct generator *generator_local_open(const struct engine_opts *o, struct err *e)
{
    struct local *g;

    if (!check_opts(o, e))
        return NULL;
    g = xcalloc(1, sizeof(*g));
    g->base = (struct generator){.ops = &local_ops,
                                 .text = &local_text_ops,
                                 .can_score = true,
                                 .constraints = 1u << CONSTRAINT_CHOICE | 1u << CONSTRAINT_REGEX |
                                                1u << CONSTRAINT_JSON_OBJECT |
                                                1u << CONSTRAINT_JSON_SCHEMA};
    g->opts = *o;
    g->submitted_end = &g->submitted;
    g->events_end = &g->events;
    g->made_end = &g->made;
    pthread_mutex_init(&g->lock, NULL);
    pthread_cond_init(&g->changed, NULL);
    g->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (g->event_fd < 0) {
        err_set_errno(e, "no descriptor for events");
        goto fail;
    }
    g->model_name = xstrdup(o->served_name && *o->served_name ? o->served_name
                                                              : path_base(o->model_name_or_path));
    g->base.model_name = g->model_name;
    g->prompt = local_prompt_open(o->model_name_or_path, o->chat_template, e);
    if (!g->prompt)
        goto fail;
    if (!read_tokenizer_config(g, e))
        goto fail;
    g->source = (struct local_source){local_prompt_tokenizer(g->prompt), g->model_name};
    if (pthread_create(&g->thread, NULL, run, g) != 0) {
        err_set(e, ERR_MEMORY, "no thread for the engine");
        goto fail;
    }
    g->has_thread = true;
    if (!wait_for_model(g, e))
        goto fail;
    g->grammars =
        grammar_cache_open(model_config(g->model)->vocab_size, allowed_piece, g->source.tokenizer);
    return &g->base;

fail:
    generator_close(&g->base);
    return NULL;
}

/* Whether mpirun made this process another rank than the first; asked before MPI itself is started,
 * since the thread that starts it has to be the one that runs the model. */
static bool is_follower(void)
{
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");

    rank = rank ? rank : getenv("PMI_RANK");
    return rank && strcmp(rank, "0") != 0;
}

bool generator_local_follow(const struct engine_opts *o, bool *followed, struct err *e)
{
    struct model_opts m;
    struct model *model;
    struct comm *comm;
    bool ok;

    *followed = false;
    if (!comm_mpi_launched() || !is_follower())
        return true;
    *followed = true;
    /* mpirun hands signals to every rank; the first one decides what they mean, and takes the
     * others along. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    if (!check_opts(o, e))
        return false;
    m = engine_opts_model(o);
    comm = comm_mpi_open(e);
    if (!comm)
        return false;
    m.comm = comm;
    m.tensor_parallel_size = 1;
    model = model_open(o->model_name_or_path, &m, e);
    ok = model && model_follow(model, e);
    model_close(model);
    comm_close(comm);
    return ok;
}

/* --- the waist -------------------------------------------------------------------------------- */

static int local_room(const struct generator *g)
{
    return MAX_IN_FLIGHT - of(g)->n_in_flight;
}

static bool local_submit(struct generator *base, const struct gen_request *r, struct err *e)
{
    struct local *g = of(base);
    struct local_task *t;

    if (g->n_in_flight >= MAX_IN_FLIGHT)
        return err_set(e, ERR_BUSY, "%d requests are waiting already", g->n_in_flight);
    t = local_task_open(g->prompt, g->grammars, r, base->max_model_len,
                        siphash64((uint64_t)g->opts.seed_base, g->n_submitted++, "", 0) >> 1);
    g->n_in_flight++;
    pthread_mutex_lock(&g->lock);
    *g->submitted_end = t;
    g->submitted_end = &t->next;
    pthread_cond_signal(&g->changed);
    pthread_mutex_unlock(&g->lock);
    return true;
}

/* Takes up to cap events that wait; false: the engine is broken, and nothing is left to hand out.
 */
static bool take_events(struct local *g, struct gen_event *ev, int cap, int *n, struct err *e)
{
    bool ok = true;

    *n = 0;
    pthread_mutex_lock(&g->lock);
    while (*n < cap && g->events) {
        struct local_event *made = g->events;

        g->events = made->next;
        if (!g->events)
            g->events_end = &g->events;
        made->next = g->spent;
        g->spent = made;
        g->n_in_flight -= made->ev.kind != GEN_DELTA;
        ev[(*n)++] = made->ev;
    }
    if (*n == 0 && g->is_broken && g->n_in_flight == 0)
        ok = err_set(e, g->err.code, "%s", g->err.msg);
    pthread_mutex_unlock(&g->lock);
    return ok;
}

static void free_spent(struct local *g)
{
    while (g->spent) {
        struct local_event *next = g->spent->next;

        local_event_close(g->spent);
        g->spent = next;
    }
}

static bool local_poll(struct generator *base, int timeout_ms, struct gen_event *ev, int cap,
                       int *n, struct err *e)
{
    struct local *g = of(base);
    struct pollfd fd = {.fd = g->event_fd, .events = POLLIN};
    uint64_t count;

    free_spent(g);
    if (!take_events(g, ev, cap, n, e))
        return false;
    if (*n > 0 || timeout_ms == 0)
        return true;
    if (poll(&fd, 1, timeout_ms) < 0 && errno != EINTR)
        return err_set_errno(e, "cannot wait for the engine");
    if (fd.revents && read(g->event_fd, &count, sizeof(count)) < 0)
        return true; /* somebody else took the count: nothing is lost, events are in the list */
    return take_events(g, ev, cap, n, e);
}

static void local_cancel(struct generator *base, uint64_t id)
{
    struct local *g = of(base);
    struct cancel *c = xcalloc(1, sizeof(*c));

    c->id = id;
    pthread_mutex_lock(&g->lock);
    c->next = g->cancels;
    g->cancels = c;
    pthread_cond_signal(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void local_wake(struct generator *base)
{
    uint64_t one = 1;

    if (write(of(base)->event_fd, &one, sizeof(one)) < 0)
        return; /* the counter is full, so a wake-up is pending */
}

static void local_stats(const struct generator *base, struct gen_stats *out)
{
    struct local *g = of(base);

    pthread_mutex_lock(&g->lock);
    *out = g->stats;
    out->n_running = g->engine_stats.sched.n_running;
    out->n_waiting = g->engine_stats.sched.n_waiting;
    out->n_preemptions = g->engine_stats.sched.n_preemptions;
    out->n_prefix_queries = g->engine_stats.sched.n_prefix_queries;
    out->n_prefix_hits = g->engine_stats.sched.n_prefix_hits;
    if (g->engine_stats.n_blocks > 0)
        out->kv_usage = (double)g->engine_stats.n_blocks_used / g->engine_stats.n_blocks;
    pthread_mutex_unlock(&g->lock);
}

void generator_local_engine_stats(const struct generator *base, struct engine_stats *out)
{
    struct local *g = of(base);

    pthread_mutex_lock(&g->lock);
    *out = g->engine_stats;
    pthread_mutex_unlock(&g->lock);
}

static void local_close(struct generator *base)
{
    struct local *g = of(base);

    pthread_mutex_lock(&g->lock);
    g->is_closing = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
    if (g->has_thread)
        pthread_join(g->thread, NULL);
    for (struct local_task *t = g->submitted, *next; t; t = next) {
        next = t->next;
        local_task_close(t);
    }
    for (struct local_event *lists[] = {g->events, g->made}, **l = lists; l < lists + LEN(lists);
         l++)
        for (struct local_event *ev = *l, *next; ev; ev = next) {
            next = ev->next;
            local_event_close(ev);
        }
    for (struct cancel *c = g->cancels, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    free_spent(g);
    grammar_cache_close(g->grammars);
    local_prompt_close(g->prompt);
    json_close(g->info);
    if (g->event_fd >= 0)
        close(g->event_fd);
    pthread_mutex_destroy(&g->lock);
    pthread_cond_destroy(&g->changed);
    free(g->model_name);
    free(g);
}

/* --- text ------------------------------------------------------------------------------------- */

static bool hand_over(struct token_buf *buf, struct arena *a, int32_t **ids, int *n)
{
    *ids = arena_array(a, buf->n + 1, sizeof(**ids));
    memcpy(*ids, buf->ids, buf->n * sizeof(**ids));
    *n = (int)buf->n;
    token_buf_clear(buf);
    return true;
}

static bool local_encode(const struct generator *base, struct str text, bool add_special_tokens,
                         struct arena *a, int32_t **ids, int *n, struct err *e)
{
    struct token_buf buf = {0};

    return tokenizer_encode(of(base)->source.tokenizer, text,
                            ENCODE_PARSE_SPECIAL | (add_special_tokens ? ENCODE_ADD_SPECIAL : 0),
                            &buf, e) &&
           hand_over(&buf, a, ids, n);
}

static bool local_encode_chat(const struct generator *base, const struct gen_request *chat,
                              struct arena *a, int32_t **ids, int *n, struct str *rendered,
                              struct err *e)
{
    struct token_buf ids_buf = {0};
    struct buf text = {0};
    int n_context;
    bool ok = local_prompt_render(of(base)->prompt, chat, &text, e) &&
              local_prompt_encode(of(base)->prompt, chat, &ids_buf, &n_context, e) &&
              hand_over(&ids_buf, a, ids, n);

    if (ok)
        *rendered = str_dup(a, buf_str(&text));
    buf_clear(&text);
    token_buf_clear(&ids_buf);
    return ok;
}

static bool local_decode(const struct generator *base, const int32_t *ids, int n,
                         bool skip_special_tokens, struct arena *a, struct str *text, struct err *e)
{
    struct buf out = {0};
    bool ok =
        tokenizer_decode(of(base)->source.tokenizer, ids, (size_t)n, skip_special_tokens, &out, e);

    if (ok)
        *text = str_dup(a, buf_str(&out));
    buf_clear(&out);
    return ok;
}

static const struct json *local_tokenizer_info(const struct generator *base)
{
    return of(base)->info;
}

const char *generator_local_numerics(const struct generator *base)
{
    return model_numerics(of(base)->model);
}

static const struct generator_text_ops local_text_ops = {
    .encode = local_encode,
    .encode_chat = local_encode_chat,
    .decode = local_decode,
    .tokenizer_info = local_tokenizer_info,
};

static const struct generator_ops local_ops = {
    .name = "local",
    .room = local_room,
    .submit = local_submit,
    .poll = local_poll,
    .cancel = local_cancel,
    .wake = local_wake,
    .stats = local_stats,
    .close = local_close,
};
