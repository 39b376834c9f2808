/* generator_remote_open.c - options to a generator: headers, servers, and the probe that says in
 * one line each what they serve. */
#include "generator/generator_remote.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "formats/json.h"
#include "generator/generator_remote_state.h"

static bool add_header(struct remote *r, struct err *e, const char *name, const char *value)
{
    struct buf line = {0};
    bool ok;

    buf_addz(&line, name);
    buf_addz(&line, value);
    ok = http_headers_add(r->headers, buf_z(&line), e);
    buf_clear(&line);
    return ok;
}

static bool make_headers(struct remote *r, const struct remote_opts *o, struct err *e)
{
    r->headers = http_headers_open();
    if (!add_header(r, e, "Authorization: Bearer ", r->api_key)) {
        err_prefix(e, "--api_key or OPENAI_API_KEY");
        return false;
    }
    if (o->organization && o->organization[0] &&
        !add_header(r, e, "OpenAI-Organization: ", o->organization)) {
        err_prefix(e, "--organization");
        return false;
    }
    return add_header(r, e, "Content-Type: application/json", "") &&
           add_header(r, e, "Expect:", "");
}

static bool read_extra_body(struct remote *r, const char *text, struct err *e)
{
    if (!text || !text[0])
        return true;
    r->extra = json_parse(STR(text), e);
    if (!r->extra) {
        err_prefix(e, "--extra_body is not JSON");
        return false;
    }
    if (json_type(r->extra) != JSON_OBJECT)
        return err_set(e, ERR_INPUT,
                       "--extra_body is %s; a JSON object is wanted, as '{\"min_p\": 0.05}'",
                       json_type_name(json_type(r->extra)));
    if (json_get(r->extra, "stream") || json_get(r->extra, "n"))
        return err_set(
            e, ERR_INPUT,
            "--extra_body may not set \"stream\" or \"n\"; use --no_stream and --n_samples");
    return true;
}

const char *remote_first_url(const struct remote_opts *o)
{
    const char *from_env = getenv("OPENAI_BASE_URL");

    if (o->base_url.n > 0)
        return o->base_url.items[0];
    return from_env && from_env[0] ? from_env : NULL;
}

static bool open_servers(struct remote *r, const struct remote_opts *o, struct err *e)
{
    const char *first = remote_first_url(o);
    int n = o->base_url.n;

    if (!first)
        return err_set(e, ERR_INPUT,
                       "--base_url is needed: the address of the server, as --base_url "
                       "http://127.0.0.1:8000/v1");
    r->servers = xcalloc((size_t)MAX(1, n), sizeof(*r->servers));
    for (r->n_servers = 0; r->n_servers < MAX(1, n); r->n_servers++)
        if (!remote_server_init(&r->servers[r->n_servers],
                                n ? o->base_url.items[r->n_servers] : first, e)) {
            remote_server_clear(&r->servers[r->n_servers]);
            return false;
        }
    return true;
}

static void probe_all(struct remote *r)
{
    struct http_done done;
    int n_open = r->n_servers;

    for (int i = 0; i < r->n_servers; i++)
        remote_server_probe(&r->servers[i], r->http, r->headers, REMOTE_PROBE_MS);
    while (n_open > 0) {
        if (http_client_poll(r->http, 1000, &done, 1) == 0)
            continue;
        remote_take_probe(done.ctx, &done);
        n_open--;
    }
}

/* What one server's answer to the probe means. */
static bool judge_server(struct remote *r, struct remote_server *s, struct err *e)
{
    struct buf names = {0}, only = {0};
    int n_served;
    bool is_served, ok = true;
    char words[300];

    if (s->status == 401 || s->status == 403) {
        remote_words(r, buf_str(&s->body), words, sizeof(words));
        return err_set(
            e, ERR_INPUT,
            "%s refuses the key (HTTP %d: %s); give one with --api_key or OPENAI_API_KEY", s->name,
            s->status, words);
    }
    if (s->n_refused_connections > 0 || !s->is_up) {
        s->n_refused_connections = 1;
        remote_server_unreachable(s, s->detail, clock_ms());
        return true;
    }
    is_served = remote_server_serves(s, r->model, &names, &n_served, &only);
    if (s->status != 200 || n_served < 0) {
        log_warn("%s has no list of models (HTTP %d at %s); the model's name is not checked",
                 s->name, s->status, s->models_url);
        ok = r->model[0] ||
             err_set(e, ERR_INPUT, "%s does not say what it serves: give --model_name", s->name);
    } else if (!is_served && r->model[0]) {
        ok = err_set(e, ERR_INPUT, "%s does not serve \"%s\"; it serves: %s", s->name, r->model,
                     names.len ? buf_z(&names) : "nothing");
    } else if (!is_served) {
        ok = err_set(e, ERR_INPUT, "%s serves several models: choose one with --model_name (%s)",
                     s->name, buf_z(&names));
    } else {
        if (!r->model[0]) {
            free(r->model);
            r->model = xstrdup(buf_z(&only));
        }
        if (s->max_model_len > 0)
            log_info("%s serves %s, max_model_len %d", s->name, r->model, s->max_model_len);
        else
            log_info("%s serves %s, max_model_len not told", s->name, r->model);
    }
    buf_clear(&names);
    buf_clear(&only);
    return ok;
}

static bool judge_servers(struct remote *r, struct err *e)
{
    int n_up = 0;

    for (int i = 0; i < r->n_servers; i++) {
        struct remote_server *s = &r->servers[i];

        if (r->n_servers == 1 && s->n_refused_connections > 0)
            return err_set(e, ERR_REMOTE,
                           "no server at %s: %s. Is it running, and is --base_url right?", s->name,
                           s->detail);
        if (!judge_server(r, s, e))
            return false;
        n_up += s->is_up;
        if (s->max_model_len > 0 &&
            (r->base.max_model_len == 0 || s->max_model_len < r->base.max_model_len))
            r->base.max_model_len = s->max_model_len;
    }
    if (n_up == 0)
        return err_set(e, ERR_REMOTE, "none of the %d servers can be reached", r->n_servers);
    if (!r->model[0])
        return err_set(e, ERR_INPUT, "no server said what it serves: give --model_name");
    return true;
}

static int to_ms(double seconds)
{
    return seconds * 1000 > INT32_MAX ? 0 : (int)(seconds * 1000);
}

static void set_limits(struct remote *r, const struct remote_opts *o)
{
    r->max_workers = http_max_connections(o->max_workers);
    if (r->max_workers < o->max_workers)
        log_warn("this process may open so few files that --max_workers is %d instead of %d (see "
                 "ulimit -n)",
                 r->max_workers, o->max_workers);
    r->max_retries = o->max_retries;
    r->stream = o->stream;
    r->request_ms = to_ms(o->request_timeout);
    r->connect_ms = to_ms(o->connect_timeout);
    r->first_byte_ms = to_ms(o->first_token_timeout);
    r->silence_ms = to_ms(o->silence_timeout);
    r->rate_limit_wait_ms = (int64_t)(o->rate_limit_wait * 1000);
    r->max_outage_ms = (int64_t)(o->max_outage * 1000);
    remote_window_init(&r->window, r->max_workers, clock_ms());
}

struct generator *generator_remote_open(const struct remote_opts *o, struct err *e)
{
    struct remote *r = xcalloc(1, sizeof(*r));
    const char *key = o->api_key && o->api_key[0] ? o->api_key : getenv("OPENAI_API_KEY");

    r->base.ops = &remote_ops;
    r->base.constraints = ~0u; /* they are the servers' to obey or to refuse */
    map_init(&r->prompt_tokens);
    r->base.accepts_images = true;
    r->api_key = xstrdup(key && key[0] ? key : "EMPTY");
    r->model = xstrdup(o->model_name ? o->model_name : "");
    set_limits(r, o);
    if (!make_headers(r, o, e) || !read_extra_body(r, o->extra_body, e) || !open_servers(r, o, e) ||
        !(r->http = http_client_open(r->max_workers + r->n_servers, e)))
        goto fail;
    probe_all(r);
    if (!judge_servers(r, e))
        goto fail;
    r->base.model_name = r->model;
    r->body_opts =
        (struct remote_body_opts){r->model, o->stream, o->send_seed, o->strict_openai, r->extra};
    return &r->base;

fail:
    remote_hide_key(r, e->msg);
    remote_ops.close(&r->base);
    return NULL;
}
