"""What the acquisition thread needs of the configuration."""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from spektron_edge.config.instrument import Acquisition, Serial
from spektron_edge.spectra.acquisition import Ages


def ages_of(acquisition: Acquisition) -> Ages:
    """What the configuration says of how long references last."""
    return Ages(
        acquisition.dark_max_age_s,
        acquisition.white_max_age_s,
        acquisition.white_max_temperature_change_k or math.inf,
    )


@dataclass(frozen=True)
class Settings:
    """integration_us: serial number -> integration that an operator set in place of
    `acquisition`'s; `set-integration` changes it. met_s: (serial number, power-on) ->
    time.monotonic() when it was first met; of the latest only.
    """

    serial: Serial
    acquisition: Acquisition
    state_dir: Path
    integration_us: MutableMapping[str, int] = field(default_factory=dict)
    met_s: MutableMapping[tuple[str, int], float] = field(default_factory=dict)

    @property
    def ages(self) -> Ages:
        """Largest ages of the references."""
        return ages_of(self.acquisition)
