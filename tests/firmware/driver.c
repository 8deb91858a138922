/* The C library behind a pipe. Request: operation u8, number u64, size u32, bytes; reply: size u32,
   bytes. Little-endian, as the machines are that run it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define LARGEST (4U * 1024U * 1024U)

static uint8_t request[LARGEST];
static uint8_t reply[LARGEST];
static size_t reply_size;

static void say(void *to, const uint8_t *bytes, size_t size)
{
    (void)to;
    assert(reply_size + size <= LARGEST);
    if (size > 0U) {
        memcpy(&reply[reply_size], bytes, size);
        reply_size += size;
    }
}

static void say_number(uint32_t number) { say(NULL, (const uint8_t *)&number, sizeof number); }

/* Decode a body and encode what came of it. */
static void recode(size_t size)
{
    spk_message message;
    const spk_sink sink = {say, NULL};
    const uint8_t status = (uint8_t)spk_decode(request, size, &message);
    say(NULL, &status, 1U);
    if (status == SPK_OK) {
        assert(spk_encode(&message, &sink) == SPK_OK);
        assert(reply_size == 1U + spk_body_bytes(&message));
    }
}

static void frame(size_t size, size_t piece)
{
    spk_frame_writer writer;
    spk_frame_begin(&writer, say, NULL);
    for (size_t at = 0U; at < size; at += piece) {
        spk_frame_put(&writer, &request[at], size - at < piece ? size - at : piece);
    }
    spk_frame_end(&writer);
    assert(reply_size <= spk_frame_bytes(size));
}

static spk_framer framer;
static uint8_t *framer_buffer;

static void new_framer(size_t capacity)
{
    /* Of exactly this size, so that one byte beyond it is found. */
    free(framer_buffer);
    framer_buffer = malloc(capacity);
    spk_framer_init(&framer, framer_buffer, capacity);
}

static void cut(size_t size)
{
    for (size_t i = 0U; i < size; i++) {
        const size_t body = spk_framer_take(&framer, request[i]);
        if (body > 0U) {
            say_number((uint32_t)body);
            say(NULL, framer_buffer, body);
        }
    }
}

static bench device;

int main(void)
{
    uint8_t operation;
    while (fread(&operation, 1U, 1U, stdin) == 1U) {
        uint64_t number = 0U;
        uint32_t size = 0U;
        assert(fread(&number, sizeof number, 1U, stdin) == 1U);
        assert(fread(&size, sizeof size, 1U, stdin) == 1U && size <= LARGEST);
        assert(fread(request, 1U, size, stdin) == size);
        reply_size = 0U;
        switch (operation) {
        case 'r':
            recode(size);
            break;
        case 'f':
            frame(size, (size_t)number);
            break;
        case 'n':
            new_framer((size_t)number);
            break;
        case 'c':
            cut(size);
            break;
        case 'C':
            say(NULL, (const uint8_t *)&framer.counters, sizeof framer.counters);
            break;
        case 'd': { /* capabilities, scan that saturates, stuck; number: warm-up in us */
            const uint32_t *options = (const uint32_t *)(const void *)request;
            assert(size == 4U * sizeof *options);
            device.warmup_us = number;
            device.capabilities = (uint16_t)options[0];
            device.saturated_scan = options[1];
            device.stuck = options[2] != 0U;
            device.out_limit = options[3];
            bench_init(&device);
            say(NULL, device.out, device.out_size);
            break;
        }
        case 'D':
            bench_feed(&device, number, request, size);
            say(NULL, device.out, device.out_size);
            break;
        case 'S':
            say_number((uint32_t)(spk_device_due(&device.device) != UINT64_MAX));
            say(NULL, (const uint8_t *)&device.device.counters, sizeof device.device.counters);
            break;
        case 'x':
            framer_buffer[framer.capacity] = 1U;
            break;
        default:
            return 2;
        }
        const uint32_t answer = (uint32_t)reply_size;
        assert(fwrite(&answer, sizeof answer, 1U, stdout) == 1U);
        assert(fwrite(reply, 1U, reply_size, stdout) == reply_size);
        assert(fflush(stdout) == 0);
    }
    free(framer_buffer);
    return 0;
}
