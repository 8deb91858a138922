/* Frames on a byte stream: COBS, ended by a zero, guarded by CRC-32. No input can break it. */
#ifndef SPEKTRON_FRAME_H
#define SPEKTRON_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* CRC-32 of zlib and Ethernet. Begin with 0, pass the last result on for the bytes that follow. */
uint32_t spk_crc32(uint32_t crc, const uint8_t *bytes, size_t size);

/* The most bytes that a frame around a body of `size` bytes takes, delimiter included. */
size_t spk_frame_bytes(size_t size);

/* Builds one frame from a body that comes in pieces; frame bytes leave in blocks of up to 255. */
typedef struct {
    void (*put)(void *to, const uint8_t *bytes, size_t size);
    void *to;
    uint32_t crc;
    uint8_t block[255];
    uint8_t used; /* of the block, its code byte included */
} spk_frame_writer;

void spk_frame_begin(spk_frame_writer *frame,
                     void (*put)(void *to, const uint8_t *bytes, size_t size), void *to);
/* Has the signature of a sink's `put`; `frame` is the spk_frame_writer. */
void spk_frame_put(void *frame, const uint8_t *bytes, size_t size);
void spk_frame_end(spk_frame_writer *frame);

/* What a framer has seen. Bytes count as on the wire. All of it wraps. */
typedef struct {
    uint32_t frames;
    uint32_t bytes;
    uint32_t crc_errors;
    uint32_t cobs_errors;
    uint32_t oversize;
    uint32_t runts;
    uint32_t discarded_bytes;
} spk_framer_counters;

/* Cuts a byte stream into bodies, in a buffer of the caller's: longer frames are discarded. */
typedef struct {
    uint8_t *buffer;
    size_t capacity;
    size_t held;
    bool overflowed;
    spk_framer_counters counters;
} spk_framer;

void spk_framer_init(spk_framer *framer, uint8_t *buffer, size_t capacity);

/* Take the next byte. When it completes a good frame: the size of the body, which then lies at the
   start of the buffer until the next call. Otherwise 0. */
size_t spk_framer_take(spk_framer *framer, uint8_t byte);

/* Frames thrown away, for whatever reason. */
uint32_t spk_framer_bad(const spk_framer *framer);

#ifdef __cplusplus
}
#endif

#endif
