"""What a driver for one family of instruments has to say."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers.talk import Talk
from firmware_bridge.instrument import Identity
from firmware_bridge.protocol import Configure, LampState


@dataclass(frozen=True, eq=False)
class Exposure:
    """One exposure as the instrument gave it.

    counts: (P,); full: (P,) which of them may be too small because the pixel was full, None = those
    at full scale; lamp: STABLE also where the instrument does not know; device_us: its own clock at
    the end of the exposure, us, 0 where it has none.
    """

    counts: NDArray[np.float64] = field(repr=False)
    full: NDArray[np.bool_] | None = field(default=None, repr=False)
    temperature_c: float = math.nan
    lamp: LampState = LampState.STABLE
    device_us: int = 0


class Dialect(Protocol):
    """One family of instruments: sans-IO, one object for one port, one talk at a time.

    anonymous: nothing tells one from another, so that `ping` proves no more than an exposure does.
    """

    @property
    def anonymous(self) -> bool:
        """See above; a class attribute will do."""

    def identify(self) -> Talk[Identity]:
        """From whatever state the instrument is in: who it is. `boot_id` may be left 0."""

    def set_up(self, settings: Configure) -> Talk[None]:
        """What stays the same for the exposures that follow; values are within the identity's."""

    def expose(self, settings: Configure) -> Talk[Exposure]:
        """One exposure. Averaging is not the dialect's business."""

    def ping(self) -> Talk[None]:
        """Whether the same instrument is still there, set up as it was.

        Raises Exchanged, which says what is there instead. It exposes nothing where that can be had
        otherwise.
        """
