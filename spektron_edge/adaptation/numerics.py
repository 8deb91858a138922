"""Which functions adapt and judge. The child calls nothing else of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from .adapt import Material, adapt, material
from .candidate import Batch, Candidate, Verdict
from .evidence import Evidence, Stability
from .ground import Ground
from .guard import judge


class Numerics(Protocol):
    """Material is whatever `material` returns. All raise Fault, BundleError, BackendError or
    ValueError for what cannot be adapted to."""

    def material(self, ground: Ground) -> Any:
        """Read once, before anything else."""

    def adapt(self, material: Any, batch: Batch, seed: int) -> Candidate:
        """The candidate of a batch."""

    def judge(
        self,
        material: Any,
        held_out: Batch,
        candidate: Candidate,
        evidence: Evidence,
        stability: Sequence[Stability],
    ) -> Verdict:
        """What the guard says of it."""


class Own:
    """The product's own."""

    def material(self, ground: Ground) -> Material:
        """See `adapt.material`."""
        return material(ground)

    def adapt(self, material: Any, batch: Batch, seed: int) -> Candidate:
        """See `adapt.adapt`."""
        return adapt(material, batch, seed)

    def judge(
        self,
        material: Any,
        held_out: Batch,
        candidate: Candidate,
        evidence: Evidence,
        stability: Sequence[Stability],
    ) -> Verdict:
        """See `guard.judge`."""
        return judge(material, held_out, candidate, evidence, stability)


def chosen() -> Numerics:
    """Those in use."""
    return Own()
