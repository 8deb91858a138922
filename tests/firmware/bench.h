/* A device on a board made of numbers: its clock, its line and its light are the test's. */
#ifndef BENCH_H
#define BENCH_H

#include "spektron_device.h"

#define BENCH_PIXELS 120U
#define BENCH_OUT (1024U * 1024U)

typedef struct {
    uint64_t now_us;
    const uint8_t *in;
    size_t in_left;
    uint8_t out[BENCH_OUT];
    size_t out_size;
    size_t out_limit;
    uint64_t warmup_us;
    uint64_t lamp_since_us;
    bool lamp;
    uint8_t position;
    uint32_t saturated_scan;
    uint16_t capabilities;
    bool stuck;
    uint32_t sums[BENCH_PIXELS];
    uint16_t counts[BENCH_PIXELS];
    uint8_t frame[SPK_MAX_FRAME];
    spk_device device;
} bench;

/* Power on at time 0. */
void bench_init(bench *self);

/* Let the device hear `size` bytes at `now_us`, and do all that is due. Its bytes are in `out`. */
void bench_feed(bench *self, uint64_t now_us, const uint8_t *bytes, size_t size);

#endif
