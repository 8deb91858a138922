#include "board.h"

#define CLOCK_HZ 25000000U
#define TICKS_PER_US (CLOCK_HZ / 1000000U)

typedef struct {
    volatile uint32_t control;
    volatile uint32_t value;
    volatile uint32_t reload;
    volatile uint32_t interrupt;
} timer_registers;

typedef struct {
    volatile uint32_t data;
    volatile uint32_t state;
    volatile uint32_t control;
    volatile uint32_t interrupt;
    volatile uint32_t divider;
} uart_registers;

typedef struct {
    volatile uint32_t control;
    volatile uint32_t reload;
    volatile uint32_t value;
} tick_registers;

#define TIMER ((timer_registers *)0x40000000U)
#define UART ((uart_registers *)0x40004000U)
#define TICK ((tick_registers *)0xE000E010U)
#define INTERRUPT_ENABLE ((volatile uint32_t *)0xE000E100U)

enum { TIMER_ON = 1U };
enum { UART_SEND_FULL = 1U, UART_RECEIVE_FULL = 2U };
enum { UART_SENDS = 1U, UART_RECEIVES = 2U, UART_SEND_IRQ = 4U, UART_RECEIVE_IRQ = 8U };
enum { UART_SENT = 1U, UART_RECEIVED = 2U };
enum { TICK_ON = 1U, TICK_IRQ = 2U, TICK_FROM_CORE = 4U };

/* Eleven seconds of a line at full speed: an emulated board's host may be kept waiting. */
#define SEND_BYTES (1024U * 1024U)
#define RECEIVE_BYTES 4096U

static uint8_t outgoing[SEND_BYTES];
static size_t outgoing_first;
static size_t outgoing_held;

static volatile uint8_t incoming[RECEIVE_BYTES];
static volatile uint32_t incoming_written; /* by the interrupt alone */
static volatile uint32_t incoming_read;    /* by board_receive() alone */

static uint64_t clock_ticks;
static uint32_t clock_last;

__attribute__((section(".noinit"))) static uint32_t entropy_pool;

void board_init(void)
{
    TIMER->reload = UINT32_MAX;
    TIMER->value = UINT32_MAX;
    TIMER->control = TIMER_ON;
    clock_last = TIMER->value;
    UART->divider = CLOCK_HZ / BOARD_LINE_RATE;
    UART->control = UART_SENDS | UART_RECEIVES | UART_RECEIVE_IRQ;
    *INTERRUPT_ENABLE = 3U;
    TICK->reload = (CLOCK_HZ / 1000U) - 1U;
    TICK->value = 0U;
    TICK->control = TICK_ON | TICK_IRQ | TICK_FROM_CORE;
}

uint64_t board_clock_us(void)
{
    const uint32_t value = TIMER->value;
    clock_ticks += clock_last - value; /* it counts down, and wraps */
    clock_last = value;
    return clock_ticks / TICKS_PER_US;
}

uint32_t board_entropy(void)
{
    /* When the first request comes is nobody's plan, to the 40 ns; and the pool outlives a reset. */
    uint32_t mixed = entropy_pool ^ TIMER->value;
    mixed = (mixed ^ (mixed >> 16)) * 0x7FEB352DU;
    mixed = (mixed ^ (mixed >> 15)) * 0x846CA68BU;
    entropy_pool = mixed ^ (mixed >> 16);
    return entropy_pool;
}

size_t board_receive(uint8_t *bytes, size_t capacity)
{
    size_t size = 0U;
    while ((size < capacity) && (incoming_read != incoming_written)) {
        bytes[size] = incoming[incoming_read % RECEIVE_BYTES];
        incoming_read++;
        size++;
    }
    return size;
}

size_t board_send_room(void) { return SEND_BYTES - outgoing_held; }

void board_send(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0U; i < size; i++) {
        outgoing[(outgoing_first + outgoing_held) % SEND_BYTES] = bytes[i];
        outgoing_held++;
    }
}

static void send_on(void)
{
    while ((outgoing_held > 0U) && ((UART->state & UART_SEND_FULL) == 0U)) {
        UART->data = outgoing[outgoing_first];
        outgoing_first = (outgoing_first + 1U) % SEND_BYTES;
        outgoing_held--;
    }
    if (outgoing_held > 0U) {
        UART->control |= UART_SEND_IRQ;
    } else {
        UART->control &= ~(uint32_t)UART_SEND_IRQ;
    }
}

void board_rest(void)
{
    send_on();
    /* An interrupt that comes in between still ends the wait. */
    __asm volatile("cpsid i" ::: "memory");
    if (incoming_read == incoming_written) {
        __asm volatile("wfi" ::: "memory");
    }
    __asm volatile("cpsie i" ::: "memory");
}

void board_tick(void)
{
    /* It only ends the rest. */
}

void board_uart_receives(void)
{
    UART->interrupt = UART_RECEIVED;
    while ((UART->state & UART_RECEIVE_FULL) != 0U) {
        const uint8_t byte = (uint8_t)UART->data;
        /* What finds no room is lost; the checksum of its frame tells. */
        if ((incoming_written - incoming_read) < RECEIVE_BYTES) {
            incoming[incoming_written % RECEIVE_BYTES] = byte;
            incoming_written++;
        }
    }
}

void board_uart_has_sent(void) { UART->interrupt = UART_SENT; }
