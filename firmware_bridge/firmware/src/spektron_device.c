#include "spektron_device.h"

#define CHUNK 256U
/* Bits of a byte on the line, with its start and stop bit. */
#define LINE_BITS 10U
#define TEXT_BYTES 100U

/* ---- text */

typedef struct {
    char bytes[TEXT_BYTES];
    uint8_t size;
} text_buffer;

static void append(text_buffer *text, const char *string)
{
    for (size_t i = 0U; (string[i] != '\0') && (text->size < TEXT_BYTES); i++) {
        text->bytes[text->size] = string[i];
        text->size++;
    }
}

static void append_number(text_buffer *text, uint32_t number)
{
    char digits[11];
    size_t at = sizeof digits - 1U;
    digits[at] = '\0';
    do {
        at--;
        digits[at] = (char)('0' + (uint8_t)(number % 10U));
        number /= 10U;
    } while (number > 0U);
    append(text, &digits[at]);
}

static spk_text text_of(const text_buffer *text)
{
    const spk_text out = {text->bytes, text->size};
    return out;
}

/* ---- frames out */

static void put(void *to, const uint8_t *bytes, size_t size)
{
    spk_device *device = (spk_device *)to;
    device->hal->send(device->board, bytes, size);
    device->counters.bytes_sent += (uint32_t)size;
}

/* Send one message, whole or not at all; its header but for the type is filled in here. */
static bool send(spk_device *device, spk_message *message, uint8_t type, uint16_t sequence,
                 uint16_t flags, uint64_t at_us)
{
    message->header.version = device->info.version;
    message->header.type = type;
    message->header.flags = flags;
    message->header.sequence = sequence;
    message->header.device_us = at_us;
    if (spk_frame_bytes(spk_body_bytes(message)) > device->hal->send_room(device->board)) {
        device->counters.frames_lost++;
        return false;
    }
    spk_frame_writer frame;
    const spk_sink sink = {spk_frame_put, &frame};
    spk_frame_begin(&frame, put, device);
    /* What the library sends itself always encodes; a board's bad serial number does not. */
    if (spk_encode(message, &sink) != SPK_OK) {
        return false;
    }
    spk_frame_end(&frame);
    device->counters.frames_sent++;
    return true;
}

static uint64_t now_us(const spk_device *device) { return device->hal->clock_us(device->board); }

static bool send_event(spk_device *device, uint16_t code, spk_text text, uint64_t at_us)
{
    spk_message message;
    message.as.event.code = code;
    message.as.event.text = text;
    return send(device, &message, SPK_MESSAGE_TYPE_EVENT, 0U, 0U, at_us);
}

static void send_error(spk_device *device, uint16_t code, const char *text)
{
    spk_message message;
    message.as.error.code = code;
    message.as.error.text = spk_text_of(text);
    (void)send(device, &message, SPK_MESSAGE_TYPE_ERROR, 0U, 0U, now_us(device));
}

/* ---- lamp */

static void tell_lamp(spk_device *device)
{
    const uint8_t state = device->hal->lamp_state(device->board);
    if (!device->lamp_on || (state == device->lamp_told)) {
        return;
    }
    bool told = true;
    if (state == (uint8_t)SPK_LAMP_STATE_STABLE) {
        told = send_event(device, SPK_EVENT_CODE_LAMP_STABLE, spk_text_of("lamp is stable"),
                          now_us(device));
    } else if (state == (uint8_t)SPK_LAMP_STATE_WARMING) {
        told = send_event(device, SPK_EVENT_CODE_LAMP_WARMING, spk_text_of("lamp is warming up"),
                          now_us(device));
    } else {
        /* A lamp that is off though switched on has nothing to say yet. */
    }
    if (told) {
        device->lamp_told = state;
    }
}

/* ---- scans */

static size_t scan_frame_bytes(const spk_device *device)
{
    spk_message message;
    message.header.type = SPK_MESSAGE_TYPE_SCAN;
    message.as.scan.counts.size = device->info.pixels;
    message.as.scan.counts.format = (uint8_t)SPK_COUNTS_U16;
    return spk_frame_bytes(spk_body_bytes(&message));
}

/* Plan the scan that begins at `begin_us`: it ends when its exposures have, and not before the
   line has carried the `bytes` that were sent just before. */
static void plan(spk_device *device, uint64_t begin_us, size_t bytes)
{
    const uint32_t rate = device->hal->line_rate(device->board);
    const uint64_t bits = (uint64_t)bytes * LINE_BITS;
    const uint64_t line_us = ((bits * 1000000U) + rate - 1U) / rate;
    const uint64_t exposed_us =
        (uint64_t)device->settings.integration_us * device->settings.averages;
    const uint64_t idle_us = (line_us > exposed_us) ? (line_us - exposed_us) : 0U;
    device->exposures = 0U;
    device->exposure_ends = begin_us + idle_us + device->settings.integration_us;
    device->scan_ends = begin_us + idle_us + exposed_us;
    for (size_t i = 0U; i < device->info.pixels; i++) {
        device->memory.sums[i] = 0U;
    }
}

static void begin(spk_device *device)
{
    device->streaming = true;
    plan(device, now_us(device), 0U);
}

/* A pixel that was full once is full in the mean: its true value is not known. */
#define FULL UINT32_MAX

static void add_exposure(spk_device *device)
{
    uint16_t *counts = device->memory.counts;
    uint32_t *sums = device->memory.sums;
    device->hal->expose(device->board, device->counters.scans, device->settings.integration_us,
                        device->exposure_ends, counts);
    for (size_t i = 0U; i < device->info.pixels; i++) {
        if (counts[i] >= device->info.full_scale) {
            sums[i] = FULL;
        } else if (sums[i] != FULL) {
            sums[i] += counts[i];
        } else {
            /* Full before. */
        }
    }
    device->exposures++;
    device->exposure_ends += device->settings.integration_us;
}

/* Write the means to `counts`; the number of pixels at full scale. */
static uint16_t average(spk_device *device)
{
    const uint32_t averages = device->settings.averages;
    uint16_t saturated = 0U;
    for (size_t i = 0U; i < device->info.pixels; i++) {
        const uint32_t sum = device->memory.sums[i];
        if (sum == FULL) {
            device->memory.counts[i] = (uint16_t)device->info.full_scale;
            saturated++;
        } else {
            device->memory.counts[i] = (uint16_t)((sum + (averages / 2U)) / averages);
        }
    }
    return saturated;
}

static void tell_saturated(spk_device *device, uint16_t saturated, uint32_t number)
{
    text_buffer text = {{0}, 0U};
    append_number(&text, saturated);
    append(&text, " pixels saturated in scan ");
    append_number(&text, number);
    (void)send_event(device, SPK_EVENT_CODE_SATURATED, text_of(&text), device->scan_ends);
}

/* Once it is over, so that a full line carries scans and not complaints. */
static void tell_overrun(spk_device *device)
{
    text_buffer text = {{0}, 0U};
    append_number(&text, device->counters.scans_lost);
    append(&text, " scans lost since power-on, the line takes no more");
    device->overrun =
        !send_event(device, SPK_EVENT_CODE_OVERRUN, text_of(&text), now_us(device));
}

static void end_scan(spk_device *device)
{
    spk_message message;
    spk_scan *scan = &message.as.scan;
    const uint16_t saturated = average(device);
    const uint32_t sent_before = device->counters.bytes_sent;
    scan->number = device->counters.scans;
    scan->integration_us = device->settings.integration_us;
    scan->averages = device->settings.averages;
    scan->lamp = device->hal->lamp_state(device->board);
    scan->position = device->settings.position;
    scan->temperature_c = device->hal->temperature_c(device->board);
    scan->saturated = saturated;
    scan->counts = spk_counts_of(device->memory.counts, device->info.pixels);
    device->counters.scans++;
    size_t bytes = scan_frame_bytes(device);
    if (send(device, &message, SPK_MESSAGE_TYPE_SCAN, 0U, 0U, device->scan_ends)) {
        if (saturated > 0U) {
            tell_saturated(device, saturated, device->counters.scans - 1U);
        }
        bytes = device->counters.bytes_sent - sent_before;
    } else {
        device->counters.scans_lost++;
        device->overrun = true;
    }
    if (device->limited) {
        device->left--;
        device->streaming = device->left > 0U;
    }
    plan(device, device->scan_ends, bytes);
}

/* ---- requests */

static spk_answer refuse(uint16_t code, const char *text)
{
    const spk_answer answer = {SPK_MESSAGE_TYPE_ERROR, code, text, false, 0U, 0U};
    return answer;
}

static spk_answer refuse_outside(const char *what, uint32_t low, uint32_t high)
{
    const spk_answer answer = {
        SPK_MESSAGE_TYPE_ERROR, SPK_ERROR_CODE_OUT_OF_RANGE, what, true, low, high};
    return answer;
}

static bool able(const spk_device *device, uint16_t capability)
{
    return (device->info.capabilities & capability) != 0U;
}

static spk_answer configure(spk_device *device, const spk_configure *wish)
{
    const spk_answer done = {SPK_MESSAGE_TYPE_ACK, 0U, "", false, 0U, 0U};
    const spk_info *info = &device->info;
    if ((wish->integration_us < info->min_integration_us) ||
        (wish->integration_us > info->max_integration_us)) {
        return refuse_outside("integration us ", info->min_integration_us,
                              info->max_integration_us);
    }
    if ((wish->averages < 1U) || (wish->averages > info->max_averages)) {
        return refuse_outside("averages ", 1U, info->max_averages);
    }
    if ((wish->position > (uint8_t)SPK_POSITION_REFERENCE) || (wish->lamp > 1U)) {
        return refuse(SPK_ERROR_CODE_OUT_OF_RANGE, "no such position or lamp state");
    }
    if ((wish->position == (uint8_t)SPK_POSITION_DARK) && !able(device, SPK_CAPABILITY_SHUTTER)) {
        return refuse(SPK_ERROR_CODE_NOT_CAPABLE, "there is no shutter");
    }
    if ((wish->position == (uint8_t)SPK_POSITION_REFERENCE) &&
        !able(device, SPK_CAPABILITY_REFERENCE)) {
        return refuse(SPK_ERROR_CODE_NOT_CAPABLE, "there is no white reference");
    }
    if (!device->hal->position(device->board, wish->position)) {
        return refuse(SPK_ERROR_CODE_HARDWARE, "it does not turn to that position");
    }
    if (device->lamp_on != (wish->lamp != 0U)) {
        device->lamp_on = wish->lamp != 0U;
        device->lamp_told = SPK_LAMP_STATE_OFF;
        device->hal->lamp_switch(device->board, device->lamp_on);
    }
    device->settings = *wish;
    if (device->streaming) {
        begin(device);
    }
    return done;
}

static spk_answer hello(spk_device *device, const spk_hello *asked)
{
    spk_answer answer = {SPK_MESSAGE_TYPE_INFO, 0U, "", false, 0U, 0U};
    const uint8_t highest = (asked->max_version < SPK_MAX_VERSION) ? asked->max_version
                                                                   : (uint8_t)SPK_MAX_VERSION;
    if ((highest < asked->min_version) || (highest < SPK_MIN_VERSION)) {
        answer = refuse(SPK_ERROR_CODE_UNSUPPORTED_VERSION, "this firmware speaks ");
        answer.ranged = true;
        answer.low = SPK_MIN_VERSION;
        answer.high = SPK_MAX_VERSION;
        return answer;
    }
    if (!device->booted) {
        device->info.boot_id = device->hal->boot_id(device->board);
        device->booted = true;
    }
    device->info.version = highest;
    return answer;
}

static spk_answer carry_out(spk_device *device, const spk_message *request)
{
    const spk_answer done = {SPK_MESSAGE_TYPE_ACK, 0U, "", false, 0U, 0U};
    switch (request->header.type) {
    case SPK_MESSAGE_TYPE_HELLO:
        return hello(device, &request->as.hello);
    case SPK_MESSAGE_TYPE_PING: {
        const spk_answer pong = {SPK_MESSAGE_TYPE_PING, 0U, "", false, 0U, 0U};
        return pong;
    }
    case SPK_MESSAGE_TYPE_CONFIGURE:
        return configure(device, &request->as.configure);
    case SPK_MESSAGE_TYPE_START:
        device->left = request->as.start.count;
        device->limited = device->left > 0U;
        begin(device);
        return done;
    case SPK_MESSAGE_TYPE_STOP:
        device->streaming = false;
        return done;
    default:
        return refuse(SPK_ERROR_CODE_UNKNOWN_TYPE, "no request of this type");
    }
}

static void reply(spk_device *device, const spk_message *request)
{
    const spk_answer *answer = &device->answer;
    text_buffer text = {{0}, 0U};
    spk_message message;
    switch (answer->type) {
    case SPK_MESSAGE_TYPE_INFO:
        message.as.info = device->info;
        break;
    case SPK_MESSAGE_TYPE_PING:
        message.as.ping = request->as.ping;
        break;
    case SPK_MESSAGE_TYPE_ACK:
        message.as.ack.request = request->header.type;
        break;
    default:
        append(&text, answer->text);
        if (answer->ranged) {
            append_number(&text, answer->low);
            append(&text, " to ");
            append_number(&text, answer->high);
        }
        message.as.error.code = answer->code;
        message.as.error.text = text_of(&text);
        break;
    }
    (void)send(device, &message, answer->type, request->header.sequence, SPK_FLAGS_RESPONSE,
               now_us(device));
}

/* Whether this is the request before it once more; from now on it is the one to compare with. */
static bool repeated(spk_device *device, const uint8_t *body, size_t size)
{
    bool same = (size <= SPK_FIXED_BYTES) && (size == device->request_bytes);
    for (size_t i = 0U; same && (i < size); i++) {
        same = body[i] == device->request[i];
    }
    /* What is longer than any request of this version changes nothing when it is done twice. */
    device->request_bytes = (size <= SPK_FIXED_BYTES) ? size : 0U;
    for (size_t i = 0U; i < device->request_bytes; i++) {
        device->request[i] = body[i];
    }
    return same && (device->answer.type != 0U);
}

static void receive(spk_device *device, const uint8_t *body, size_t size)
{
    spk_message request;
    const spk_status status = spk_decode(body, size, &request);
    if ((status != SPK_OK) && (status != SPK_UNKNOWN_TYPE)) {
        send_error(device, SPK_ERROR_CODE_MALFORMED, "no message of this version");
        return;
    }
    /* A repeated request means that our answer was lost: answer again, act once. */
    if (!repeated(device, body, size)) {
        device->answer = carry_out(device, &request);
    }
    reply(device, &request);
    tell_lamp(device);
}

static void listen(spk_device *device)
{
    uint8_t bytes[CHUNK];
    const uint32_t bad = spk_framer_bad(&device->framer);
    const size_t size = device->hal->receive(device->board, bytes, CHUNK);
    for (size_t i = 0U; i < size; i++) {
        const size_t body = spk_framer_take(&device->framer, bytes[i]);
        if (body > 0U) {
            receive(device, device->framer.buffer, body);
        }
    }
    /* Once for a chunk: noise must not fill the line with answers. */
    if (spk_framer_bad(&device->framer) != bad) {
        send_error(device, SPK_ERROR_CODE_BAD_FRAME, "frame not readable");
    }
}

/* ---- the two doors */

void spk_device_init(spk_device *device, const spk_hal *hal, void *board, spk_memory memory)
{
    static const spk_device zero;
    static const uint8_t delimiter = 0U;
    *device = zero;
    device->hal = hal;
    device->board = board;
    device->memory = memory;
    hal->identify(board, &device->info);
    device->info.version = SPK_MIN_VERSION; /* until a HELLO says what the host speaks */
    device->settings.integration_us = device->info.min_integration_us;
    device->settings.averages = 1U;
    device->settings.position = SPK_POSITION_DARK;
    spk_framer_init(&device->framer, memory.frame, memory.frame_bytes);
    /* After a reset the host may hold half a frame: what follows is no part of it. */
    if (hal->send_room(board) > 0U) {
        put(device, &delimiter, 1U);
    }
    (void)send_event(device, SPK_EVENT_CODE_RESTARTED, spk_text_of("power on"), now_us(device));
}

void spk_device_poll(spk_device *device)
{
    listen(device);
    tell_lamp(device);
    if (device->overrun && (device->hal->send_room(device->board) >= scan_frame_bytes(device))) {
        tell_overrun(device);
    }
    if (device->streaming && (now_us(device) >= device->exposure_ends)) {
        add_exposure(device);
        if (device->exposures == device->settings.averages) {
            end_scan(device);
        }
    }
}

uint64_t spk_device_due(const spk_device *device)
{
    return device->streaming ? device->exposure_ends : UINT64_MAX;
}
