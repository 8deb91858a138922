/* From reset to main() on a Cortex-M3, and what a compiler expects of a C library. */
#include <stddef.h>
#include <stdint.h>

#include "board.h"

extern uint32_t stack_top, data_image, data_begin, data_end, bss_begin, bss_end;

int main(void);
void reset(void);

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    uint8_t *out = to;
    const uint8_t *in = from;
    for (size_t i = 0U; i < size; i++) {
        out[i] = in[i];
    }
    return to;
}

void *memset(void *to, int value, size_t size)
{
    uint8_t *out = to;
    for (size_t i = 0U; i < size; i++) {
        out[i] = (uint8_t)value;
    }
    return to;
}

void reset(void)
{
    const uint32_t *from = &data_image;
    for (uint32_t *to = &data_begin; to < &data_end; to++) {
        *to = *from;
        from++;
    }
    for (uint32_t *to = &bss_begin; to < &bss_end; to++) {
        *to = 0U;
    }
    (void)main();
    for (;;) {
    }
}

static void halt(void)
{
    for (;;) {
    }
}

typedef void (*handler)(void);

typedef struct {
    const uint32_t *stack;
    handler exceptions[15];
    handler interrupts[2];
} vector_table;

__attribute__((section(".vectors"), used)) static const vector_table vectors = {
    &stack_top,
    {reset, halt, halt, halt, halt, halt, NULL, NULL, NULL, NULL, halt, halt, NULL, halt,
     board_tick},
    {board_uart_receives, board_uart_has_sent},
};
