/* The golden frames of docs/protocol.md, written down once more by hand, field by field. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "spektron_frame.h"
#include "spektron_wire.h"

static void print(void *to, const uint8_t *bytes, size_t size)
{
    (void)to;
    for (size_t i = 0U; i < size; i++) {
        printf("%02x", bytes[i]);
    }
}

static void show(const char *name, spk_message *message, uint8_t type, uint16_t sequence,
                 uint64_t device_us, uint16_t flags)
{
    spk_frame_writer frame;
    const spk_sink sink = {spk_frame_put, &frame};
    message->header.version = 1U;
    message->header.type = type;
    message->header.flags = flags;
    message->header.sequence = sequence;
    message->header.device_us = device_us;
    printf("%s ", name);
    spk_frame_begin(&frame, print, NULL);
    assert(spk_encode(message, &sink) == SPK_OK);
    spk_frame_end(&frame);
    printf("\n");
}

int main(void)
{
    static const uint8_t wide[] = {0, 0, 0, 0, 0x70, 0x11, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF};
    uint16_t narrow[] = {0U, 600U, 52000U, 65535U};
    spk_message m;

    m.as.hello = (spk_hello){.min_version = 1U, .max_version = 1U};
    show("hello", &m, SPK_MESSAGE_TYPE_HELLO, 1U, 0U, 0U);

    m.as.info = (spk_info){
        .version = 1U,
        .serial = spk_text_of("SPK-0042"),
        .firmware = spk_text_of("1.2.3"),
        .boot_id = 0xDEADBEEFU,
        .pixels = 256U,
        .full_scale = 65535U,
        .capabilities = SPK_CAPABILITY_SHUTTER | SPK_CAPABILITY_LAMP,
        .coefficients = {900.0, 3.5, -0.0001, 0.0, 0.0, 0.0},
        .min_integration_us = 10U,
        .max_integration_us = 1000000U,
        .max_averages = 1000U,
    };
    show("info", &m, SPK_MESSAGE_TYPE_INFO, 1U, 5000000U, SPK_FLAGS_RESPONSE);

    m.as.configure = (spk_configure){
        .integration_us = 1000U, .averages = 4U, .lamp = 1U, .position = SPK_POSITION_SAMPLE};
    show("configure", &m, SPK_MESSAGE_TYPE_CONFIGURE, 2U, 0U, 0U);

    m.as.ack = (spk_ack){.request = SPK_MESSAGE_TYPE_CONFIGURE};
    show("ack", &m, SPK_MESSAGE_TYPE_ACK, 2U, 5000100U, SPK_FLAGS_RESPONSE);

    m.as.start = (spk_start){.count = 20U};
    show("start", &m, SPK_MESSAGE_TYPE_START, 3U, 0U, 0U);
    show("stop", &m, SPK_MESSAGE_TYPE_STOP, 4U, 0U, 0U);

    m.as.scan = (spk_scan){
        .number = 7U,
        .integration_us = 1000U,
        .averages = 4U,
        .lamp = SPK_LAMP_STATE_STABLE,
        .position = SPK_POSITION_SAMPLE,
        .temperature_c = 25.5F,
        .saturated = 1U,
        .counts = spk_counts_of(narrow, 4U),
    };
    show("scan_u16", &m, SPK_MESSAGE_TYPE_SCAN, 0U, 6000000U, 0U);

    m.as.scan.number = 8U;
    m.as.scan.position = SPK_POSITION_REFERENCE;
    m.as.scan.saturated = 0U;
    m.as.scan.counts =
        (spk_counts){.bytes = wide, .size = 3U, .format = SPK_COUNTS_U32};
    show("scan_u32", &m, SPK_MESSAGE_TYPE_SCAN, 0U, 7000000U, 0U);

    m.as.event = (spk_event){SPK_EVENT_CODE_LAMP_STABLE, spk_text_of("lamp is stable")};
    show("event", &m, SPK_MESSAGE_TYPE_EVENT, 0U, 8000000U, 0U);

    m.as.error = (spk_error){SPK_ERROR_CODE_OUT_OF_RANGE, spk_text_of("averages 1 to 1000")};
    show("error", &m, SPK_MESSAGE_TYPE_ERROR, 5U, 9U, SPK_FLAGS_RESPONSE);

    m.as.ping = (spk_ping){.nonce = 0x01020304U};
    show("ping", &m, SPK_MESSAGE_TYPE_PING, 6U, 0U, 0U);
    show("pong", &m, SPK_MESSAGE_TYPE_PING, 6U, 10000000U, SPK_FLAGS_RESPONSE);

    /* What must not be sent is refused before a byte of it leaves. */
    spk_frame_writer frame;
    const spk_sink sink = {spk_frame_put, &frame};
    spk_frame_begin(&frame, print, NULL);
    m.header.type = SPK_MESSAGE_TYPE_EVENT;
    m.as.event.text = spk_text_of("\xC0\x80");
    assert(spk_encode(&m, &sink) == SPK_BAD_TEXT);
    m.header.type = SPK_MESSAGE_TYPE_SCAN;
    m.as.scan.counts = (spk_counts){wide, SPK_MAX_PIXELS + 1U, SPK_COUNTS_U16};
    assert(spk_encode(&m, &sink) == SPK_BAD_COUNTS);
    m.header.type = 99U;
    assert(spk_encode(&m, &sink) == SPK_UNKNOWN_TYPE);
    assert(spk_body_bytes(&m) == 0U);
    assert(frame.used == 1U);
    return 0;
}
