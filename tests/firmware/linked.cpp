// A C++ program with all headers of the C library: a PING there and back.
#include "spektron_bytes.h"
#include "spektron_device.h"
#include "spektron_frame.h"
#include "spektron_hal.h"
#include "spektron_wire.h"

namespace
{
uint8_t frame[64];
size_t length = 0U;

void keep(void *, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0U; i < size; i++) {
        frame[length++] = bytes[i];
    }
}

void (*volatile device)(spk_device *, const spk_hal *, void *, spk_memory) = spk_device_init;
} // namespace

int main()
{
    spk_message sent = {};
    sent.header.version = 1U;
    sent.header.type = SPK_MESSAGE_TYPE_PING;
    sent.as.ping.nonce = 42U;

    spk_frame_writer writer;
    const spk_sink sink = {spk_frame_put, &writer};
    spk_frame_begin(&writer, keep, nullptr);
    if (spk_encode(&sent, &sink) != SPK_OK) {
        return 1;
    }
    spk_frame_end(&writer);

    static uint8_t buffer[64];
    spk_framer framer;
    spk_framer_init(&framer, buffer, sizeof buffer);
    size_t size = 0U;
    for (size_t i = 0U; i < length && size == 0U; i++) {
        size = spk_framer_take(&framer, frame[i]);
    }
    spk_message received = {};
    if (spk_decode(buffer, size, &received) != SPK_OK) {
        return 2;
    }
    return received.as.ping.nonce == 42U && device != nullptr ? 0 : 3;
}
