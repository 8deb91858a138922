"""Sections of the instrument: its line, and how scans are taken."""

from __future__ import annotations

from pydantic import Field, model_validator

from firmware_bridge.drivers.driver import Place
from firmware_bridge.drivers.registry import driver
from firmware_bridge.instrument import Instrument

from .section import Section


class Serial(Section):
    """The line to the instrument."""

    url: str = Field(description="a device path or any pyserial URL")
    driver: str = Field(
        "spektron", description="what it speaks; `spektron-edge instruments` lists them"
    )
    baud: int | None = Field(
        None, ge=300, le=4_000_000, description="where it is not the driver's usual one"
    )
    serial_number: str | None = Field(
        None, min_length=1, max_length=32, description="for an instrument that has none of its own"
    )
    model: str | None = Field(None, description="for an instrument that does not say which it is")
    wavelength_nm: tuple[float, ...] | None = Field(
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
        # Opens nothing: what the driver lacks is said here instead of in the middle of connecting.
        instrument_of(self)
        return self


def instrument_of(serial: Serial) -> Instrument:
    """The instrument there, not opened yet. Raises ValueError for what its driver lacks."""
    return driver(serial.driver).make(serial.place)


class Acquisition(Section):
    """How scans are taken and how long references last."""

    integration_us: int = Field(1000, ge=1, le=2**32 - 1)
    averages: int = Field(
        1, ge=1, le=65535, description="exposures that the instrument averages into one scan"
    )
    reference_averages: int = Field(64, ge=1, le=65535)
    dark_max_age_s: float = Field(3600.0, gt=0)
    white_max_age_s: float = Field(3600.0, gt=0)
    automatic_references: bool = Field(
        True, description="let the instrument close its shutter and move its own white reference"
    )
    queue_scans: int = Field(64, ge=1, description="scans that may wait; more are dropped, counted")
