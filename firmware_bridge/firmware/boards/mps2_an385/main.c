/* A spectrometer on an Arm MPS2: the library, this board, synthetic optics. */
#include "board.h"
#include "optics.h"
#include "spektron_device.h"

typedef struct {
    bool lamp;
    uint8_t position;
    uint32_t number;   /* of the scan that the last exposure was for, */
    uint32_t exposure; /* and its number within that */
} instrument;

static uint64_t clock_us(void *board)
{
    (void)board;
    return board_clock_us();
}

static uint32_t boot_id(void *board)
{
    (void)board;
    return board_entropy();
}

static size_t receive(void *board, uint8_t *bytes, size_t capacity)
{
    (void)board;
    return board_receive(bytes, capacity);
}

static size_t send_room(void *board)
{
    (void)board;
    return board_send_room();
}

static void send(void *board, const uint8_t *bytes, size_t size)
{
    (void)board;
    board_send(bytes, size);
}

static void identify(void *board, spk_info *info)
{
    (void)board;
    info->serial = spk_text_of("MPS2-0001");
    info->firmware = spk_text_of("reference 1.0");
    info->pixels = OPTICS_PIXELS;
    info->full_scale = OPTICS_FULL_SCALE;
    info->capabilities = SPK_CAPABILITY_SHUTTER | SPK_CAPABILITY_REFERENCE | SPK_CAPABILITY_LAMP;
    info->coefficients[0] = 1100.0;
    info->coefficients[1] = 2.0;
    info->min_integration_us = 10U;
    info->max_integration_us = 10000000U;
    info->max_averages = 10000U;
}

static uint32_t line_rate(void *board)
{
    (void)board;
    return BOARD_LINE_RATE;
}

static void lamp_switch(void *board, bool on) { ((instrument *)board)->lamp = on; }

static uint8_t lamp_state(void *board)
{
    return ((const instrument *)board)->lamp ? SPK_LAMP_STATE_STABLE : SPK_LAMP_STATE_OFF;
}

static bool position(void *board, uint8_t position)
{
    ((instrument *)board)->position = position;
    return true;
}

static void expose(void *board, uint32_t number, uint32_t integration_us, uint64_t ended_us,
                   uint16_t *counts)
{
    instrument *self = board;
    (void)ended_us;
    self->exposure = (number == self->number) ? (self->exposure + 1U) : 0U;
    self->number = number;
    optics_expose(counts, number, self->exposure, self->position, self->lamp, integration_us);
}

static float temperature_c(void *board)
{
    (void)board;
    return 25.0F;
}

static const spk_hal hal = {
    clock_us, boot_id,    receive,  send_room, send,          identify,
    line_rate, lamp_switch, lamp_state, position, expose, temperature_c,
};

static uint32_t sums[OPTICS_PIXELS];
static uint16_t counts[OPTICS_PIXELS];
static uint8_t frame[SPK_MAX_FRAME];
static instrument self = {false, SPK_POSITION_DARK, UINT32_MAX, 0U};
static spk_device device;

/* Names by which a debugger, and the tests, find what was counted. */
extern const spk_device_counters *const spektron_sent;
extern const spk_framer_counters *const spektron_heard;
__attribute__((used)) const spk_device_counters *const spektron_sent = &device.counters;
__attribute__((used)) const spk_framer_counters *const spektron_heard = &device.framer.counters;

int main(void)
{
    const spk_memory memory = {sums, counts, frame, sizeof frame};
    board_init();
    spk_device_init(&device, &hal, &self, memory);
    for (;;) {
        spk_device_poll(&device);
        board_rest();
    }
}
