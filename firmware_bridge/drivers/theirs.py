"""A driver of another package: whatever its code raises is told as that package's failure."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from firmware_bridge.drivers.driver import Driver, Place
from firmware_bridge.errors import DriverFailed, LinkError
from firmware_bridge.instrument import Identity, Instrument
from firmware_bridge.intake import LinkCounters, Received
from firmware_bridge.protocol import Configure

T = TypeVar("T")
_METHODS = ("open", "close", "configure", "start", "stop", "ping", "longest_s", "read")


def kept_apart(theirs: Driver, package: str) -> Driver:
    """The same driver, whose `make` and whose instruments raise DriverFailed for all other errors.

    ValueError of `make` stays one: it says what the place lacks.
    """

    whose = f"the driver {theirs.name!r} of {package}"

    @functools.wraps(theirs.make)
    def make(place: Place) -> Instrument:
        made = _tried(whose, "make", lambda: theirs.make(place), ValueError)
        missing = [name for name in _METHODS if not callable(getattr(made, name, None))]
        if missing:
            raise DriverFailed(f"{whose}: `make` gave {made!r}, which has no {', '.join(missing)}.")
        return KeptApart(made, whose)

    def limits_us(place: Place) -> tuple[int, int] | None:
        found: object = _tried(whose, "limits_us", lambda: theirs.limits_us(place))
        if found is None:
            return None
        match found:
            case (int(least), int(most)):
                return least, most
        raise DriverFailed(f"{whose}: `limits_us` gave {found!r}.")

    return replace(theirs, make=make, limits_us=limits_us)


class KeptApart:
    """An instrument of such a driver. Raises DriverFailed beside what `Instrument` may raise."""

    def __init__(self, theirs: Instrument, whose: str) -> None:
        self._theirs = theirs
        self._whose = whose
        self._counters = LinkCounters()

    @property
    def counters(self) -> LinkCounters:
        """As `Instrument.counters`; the latest where it gives none."""
        # Asked for by other threads, which can do nothing about it.
        with suppress(Exception, SystemExit):
            found: object = self._theirs.counters
            if isinstance(found, LinkCounters):
                self._counters = found
        return self._counters

    def open(self) -> Identity:
        """As `Instrument.open`."""
        found = self._tried("open", self._theirs.open)
        return self._of(Identity, "open", found)

    def close(self) -> None:
        """As `Instrument.close`: what is raised all the same changes nothing any more."""
        with suppress(Exception, SystemExit):
            self._theirs.close()

    def configure(self, settings: Configure) -> None:
        """As `Instrument.configure`."""
        self._tried("configure", lambda: self._theirs.configure(settings))

    def start(self, count: int = 0) -> None:
        """As `Instrument.start`."""
        self._tried("start", lambda: self._theirs.start(count))

    def stop(self) -> None:
        """As `Instrument.stop`."""
        self._tried("stop", self._theirs.stop)

    def ping(self) -> float:
        """As `Instrument.ping`."""
        return float(self._of((int, float), "ping", self._tried("ping", self._theirs.ping)))

    def longest_s(self, settings: Configure) -> float:
        """As `Instrument.longest_s`."""
        found = self._tried("longest_s", lambda: self._theirs.longest_s(settings))
        return float(self._of((int, float), "longest_s", found))

    def read(self, timeout_s: float) -> Received | None:
        """As `Instrument.read`."""
        found = self._tried("read", lambda: self._theirs.read(timeout_s))
        return None if found is None else self._of(Received, "read", found)

    def _tried(self, step: str, do: Callable[[], T]) -> T:
        return _tried(self._whose, step, do)

    def _of(self, wanted: type | tuple[type, ...], step: str, found: T) -> T:
        if not isinstance(found, wanted):
            raise DriverFailed(f"{self._whose}: `{step}` gave {found!r}.")
        return found


def _tried(whose: str, step: str, do: Callable[[], T], *also: type[Exception]) -> T:
    """Raises DriverFailed for all but errors of the line, and what may be raised `also`."""
    as_it_is: tuple[type[Exception], ...] = (LinkError, *also)
    try:
        return do()
    except as_it_is:
        raise
    # Leaving the program, too, is not theirs to decide.
    except (Exception, SystemExit) as error:
        # Where in their code it was raised is what its makers ask for first.
        at = traceback.extract_tb(error.__traceback__)[-1]
        raised = f"{type(error).__name__}: {error} ({at.filename}, line {at.lineno})"
        raise DriverFailed(f"{whose}: `{step}` raised {raised}.") from error
