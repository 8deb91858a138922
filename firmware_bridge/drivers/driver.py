"""A driver as it is listed: which instruments, and against what it was tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.instrument import Instrument
from firmware_bridge.messages import polynomial_nm


@dataclass(frozen=True)
class Place:
    """Where an instrument is, and what it does not know of itself.

    url: a device path or any pyserial URL (for `usb` drivers a serial number, or empty for the
    first one found); baud: of the line; serial: a name for an instrument that has none;
    wavelength_nm: polynomial in the pixel index, from the constant on, nm, for one without an axis;
    model: which of the driver's models it is, for one that does not say.
    """

    url: str
    baud: int
    serial: str | None = None
    wavelength_nm: tuple[float, ...] | None = None
    model: str | None = None


def axis_of(place: Place, pixels: int) -> NDArray[np.float64]:
    """(pixels,) nm of the place's polynomial. Raises ValueError where that is no axis."""
    if not place.wavelength_nm:
        raise ValueError("needs `wavelength_nm`: the polynomial of its calibration sheet")
    axis = polynomial_nm(place.wavelength_nm, pixels)
    # The first may be 0: a probe puts the index there until somebody knows better.
    wrong = ~np.isfinite(axis) | (axis < 0)
    wrong[1:] |= ~(np.diff(np.where(wrong, np.nan, axis)) > 0)
    if wrong.any():
        told = f"does not rise from 0 nm or more over all {pixels} pixels"
        raise ValueError(f"`wavelength_nm` {told}: pixel {int(np.argmax(wrong))} is the first")
    return axis


def _no_limits(_place: Place) -> tuple[int, int] | None:
    return None


@dataclass(frozen=True)
class Driver:
    """One family of instruments. Raises ValueError where a field cannot be.

    name: in the configuration. instruments: in words. bauds: line speeds it is found at, the usual
    one first; empty where it has none (USB). source: manual or specification. tested: against what.
    met_hardware: whether a real one ever answered. needs: fields of `Place` that must be given.
    takes: further ones that it uses where they are given; the configuration refuses any other.
    models: of which `Place.model` must be one, where it is needed. make: raises ValueError where
    one is missing. quiet: nothing tells it from another instrument, so that looking for it proves
    nothing. integration_step_us: integrations are whole multiples of it, on all its instruments.
    nameless: it has no serial number; `Place.serial` is taken for one. limits_us: shortest and
    longest integration, us, where the place tells them before anybody is asked.
    """

    name: str
    instruments: str
    bauds: tuple[int, ...]
    source: str
    tested: str
    make: Callable[[Place], Instrument]
    met_hardware: bool = False
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    quiet: bool = False
    integration_step_us: int = 1
    nameless: bool = False
    limits_us: Callable[[Place], tuple[int, int] | None] = _no_limits

    def __post_init__(self) -> None:
        # Written by others, in code that nobody has checked for types.
        for name in ("name", "instruments", "source", "tested"):
            if not _all((getattr(self, name),), str):
                raise ValueError(f"`{name}` is {getattr(self, name)!r}: words are needed")
        for name in ("needs", "takes", "models"):
            if not _all(getattr(self, name), str):
                raise ValueError(f"`{name}` is {getattr(self, name)!r}: needs a tuple of words")
        given = {field.name for field in fields(Place)} - {"url", "baud"}
        unknown = sorted({*self.needs, *self.takes} - given)
        if unknown:
            told = f"{', '.join(unknown)}; there are {', '.join(sorted(given))}"
            raise ValueError(f"`needs` or `takes` name what no place has: {told}")
        if "model" in self.needs and not self.models:
            raise ValueError("`needs` a model, and `models` names none")
        if not _all(self.bauds, int) or any(baud < 1 for baud in self.bauds):
            raise ValueError(f"`bauds` is {self.bauds!r}: needs a tuple of whole numbers above 0")
        if not _all((self.integration_step_us,), int) or self.integration_step_us < 1:
            raise ValueError(f"`integration_step_us` is {self.integration_step_us!r}: 1 or more")
        for name in ("make", "limits_us"):
            if not callable(getattr(self, name)):
                raise ValueError(f"`{name}` is {getattr(self, name)!r}: a function of a place")  # noqa: TRY004


def _all(values: object, kind: type) -> bool:
    """Whether it is a tuple of these; a bool is no number."""
    return isinstance(values, tuple) and all(
        isinstance(value, kind) and not isinstance(value, bool) for value in values
    )
