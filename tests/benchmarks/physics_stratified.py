"""What infrared and Raman together gain for molecules with a centre of inversion."""

from __future__ import annotations

from spektron_train.benchmarks.splits import QUOTED
from spektron_train.physics.stratified.command import HEADLINE, report
from spektron_train.physics.stratified.spectral_set import load
from spektron_train.physics.stratified.tasks import MODELS
from spektron_train.training.progress import progress

from .report import Figure


def figures() -> list[Figure]:
    """On the set that ships, seeds 1000 to 1019."""
    with progress("Fusion by symmetry", len(QUOTED)) as advance:
        told = report(load(), QUOTED, MODELS, advance)
    first = told.whole[HEADLINE][0]
    return [
        Figure(
            "fusion_gain_centrosymmetric_over_rest",
            100 * first.value,
            "percentage points",
            "higher",
            None,
            "share of the better technique's error that infrared and Raman together remove, of "
            f"{first.molecules[0]} molecules with a centre of inversion ({first.centre:.1%}) minus "
            f"that of {first.molecules[1]} without ({first.others:.1%}); mean over "
            f"{len(MODELS)} models and three properties, {len(QUOTED)} splits by formula; 95 % "
            f"interval {first.low:+.1%} to {first.high:+.1%} (bootstrap over formulas)",
        )
    ]
