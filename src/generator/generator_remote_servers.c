/* generator_remote_servers.c - see generator_remote_servers.h. */
#include "generator/generator_remote_servers.h"

#include "base/arena.h"
#include "base/log.h"
#include "formats/json.h"

enum {
    PROBE_FIRST_MS = 1000,
    PROBE_MOST_MS = 10000,
    MAX_MODELS_BYTES = 16 << 20,
    CONNECT_FAILURES = 2
};

static void drop_end(struct str *s, const char *end)
{
    if (str_ends(*s, end))
        s->len -= strlen(end);
}

static char *joined(struct str base, const char *path)
{
    struct buf b = {0};

    buf_add_str(&b, base);
    buf_addz(&b, path);
    return b.ptr;
}

/* The URL without "user:password@". */
static char *without_user(struct str url)
{
    struct buf b = {0};
    size_t host = (size_t)str_find(url, STR("://"), 0) + 3;
    ptrdiff_t slash = str_find_char(url, '/', host);
    struct str authority = str_slice(url, host, slash < 0 ? url.len : (size_t)slash);
    ptrdiff_t at = str_rfind(authority, STR("@"));

    buf_add_str(&b, str_slice(url, 0, host));
    buf_add_str(&b, str_slice(url, host + (at < 0 ? 0 : (size_t)at + 1), url.len));
    return b.ptr;
}

bool remote_server_init(struct remote_server *s, const char *base_url, struct err *e)
{
    struct str url = str_trim(STR(base_url)), rest;
    struct buf full = {0};

    *s = (struct remote_server){.kind = REMOTE_SERVER, .is_up = true};
    buf_init(&s->body, MAX_MODELS_BYTES);
    if (url.len == 0)
        return err_set(e, ERR_INPUT, "--base_url is empty");
    if (str_find(url, STR("://"), 0) < 0) {
        buf_addz(&full, "http://");
    } else if (!str_starts(url, "http://") && !str_starts(url, "https://")) {
        return err_set(e, ERR_INPUT, "--base_url %s: only http:// and https:// are spoken",
                       base_url);
    }
    if (strpbrk(base_url, "?# \t\r\n"))
        return err_set(e, ERR_INPUT,
                       "--base_url %s: a blank, \"?\" or \"#\" has no place in it; name the server "
                       "as http://HOST:PORT/v1",
                       base_url);
    buf_add_str(&full, url);
    url = buf_str(&full);
    while (str_ends(url, "/"))
        url.len--;
    drop_end(&url, "/chat/completions");
    drop_end(&url, "/completions");
    drop_end(&url, "/models");
    while (str_ends(url, "/"))
        url.len--;
    rest = str_slice(url, (size_t)str_find(url, STR("://"), 0) + 3, url.len);
    if (rest.len == 0) {
        buf_clear(&full);
        return err_set(e, ERR_INPUT, "--base_url %s names no host", base_url);
    }
    if (str_find_char(rest, '/', 0) < 0) { /* the root: the API is below /v1 */
        full.len = (size_t)(url.ptr + url.len - full.ptr);
        buf_addz(&full, "/v1");
        url = buf_str(&full);
    }
    s->name = without_user(url);
    s->chat_url = joined(url, "/chat/completions");
    s->completions_url = joined(url, "/completions");
    s->models_url = joined(url, "/models");
    buf_clear(&full);
    return true;
}

void remote_server_clear(struct remote_server *s)
{
    free(s->name);
    free(s->chat_url);
    free(s->completions_url);
    free(s->models_url);
    buf_clear(&s->body);
}

static bool take_models(void *ctx, const struct http_head *head, struct str bytes)
{
    struct remote_server *s = ctx;

    buf_add_str(&s->body, bytes);
    return !s->body.failed;
}

void remote_server_probe(struct remote_server *s, struct http_client *http,
                         const struct http_headers *headers, int timeout_ms)
{
    struct http_request r = {
        .url = s->models_url,
        .headers = headers,
        .on_body = take_models,
        .ctx = s,
        .connect_ms = timeout_ms,
        .total_ms = timeout_ms,
    };

    buf_reset(&s->body);
    s->is_probing = true;
    http_client_start(http, &r);
}

bool remote_server_serves(struct remote_server *s, const char *model, struct buf *names,
                          int *n_served, struct buf *only_name)
{
    struct err ignored = ERR_INIT;
    struct json *tree = json_parse(buf_str(&s->body), &ignored);
    struct json *list = json_get(tree, "data");
    bool is_served = false;

    *n_served = json_type(list) == JSON_ARRAY ? (int)json_len(list) : -1;
    for (int i = 0; i < *n_served; i++) {
        struct json *m = json_at(list, (size_t)i);
        struct str id = json_str(json_get(m, "id"));

        buf_addf(names, "%s" STR_FMT, i ? ", " : "", STR_ARG(id));
        if (only_name && *n_served == 1)
            buf_add_str(only_name, id);
        if (model[0] ? !str_eqz(id, model) : *n_served != 1)
            continue;
        is_served = true;
        s->max_model_len = (int)json_int(json_get(m, "max_model_len"), 0);
    }
    json_close(tree);
    return is_served;
}

void remote_server_unreachable(struct remote_server *s, const char *detail, int64_t now_ms)
{
    if (detail != s->detail)
        snprintf(s->detail, sizeof(s->detail), "%s", detail);
    if (!s->is_up) {
        if (s->is_probing) { /* else a request that was under way when the server went */
            s->probe_delay_ms = MIN(2 * s->probe_delay_ms, PROBE_MOST_MS);
            s->next_probe_ms = now_ms + s->probe_delay_ms;
            s->is_probing = false;
        }
        return;
    }
    s->is_probing = false;
    if (++s->n_refused_connections < CONNECT_FAILURES)
        return;
    s->probe_delay_ms = PROBE_FIRST_MS;
    s->next_probe_ms = now_ms + s->probe_delay_ms;
    s->is_up = false;
    s->down_since_ms = now_ms;
    log_warn("%s cannot be reached (%s); it gets no requests until it answers again", s->name,
             detail);
}

void remote_server_reached(struct remote_server *s)
{
    if (!s->is_up)
        log_info("%s answers again", s->name);
    s->is_up = true;
    s->is_probing = false;
    s->n_refused_connections = 0;
}

struct remote_server *remote_servers_choose(struct remote_server *servers, int n)
{
    struct remote_server *best = NULL;

    for (int i = 0; i < n; i++) {
        struct remote_server *s = &servers[i];

        if (s->is_up && (!best || s->n_running < best->n_running ||
                         (s->n_running == best->n_running && s->n_begun < best->n_begun)))
            best = s;
    }
    return best;
}
