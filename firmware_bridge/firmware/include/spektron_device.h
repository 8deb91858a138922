/* The instrument's side of the protocol: requests in, answers, scans and events out. No malloc. */
#ifndef SPEKTRON_DEVICE_H
#define SPEKTRON_DEVICE_H

#include "spektron_frame.h"
#include "spektron_hal.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Memory of the caller's. `sums` and `counts` hold INFO's pixels, `frame` the longest frame that
   can be received: SPK_MAX_FRAME where there is room, 64 at the least. */
typedef struct {
    uint32_t *sums;
    uint16_t *counts;
    uint8_t *frame;
    size_t frame_bytes;
} spk_memory;

/* What the device has done since power-on. */
typedef struct {
    uint32_t scans;       /* made */
    uint32_t scans_lost;  /* made, and no room to send them */
    uint32_t frames_sent;
    uint32_t bytes_sent;
    uint32_t frames_lost; /* of all kinds, for want of room */
} spk_device_counters;

typedef struct {
    uint8_t type;     /* SPK_MESSAGE_TYPE_...; 0 = no request was answered yet */
    uint16_t code;    /* of an ERROR, */
    const char *text; /* its text, */
    bool ranged;      /* and whether `low` to `high` follow it */
    uint32_t low;
    uint32_t high;
} spk_answer;

/* Everything the library remembers; look at it, change nothing. */
typedef struct {
    const spk_hal *hal;
    void *board;
    spk_memory memory;
    spk_info info;
    bool booted; /* info.boot_id is known */
    spk_framer framer;
    spk_configure settings;
    bool streaming;
    bool limited;
    uint32_t left;          /* scans to make, where limited */
    uint16_t exposures;     /* of the current scan so far */
    uint64_t exposure_ends; /* us */
    uint64_t scan_ends;     /* us */
    bool lamp_on;
    uint8_t lamp_told; /* the last state that an event told of */
    bool overrun;
    uint8_t request[SPK_FIXED_BYTES]; /* the last one, to know it again */
    size_t request_bytes;
    spk_answer answer;
    spk_device_counters counters;
} spk_device;

/* Begin after power-on; sends EVENT(RESTARTED). `hal`, `board` and `memory` must outlive it. */
void spk_device_init(spk_device *device, const spk_hal *hal, void *board, spk_memory memory);

/* Do what is due: read, answer, at most one exposure. Call it in a loop. */
void spk_device_poll(spk_device *device);

/* When spk_device_poll() has something to do without a byte coming in; UINT64_MAX = never. */
uint64_t spk_device_due(const spk_device *device);

#ifdef __cplusplus
}
#endif

#endif
