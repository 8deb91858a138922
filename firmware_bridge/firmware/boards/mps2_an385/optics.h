/* A spectrometer made of integers: a lamp, a dark level, noise, and samples that take turns. */
#ifndef OPTICS_H
#define OPTICS_H

#include <stdbool.h>
#include <stdint.h>

#define OPTICS_PIXELS 700U
#define OPTICS_FULL_SCALE 65535U

/* Where the emulator may put samples: "SPKS", the number of rows, then rows of OPTICS_PIXELS
   transmittances as u16, 65535 = all light. Without them, three bands are shown. */
#define OPTICS_SAMPLES 0x21000000U

/* Counts of exposure `exposure` of scan `number`; `light`: the lamp is on. */
void optics_expose(uint16_t *counts, uint32_t number, uint32_t exposure, uint8_t position,
                   bool light, uint32_t integration_us);

#endif
