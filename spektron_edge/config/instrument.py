"""Sections of the instrument: its line, and how scans are taken."""

from __future__ import annotations

from pydantic import Field

from .section import Section


class Serial(Section):
    """The line to the instrument."""

    url: str = Field(description="a device path or any pyserial URL")
    baud: int = Field(921600, ge=300, le=4_000_000)
    silence_s: float = Field(5.0, gt=0, description="no scan for so long: ask the instrument again")


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
