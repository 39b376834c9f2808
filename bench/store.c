/* store.c - a store of a million rows: writing it, and opening it again for resume.
 *
 * usage: bench_store [FOLDER] [ROWS]    (1 KB each; FOLDER needs that much room, and is left empty)
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/num.h"
#include "eval/store.h"
#include "generator/generator.h"
#include "task/docs.h"

enum { N_SAMPLES = 64 };

static char input[512], output[512], manifest[600];
static const struct docs_keys keys = {"prompt", "answer", NULL, NULL};

static _Noreturn void die(const struct err *e)
{
    fprintf(stderr, "bench_store: %s\n", e->msg);
    exit(1);
}

/* A prompt of about 400 bytes, as AIME's are; the answer brings a row to 1 KB. */
static void write_input(int n_docs)
{
    struct buf text = {0};
    struct err e = ERR_INIT;

    for (int i = 0; i < n_docs; i++) {
        buf_addf(&text, "{\"prompt\": \"Problem %d. ", i);
        for (int k = 0; k < 12; k++)
            buf_addz(&text, "Find the number of $n \\\\le 100$. ");
        buf_addf(&text, "\", \"answer\": %d}\n", i % 1000);
    }
    if (!file_replace(input, buf_str(&text), &e))
        die(&e);
    buf_clear(&text);
}

static struct store *open_store(const struct docs *docs)
{
    struct store_opts o = {.docs = docs,
                           .n_samples = N_SAMPLES,
                           .prompt_key = "prompt",
                           .response_key = "gen",
                           .fsync = STORE_FSYNC_INTERVAL};
    struct err e = ERR_INIT;
    struct store *s = store_open(output, &o, &e);

    if (!s)
        die(&e);
    return s;
}

static void close_store(struct store *s)
{
    struct err e = ERR_INIT;

    if (!store_close(s, &e))
        die(&e);
}

static void write_rows(const struct docs *docs)
{
    struct err e = ERR_INIT;
    struct store *s = open_store(docs);
    char text[400];
    struct gen_event reply = {
        .kind = GEN_DONE,
        .finish_reason = FINISH_STOP,
        .finish_reason_text = STR("stop"),
        .n_prompt_tokens = 120,
        .n_completion_tokens = 80,
        .n_cached_tokens = -1,
        .n_reasoning_tokens = -1,
        .max_tokens = 32768,
        .n_attempts = 1,
        .server = STR("http://127.0.0.1:8000/v1"),
        .latency_us = 1234567,
        .first_token_us = 34567,
    };

    memset(text, 'x', sizeof(text));
    for (int k = 0; k < N_SAMPLES; k++)
        for (int doc = 0; doc < docs->n; doc++) {
            snprintf(text, sizeof(text), "%d of %d ", k, doc);
            text[strlen(text)] = 'x';
            reply.text = (struct str){text, 250};
            reply.seed = (uint64_t)doc << 32 | (uint64_t)k;
            if (!store_append(s, doc, k, &reply, &e))
                die(&e);
        }
    close_store(s);
}

/* In a process of its own, so that its memory can be told. */
static void measure(const char *name, void (*fn)(const struct docs *docs), int64_t n_rows)
{
    struct rusage usage;
    struct stat st;
    int64_t us = clock_us();
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct err e = ERR_INIT;
        struct docs *docs = docs_open(input, &keys, &e);

        if (!docs)
            die(&e);
        fn(docs);
        docs_close(docs);
        exit(0);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status != 0)
        exit(1);
    us = clock_us() - us;
    if (stat(output, &st) != 0)
        exit(1);
    printf("%-8s %8lld rows  %7.1f MB  %6.2f s  %6.2f s CPU  %5.0f MB resident\n", name,
           (long long)n_rows, (double)st.st_size / 1e6, (double)us / 1e6,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           (double)usage.ru_maxrss / 1024);
    fflush(stdout);
}

static void reopen(const struct docs *docs)
{
    struct store *s = open_store(docs);
    struct store_counts c;

    store_counts(s, &c);
    if (c.n_rows != (int64_t)docs->n * N_SAMPLES) {
        fprintf(stderr, "bench_store: only %lld rows were found\n", (long long)c.n_rows);
        exit(1);
    }
    close_store(s);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "/tmp";
    int64_t n_rows = 1000000;

    if (argc > 2 && (!parse_i64(STR(argv[2]), &n_rows) || n_rows < N_SAMPLES || n_rows > 1 << 30)) {
        fprintf(stderr, "usage: bench_store [FOLDER] [ROWS]\n");
        return 2;
    }
    snprintf(input, sizeof(input), "%s/bench_store.in.jsonl", folder);
    snprintf(output, sizeof(output), "%s/bench_store.out.jsonl", folder);
    snprintf(manifest, sizeof(manifest), "%s.manifest.json", output);
    unlink(output);
    write_input((int)(n_rows / N_SAMPLES));
    n_rows = n_rows / N_SAMPLES * N_SAMPLES;
    measure("write", write_rows, n_rows);
    measure("reopen", reopen, n_rows);
    unlink(input);
    unlink(output);
    unlink(manifest);
    return 0;
}
