/* cpu_limits.h - what the machine allows, measured: the denominators of every benchmark. */
#pragma once

#include "device/device.h"

struct cpu_limits {
    double bandwidth; /* bytes/s read from memory by all threads of the device */
    double flops;     /* multiplications and additions/s of the kernel set's own instruction, from
                         registers */
};

/* By the wall clock, best of several short runs, about half a second. d must be a CPU device. */
void cpu_measure_limits(struct device *d, struct cpu_limits *out);

/* One reading of limits.flops, some 20 ms: for shares of it where the machine's speed changes
 * within a run. */
double cpu_flop_rate(struct device *d);
