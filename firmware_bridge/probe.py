"""Finds out what speaks on a serial port: driver after driver, speed after speed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.errors import (
    DriverFailed,
    LinkError,
    PortBusy,
    PortDenied,
    PortLost,
    PortMissing,
)
from firmware_bridge.instrument import Identity
from firmware_bridge.link import Link
from firmware_bridge.transport import Transport

# Our own protocol answers at once; others say in their driver how long they take.
REPLY_S = 0.4
LISTEN_S = 0.6
ANSWER_S = 0.4
SHOWN_BYTES = 64
_MOST_BYTES = 1 << 16
_PRINTABLE = frozenset(range(32, 127)) | {9, 10, 13}
_TEXT_SHARE = 0.95
RETURN = b"\r"
_PROMPT = re.compile(rb"(login|password|username): *\s*$|[\w~/\])][$#>] *$", re.IGNORECASE)
# What a driver must be given and nobody knows yet: the pixel's index stands for its wavelength.
_MEANWHILE = {"wavelength_nm": (0.0, 1.0), "serial": "unnamed"}
# As the configuration calls them, and what to put there.
_KEYS = {
    "wavelength_nm": (
        "wavelength_nm",
        "the pixel's index: put its polynomial here, nm",
    ),
    "serial": ("serial_number", "any name; the instrument has none"),
}
_NO_USE = (PortMissing, PortBusy, PortDenied, PortLost)


@dataclass(frozen=True)
class Attempt:
    """A driver at a speed, and why it was not that."""

    driver: str
    baud: int
    said: str


@dataclass(frozen=True)
class Noise:
    """What came at a speed without being asked for; `text` where it can be read.

    console: it ends with a prompt, or an empty line brought an echo or a prompt.
    """

    baud: int
    size: int
    begins: bytes
    console: bool = False

    @property
    def text(self) -> str | None:
        """The beginning, where nearly all of it is printable."""
        printable = sum(value in _PRINTABLE for value in self.begins)
        if not self.begins or printable < _TEXT_SHARE * len(self.begins):
            return None
        return self.begins.decode("ascii", errors="replace")


@dataclass(frozen=True)
class Found:
    """Who answered, and which fields of the configuration are stop-gaps.

    Where `model` is one, what the identity says of pixels and integration is its, no fact.
    """

    driver: Driver
    place: Place
    identity: Identity
    meanwhile: tuple[str, ...]

    def block(self) -> str:
        """The configuration's section for it (TOML)."""
        place = self.place
        lines = ["[serial]", f"url = {json.dumps(place.url)}"]
        # It is what an instrument without a driver is taken for.
        if self.driver.name != "spektron":
            lines.append(f"driver = {json.dumps(self.driver.name)}")
        lines.append(f"baud = {place.baud}")
        for name in self.meanwhile:
            if name == "model":
                lines.append("# it does not say which it is: choose one, nothing runs before")
                lines += [f"# model = {json.dumps(model)}" for model in self.driver.models]
                continue
            key, why = _KEYS[name]
            value = getattr(place, name)
            told = list(value) if isinstance(value, tuple) else value
            lines.append(f"{key} = {json.dumps(told)}  # {why}")
        return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Outcome:
    """What a probe came to."""

    found: Found | None
    attempts: tuple[Attempt, ...]
    heard: tuple[Noise, ...]


def candidates(drivers: Iterable[Driver]) -> list[tuple[Driver, int]]:
    """Drivers with speeds, the usual speed of each first. USB drivers have none."""
    given = list(drivers)
    most = max((len(d.bauds) for d in given), default=0)
    return [(d, d.bauds[n]) for n in range(most) for d in given if n < len(d.bauds)]


def probe(url: str, drivers: Iterable[Driver], tell: Callable[[str], None]) -> Outcome:
    """Try all of them. Sends nothing but questions, STOP to our own firmware, and empty lines.

    tell: hears of each step. Raises PortMissing, PortBusy, PortDenied, PortLost.
    """
    attempts: list[Attempt] = []
    tried = candidates(drivers)
    for driver, baud in tried:
        tell(f"{driver.name} at {baud} baud")
        answer = _ask(driver, Place(url, baud))
        if isinstance(answer, Found):
            return Outcome(answer, tuple(attempts), ())
        attempts.append(answer)
        tell(f"  {answer.said}")
    heard = []
    for baud in dict.fromkeys(baud for _, baud in tried):
        tell(f"listening at {baud} baud")
        heard.append(_listen(url, baud))
    return Outcome(None, tuple(attempts), tuple(heard))


def _ask(driver: Driver, place: Place) -> Found | Attempt:
    meanwhile = _MEANWHILE | ({"model": driver.models[0]} if driver.models else {})
    stand_ins = (*driver.needs, "serial") if driver.nameless else driver.needs
    given = replace(place, **{name: meanwhile[name] for name in stand_ins})  # type: ignore[arg-type]
    try:
        instrument = driver.make(given)
    except (DriverFailed, ValueError) as error:
        return Attempt(driver.name, place.baud, f"not tried: {error}")
    if isinstance(instrument, Link):
        instrument.reply_timeout_s = REPLY_S
    try:
        identity = instrument.open()
    except _NO_USE:
        raise
    except LinkError as error:
        return Attempt(driver.name, place.baud, f"{type(error).__name__}: {error}")
    finally:
        instrument.close()
    named = driver.nameless and "serial" not in driver.needs
    return Found(driver, given, identity, driver.needs + ("serial",) * named)


def _listen(url: str, baud: int) -> Noise:
    port = Transport(url, baud)
    try:
        heard = _hear(port, LISTEN_S)
        answer = b""
        if len(heard) < _MOST_BYTES:
            # To an instrument it is no request, or an empty one.
            port.write(RETURN)
            answer = _hear(port, ANSWER_S)
    finally:
        port.close()
    console = _prompts(heard) or _prompts(answer) or (not heard and answer.strip(b"\r\n") == b"")
    shown = heard or answer
    return Noise(baud, len(shown), shown[:SHOWN_BYTES], bool(shown) and console)


def _hear(port: Transport, seconds: float) -> bytes:
    heard = b""
    until = time.monotonic() + seconds
    while len(heard) < _MOST_BYTES and (left := until - time.monotonic()) > 0:
        heard += port.read(left)
    return heard


def _prompts(heard: bytes) -> bool:
    """Whether somebody is asked to log in, or for a command."""
    return _PROMPT.search(heard) is not None
