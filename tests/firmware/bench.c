#include "bench.h"

#include <assert.h>
#include <string.h>

static uint64_t clock_us(void *board) { return ((bench *)board)->now_us; }

static uint32_t boot_id(void *board)
{
    (void)board;
    return 4711U;
}

static size_t receive(void *board, uint8_t *bytes, size_t capacity)
{
    bench *self = board;
    const size_t size = self->in_left < capacity ? self->in_left : capacity;
    if (size > 0U) {
        memcpy(bytes, self->in, size);
        self->in += size;
        self->in_left -= size;
    }
    return size;
}

static size_t send_room(void *board) { return ((bench *)board)->out_limit - ((bench *)board)->out_size; }

static void send(void *board, const uint8_t *bytes, size_t size)
{
    bench *self = board;
    assert(size <= send_room(board));
    memcpy(&self->out[self->out_size], bytes, size);
    self->out_size += size;
}

static void identify(void *board, spk_info *info)
{
    info->serial = spk_text_of("BENCH-0001");
    info->firmware = spk_text_of("bench 1.0");
    info->pixels = BENCH_PIXELS;
    info->full_scale = 65535U;
    info->capabilities = ((bench *)board)->capabilities;
    info->coefficients[0] = 1100.0;
    info->coefficients[1] = 11.5;
    info->min_integration_us = 10U;
    info->max_integration_us = 10000000U;
    info->max_averages = 10000U;
}

static uint32_t line_rate(void *board)
{
    (void)board;
    return 921600U;
}

static void lamp_switch(void *board, bool on)
{
    bench *self = board;
    self->lamp = on;
    self->lamp_since_us = self->now_us;
}

static uint8_t lamp_state(void *board)
{
    const bench *self = board;
    if (!self->lamp) {
        return SPK_LAMP_STATE_OFF;
    }
    return self->now_us - self->lamp_since_us >= self->warmup_us ? SPK_LAMP_STATE_STABLE
                                                                 : SPK_LAMP_STATE_WARMING;
}

static bool position(void *board, uint8_t position)
{
    bench *self = board;
    self->position = position;
    return !self->stuck;
}

static void expose(void *board, uint32_t number, uint32_t integration_us, uint64_t ended_us,
                   uint16_t *counts)
{
    static const uint16_t light[] = {600U, 20000U, 50000U};
    const bench *self = board;
    (void)integration_us;
    assert(ended_us <= self->now_us);
    for (size_t i = 0U; i < BENCH_PIXELS; i++) {
        /* Two exposures that differ by one have a mean that is rounded. */
        counts[i] = (uint16_t)(light[self->position] + (ended_us / integration_us) % 2U);
    }
    if (number == self->saturated_scan) {
        counts[7] = 65535U;
    }
}

static float temperature_c(void *board)
{
    (void)board;
    return 25.0F;
}

static const spk_hal hal = {
    clock_us,  boot_id,     receive,    send_room, send,   identify,
    line_rate, lamp_switch, lamp_state, position,  expose, temperature_c,
};

void bench_init(bench *self)
{
    const spk_memory memory = {self->sums, self->counts, self->frame, sizeof self->frame};
    self->now_us = 0U;
    self->in_left = 0U;
    self->out_size = 0U;
    self->lamp = false;
    self->position = SPK_POSITION_DARK;
    spk_device_init(&self->device, &hal, self, memory);
}

void bench_feed(bench *self, uint64_t now_us, const uint8_t *bytes, size_t size)
{
    self->now_us = now_us;
    self->out_size = 0U;
    /* What was due before the bytes came is done before they are heard. */
    while (spk_device_due(&self->device) <= now_us) {
        spk_device_poll(&self->device);
    }
    self->in = bytes;
    self->in_left = size;
    do {
        spk_device_poll(&self->device);
    } while (self->in_left > 0U || spk_device_due(&self->device) <= now_us);
}
