#include "optics.h"

#include "spektron_wire.h"

#define MAGIC 0x534B5053U /* "SPKS", little-endian */
#define MAX_ROWS 1024U
#define BANDS 3U
#define OWN_ROWS 4U

typedef struct {
    uint32_t magic;
    uint32_t rows;
    uint16_t transmittance[MAX_ROWS][OPTICS_PIXELS];
} sample_table;

/* Lorentz bands: centre and half width in pixels, height in 1/65536 at full concentration. */
static const struct {
    int32_t centre;
    int32_t width;
    uint32_t height;
} bands[BANDS] = {{120, 30, 20000U}, {380, 55, 45000U}, {560, 40, 30000U}};

static uint32_t own_transmittance(uint32_t row, int32_t pixel)
{
    uint32_t loss = 65536U;
    for (uint32_t i = 0U; i < BANDS; i++) {
        const int32_t away = pixel - bands[i].centre;
        const int32_t width2 = bands[i].width * bands[i].width;
        const uint32_t height = (bands[i].height * (row + 1U)) / OWN_ROWS;
        loss += (height * (uint32_t)width2) / (uint32_t)(width2 + (away * away));
    }
    return UINT32_MAX / loss;
}

static uint32_t transmittance(uint32_t number, uint32_t pixel)
{
    const sample_table *samples = (const sample_table *)OPTICS_SAMPLES;
    if ((samples->magic == MAGIC) && (samples->rows > 0U) && (samples->rows <= MAX_ROWS)) {
        return samples->transmittance[number % samples->rows][pixel];
    }
    return own_transmittance(number % OWN_ROWS, (int32_t)pixel);
}

/* White counts at 1000 us: brightest in the middle. */
static uint32_t white(int32_t pixel)
{
    const int32_t away = pixel - (int32_t)(OPTICS_PIXELS / 2U);
    return 52000U - (((uint32_t)(away * away) * 20000U) / 122500U);
}

/* -510 to 510, with a standard deviation of 148: four bytes of a hash of where and when. */
static int32_t noise(uint32_t number, uint32_t exposure, uint32_t pixel)
{
    uint32_t x = (number * 0x9E3779B1U) ^ (exposure * 0x85EBCA77U) ^ (pixel * 0xC2B2AE3DU);
    x = (x ^ (x >> 15)) * 0x2C1B3C6DU;
    x = (x ^ (x >> 12)) * 0x297A2D39U;
    x ^= x >> 15;
    const uint32_t sum =
        (x & 0xFFU) + ((x >> 8) & 0xFFU) + ((x >> 16) & 0xFFU) + ((x >> 24) & 0xFFU);
    return (int32_t)sum - 510;
}

void optics_expose(uint16_t *counts, uint32_t number, uint32_t exposure, uint8_t position,
                   bool light, uint32_t integration_us)
{
    for (uint32_t pixel = 0U; pixel < OPTICS_PIXELS; pixel++) {
        uint32_t level = 600U + (3U * (pixel % 7U));
        if (light && (position != (uint8_t)SPK_POSITION_DARK)) {
            const uint32_t passed =
                (position == (uint8_t)SPK_POSITION_SAMPLE) ? transmittance(number, pixel) : 65535U;
            level += (white((int32_t)pixel) * passed) >> 16;
        }
        const uint64_t exposed = ((uint64_t)level * integration_us) / 1000U;
        const int64_t read = (int64_t)exposed + (noise(number, exposure, pixel) / 16);
        uint16_t count = OPTICS_FULL_SCALE;
        if (read < 0) {
            count = 0U;
        } else if (read < (int64_t)OPTICS_FULL_SCALE) {
            count = (uint16_t)read;
        } else {
            /* Full. */
        }
        counts[pixel] = count;
    }
}
