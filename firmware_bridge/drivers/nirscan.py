"""TI DLP NIRscan Nano and InnoSpectra's instruments of its kind, over UART.

A scan runs by itself and is then read as a file. Its patterns are columns of mirrors, one after the
other, every 25th of them dark: so every scan brings its own dark, and a separate one is taken from
these. Counts are converter values above that dark, divided by the amplifier's gain, which the
instrument chooses anew for every scan. Which wavelengths, and how long each, says the scan
configuration that is active in the instrument; the driver changes nothing of it but the repeats.

Pieces of a file carry no number: after a lost one the file is read again from its beginning. A scan
is known by its index, which rises: one that did not rise is an old one.

Sources: see `nirscan_packets` and `nirscan_file`; TI's firmware, cmdProc.c and scan.c, for what the
commands do, NNOStatusDefs.h for the errors.
"""

from __future__ import annotations

from dataclasses import replace
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers import nirscan_file
from firmware_bridge.drivers.dialect import Exposure
from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.nirscan_file import EXPOSURES_US, FULL, ScanFile
from firmware_bridge.drivers.nirscan_packets import (
    MOST_PAYLOAD,
    READ,
    WRITE,
    Command,
    Outcome,
    Packet,
    decode,
    encode,
    reply_to,
)
from firmware_bridge.drivers.single import SingleExposures
from firmware_bridge.drivers.talk import Exchange, Exchanged, Nonsense, Pause, Refused, Talk
from firmware_bridge.instrument import Identity
from firmware_bridge.protocol import Capability, Configure, Position

MOST_FILE = 16_384
# How often a file is read anew: of eight pieces all must arrive. Everything else may be repeated.
# Pieces have checksums: a whole file that is no scan data hardly becomes any by reading it again.
READINGS, MISFITS, ATTEMPTS = 100, 3, 10
BUSY_S, BUSY_TIMES = 0.2, 50
POLL_S = 0.1
LONGEST_SCAN_MS = 600_000
SLACK_S = 5.0
_U32 = Struct("<I")
# Of the errors kept, those after which a scan is no scan.
FATAL = {0x01: "scan", 0x02: "converter", 0x20: "spectrum library", 0x40: "hardware"}


class Nirscan:
    """Dialect of the NIRscan Nano."""

    anonymous = False

    def __init__(self, place: Place) -> None:
        # Twice as long as the longest packet takes there and back.
        self._timeout_s = 0.5 + 2 * 10 * (MOST_PAYLOAD + 40) / place.baud
        self._sequence = 0
        self._serial = ""
        self._last: ScanFile | None = None
        self._scan_ms = 0

    def identify(self) -> Talk[Identity]:
        """Version and serial number, and a scan, which brings the axis."""
        self._last = None
        version = yield from self._ask(Command.VERSION, least=4, attempts=3)
        self._serial = yield from self._serial_number()
        scan = yield from self._scan()
        axis = nirscan_file.wavelengths(scan)
        exposure_us = EXPOSURES_US[scan.sections[0].exposure]
        return Identity(
            serial=self._serial,
            firmware=f"{version[2]}.{version[1]}.{version[0]}",
            boot_id=0,
            pixels=axis.size,
            full_scale=FULL,
            capabilities=Capability.SHUTTER,
            axis_nm=axis,
            min_integration_us=exposure_us,
            max_integration_us=exposure_us,
            max_averages=1,
            model="DLP NIRscan Nano",
            # The pause for a scan, the wait for its end, and that for an end of being busy.
            beside_s=3.0 * self._scan_ms / 1000.0 + SLACK_S + BUSY_S * BUSY_TIMES,
        )

    def set_up(self, settings: Configure) -> Talk[None]:  # noqa: ARG002  as all dialects
        """One repeat: averaging is the host's."""
        yield from self._ask(Command.REPEATS, b"\x01\x00", write=True)

    def expose(self, settings: Configure) -> Talk[Exposure]:
        """One scan. Raises Exchanged where its configuration is not the one of before."""
        before = self._last
        scan = yield from self._scan()
        if before is not None and scan.setup != before.setup:
            raise Exchanged(f"another scan configuration than before: {scan.setup}")
        signal, full = counts(scan, dark=settings.position == Position.DARK)
        return Exposure(signal, full=full, temperature_c=scan.temperature_c)

    def ping(self) -> Talk[None]:
        """Its serial number again; raises Exchanged where another one answers."""
        serial = yield from self._serial_number()
        if serial != self._serial:
            raise Exchanged(f"expected the instrument {self._serial!r}, received {serial!r}")

    # ---- inside

    def _serial_number(self) -> Talk[str]:
        data = yield from self._ask(Command.SERIAL, least=1)
        text = data.partition(b"\0")[0]
        if not text or not all(33 <= c < 127 for c in text):
            raise Nonsense(f"expected a serial number, received {data!r}")
        return text.decode("ascii")

    def _scan(self) -> Talk[ScanFile]:
        """A new scan. Raises Refused for errors that it reports, Nonsense for an old one,
        Exchanged where they count anew.
        """
        scan_ms = yield from self._u32(Command.SCAN_TIME)
        if scan_ms > LONGEST_SCAN_MS:
            raise Nonsense(f"expected at most {LONGEST_SCAN_MS} ms for a scan, received {scan_ms}")
        self._scan_ms = scan_ms
        # While one goes on it refuses another: then the one that goes on will do. Where neither
        # happened the index tells.
        started = yield from self._exchange(Command.SCAN, b"\0", write=True)
        yield Pause(scan_ms / 1000.0)
        waits = int((2.0 * scan_ms / 1000.0 + SLACK_S) / POLL_S)
        for _ in range(waits):
            status = yield from self._ask(Command.SCAN_STATUS, least=1)
            if status[0]:
                break
            yield Pause(POLL_S)
        else:
            raise Nonsense(f"expected the end of a scan of {scan_ms} ms, received 'in progress'")
        yield from self._errors()
        scan = yield from self._file()
        if self._last is not None and scan.index == self._last.index:
            if started.outcome == Outcome.ERROR:
                raise Refused("SCAN", Outcome.ERROR, "it started no scan")
            raise Nonsense(f"expected a new scan, received number {scan.index} again")
        if self._last is not None and scan.index < self._last.index:
            raise Exchanged(
                f"expected a scan after number {self._last.index}, received {scan.index}: it was "
                "switched off meanwhile, or is another instrument"
            )
        self._last = scan
        return scan

    def _errors(self) -> Talk[None]:
        """Raise Refused for an error that spoils a scan, and clear it."""
        found = yield from self._u32(Command.ERRORS)
        text = ", ".join(name for bit, name in FATAL.items() if found & bit)
        if text:
            yield from self._ask(Command.CLEAR_ERRORS, write=True)
            raise Refused("SCAN", found, f"errors of {text}")

    def _file(self) -> Talk[ScanFile]:
        why, readings, misfits = "", 0, 0
        while readings < READINGS and misfits < MISFITS:
            readings += 1
            size = yield from self._u32(Command.FILE_SIZE, b"\0")
            if not 0 < size <= MOST_FILE:
                raise Nonsense(f"expected a file of 1 to {MOST_FILE} bytes, received {size}")
            data = b""
            while len(data) < size:
                piece = yield from self._piece()
                if not piece:
                    why = f"{len(data)} of {size} bytes, then nothing"
                    break
                data += piece
            else:
                try:
                    return nirscan_file.decode(data[:size])
                except Nonsense as error:
                    why, misfits = str(error), misfits + 1
        raise Nonsense(f"expected scan data, received {why}; tried {readings} times")

    def _piece(self) -> Talk[bytes]:
        """The next of a file; empty where it was lost: asked for again, the next one comes."""
        request = self._request(Command.FILE_DATA, b"", READ)
        reply = yield replace(self._step(request, 0, 1), or_nothing=True)
        packet = decode(reply) if reply else None
        return packet.data if packet is not None and packet.outcome == Outcome.OK else b""

    def _u32(self, command: Command, data: bytes = b"") -> Talk[int]:
        reply = yield from self._ask(command, data, least=_U32.size)
        found: int = _U32.unpack_from(reply)[0]
        return found

    def _ask(
        self,
        command: Command,
        data: bytes = b"",
        *,
        write: bool = False,
        least: int = 0,
        attempts: int = ATTEMPTS,
    ) -> Talk[bytes]:
        """The reply's data. Raises Refused."""
        reply = yield from self._exchange(
            command, data, write=write, least=least, attempts=attempts
        )
        if reply.outcome != Outcome.OK:
            raise Refused(command.name, reply.outcome, f"flags {reply.flags:#04x}")
        return reply.data

    def _exchange(
        self,
        command: Command,
        data: bytes = b"",
        *,
        write: bool = False,
        least: int = 0,
        attempts: int = ATTEMPTS,
    ) -> Talk[Packet]:
        """The reply, which is not BUSY. Raises Refused where it is for too long."""
        for _ in range(BUSY_TIMES):
            request = self._request(command, data, WRITE if write else READ)
            reply = decode((yield self._step(request, least, attempts)))
            if reply.outcome != Outcome.BUSY:
                return reply
            yield Pause(BUSY_S)
        text = "busy with another connection (USB or Bluetooth)"
        raise Refused(command.name, Outcome.BUSY, text)

    def _step(self, request: Packet, least: int, attempts: int) -> Exchange:
        name = Command(request.command).name
        return Exchange(
            name,
            encode(request),
            reply_to(request, least),
            f"the reply to command {request.command:#06x} ({name})",
            timeout_s=self._timeout_s,
            attempts=attempts,
            numbered=True,
        )

    def _request(self, command: Command, data: bytes, flags: int) -> Packet:
        self._sequence = (self._sequence + 1) % 256
        return Packet(flags, self._sequence, command, data)


def counts(scan: ScanFile, *, dark: bool = False) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(patterns,) counts above the scan's own dark at gain 1, and which are full.

    dark: not the light, but what of the dark is left: the black patterns, between which it lies.
    """
    unlit = nirscan_file.black(scan)
    value = scan.adc.astype(np.float64)
    full: NDArray[np.bool_] = value[~unlit] >= FULL
    level = value - value[unlit].mean()
    if dark:
        place = np.arange(value.size, dtype=np.float64)
        left = np.interp(place[~unlit], place[unlit], level[unlit])
        return left / scan.gain, np.zeros_like(full)
    return np.where(full, FULL, level[~unlit] / scan.gain), full


DRIVER = Driver(
    name="nirscan",
    instruments="TI DLP NIRscan Nano, InnoSpectra NIR-S-G1 and its kin, over UART; column scans",
    bauds=(115200,),
    source="TI DLPU030G, TI's firmware and spectrum library",
    tested=(
        "a virtual instrument written from the firmware's source, on a pty; scan data also against "
        "a file that a real instrument wrote"
    ),
    make=lambda place: SingleExposures(lambda: Nirscan(place), place.url, place.baud),
)
