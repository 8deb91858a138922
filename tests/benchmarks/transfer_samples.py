"""What transfer samples are told: right cups that are suspected, and wrong ones that are found.

Corn, all six directions, five and ten cups by Kennard-Stone, in that order, noise of 1.5e-4 on each
of three scans; `SEED0` (8) is the first of `SPLITS` (3) development splits, on which no threshold
was chosen. And simulated pairs of unlike instruments, ten cups.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from itertools import combinations

import numpy as np

from spektron_edge.transfer_session.footing import Footing
from spektron_edge.transfer_session.quality import Measured
from spektron_edge.transfer_session.review import first_look, measured, review
from spektron_edge.transfer_session.source import Source

from .report import Figure
from .transfer_sets import Case, corn, directions, kennard_stone, simulated

_NOISE = 1.5e-4
_SIMULATED = range(20, 30)
_MUTUAL = 9
_NONSENSE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "empty place": lambda x: 0.2 + 0 * x,
    "reflectance": lambda x: 10.0**-x,
    "negative": lambda x: -x,
    "reversed": lambda x: x[::-1],
}
_WRONG_AXES_NM = (-100.0, -20.0, 20.0, 50.0, 100.0)

Held = list[int]


def measure() -> list[Figure]:
    """Count, then divide."""
    first, count = int(os.environ.get("SEED0", "8")), int(os.environ.get("SPLITS", "3"))
    found, rng = Counter[tuple[str, bool]](), np.random.default_rng(1)
    for seed in range(first, first + count):
        for a, b in directions():
            for cups in (5, 10):
                _count(corn(a, b, seed), cups, "corn", found, rng)
    for seed in _SIMULATED:
        _count(simulated(seed), 10, "simulated", found, rng)
    how = f"corn splits {first} to {first + count - 1}; simulated {len(_SIMULATED)}"
    return [_figure(name, found, how) for name in sorted({name for name, _ in found})]


def _figure(name: str, found: Counter[tuple[str, bool]], how: str) -> Figure:
    total = found[name, True] + found[name, False]
    better = "lower" if "right" in name else "higher"
    return Figure(
        id=f"transfer_samples.{name.replace(', ', '.').replace(' ', '_')}",
        value=found[name, True] / total,
        unit="share suspected",
        better=better,
        spread=None,
        how=f"{found[name, True]} of {total}; {how}",
    )


class _Bench:
    """One instrument pair: cups by row of the source, each with fresh noise."""

    def __init__(self, case: Case, rng: np.random.Generator) -> None:
        rows = range(len(case.x_source))
        names = tuple(map(str, rows))
        self.source = Source(
            "b", "p", (), names, case.x_source, case.source_axis, np.empty((len(names), 0))
        )
        self.footing = Footing.of(self.source, case.target_axis)
        self._case, self._rng = case, rng

    def cup(self, claimed: int, lies: int, place: int) -> Measured:
        return self.laid(claimed, self._case.x_target[lies], place)

    def laid(self, claimed: int, spectrum: np.ndarray, place: int) -> Measured:
        scans = spectrum + _NOISE * self._rng.standard_normal((3, spectrum.size))
        return measured(str(claimed), claimed, scans, place)


def _count(
    case: Case,
    cups: int,
    kind: str,
    found: Counter[tuple[str, bool]],
    rng: np.random.Generator,
) -> None:
    bench = _Bench(case, rng)
    chosen = [int(row) for row in kennard_stone(case.x_source, cups)]
    anywhere = list(range(len(case.x_source)))
    right = [bench.cup(row, row, place) for place, row in enumerate(chosen)]
    for held, hand in ((chosen, "in hand"), (anywhere, "of all")):
        for place, this in enumerate(right):
            judged = first_look(this, right[:place], bench.footing, held)
            found[f"{kind}, {hand}: right cup when added", bool(judged.reasons)] += 1
        for judged in review(bench.footing, right, held).values():
            found[f"{kind}, {hand}: right cup at the end", bool(judged.reasons)] += 1
        _wrong(bench, chosen, right, held, f"{kind}, {hand}: ", found)
    for place in range(3, cups):
        for spectrum in case.x_test[:5]:
            this = bench.laid(chosen[place], spectrum, place)
            judged = first_look(this, right[:place], bench.footing, chosen)
            found[f"{kind}, in hand: unknown cup", bool(judged.reasons)] += 1
    _swapped(bench, chosen, right, f"{kind}, in hand: ", found, rng)
    _nonsense(bench, case, chosen, kind, found)


def _nonsense(
    bench: _Bench, case: Case, chosen: list[int], kind: str, found: Counter[tuple[str, bool]]
) -> None:
    """As the very first sample: what no cup gives, and cups on an axis that is wrong."""
    for row in chosen:
        for name, change in _NONSENSE.items():
            this = bench.laid(row, change(case.x_target[row]), 0)
            judged = first_look(this, [], bench.footing, chosen)
            found[f"{kind}, first: {name}", judged.left_out] += 1
    for wrong in _WRONG_AXES_NM:
        moved = Footing.of(bench.source, case.target_axis + wrong)
        for row in chosen:
            said = moved.own(row, case.x_target[row]).shift_nm
            near = said is not None and abs(said - wrong) <= 10
            found[f"{kind}, first: axis wrong by {wrong:.0f} nm", near] += 1


def _wrong(
    bench: _Bench,
    chosen: list[int],
    right: list[Measured],
    held: Held,
    name: str,
    found: Counter[tuple[str, bool]],
) -> None:
    """Every other cup in every cup's place."""
    for place in range(1, len(chosen)):
        for other in range(len(chosen)):
            if other == place:
                continue
            this = bench.cup(chosen[place], chosen[other], place)
            judged = first_look(this, right[:place], bench.footing, held)
            kind = "cup added before" if other < place else "wrong cup"
            before = str(place) if place < 3 else "3 or more"
            found[f"{name}{kind}, {before} before it", judged.identity] += 1


def _swapped(
    bench: _Bench,
    chosen: list[int],
    right: list[Measured],
    name: str,
    found: Counter[tuple[str, bool]],
    rng: np.random.Generator,
) -> None:
    """Some pairs of cups in each other's place, seen at the end."""
    both = list(combinations(range(len(chosen)), 2))
    for k in rng.choice(len(both), min(_MUTUAL, len(both)), replace=False):
        a, b = both[int(k)]
        have = list(right)
        have[a] = bench.cup(chosen[a], chosen[b], a)
        have[b] = bench.cup(chosen[b], chosen[a], b)
        judged = review(bench.footing, have, chosen)
        wrong = {str(chosen[a]), str(chosen[b])}
        found[f"{name}two swapped, both found", all(judged[s].identity for s in wrong)] += 1
        for sample, one in judged.items():
            if sample not in wrong:
                found[f"{name}right cup beside two swapped", one.identity] += 1
