/* Arm MPS2 with AN385: timer, UART and sleep. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOARD_LINE_RATE 921600U

void board_init(void);

/* Microseconds since board_init(); call it at least every two minutes. */
uint64_t board_clock_us(void);

/* Another number at every power-on and reset, in all likelihood. */
uint32_t board_entropy(void);

size_t board_receive(uint8_t *bytes, size_t capacity);
size_t board_send_room(void);
void board_send(const uint8_t *bytes, size_t size);

/* Send on, then sleep until a byte comes, one has left, or a millisecond has passed. */
void board_rest(void);

/* Interrupts. */
void board_tick(void);
void board_uart_receives(void);
void board_uart_has_sent(void);

#endif
