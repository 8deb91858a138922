"""Every sample of a session judged in the light of all the others: earlier ones, too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .footing import Footing
from .quality import Judgement, Measured, held_out, judge
from .scatter import scatter_of

Array = NDArray[np.float64]


def measured(sample: str, row: int | None, scans: Array, place: int) -> Measured:
    """scans: (r, P) absorbance; row: of the source; place: in the order of measuring."""
    scatter = scatter_of(scans)
    return Measured(
        sample, row, scans.mean(axis=0), None if scatter is None else scatter.noise, place
    )


def first_look(
    this: Measured, others: Sequence[Measured], footing: Footing, held: Sequence[int]
) -> Judgement:
    """Of a sample that was measured just now; arguments as of `judge`."""
    others = _following(others, footing)
    return judge(this, others, footing, held, held_out(others, footing, held))


def review(
    footing: Footing, samples: Sequence[Measured], held: Sequence[int]
) -> dict[str, Judgement]:
    """sample -> judgement by all the others; held: source rows of the cups in hand."""
    following = _following(samples, footing)
    left = held_out(following, footing, held)
    found = {}
    for this in samples:
        others = [other for other in following if other is not this]
        rest = {name: one for name, one in left.items() if name != this.sample}
        found[this.sample] = judge(this, others, footing, held, rest)
    return found


def _following(samples: Sequence[Measured], footing: Footing) -> list[Measured]:
    """Less those that do not follow the source's spectrum: they would accuse right ones."""
    return [s for s in samples if footing.own(s.row, s.mean).follows]
