"""USB instruments of Ocean's through python-seabreeze (`pip install spektron-edge[ocean-usb]`).

The library runs in a process of its own (`ocean_usb_worker`), which is talked to as if it were an
instrument on a line. Its users report waiting for ever after hours, and stale spectra after a
restart or a new integration time (python-seabreeze issues 108, 110, 174, 177): a process that does
not answer in time is killed and the instrument opened anew, and the first spectrum after opening
and after every new integration time is thrown away.
"""

from __future__ import annotations

import json
import math
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from firmware_bridge.drivers.dialect import Exposure
from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.drivers.line import MAX_REPLY
from firmware_bridge.drivers.single import SingleExposures
from firmware_bridge.drivers.talk import Exchange, Exchanged, Nonsense, Talk
from firmware_bridge.errors import DeviceSilent, PortBusy, PortLost, PortMissing
from firmware_bridge.instrument import Identity
from firmware_bridge.protocol import Configure

WORKER = (sys.executable, "-m", "firmware_bridge.drivers.ocean_usb_worker")
# Looking for USB instruments and reading their memories takes seconds.
OPENS_S = 30.0
THINKS_S = 10.0
# One begun before, one thrown away, one to give.
EXPOSURES_WAITED = 3
_SHOWN = 400


class WorkerPort:
    """The worker's ends of two pipes, as the port of a `Line`.

    Raises PortMissing without the library or the instrument, PortBusy, DeviceSilent.
    """

    def __init__(self, command: Sequence[str], url: str, opens_s: float = OPENS_S) -> None:
        if find_spec("seabreeze") is None:
            raise PortMissing(
                "Expected python-seabreeze, which speaks with Ocean's USB instruments; it is not "
                "installed. Tried to import it. Try: pip install 'spektron-edge[ocean-usb]'."
            )
        self.url = f"USB instrument {url}" if url else "USB"
        self._told = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._process = subprocess.Popen(  # noqa: S603  ours
            [*command, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._told,
            bufsize=0,
            # Ctrl-C is for the daemon, which ends the worker itself.
            start_new_session=True,
        )
        try:
            self._wait_until_ready(opens_s)
        except BaseException:
            self.close()
            raise

    def read(self, timeout_s: float) -> bytes:
        """As `Port`."""
        stdout = self._process.stdout
        if stdout is None or stdout.closed:
            raise PortLost(f"{self.url} is closed.")
        if not select.select([stdout], [], [], max(timeout_s, 0.0))[0]:
            return b""
        data: bytes = stdout.read(1 << 16) or b""
        if not data:
            raise PortLost(f"{self.url} was lost: the library ended{self._last_words()}")
        return data

    def write(self, data: bytes) -> None:
        """As `Port`."""
        if self._process.stdin is None:
            raise PortLost(f"{self.url} is closed.")
        try:
            self._process.stdin.write(data)
        except (OSError, ValueError) as error:
            raise PortLost(f"{self.url} was lost: the library ended{self._last_words()}") from error

    def close(self) -> None:
        """Kill the worker, whatever it waits for. May be called again; never raises."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._told):
            if pipe is not None:
                pipe.close()

    # ---- inside

    def _wait_until_ready(self, opens_s: float) -> None:
        until = time.monotonic() + opens_s
        heard = b""
        while b"\n" not in heard:
            left = until - time.monotonic()
            if left <= 0.0 or len(heard) > MAX_REPLY:
                raise DeviceSilent(
                    f"{self.url}: expected the library to open it within {opens_s:g} s, "
                    f"received {heard[:_SHOWN]!r}. Tried once. Unplug the instrument and plug it "
                    "in again."
                )
            heard += self.read(left)
        try:
            said = json.loads(heard.partition(b"\n")[0])
        except ValueError:
            said = {"failed": heard[:_SHOWN].decode("ascii", "replace")}
        if "missing" in said:
            others = ", ".join(said["missing"]) or "none"
            raise PortMissing(
                f"{self.url}: expected an Ocean instrument on USB, found {others}. Tried all that "
                "the library knows. Check the cable, and that udev rules let this user in "
                "(`seabreeze_os_setup`)."
            )
        if "busy" in said:
            raise PortBusy(f"{self.url}: another process holds it ({said['busy']}).")
        if "ready" not in said:
            raise PortLost(f"{self.url}: the library could not open it: {said}")

    def _last_words(self) -> str:
        self._told.seek(0)
        words = self._told.read(1 << 16).decode("utf-8", "replace").strip().rpartition("\n")[2]
        return f": {words[:_SHOWN]}" if words else "."


class OceanUsb:
    """The worker's language."""

    anonymous = False

    def __init__(self) -> None:
        self._asked = 0
        self._serial = ""
        self._pixels = 0

    def identify(self) -> Talk[Identity]:
        """As `Dialect.identify`."""
        told = yield from self._ask("identify", THINKS_S)
        try:
            identity = Identity(
                serial=str(told["serial"]),
                firmware="",
                boot_id=0,
                pixels=len(told["nm"]),
                full_scale=int(told["full"]),
                capabilities=0,
                axis_nm=_numbers(told["nm"]),
                min_integration_us=int(told["limits_us"][0]),
                max_integration_us=int(told["limits_us"][1]),
                max_averages=1,
                model=str(told["model"]),
                dark_pixels=tuple(int(index) for index in told["dark"]),
                nonlinearity=tuple(float(value) for value in told["nonlinearity"]),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise Nonsense(f"an identity that lacks something: {error!r}") from error
        self._serial, self._pixels = identity.serial, identity.pixels
        return identity

    def set_up(self, settings: Configure) -> Talk[None]:
        """As `Dialect.set_up`. One spectrum is made and thrown away."""
        wait_s = self._wait_s(settings)
        yield from self._ask("integration", wait_s, us=settings.integration_us)

    def expose(self, settings: Configure) -> Talk[Exposure]:
        """As `Dialect.expose`."""
        told = yield from self._ask("expose", self._wait_s(settings))
        counts = _numbers(told.get("counts"))
        if counts.shape != (self._pixels,):
            raise Nonsense(f"{counts.size} counts, not {self._pixels}")
        return Exposure(counts)

    def ping(self) -> Talk[None]:
        """As `Dialect.ping`."""
        told = yield from self._ask("serial", THINKS_S)
        if told.get("serial") != self._serial:
            raise Exchanged(f"serial number {told.get('serial')!r} instead of {self._serial!r}")

    # ---- inside

    def _wait_s(self, settings: Configure) -> float:
        return THINKS_S + EXPOSURES_WAITED * settings.integration_us * 1e-6

    def _ask(self, what: str, timeout_s: float, **more: Any) -> Talk[dict[str, Any]]:
        """What the worker tells; it is asked once, since what does not answer is to be killed."""
        self._asked += 1
        asked = self._asked
        request = json.dumps({"id": asked, "do": what, **more}).encode() + b"\n"
        reply = yield Exchange(
            what,
            request,
            partial(_whole, asked),
            "a line of JSON",
            timeout_s,
            attempts=1,
            numbered=True,
        )
        return _line(reply)


def _whole(asked: int, received: bytes) -> int | None:
    at = received.find(b"\n") + 1
    if not at:
        return None
    said = _line(received[:at])
    if said.get("id") != asked:
        raise Nonsense(f"an answer to request {said.get('id')}, not {asked}")
    return at


def _line(received: bytes) -> dict[str, Any]:
    try:
        said = json.loads(received)
    except ValueError as error:
        raise Nonsense(f"no JSON: {received[:40]!r}") from error
    if not isinstance(said, dict):
        raise Nonsense(f"no object: {received[:40]!r}")
    return said


def _numbers(values: Any) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(n,) finite numbers. Raises Nonsense."""
    if not isinstance(values, list) or not all(
        isinstance(value, int | float) and math.isfinite(value) for value in values
    ):
        raise Nonsense("something that is no list of numbers")
    return np.array(values, np.float64)


def make(place: Place, command: Sequence[str] = WORKER) -> SingleExposures:
    """command: what to run as the worker; it is given the serial number at its end."""
    return SingleExposures(
        OceanUsb, place.url, 0, open_port=lambda serial, _baud: WorkerPort(command, serial)
    )


DRIVER = Driver(
    name="ocean-usb",
    instruments="Ocean's USB instruments that python-seabreeze knows (STS, QE Pro, USB2000+, "
    "USB4000, Flame, HR, Maya, NIRQuest, SR and others)",
    bauds=(),
    source="python-seabreeze 2.11 (https://python-seabreeze.readthedocs.io)",
    tested="libseabreeze's own STS and QE Pro, not over USB but over RS-232, with virtual "
    "instruments on a pty",
    make=make,
)
