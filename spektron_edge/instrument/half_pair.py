"""Dark and white reference taken one at a time, until there are both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.clock import Stamp, age_s
from spektron_edge.faults import Fault, Faults
from spektron_edge.spectra.acquisition import Ages, References

Conditions = tuple[str, int, int]


@dataclass(frozen=True)
class Half:
    """Dark or white, (P,) counts, when it was taken, and the detector's temperature in deg C."""

    counts: NDArray[np.float64]
    taken: Stamp
    temperature_c: float


@dataclass
class HalfPair:
    """What there is of a pair. Conditions: serial number, power-on and integration in us; halves
    of other ones do not go together."""

    conditions: Conditions | None = None
    dark: Half | None = None
    white: Half | None = None

    def begin(self, conditions: Conditions, references: References | None) -> None:
        """Go on under these conditions, with a pair that was taken under them."""
        if conditions != self.conditions:
            self.conditions, self.dark, self.white = conditions, None, None
        if references is not None:
            self.dark = Half(references.dark, references.dark_taken, float("nan"))
            self.white = Half(
                references.white, references.white_taken, references.white_temperature_c
            )

    def pair(self) -> References | None:
        """Both together, once there are both.

        Raises Fault(NOT_FINITE) where the white is not brighter than the dark in every channel.
        """
        if self.conditions is None or self.dark is None or self.white is None:
            return None
        dimmer = int(np.count_nonzero(~(self.white.counts > self.dark.counts)))
        if dimmer:
            raise Fault(
                Faults.NOT_FINITE,
                f"in {dimmer} channels the white reference is not brighter than the dark: "
                "cover the beam for `take-dark`, and show the white standard for `take-reference`",
            )
        serial, boot_id, integration_us = self.conditions
        return References(
            dark=self.dark.counts,
            white=self.white.counts,
            dark_taken=self.dark.taken,
            white_taken=self.white.taken,
            serial=serial,
            boot_id=boot_id,
            integration_us=integration_us,
            white_temperature_c=self.white.temperature_c,
        )

    @property
    def lacking(self) -> tuple[str, ...]:
        """The commands that would complete it."""
        out = []
        if self.dark is None:
            out.append("take-dark")
        if self.white is None:
            out.append("take-reference")
        return tuple(out)


def due(references: References | None, ages: Ages, now: Stamp) -> tuple[str, ...]:
    """The commands that would renew what is missing or too old."""
    if references is None:
        return ("take-dark", "take-reference")
    out = []
    for command, taken, limit_s in (
        ("take-dark", references.dark_taken, ages.dark_s),
        ("take-reference", references.white_taken, ages.white_s),
    ):
        age = age_s(taken, now)
        if age is None or age > limit_s:
            out.append(command)
    return tuple(out)
