"""Judges a sample at once, while its cup still lies in the instrument.

Refused is what no repeat can mend later: nothing is stored. Suspect is kept with its reason, since
the engineer may know better. What was measured about false alarms stands in docs/transfer.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults
from spektron_edge.said import Sayings

from .footing import Footing
from .own_spectrum import OwnSpectrum
from .scatter import scatter_of

Array = NDArray[np.float64]
Verdict = Literal["good", "suspect"]

# Of the source's median distance between nearest samples: more than the cup may move.
_MOVED = 0.2
# Times the median noise of the other samples' repeat scans.
_NOISY = 4.0
# Another cup's residual is so many times smaller than the claimed one's: among the cups in hand,
# and where any of many, or only one pair so far, leaves more to chance.
_FITS_BETTER, _FITS_FAR_BETTER = 1.5, 2.0
_MOST_IN_HAND = 12
# Two cups differ by less than this share of what the source says that they differ by.
_SAME_CUP = 0.5
# Times the noise between two scans: closer ones are of one cup, whatever its name.
_SAME_SPECTRUM = 3.0
# Times the median residual of the other pairs, three at least.
_OUTLIER, _LEAST_OTHERS = 4.0, 3
# Of the spread of the source's references: more than a laboratory differs from itself.
_CONTRADICTS = 0.5
# Times the largest distance of a source sample to its nearest neighbour.
_UNLIKE = 2.0
# No powder or liquid absorbs more, and no instrument sees it: such numbers are in another unit.
_MOST_ABSORBANCE = 10.0


@dataclass(frozen=True, eq=False)
class Measured:
    """A sample on the target.

    row: of the source set, None for one that the source does not know; mean: (P,) absorbance;
    noise: of its repeat scans, None for a single one; place: in the order of measuring.
    """

    sample: str
    row: int | None
    mean: Array
    noise: float | None
    place: int


@dataclass(frozen=True)
class Judgement:
    """Verdict, and reasons in words; identity: whether they say that this is another cup; foreign:
    set where it does not follow the source's spectrum."""

    reasons: tuple[str, ...] = ()
    identity: bool = False
    foreign: OwnSpectrum | None = None

    @property
    def left_out(self) -> bool:
        """Whether it is kept from the fit."""
        return self.identity or self.foreign is not None

    @property
    def verdict(self) -> Verdict:
        """Good without reasons."""
        return "suspect" if self.reasons else "good"


def sound(scans: Array, axis: Array, spacing: float) -> None:
    """Scans (r, P) of one sample on axis (P,) nm; spacing: see `Source`.

    Raises Fault(SAMPLE_REFUSED) for scans that are no absorbance or lie too far apart.
    """
    if scans.ndim != 2 or scans.shape[1] != axis.size or not len(scans):
        detail = f"scans of shape {scans.shape} do not fit an axis of {axis.size} channels"
        raise Fault(Faults.SAMPLE_REFUSED, detail)
    wrong = ~np.isfinite(scans) | (np.abs(scans) > _MOST_ABSORBANCE)
    if np.any(wrong):
        row, column = np.argwhere(wrong)[0]
        raise Fault(
            Faults.SAMPLE_REFUSED,
            f"scan {row + 1} has {scans[row, column]:g} at {axis[column]:.1f} nm, which is no "
            "absorbance: check sample, lamp and reference, or give spectra as log10(1/R)",
        )
    scatter, limit = scatter_of(scans), _MOVED * spacing
    if scatter is not None and scatter.movement > max(limit, 3 * scatter.noise):
        raise Fault(
            Faults.SAMPLE_REFUSED,
            f"the scans differ by {scatter.movement:.2g} absorbance, more than {limit:.2g}: wait "
            "until the sample is in place and still, then take new scans",
        )


def judge(
    this: Measured,
    others: Sequence[Measured],
    footing: Footing,
    held: Sequence[int],
    left: Mapping[str, HeldOut],
) -> Judgement:
    """this: a sample with sound scans; others: measured samples, without this one; held: source
    rows of the cups that the engineer may have; left: `held_out` of the others."""
    said: list[str] = []
    if this.noise is None:
        said.append(str(Sayings.ONE_SCAN.of()))
    said += _noise(this, others)
    own = footing.own(this.row, this.mean)
    if not own.follows:
        return Judgement((*said, own.told), foreign=own)
    pairs = [other for other in others if other.row is not None]
    twin = _same_cup(this, others, footing)
    if twin is not None:
        return Judgement((*said, twin), identity=True)
    if not pairs:
        return Judgement(tuple(said))
    moved = _moved(footing, [this], pairs)[0]
    if this.row is not None:
        other = _another(moved, this, pairs, footing, _may_be(this, pairs, footing, held, left))
        if other is not None:
            return Judgement((*said, other), identity=True)
        said += _outlier(moved, this, footing, _usual(left))
    if len(pairs) >= _LEAST_OTHERS:
        said += _unlike(moved, footing)
    return Judgement(tuple(said))


def contradictions(
    labels: Mapping[str, float], own: Mapping[str, float], spread: Mapping[str, float]
) -> tuple[str, ...]:
    """What was said of a cup that the source knows, against the source's own references."""
    return tuple(
        str(Sayings.CONTRADICTS.of(property=name, own=own[name], given=value))
        for name, value in labels.items()
        if abs(value - own[name]) > _CONTRADICTS * spread[name]
    )


def _moved(footing: Footing, these: Sequence[Measured], pairs: Sequence[Measured]) -> Array:
    rows = [pair.row for pair in pairs if pair.row is not None]
    return footing.moved(
        np.stack([m.mean for m in these]), rows, np.stack([pair.mean for pair in pairs])
    )


def _noise(this: Measured, others: Sequence[Measured]) -> list[str]:
    known = [other.noise for other in others if other.noise is not None]
    if this.noise is None or len(known) < 2:
        return []
    usual = float(np.median(known))
    if this.noise <= _NOISY * max(usual, 1e-9):
        return []
    return [str(Sayings.SCANS_SCATTER.of(times=this.noise / max(usual, 1e-9)))]


def _same_cup(this: Measured, others: Sequence[Measured], footing: Footing) -> str | None:
    """Of two that are one cup, where no third tells which has its name wrong, blames the later."""
    for other in others:
        known = this.row is not None and other.row is not None
        if known and sum(o.row is not None for o in others) > 1:
            continue
        if this.place > other.place and _alike(this, other, footing):
            return _the_cup_of(other)
    return None


def _the_cup_of(other: Measured) -> str:
    return str(Sayings.CUP_OF.of(other=other.sample))


def _alike(this: Measured, other: Measured, footing: Footing) -> bool:
    if this.row is None or other.row is None:
        noise = max(this.noise or 0.0, other.noise or 0.0)
        rms = float(np.sqrt(np.mean((this.mean - other.mean) ** 2)))
        return rms < _SAME_SPECTRUM * noise
    seen = footing.filter.apply(footing.shared.target(np.stack([this.mean, other.mean])))
    known = footing.filtered[[this.row, other.row]]
    # The target's photometric scale may be another.
    size = float(np.linalg.norm(seen))
    scale = float(np.linalg.norm(known)) / size if size > 0 else 1.0
    told = float(np.linalg.norm(known[0] - known[1]))
    return scale * float(np.linalg.norm(seen[0] - seen[1])) < _SAME_CUP * told


def _may_be(
    this: Measured,
    pairs: Sequence[Measured],
    footing: Footing,
    held: Sequence[int],
    left: Mapping[str, HeldOut],
) -> list[int]:
    """Source rows of other cups that this may be: not of one that was measured under its own name,
    unless the spectra are alike."""
    proven = {
        pair.row
        for pair in pairs
        if pair.sample in left and left[pair.sample].fits and not _alike(this, pair, footing)
    }
    return [row for row in dict.fromkeys(held) if row != this.row and row not in proven]


def _another(
    moved: Array, this: Measured, pairs: Sequence[Measured], footing: Footing, rows: Sequence[int]
) -> str | None:
    """Says which cup of source `rows` fits clearly better than the claimed one, if one does."""
    if this.row is None or not rows:
        return None
    residuals = np.linalg.norm(footing.filtered[list(rows)] - moved, axis=1)
    claimed = float(np.linalg.norm(footing.filtered[this.row] - moved))
    sure = len(pairs) > 1 and len(rows) < _MOST_IN_HAND
    factor = _FITS_BETTER if sure else _FITS_FAR_BETTER
    best = int(np.argmin(residuals))
    if claimed <= factor * residuals[best]:
        return None
    for pair in pairs:
        if pair.row == rows[best] and _alike(this, pair, footing):
            return _the_cup_of(pair)
    return str(Sayings.ANOTHER_CUP.of(other=footing.samples[rows[best]], sample=this.sample))


def _outlier(moved: Array, this: Measured, footing: Footing, usual: float | None) -> list[str]:
    own = float(np.linalg.norm(footing.filtered[this.row] - moved))
    if usual is None or own <= _OUTLIER * usual:
        return []
    return [str(Sayings.OUTLIER.of(times=own / usual))]


@dataclass(frozen=True)
class HeldOut:
    """A pair by what the other pairs show. residual: what is left of it; fits: whether no cup in
    hand fits it better than its own name does."""

    residual: float
    fits: bool


def held_out(
    samples: Sequence[Measured], footing: Footing, held: Sequence[int]
) -> dict[str, HeldOut]:
    """Of every pair among the samples; empty for fewer than two."""
    pairs = [(sample, sample.row) for sample in samples if sample.row is not None]
    if len(pairs) < 2:
        return {}
    found = {}
    for pair, own in pairs:
        others = [other for other, _ in pairs if other is not pair]
        moved = _moved(footing, [pair], others)[0]
        rows = list(dict.fromkeys((own, *held)))
        left = np.linalg.norm(footing.filtered[rows] - moved, axis=1)
        found[pair.sample] = HeldOut(float(left[0]), int(np.argmin(left)) == 0)
    return found


def _usual(left: Mapping[str, HeldOut]) -> float | None:
    """The median residual, or None where they are too few to say."""
    if len(left) < _LEAST_OTHERS:
        return None
    return float(np.median([one.residual for one in left.values()]))


def _unlike(moved: Array, footing: Footing) -> list[str]:
    largest = footing.loneliest
    own = float(np.linalg.norm(footing.filtered - moved, axis=1).min())
    if own <= _UNLIKE * largest:
        return []
    return [str(Sayings.UNLIKE_ALL.of(times=own / largest))]
