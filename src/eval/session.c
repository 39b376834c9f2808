/* session.c - see session.h. */
#include "eval/session.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/log.h"
#include "eval/run_summary.h"
#include "eval/store.h"
#include "eval/store_row.h"
#include "task/docs.h"

enum { STATUS_OK = 0, STATUS_BROKEN = 2, STATUS_SOME_FAILED = 3, STATUS_INTERRUPTED = 130 };

struct session_task {
    struct session *session;
    struct docs *docs;
    struct store *store;
    char *output_file;
    int index;
};

struct session {
    struct session_opts o;
    struct generator *g;
    struct session_task **tasks; /* each its own memory: requests hold pointers */
    int n_tasks;
    struct str system_prompt;
    struct str *stop;
};

static bool choose_system_prompt(struct session *s, struct err *e)
{
    const struct prompt_opts *p = s->o.prompt;
    bool has_own = p->system_prompt && p->system_prompt[0];

    s->system_prompt = system_prompt_text(p->system_prompt_type);
    if (has_own && s->system_prompt.len > 0)
        return err_set(e, ERR_INPUT,
                       "--system_prompt and --system_prompt_type %s exclude each other",
                       p->system_prompt_type);
    if (has_own)
        s->system_prompt = STR(p->system_prompt);
    return true;
}

struct session *session_open(const struct session_opts *o, struct err *e)
{
    struct session *s = xcalloc(1, sizeof(*s));

    s->o = *o;
    s->stop = xcalloc((size_t)o->sampling->stop.n + 1, sizeof(*s->stop));
    if (choose_system_prompt(s, e))
        return s;
    session_close(s);
    return NULL;
}

bool session_add(struct session *s, const char *input_file, const char *output_file, struct err *e)
{
    const char *refused[4] = {store_row_refused[0], store_row_refused[1], s->o.data->response_key,
                              NULL};
    struct docs_keys keys = {s->o.data->input_key, s->o.data->label_key, refused,
                             store_row_renamed};
    struct docs *docs = docs_open(input_file, &keys, e);
    struct session_task *t;

    if (!docs)
        return false;
    if (docs->n_without_answer > 0)
        log_warn("%s: %d of %d problems have no field \"%s\"; they can be sampled but not scored",
                 input_file, docs->n_without_answer, docs->n, s->o.data->label_key);
    if (docs->n_renamed > 0)
        log_info("%s: %d fields have names that results use; they are kept as input_<name>",
                 input_file, docs->n_renamed);
    t = xcalloc(1, sizeof(*t));
    *t = (struct session_task){
        .session = s, .docs = docs, .output_file = xstrdup(output_file), .index = s->n_tasks};
    s->tasks = xrealloc(s->tasks, (size_t)(s->n_tasks + 1) * sizeof(struct session_task *));
    s->tasks[s->n_tasks++] = t;
    return true;
}

int session_n_tasks(const struct session *s)
{
    return s->n_tasks;
}

const struct docs *session_docs(const struct session *s, int task)
{
    return s->tasks[task]->docs;
}

struct store *session_store(const struct session *s, int task)
{
    return s->tasks[task]->store;
}

static enum store_fsync fsync_of(const char *name)
{
    if (strcmp(name, "always") == 0)
        return STORE_FSYNC_ALWAYS;
    return strcmp(name, "never") == 0 ? STORE_FSYNC_NEVER : STORE_FSYNC_INTERVAL;
}

static void say_found(const struct session_task *t)
{
    struct store_counts c;

    store_counts(t->store, &c);
    if (c.n_torn_bytes > 0)
        log_warn("%s: a torn last line of %lld bytes was cut off", t->output_file,
                 (long long)c.n_torn_bytes);
    if (c.n_damaged_lines > 0)
        log_warn("%s: %lld damaged lines were moved to %s.damaged", t->output_file,
                 (long long)c.n_damaged_lines, t->output_file);
    if (c.n_error_rows > 0)
        log_info("%s: %lld rows stand for failed samples; those are sampled again", t->output_file,
                 (long long)c.n_error_rows);
    if (c.is_legacy && c.n_rows > 0)
        log_warn("%s has no manifest: whether its %lld rows were sampled alike is not known",
                 t->output_file, (long long)c.n_rows);
}

static void warn_about_context(const struct session *s)
{
    int len = s->g->max_model_len;

    if (len <= 0 || s->o.sampling->max_tokens < len)
        return;
    if (strcmp(s->o.sampling->overlong, "clamp") == 0)
        log_info(
            "--max_tokens %d is more than the context of %d holds: an answer gets what its prompt leaves",
            s->o.sampling->max_tokens, len);
    else
        log_warn(
            "--max_tokens %d leaves no room for a prompt in a context of %d: requests will be refused",
            s->o.sampling->max_tokens, len);
}

bool session_open_stores(struct session *s, struct generator *g, struct err *e)
{
    s->g = g;
    warn_about_context(s);
    for (int i = 0; i < s->n_tasks; i++) {
        struct session_task *t = s->tasks[i];
        struct store_opts so = {
            .docs = t->docs,
            .n_samples = s->o.sampling->n_samples,
            .prompt_key = s->o.data->input_key,
            .response_key = s->o.data->response_key,
            .fsync = fsync_of(s->o.data->fsync),
            .is_reproducible = s->o.is_reproducible,
            .repair = s->o.data->repair_resume,
            .groups = s->o.groups,
            .n_groups = s->o.n_groups,
        };

        t->store = store_open(t->output_file, &so, e);
        if (!t->store)
            return false;
        say_found(t);
    }
    return true;
}

static bool make_request(void *ctx, int doc, int sample, struct arena *a, struct gen_request *r,
                         struct err *e)
{
    const struct session_task *t = ctx;
    const struct session *s = t->session;
    const struct doc *d = &t->docs->items[doc];
    struct chat_part *parts = arena_array(a, 2, sizeof(*parts));
    struct chat_msg *msgs = arena_array(a, 2, sizeof(*msgs));
    int n = 0;

    if (s->system_prompt.len > 0) {
        parts[n] = (struct chat_part){PART_TEXT, s->system_prompt};
        msgs[n] = (struct chat_msg){.role = STR("system"), .parts = &parts[n], .n_parts = 1};
        n++;
    }
    parts[n] = (struct chat_part){PART_TEXT, d->prompt};
    msgs[n] = (struct chat_msg){.role = STR("user"), .parts = &parts[n], .n_parts = 1};
    n++;
    r->kind = GEN_CHAT;
    r->msgs = msgs;
    r->n_msgs = n;
    r->template_kwargs = s->o.template_kwargs;
    r->sampling = sampling_of(s->o.sampling, s->stop);
    r->sampling.keep_special_tokens = s->o.keep_special_tokens;
    r->sampling.seed = sample_seed((uint64_t)s->o.sampling->seed, d->id, (uint32_t)sample);
    r->sampling.has_seed = true;
    r->overlong = strcmp(s->o.sampling->overlong, "clamp") == 0 ? OVERLONG_CLAMP : OVERLONG_REJECT;
    return true;
}

static const char *doc_name(void *ctx, int doc)
{
    const struct session_task *t = ctx;

    return t->docs->items[doc].id.ptr;
}

static void round_done(void *ctx, int n_rounds)
{
    const struct session_task *t = ctx;

    t->session->o.round_done(t->session->o.ctx, t->index, n_rounds);
}

static void say_lines(struct str text)
{
    struct str line;

    while (str_cut(&text, '\n', &line))
        if (line.len > 0)
            log_info(STR_FMT, STR_ARG(line));
}

static void say_identical(const struct session *s, const struct session_task *t)
{
    int doc, a, b, n = store_n_identical(t->store, &doc, &a, &b);

    if (n > 0 && s->o.sampling->temperature > 0)
        log_warn(
            "%d of %d problems have samples with the same long text (doc_id %s: %d and %d): does the server use the "
            "seeds?",
            n, t->docs->n, t->docs->items[doc].id.ptr, a, b);
}

static void say_summary(const struct session *s, const struct run_result *result)
{
    struct store_counts counts = {0}, c;
    struct gen_stats stats;
    struct buf text = {0};

    for (int i = 0; i < s->n_tasks; i++) {
        store_counts(s->tasks[i]->store, &c);
        counts.n_rows += c.n_rows;
        counts.n_truncated += c.n_truncated;
        counts.n_empty += c.n_empty;
        counts.n_clamped += c.n_clamped;
    }
    generator_stats(s->g, &stats);
    run_summary_write(&text, result, &counts, &stats);
    say_lines(buf_str(&text));
    buf_clear(&text);
    for (int i = 0; i < s->n_tasks; i++)
        say_identical(s, s->tasks[i]);
}

static const char *where(const struct session *s)
{
    return s->n_tasks == 1 ? s->tasks[0]->output_file : "the output files";
}

static int say_end(const struct session *s, const struct run_result *r)
{
    const char *again = "run the same command again to go on";

    switch (r->end) {
    case RUN_INTERRUPTED:
        log_info("interrupted; what had arrived is in %s: %s", where(s), again);
        return STATUS_INTERRUPTED;
    case RUN_STOPPED:
        log_error("stopped: %s. What had arrived is in %s; mend the cause, then %s", r->why,
                  where(s), again);
        return STATUS_SOME_FAILED;
    default:
        if (r->n_failed == 0)
            return STATUS_OK;
        log_error("%lld samples failed; %s", (long long)r->n_failed, again);
        return STATUS_SOME_FAILED;
    }
}

static bool close_stores(struct session *s, struct err *e)
{
    bool ok = true;

    for (int i = 0; i < s->n_tasks; i++) {
        ok &= store_close(s->tasks[i]->store, e);
        s->tasks[i]->store = NULL;
    }
    return ok;
}

/* Order is for those who compare files; without room for it every row is still there. */
static void order_stores(const struct session *s)
{
    for (int i = 0; s->o.is_reproducible && i < s->n_tasks; i++) {
        struct err e = ERR_INIT;

        if (!store_order(s->tasks[i]->store, &e))
            log_warn("the rows stay in the order in which they came: %s", e.msg);
    }
}

int session_run(struct session *s, struct run_result *result)
{
    struct run_task *tasks = xcalloc((size_t)s->n_tasks, sizeof(*tasks));
    struct run_result own;
    struct err e = ERR_INIT;
    bool ok;
    int status;

    if (!result)
        result = &own;
    for (int i = 0; i < s->n_tasks; i++)
        tasks[i] = (struct run_task){.store = s->tasks[i]->store,
                                     .n_docs = s->tasks[i]->docs->n,
                                     .n_samples = s->o.sampling->n_samples,
                                     .request = make_request,
                                     .ctx = s->tasks[i],
                                     .doc_name = doc_name,
                                     .round_done = s->o.round_done ? round_done : NULL};
    run_catch_signals(s->g);
    ok = run_jobs(tasks, s->n_tasks, s->o.run, s->g, result, &e);
    say_summary(s, result);
    if (ok) {
        status = say_end(s, result);
    } else {
        log_error("%s", e.msg);
        status = e.code == ERR_REMOTE ? STATUS_SOME_FAILED : STATUS_BROKEN;
    }
    err_clear(&e);
    order_stores(s);
    run_catch_signals(NULL);
    if (!close_stores(s, &e) && ok) {
        log_error("%s", e.msg);
        status = STATUS_BROKEN;
    }
    free(tasks);
    return status;
}

void session_close(struct session *s)
{
    struct err e = ERR_INIT;

    if (!s)
        return;
    if (!close_stores(s, &e))
        log_error("%s", e.msg);
    for (int i = 0; i < s->n_tasks; i++) {
        docs_close(s->tasks[i]->docs);
        free(s->tasks[i]->output_file);
        free(s->tasks[i]);
    }
    free(s->tasks);
    free(s->stop);
    free(s);
}
