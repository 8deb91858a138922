"""Sections of the instrument: its line, and how scans are taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, field_validator, model_validator

from firmware_bridge.drivers.driver import Place
from firmware_bridge.drivers.registry import driver
from firmware_bridge.errors import DriverFailed
from firmware_bridge.instrument import Instrument
from spektron_edge.detector.linearity import LEAST, MOST, MOST_COEFFICIENTS
from spektron_edge.faults import Fault, Faults

from .section import Section

T = TypeVar("T")

# The configuration's names of what a driver may be given.
_OF_PLACE = {
    "baud": "baud",
    "serial_number": "serial",
    "model": "model",
    "wavelength_nm": "wavelength_nm",
}


def _printable(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("must hold printable characters only")
    return text


def _rising(coefficients: tuple[float, ...]) -> tuple[float, ...]:
    # How many pixels there are is the instrument's to say; the first two are known without it. At
    # the first there may be 0: a probe puts the index there until somebody knows better.
    first, second = coefficients[0], sum(coefficients)
    if first < 0 or not math.isfinite(second):
        raise ValueError("a polynomial in the pixel, nm, that gives no wavelengths of 0 or more")
    if second <= first:
        raise ValueError(
            "a polynomial in the pixel, nm, that does not rise from pixel 0 to pixel 1"
        )
    return coefficients


_Polynomial = Annotated[tuple[float, ...], AfterValidator(_rising)]


class Serial(Section):
    """The line to the instrument."""

    url: str = Field(description="a device path or any pyserial URL")
    driver: str = Field(
        "spektron", description="what it speaks; `spektron-edge instruments` lists them"
    )
    baud: int | None = Field(
        None, ge=300, le=4_000_000, description="where it is not the driver's usual one"
    )
    serial_number: Annotated[str, AfterValidator(_printable)] | None = Field(
        None, min_length=1, max_length=32, description="for an instrument that has none of its own"
    )
    model: str | None = Field(None, description="for an instrument that does not say which it is")
    wavelength_nm: _Polynomial | None = Field(
        None,
        min_length=2,
        max_length=6,
        description="polynomial in the pixel, for an instrument that does not know its axis",
    )
    silence_s: float = Field(5.0, gt=0, description="no scan for so long: ask the instrument again")

    @property
    def place(self) -> Place:
        """For the driver. Raises UnknownDriver."""
        usual = driver(self.driver).bauds
        return Place(
            self.url,
            self.baud or (usual[0] if usual else 0),
            serial=self.serial_number,
            wavelength_nm=self.wavelength_nm,
            model=self.model,
        )

    @model_validator(mode="after")
    def _can_be_driven(self) -> Serial:
        used = driver(self.driver)
        fields = {*used.needs, *used.takes, *(("baud",) if used.bauds else ())}
        unused = [
            f"`{key}`"
            for key, name in _OF_PLACE.items()
            if getattr(self, key) is not None and name not in fields
        ]
        if unused:
            told = ", ".join(unused)
            raise ValueError(
                f"the driver {self.driver!r} does not use {told}: another `driver`, or without"
            )
        # Opens nothing: what the driver lacks is said here instead of in the middle of connecting.
        instrument_of(self)
        return self


def check_integration(serial: Serial, integration_us: int) -> None:
    """Raises ValueError for what the instrument named there does not take.

    And Fault(DRIVER_FAILED), as `instrument_of`.
    """
    used = driver(serial.driver)
    told = f"acquisition.integration_us: {serial.driver} takes"
    if integration_us % used.integration_step_us:
        wanted = f"whole multiples of {used.integration_step_us}"
        raise ValueError(f"{told} {wanted}, not {integration_us}")
    limits_us = _tried(lambda: used.limits_us(serial.place))
    if limits_us is not None and not limits_us[0] <= integration_us <= limits_us[1]:
        wanted = f"{limits_us[0]} to {limits_us[1]}"
        whose = f", as {serial.model}" if serial.model else ""
        raise ValueError(f"{told}{whose}, {wanted}, not {integration_us}")


def instrument_of(serial: Serial) -> Instrument:
    """The instrument there, not opened yet.

    Raises ValueError for what its driver lacks, Fault(DRIVER_FAILED) where another package's fails.
    """
    return _tried(lambda: driver(serial.driver).make(serial.place))


def _tried(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except DriverFailed as error:
        raise Fault(Faults.DRIVER_FAILED, str(error)) from None


def _range_nm(pair: tuple[float, float]) -> tuple[float, float]:
    if not 0 < pair[0] <= pair[1]:
        raise ValueError("a range is two wavelengths in nm, the shorter one first")
    return pair


_RangeNm = Annotated[tuple[float, float], AfterValidator(_range_nm)]
_Pixel = Annotated[int, Field(ge=0)]


class Acquisition(Section):
    """How scans are taken, what is corrected in them, and how long references last."""

    integration_us: int = Field(
        1000, ge=1, le=2**32 - 1, description="of one exposure, unless a command has set another"
    )
    averages: int = Field(
        1, ge=1, le=65535, description="exposures that the instrument averages into one scan"
    )
    coadds: int = Field(
        1,
        ge=1,
        le=10_000,
        description="such scans that the host averages into one, which then knows its noise",
    )
    reference_averages: int = Field(
        64, ge=1, le=65535, description="exposures that a dark or white reference is the mean of"
    )
    dark_max_age_s: float = Field(
        3600.0, gt=0, description="an older dark is measured again; without that, scans are invalid"
    )
    white_max_age_s: float = Field(3600.0, gt=0, description="the same for the white reference")
    white_max_temperature_change_k: float | None = Field(
        None, gt=0, description="of the detector since the white reference; absent: any"
    )
    lamp_warmup_s: float = Field(
        0.0,
        ge=0,
        le=86400,
        description="after a power-on, or a connection where nobody knows of one, the lamp is warm",
    )
    automatic_references: bool = Field(
        True, description="let the instrument close its shutter and move its own white reference"
    )
    auto_range_share: float = Field(
        0.85,
        ge=0.2,
        le=0.95,
        description="of full scale, where `auto-range` brings the brightest pixel of the white",
    )
    nonlinearity: Literal["instrument", "none"] | tuple[float, ...] = Field(
        "instrument",
        description="polynomial in counts above dark by which they are divided, from the constant "
        'on; "instrument": the one it keeps, if any',
    )
    bad_pixels: tuple[_Pixel, ...] = Field(
        (), max_length=4096, description="that others stand in for, from 0 on"
    )
    bad_ranges_nm: tuple[_RangeNm, ...] = Field(
        (), max_length=256, description="the same by wavelength: [[1380.0, 1382.5]]"
    )
    find_bad_pixels: bool = Field(
        True, description="also those that the references show to be dead, hot or noisy"
    )
    wavelength_nm: _Polynomial | None = Field(
        None,
        min_length=2,
        max_length=16,
        description="polynomial in the pixel, nm, in place of the axis that the instrument has",
    )
    axis_file: Path | None = Field(
        None, description="the same as a table: CSV of pixel, nm; each pixel from 0 on once"
    )
    queue_scans: int = Field(64, ge=1, description="scans that may wait; more are dropped, counted")

    @field_validator("nonlinearity", mode="after")
    @classmethod
    def _divides(cls, chosen: str | tuple[float, ...]) -> str | tuple[float, ...]:
        # Full scale is the instrument's to say; what few counts are divided by is known without it.
        if isinstance(chosen, tuple):
            if not chosen:
                raise ValueError('needs coefficients, or "none"')
            if not LEAST <= chosen[0] <= MOST or len(chosen) > MOST_COEFFICIENTS:
                told = f"{MOST_COEFFICIENTS} coefficients at most, the first {LEAST} to {MOST}"
                raise ValueError(f"{told}: few counts are divided by it")
        return chosen

    @model_validator(mode="after")
    def _one_axis(self) -> Acquisition:
        if self.wavelength_nm is not None and self.axis_file is not None:
            raise ValueError("give `wavelength_nm` or `axis_file`, not both")
        return self
