"""What the jobs of adaptation need of `Serving`."""

from __future__ import annotations

from typing import Protocol

from spektron_edge.inference import Model
from spektron_edge.prediction.in_use import InUse

from .candidate import Adapted


class InService(Protocol):
    """What predicts now: `Serving`."""

    serial: str | None

    @property
    def model(self) -> Model:
        """The model in use."""

    @property
    def in_use(self) -> InUse:
        """What stands beside the model."""

    def take_changes(self) -> None:
        """Predict with what the ledgers say is in use."""

    def take_shadow(self, adapted: Adapted | None, number: int | None = None) -> None:
        """Compute this beside what counts."""
