/* fuzz_scheduler.c - bytes choose the limits, then drive the scheduler; the naive cache watches. */
#include "engine/sched_sim.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sched_limits l = {.has_prefix_cache = true};
    struct sim s;
    bool ok = true;

    if (size < 6 || size > 4096)
        return 0;
    l.max_num_seqs = 1 + data[0] % 32;
    l.max_num_batched_tokens = 1 + data[1] % 64;
    l.max_chunk = data[2] % 16;
    l.reserve_tokens = data[3] % 48;
    l.has_prefix_cache = data[4] & 1;
    l.aging_steps = data[4] >> 1 & 7;
    if (!sim_open(&s, 4 + data[5] % (SIM_MAX_BLOCKS - 4), &l))
        abort();
    for (size_t i = 6; ok && i + 5 <= size; i += 5)
        ok = sim_do(&s, data + i, data[i + 4]);
    if (!ok || !sim_drain(&s)) {
        fprintf(stderr, "%s\n", s.e.msg);
        abort();
    }
    sim_close(&s);
    return 0;
}
