#include "spektron_frame.h"

#define CRC_BYTES 4U
#define BLOCK 255U

uint32_t spk_crc32(uint32_t crc, const uint8_t *bytes, size_t size)
{
    /* Four bits at a time: 64 bytes of table instead of 1024. */
    static const uint32_t table[16] = {
        0x00000000U, 0x1DB71064U, 0x3B6E20C8U, 0x26D930ACU, 0x76DC4190U, 0x6B6B51F4U,
        0x4DB26158U, 0x5005713CU, 0xEDB88320U, 0xF00F9344U, 0xD6D6A3E8U, 0xCB61B38CU,
        0x9B64C2B0U, 0x86D3D2D4U, 0xA00AE278U, 0xBDBDF21CU,
    };
    crc = ~crc;
    for (size_t i = 0U; i < size; i++) {
        crc ^= bytes[i];
        crc = (crc >> 4) ^ table[crc & 0x0FU];
        crc = (crc >> 4) ^ table[crc & 0x0FU];
    }
    return ~crc;
}

size_t spk_frame_bytes(size_t size)
{
    const size_t guarded = size + CRC_BYTES;
    return guarded + (guarded / (BLOCK - 1U)) + 2U;
}

void spk_frame_begin(spk_frame_writer *frame,
                     void (*put)(void *to, const uint8_t *bytes, size_t size), void *to)
{
    frame->put = put;
    frame->to = to;
    frame->crc = 0U;
    frame->used = 1U;
}

static void flush(spk_frame_writer *frame)
{
    frame->block[0] = frame->used;
    frame->put(frame->to, frame->block, frame->used);
    frame->used = 1U;
}

static void stuff(spk_frame_writer *frame, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0U; i < size; i++) {
        /* A full block is sent only when more follows: none may stand empty at the end. */
        if (frame->used == BLOCK) {
            flush(frame);
        }
        if (bytes[i] == 0U) {
            flush(frame);
        } else {
            frame->block[frame->used] = bytes[i];
            frame->used++;
        }
    }
}

void spk_frame_put(void *frame, const uint8_t *bytes, size_t size)
{
    spk_frame_writer *self = (spk_frame_writer *)frame;
    self->crc = spk_crc32(self->crc, bytes, size);
    stuff(self, bytes, size);
}

void spk_frame_end(spk_frame_writer *frame)
{
    static const uint8_t delimiter = 0U;
    uint8_t crc[CRC_BYTES];
    for (size_t i = 0U; i < CRC_BYTES; i++) {
        crc[i] = (uint8_t)(frame->crc >> (8U * i));
    }
    stuff(frame, crc, CRC_BYTES);
    flush(frame);
    frame->put(frame->to, &delimiter, 1U);
}

void spk_framer_init(spk_framer *framer, uint8_t *buffer, size_t capacity)
{
    static const spk_framer_counters none = {0U, 0U, 0U, 0U, 0U, 0U, 0U};
    framer->buffer = buffer;
    framer->capacity = capacity;
    framer->held = 0U;
    framer->overflowed = false;
    framer->counters = none;
}

uint32_t spk_framer_bad(const spk_framer *framer)
{
    const spk_framer_counters *seen = &framer->counters;
    return seen->crc_errors + seen->cobs_errors + seen->oversize + seen->runts;
}

/* Undo the stuffing in place, which never moves a byte ahead of where it is read; false when a
   block ends behind the frame. */
static bool unstuff(uint8_t *bytes, size_t size, size_t *out)
{
    size_t from = 0U;
    size_t to = 0U;
    while (from < size) {
        const uint8_t code = bytes[from];
        from++;
        if ((size_t)code - 1U > size - from) {
            return false;
        }
        for (uint8_t i = 1U; i < code; i++) {
            bytes[to] = bytes[from];
            to++;
            from++;
        }
        if ((code != BLOCK) && (from < size)) {
            bytes[to] = 0U;
            to++;
        }
    }
    *out = to;
    return true;
}

static size_t complete(spk_framer *framer)
{
    const size_t raw = framer->held;
    size_t size = 0U;
    size_t body = 0U;
    if (!unstuff(framer->buffer, raw, &size)) {
        framer->counters.cobs_errors++;
    } else if (size <= CRC_BYTES) {
        framer->counters.runts++;
    } else {
        const uint8_t *bytes = framer->buffer;
        uint32_t sent = 0U;
        body = size - CRC_BYTES;
        for (size_t i = 0U; i < CRC_BYTES; i++) {
            sent = (sent >> 8U) | ((uint32_t)bytes[body + i] << 24U);
        }
        if (spk_crc32(0U, bytes, body) == sent) {
            framer->counters.frames++;
        } else {
            framer->counters.crc_errors++;
            body = 0U;
        }
    }
    if (body == 0U) {
        framer->counters.discarded_bytes += (uint32_t)raw;
    }
    return body;
}

size_t spk_framer_take(spk_framer *framer, uint8_t byte)
{
    size_t body = 0U;
    framer->counters.bytes++;
    if (byte == 0U) {
        if (framer->held > 0U) {
            body = complete(framer);
        }
        framer->held = 0U;
        framer->overflowed = false;
    } else if (framer->overflowed) {
        framer->counters.discarded_bytes++;
    } else if (framer->held == framer->capacity) {
        framer->counters.oversize++;
        framer->counters.discarded_bytes += (uint32_t)framer->held + 1U;
        framer->held = 0U;
        framer->overflowed = true;
    } else {
        framer->buffer[framer->held] = byte;
        framer->held++;
    }
    return body;
}
