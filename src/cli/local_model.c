/* local_model.c - see local_model.h. */
#include "cli/local_model.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"
#include "engine/engine.h"

static void set_text(const char **text, struct str value)
{
    char *copy = xcalloc(value.len + 1, 1);

    memcpy(copy, value.ptr, value.len);
    free((char *)(uintptr_t)*text);
    *text = copy;
}

/* The numerics are "<device> <instruction set> <type>". */
void local_model_record(struct engine_opts *o, const struct generator *g)
{
    struct str rest = STR(generator_local_numerics(g)), device, isa;

    if (str_cut(&rest, ' ', &device) && str_cut(&rest, ' ', &isa)) {
        set_text(&o->cpu_isa, isa);
        set_text(&o->dtype, rest);
    }
    o->max_model_len = g->max_model_len;
}

void local_model_say_opened(const struct engine_opts *o, const struct generator *g)
{
    log_info("%s: context of %d tokens, %s", o->model_name_or_path, g->max_model_len,
             generator_local_numerics(g));
}

void local_model_say_work(const struct generator *g)
{
    struct engine_stats st;
    double queries, hits;

    generator_local_engine_stats(g, &st);
    queries = (double)st.sched.n_prefix_queries;
    hits = (double)st.sched.n_prefix_hits;
    log_info("KV cache: at most %.1f %% of %d blocks of %d tokens in use; %.1f %% of %.0f prompt "
             "tokens were there already; "
             "%llu preemptions, %llu tokens computed again",
             st.n_blocks > 0 ? 100.0 * st.n_blocks_peak / st.n_blocks : 0.0, st.n_blocks,
             st.block_tokens, queries > 0 ? 100 * hits / queries : 0.0, queries,
             (unsigned long long)st.sched.n_preemptions,
             (unsigned long long)st.sched.n_preempted_tokens);
    log_info("engine: %llu steps, %llu prompt and %llu answer tokens computed, %.1f s in the "
             "model, %.1f s in drawing",
             (unsigned long long)st.n_steps, (unsigned long long)st.n_prefill_tokens,
             (unsigned long long)st.n_decode_tokens, (double)st.forward_us / 1e6,
             (double)st.draw_us / 1e6);
}
