/* libFuzzer's door: any bytes as a body, as a stream of frames, and as what a device hears. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define CHECK(condition) \
    do {                 \
        if (!(condition)) \
            abort();     \
    } while (0)

typedef struct {
    uint8_t bytes[SPK_MAX_FRAME * 2U];
    size_t size;
} buffer;

static void collect(void *to, const uint8_t *bytes, size_t size)
{
    buffer *out = to;
    CHECK(out->size + size <= sizeof out->bytes);
    if (size > 0U) {
        memcpy(&out->bytes[out->size], bytes, size);
        out->size += size;
    }
}

/* What decodes is encoded to the same bytes again, or to a beginning of them where it may grow. */
static void decode(const uint8_t *data, size_t size)
{
    static buffer again;
    const spk_sink sink = {collect, &again};
    spk_message message;
    if (spk_decode(data, size, &message) == SPK_OK) {
        again.size = 0U;
        CHECK(spk_encode(&message, &sink) == SPK_OK);
        CHECK(again.size == spk_body_bytes(&message) && again.size <= size);
        CHECK(memcmp(again.bytes, data, again.size) == 0);
    }
}

static void frames(const uint8_t *data, size_t size)
{
    const size_t capacity = size % 97U;
    uint8_t *memory = malloc(capacity);
    spk_framer framer;
    spk_framer_init(&framer, memory, capacity);
    for (size_t i = 0U; i < size; i++) {
        const size_t body = spk_framer_take(&framer, data[i]);
        CHECK(framer.held <= capacity && body <= capacity);
        if (body > 0U) {
            decode(memory, body);
        }
    }
    CHECK(framer.counters.bytes == size);
    free(memory);
}

static void device(const uint8_t *data, size_t size)
{
    static bench instrument;
    static buffer framed;
    spk_frame_writer writer;
    instrument.out_limit = BENCH_OUT;
    instrument.capabilities = 7U;
    bench_init(&instrument);
    bench_feed(&instrument, 1000U, data, size);
    /* The same bytes as bodies of good frames, which a fuzzer would hardly find by itself. */
    for (size_t at = 0U; at < size; at += 24U) {
        const size_t body = size - at < 24U ? size - at : 24U;
        framed.size = 0U;
        spk_frame_begin(&writer, collect, &framed);
        spk_frame_put(&writer, &data[at], body);
        spk_frame_end(&writer);
        bench_feed(&instrument, 2000U + 1000U * at, framed.bytes, framed.size);
    }
    CHECK(instrument.device.settings.averages > 0U);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    decode(data, size);
    frames(data, size);
    if (size <= 512U) {
        device(data, size);
    }
    return 0;
}
