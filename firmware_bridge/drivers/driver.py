"""A driver as it is listed: which instruments, and against what it was tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_bridge.instrument import Instrument


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


@dataclass(frozen=True)
class Driver:
    """One family of instruments.

    name: in the configuration. instruments: in words. bauds: line speeds it is found at, the usual
    one first; empty where it has none (USB). source: manual or specification. tested: against what.
    met_hardware: whether a real one ever answered. needs: fields of `Place` that must be given.
    takes: further ones that it uses where they are given; the configuration refuses any other.
    models: of which `Place.model` must be one, where it is needed. make: raises ValueError where
    one is missing. quiet: nothing tells it from another instrument, so that looking for it proves
    nothing. integration_step_us: integrations are whole multiples of it, on all its instruments.
    nameless: it has no serial number; `Place.serial` is taken for one.
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
