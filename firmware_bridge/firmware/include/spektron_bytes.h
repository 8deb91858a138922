/* Bytes of the wire protocol: what the generated codec reads and writes with. Little-endian. */
#ifndef SPEKTRON_BYTES_H
#define SPEKTRON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SPK_OK = 0,
    SPK_UNKNOWN_TYPE, /* a message type that this side does not know */
    SPK_BAD_VERSION,  /* a protocol version that this side does not speak */
    SPK_TOO_SHORT,    /* the payload ends inside a field */
    SPK_TOO_LONG,     /* bytes behind the last field of a message that must not grow */
    SPK_BAD_TEXT,     /* over its limit, or no UTF-8 */
    SPK_BAD_COUNTS    /* over the limit, or of an unknown format */
} spk_status;

/* UTF-8 without a terminating zero. Decoded, it points into the body. */
typedef struct {
    const char *bytes;
    uint8_t size; /* bytes */
} spk_text;

enum { SPK_COUNTS_U16 = 1, SPK_COUNTS_U32 = 2 };

/* Pixel counts as on the wire, little-endian. Decoded, they point into the body, not aligned. */
typedef struct {
    const uint8_t *bytes;
    uint16_t size;  /* pixels */
    uint8_t format; /* SPK_COUNTS_U16 or SPK_COUNTS_U32 */
} spk_counts;

/* Takes the next bytes of a body; the first failure stays in `status`, and all is zero after it. */
typedef struct {
    const uint8_t *bytes;
    size_t left;
    spk_status status;
} spk_reader;

/* Where encoded bytes go. */
typedef struct {
    void (*put)(void *to, const uint8_t *bytes, size_t size);
    void *to;
} spk_sink;

uint8_t spk_read_u8(spk_reader *from);
uint16_t spk_read_u16(spk_reader *from);
uint32_t spk_read_u32(spk_reader *from);
uint64_t spk_read_u64(spk_reader *from);
float spk_read_f32(spk_reader *from);
double spk_read_f64(spk_reader *from);
spk_text spk_read_text(spk_reader *from, uint8_t limit);
spk_counts spk_read_counts(spk_reader *from, uint16_t limit);

void spk_write_u8(const spk_sink *to, uint8_t value);
void spk_write_u16(const spk_sink *to, uint16_t value);
void spk_write_u32(const spk_sink *to, uint32_t value);
void spk_write_u64(const spk_sink *to, uint64_t value);
void spk_write_f32(const spk_sink *to, float value);
void spk_write_f64(const spk_sink *to, double value);
void spk_write_text(const spk_sink *to, spk_text value);
void spk_write_counts(const spk_sink *to, spk_counts value);

/* Whether a value may be sent, before anything of it is. */
spk_status spk_check_text(spk_text value, uint8_t limit);
spk_status spk_check_counts(spk_counts value, uint16_t limit);

/* Bytes that the counts themselves take. */
size_t spk_counts_bytes(spk_counts value);

/* A text from a string that ends with a zero; at most 255 bytes of it. */
spk_text spk_text_of(const char *string);

/* Put counts into wire order, in place, and return them; nothing moves on a little-endian machine. */
spk_counts spk_counts_of(uint16_t *values, uint16_t pixels);

#ifdef __cplusplus
}
#endif

#endif
