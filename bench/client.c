/* client.c - the remote generator against a scripted server on the same machine.
 *
 * usage: bench_client LLMEVAL [streams|rate|tokens]    (LLMEVAL: the program, for `serve`)
 *
 *   streams  2,000 streamed answers under way at once: the client's memory
 *   rate     answers in one piece over 64 connections, beside what wrk makes of the same server
 *   tokens   token events of streams for each second of the client's CPU time */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "generator/generator_remote.h"

static const char *llmeval;
static char url[64], folder[] = "/tmp/bench_client_XXXXXX";
static pid_t server;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_client: %s\n", what);
    if (server > 0)
        kill(server, SIGKILL);
    exit(1);
}

static void start_server(const char *ttft_ms, const char *token_ms, const char *reply_tokens)
{
    char port_file[64];
    struct buf port = {0};
    struct err e = ERR_INIT;

    snprintf(port_file, sizeof(port_file), "%s/port", folder);
    unlink(port_file);
    server = fork();
    if (server == 0) {
        execl(llmeval, llmeval, "serve", "--generator", "scripted", "--host", "127.0.0.1", "--port",
              "0", "--port_file", port_file, "--ttft_ms", ttft_ms, "--token_ms", token_ms,
              "--reply_tokens", reply_tokens, "--max_model_len", "1000000", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200 && port.len == 0; i++) {
        usleep(50000);
        if (file_exists(port_file) && !file_read(port_file, 100, &port, &e))
            die(e.msg);
    }
    if (port.len == 0)
        die("the server does not start");
    snprintf(url, sizeof(url), "http://127.0.0.1:" STR_FMT, STR_ARG(str_trim(buf_str(&port))));
    buf_clear(&port);
}

static void stop_server(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    server = 0;
}

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

struct result {
    int64_t n_done, n_failed, n_tokens, us;
    double cpu_s;
    int most_running;
    long rss_mb;
};

static const struct chat_part problem[] = {
    {PART_TEXT, STR_LIT("Find the number of ways to place 3 rooks on a board. "
                        "Please reason step by step.")}};
static const struct chat_msg msgs[] = {{STR_LIT("user"), problem, 1, NULL}};

static bool submit_one(struct generator *g, uint64_t id, struct err *e)
{
    struct gen_request r = {
        .id = id, .kind = GEN_CHAT, .msgs = msgs, .n_msgs = 1, .sampling = sampling_default()};

    r.sampling.max_tokens = 100000;
    r.sampling.seed = id;
    r.sampling.has_seed = true;
    return generator_submit(g, &r, e);
}

/* Keeps n_workers requests under way until n_requests have ended. */
static struct result drive(int n_workers, int n_requests, bool stream)
{
    const char *urls[] = {url};
    struct remote_opts o = {
        .base_url = {urls, 1},
        .model_name = "",
        .api_key = "",
        .stream = stream,
        .send_seed = true,
        .max_workers = n_workers,
        .max_retries = 3,
        .connect_timeout = 30,
        .max_outage = 10,
        .rate_limit_wait = 10,
    };
    struct result res = {0};
    struct err e = ERR_INIT;
    struct generator *g = generator_remote_open(&o, &e);
    struct gen_event ev[256];
    struct gen_stats stats;
    uint64_t next = 0;
    int64_t began = clock_us();
    double cpu = cpu_seconds();
    struct rusage usage;
    int n;

    if (!g)
        die(e.msg);
    while (res.n_done + res.n_failed < n_requests) {
        while (next < (uint64_t)n_requests && generator_room(g) > 0)
            if (!submit_one(g, next++, &e))
                die(e.msg);
        if (!generator_poll(g, 1000, ev, LEN(ev), &n, &e))
            die(e.msg);
        for (int i = 0; i < n; i++) {
            res.n_done += ev[i].kind == GEN_DONE;
            res.n_failed += ev[i].kind == GEN_FAILED;
            res.n_tokens += ev[i].kind == GEN_DONE ? ev[i].n_completion_tokens : 0;
        }
        generator_stats(g, &stats);
        res.most_running = MAX(res.most_running, stats.n_running);
    }
    res.us = clock_us() - began;
    res.cpu_s = cpu_seconds() - cpu;
    generator_close(g);
    getrusage(RUSAGE_SELF, &usage);
    res.rss_mb = usage.ru_maxrss / 1024;
    return res;
}

static void bench_streams(void)
{
    struct result r;

    start_server("2000", "10", "300");
    r = drive(2000, 4000, true);
    stop_server();
    printf("streams  %d at once  %lld answers  %lld failed  %lld tokens  %.1f s  %.1f s CPU  %ld "
           "MB resident at most\n",
           r.most_running, (long long)r.n_done, (long long)r.n_failed, (long long)r.n_tokens,
           (double)r.us / 1e6, r.cpu_s, r.rss_mb);
}

static void bench_tokens(void)
{
    struct result r;

    start_server("0", "0", "4000");
    r = drive(64, 400, true);
    stop_server();
    printf("tokens   %lld events  %.1f s  %.2f s CPU  %.0f events a second of CPU  (%lld failed)\n",
           (long long)r.n_tokens, (double)r.us / 1e6, r.cpu_s, (double)r.n_tokens / r.cpu_s,
           (long long)r.n_failed);
}

/* wrk posts the body that drive posts, over as many connections. */
static double wrk_rate(void)
{
    char script[64], command[256], line[256];
    struct err e = ERR_INIT;
    double rate = 0;
    FILE *out;

    snprintf(script, sizeof(script), "%s/post.lua", folder);
    if (!file_replace(
            script,
            STR("wrk.method = \"POST\"\n"
                "wrk.headers[\"Content-Type\"] = \"application/json\"\n"
                "n = 0\n"
                "request = function()\n"
                "  n = n + 1\n"
                "  return wrk.format(nil, nil, nil, "
                "'{\"model\":\"scripted\",\"messages\":[{\"role\":\"user\",\"content\":"
                "\"Find the number of ways to place 3 rooks on a board. Please reason step by "
                "step.\"}],"
                "\"temperature\":1.0,\"top_p\":1.0,\"presence_penalty\":0.0,\"frequency_penalty\":"
                "0.0,\"seed\":' .. n .. ',"
                "\"top_k\":-1,\"min_p\":0.0,\"repetition_penalty\":1.0,\"max_tokens\":100000}')\n"
                "end\n"),
            &e))
        die(e.msg);
    snprintf(command, sizeof(command), "wrk -t1 -c64 -d5s -s %s %s/v1/chat/completions", script,
             url);
    out = popen(command, "r");
    while (out && fgets(line, sizeof(line), out))
        if (sscanf(line, "Requests/sec: %lf", &rate) == 1 || strstr(line, "Non-2xx"))
            printf("         wrk: %s", line);
    if (out)
        pclose(out);
    unlink(script);
    return rate;
}

static void bench_rate(void)
{
    double wrk, ours;
    struct result r;

    start_server("0", "0", "20");
    r = drive(64, 1000, false); /* warm */
    wrk = wrk_rate();
    r = drive(64, 20000, false);
    stop_server();
    ours = (double)r.n_done * 1e6 / (double)r.us;
    printf("rate     %.0f answers/s  %.1f s CPU  %.0f us CPU each  (%lld failed)", ours, r.cpu_s,
           r.cpu_s * 1e6 / (double)r.n_done, (long long)r.n_failed);
    if (wrk > 0)
        printf("  %.2f of wrk's", ours / wrk);
    printf("\n");
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[2] : "all";
    char port_file[64];

    if (argc < 2) {
        fprintf(stderr, "usage: bench_client LLMEVAL [streams|rate|tokens]\n");
        return 2;
    }
    llmeval = argv[1];
    log_set_level(LOG_WARN);
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(folder))
        die("no folder in /tmp");
    if (strcmp(what, "all") == 0 || strcmp(what, "streams") == 0)
        bench_streams();
    if (strcmp(what, "all") == 0 || strcmp(what, "rate") == 0)
        bench_rate();
    if (strcmp(what, "all") == 0 || strcmp(what, "tokens") == 0)
        bench_tokens();
    snprintf(port_file, sizeof(port_file), "%s/port", folder);
    unlink(port_file);
    rmdir(folder);
    return 0;
}
