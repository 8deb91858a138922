/* What the library needs of a board: the functions that a port writes. See docs/firmware.md.

   All are called from spk_device_poll() only, never from an interrupt, and must not block. */
#ifndef SPEKTRON_HAL_H
#define SPEKTRON_HAL_H

#include "spektron_wire.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    /* Microseconds since power-on; never runs backwards. */
    uint64_t (*clock_us)(void *board);

    /* A number that differs from power-on to power-on; asked for once, at the first HELLO. */
    uint32_t (*boot_id)(void *board);

    /* Take bytes from the host into `bytes`; how many there were, at most `capacity`. */
    size_t (*receive)(void *board, uint8_t *bytes, size_t capacity);

    /* How many bytes `send` would take now. A frame is sent whole or not at all. */
    size_t (*send_room)(void *board);

    /* Send bytes to the host; never more than there was room for. */
    void (*send)(void *board, const uint8_t *bytes, size_t size);

    /* Fill in who the instrument is; version and boot_id are the library's. Texts must stay. */
    void (*identify)(void *board, spk_info *info);

    /* Bits per second of the line, so that no scan is made faster than its frame can leave. */
    uint32_t (*line_rate)(void *board);

    /* Switch the lamp. */
    void (*lamp_switch)(void *board, bool on);

    /* SPK_LAMP_STATE_...; an instrument without a lamp of its own says STABLE. */
    uint8_t (*lamp_state)(void *board);

    /* Turn to SPK_POSITION_...; false when the hardware fails: the host is told. */
    bool (*position)(void *board, uint8_t position);

    /* The counts of the exposure of `integration_us` that ended at `ended_us`, for the scan of this
       number: INFO's `pixels` values up to its `full_scale`. */
    void (*expose)(void *board, uint32_t number, uint32_t integration_us, uint64_t ended_us,
                   uint16_t *counts);

    /* Detector temperature in degrees Celsius. */
    float (*temperature_c)(void *board);
} spk_hal;

#ifdef __cplusplus
}
#endif

#endif
