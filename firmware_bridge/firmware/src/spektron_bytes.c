#include "spektron_bytes.h"

/* An IEEE 754 number and its bits: C99 lets a union read one as the other. */
typedef union {
    float value;
    uint32_t bits;
} single;

typedef union {
    double value;
    uint64_t bits;
} twofold;

static const uint8_t *take(spk_reader *from, size_t size)
{
    const uint8_t *bytes = from->bytes;
    if ((from->status == SPK_OK) && (size > from->left)) {
        from->status = SPK_TOO_SHORT;
    }
    if (from->status != SPK_OK) {
        return NULL;
    }
    from->bytes += size;
    from->left -= size;
    return bytes;
}

static uint64_t read_unsigned(spk_reader *from, size_t size)
{
    const uint8_t *bytes = take(from, size);
    uint64_t value = 0U;
    if (bytes != NULL) {
        for (size_t i = size; i > 0U; i--) {
            value = (value << 8) | bytes[i - 1U];
        }
    }
    return value;
}

uint8_t spk_read_u8(spk_reader *from) { return (uint8_t)read_unsigned(from, 1U); }
uint16_t spk_read_u16(spk_reader *from) { return (uint16_t)read_unsigned(from, 2U); }
uint32_t spk_read_u32(spk_reader *from) { return (uint32_t)read_unsigned(from, 4U); }
uint64_t spk_read_u64(spk_reader *from) { return read_unsigned(from, 8U); }

float spk_read_f32(spk_reader *from)
{
    single number;
    number.bits = spk_read_u32(from);
    return number.value;
}

double spk_read_f64(spk_reader *from)
{
    twofold number;
    number.bits = spk_read_u64(from);
    return number.value;
}

/* Length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), 0 when there is none. */
static size_t utf8_length(const uint8_t *at, size_t left)
{
    const uint8_t first = at[0];
    uint8_t low = 0x80U;
    uint8_t high = 0xBFU;
    size_t length;
    if (first < 0x80U) {
        return 1U;
    }
    if ((first >= 0xC2U) && (first <= 0xDFU)) {
        length = 2U;
    } else if ((first >= 0xE0U) && (first <= 0xEFU)) {
        length = 3U;
        low = (first == 0xE0U) ? 0xA0U : low;
        high = (first == 0xEDU) ? 0x9FU : high;
    } else if ((first >= 0xF0U) && (first <= 0xF4U)) {
        length = 4U;
        low = (first == 0xF0U) ? 0x90U : low;
        high = (first == 0xF4U) ? 0x8FU : high;
    } else {
        return 0U;
    }
    if ((length > left) || (at[1] < low) || (at[1] > high)) {
        return 0U;
    }
    for (size_t i = 2U; i < length; i++) {
        if ((at[i] & 0xC0U) != 0x80U) {
            return 0U;
        }
    }
    return length;
}

spk_status spk_check_text(spk_text value, uint8_t limit)
{
    const uint8_t *bytes = (const uint8_t *)value.bytes;
    size_t at = 0U;
    if (value.size > limit) {
        return SPK_BAD_TEXT;
    }
    while (at < value.size) {
        const size_t length = utf8_length(&bytes[at], (size_t)value.size - at);
        if (length == 0U) {
            return SPK_BAD_TEXT;
        }
        at += length;
    }
    return SPK_OK;
}

spk_text spk_read_text(spk_reader *from, uint8_t limit)
{
    spk_text value = {"", 0U};
    const uint8_t size = spk_read_u8(from);
    if ((from->status == SPK_OK) && (size > limit)) {
        from->status = SPK_BAD_TEXT;
    }
    const uint8_t *bytes = take(from, size);
    if (bytes != NULL) {
        value.bytes = (const char *)bytes;
        value.size = size;
        from->status = spk_check_text(value, limit);
    }
    return value;
}

size_t spk_counts_bytes(spk_counts value)
{
    return (size_t)value.size * ((value.format == (uint8_t)SPK_COUNTS_U32) ? 4U : 2U);
}

spk_status spk_check_counts(spk_counts value, uint16_t limit)
{
    const bool known =
        (value.format == (uint8_t)SPK_COUNTS_U16) || (value.format == (uint8_t)SPK_COUNTS_U32);
    return (known && (value.size <= limit)) ? SPK_OK : SPK_BAD_COUNTS;
}

spk_counts spk_read_counts(spk_reader *from, uint16_t limit)
{
    spk_counts value = {NULL, 0U, (uint8_t)SPK_COUNTS_U16};
    spk_counts announced = value;
    announced.format = spk_read_u8(from);
    announced.size = spk_read_u16(from);
    if (from->status == SPK_OK) {
        from->status = spk_check_counts(announced, limit);
    }
    announced.bytes = take(from, spk_counts_bytes(announced));
    if (announced.bytes != NULL) {
        value = announced;
    }
    return value;
}

static void write_unsigned(const spk_sink *to, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0U; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8U * i));
    }
    to->put(to->to, bytes, size);
}

void spk_write_u8(const spk_sink *to, uint8_t value) { write_unsigned(to, value, 1U); }
void spk_write_u16(const spk_sink *to, uint16_t value) { write_unsigned(to, value, 2U); }
void spk_write_u32(const spk_sink *to, uint32_t value) { write_unsigned(to, value, 4U); }
void spk_write_u64(const spk_sink *to, uint64_t value) { write_unsigned(to, value, 8U); }

void spk_write_f32(const spk_sink *to, float value)
{
    single number;
    number.value = value;
    spk_write_u32(to, number.bits);
}

void spk_write_f64(const spk_sink *to, double value)
{
    twofold number;
    number.value = value;
    spk_write_u64(to, number.bits);
}

void spk_write_text(const spk_sink *to, spk_text value)
{
    spk_write_u8(to, value.size);
    to->put(to->to, (const uint8_t *)value.bytes, value.size);
}

void spk_write_counts(const spk_sink *to, spk_counts value)
{
    spk_write_u8(to, value.format);
    spk_write_u16(to, value.size);
    to->put(to->to, value.bytes, spk_counts_bytes(value));
}

spk_text spk_text_of(const char *string)
{
    spk_text text = {string, 0U};
    while ((text.size < UINT8_MAX) && (string[text.size] != '\0')) {
        text.size++;
    }
    return text;
}

spk_counts spk_counts_of(uint16_t *values, uint16_t pixels)
{
    uint8_t *bytes = (uint8_t *)values;
    const spk_counts counts = {bytes, pixels, (uint8_t)SPK_COUNTS_U16};
    for (size_t i = 0U; i < pixels; i++) {
        const uint16_t value = values[i];
        bytes[2U * i] = (uint8_t)value;
        bytes[(2U * i) + 1U] = (uint8_t)(value >> 8);
    }
    return counts;
}
