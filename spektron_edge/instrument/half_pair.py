"""Dark and white reference taken one at a time, until there are both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.clock import Stamp, age_s
from spektron_edge.faults import Fault, Faults
from spektron_edge.spectra.acquisition import Ages, References, temperature_change_k

Conditions = tuple[str, int, int]


@dataclass(frozen=True, eq=False)
class Half:
    """Dark or white: (P,) counts, when it was taken, the detector's temperature in deg C; (P,)
    variance of the counts where it is known, the level of masked pixels, and the mean of how many
    exposures it is."""

    counts: NDArray[np.float64]
    taken: Stamp
    temperature_c: float
    variance: NDArray[np.float64] | None = None
    level: float = float("nan")
    exposures: int = 1


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
        if (pair := references) is not None:
            self.dark = Half(
                pair.dark,
                pair.dark_taken,
                float("nan"),
                pair.dark_variance,
                pair.dark_level,
                pair.exposures,
            )
            self.white = Half(
                pair.white,
                pair.white_taken,
                pair.white_temperature_c,
                pair.white_variance,
                pair.white_level,
                pair.exposures,
            )

    def pair(self) -> References | None:
        """Both together, once there are both."""
        if self.conditions is None or self.dark is None or self.white is None:
            return None
        return paired(self.conditions, self.dark, self.white)

    @property
    def lacking(self) -> tuple[str, ...]:
        """The commands that would complete it."""
        out = []
        if self.dark is None:
            out.append("take-dark")
        if self.white is None:
            out.append("take-reference")
        return tuple(out)


def paired(conditions: Conditions, dark: Half, white: Half) -> References:
    """Both as references, of a detector of which nothing else is known."""
    serial, boot_id, integration_us = conditions
    return References(
        dark=dark.counts,
        white=white.counts,
        dark_taken=dark.taken,
        white_taken=white.taken,
        serial=serial,
        boot_id=boot_id,
        integration_us=integration_us,
        white_temperature_c=white.temperature_c,
        dark_variance=dark.variance,
        white_variance=white.variance,
        dark_level=dark.level,
        white_level=white.level,
        exposures=min(dark.exposures, white.exposures),
    )


def check_brighter(references: References) -> None:
    """Raise Fault(NOT_FINITE) unless the white is brighter than the dark in every good channel."""
    brighter = references.full > 0
    if references.detector.bad is not None:
        brighter |= references.detector.bad.bad
    if dimmer := int(np.count_nonzero(~brighter)):
        raise Fault(
            Faults.NOT_FINITE,
            f"in {dimmer} channels the white reference is not brighter than the dark: "
            "cover the beam for `take-dark`, and show the white standard for `take-reference`",
        )


def due(
    references: References | None, ages: Ages, now: Stamp, temperature_c: float = float("nan")
) -> tuple[str, ...]:
    """The commands that would renew what is missing, too old or from another temperature."""
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
    if (
        "take-reference" not in out
        and temperature_change_k(references, temperature_c) > ages.white_k
    ):
        out.append("take-reference")
    return tuple(out)
