"""What of a session goes into the fit, and what is left out of it, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spektron_edge.faults import Fault, Faults
from spektron_edge.said import Sayings
from spektron_edge.transfer.problem import LEAST_PAIRS, LEAST_UNPAIRED, labelled
from spektron_edge.transfer.unpaired_labels import LEAST_LABELLED

from .footing import Footing
from .own_spectrum import shifted
from .quality import Judgement, Measured, contradictions
from .review import measured, review
from .session_store import SessionStore
from .source import Source
from .work import Added, Work

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Material:
    """Spectra are means of repeat scans on axis (P,) nm.

    pairs: samples on both; rows: (n,) theirs in the source; target: (n, P); labels: (n, m), from
    the source or as given; unpaired: samples of the target alone, with unpaired_target (u, P) and
    unpaired_labels (u, m), NaN where there are none; left_out: sample -> why.
    """

    axis: Array
    pairs: tuple[str, ...]
    rows: tuple[int, ...]
    target: Array
    labels: Array
    unpaired: tuple[str, ...]
    unpaired_target: Array
    unpaired_labels: Array
    left_out: dict[str, str]

    @property
    def paired(self) -> bool:
        """Whether there are pairs enough to fit by."""
        return len(self.pairs) >= LEAST_PAIRS

    @property
    def fitted_labels(self) -> NDArray[np.bool_]:
        """(u,) which unpaired samples' references the fit goes by: none where there are pairs."""
        known = np.asarray(np.isfinite(self.unpaired_labels).all(axis=1), np.bool_)
        used = not self.paired and int(known.sum()) >= LEAST_LABELLED
        return known if used else np.zeros_like(known)


@dataclass(frozen=True, eq=False)
class Reviewed:
    """A session's samples, read and judged by all the others. axis: (P,) nm, empty without any."""

    axis: Array
    samples: tuple[Added, ...]
    measured: tuple[Measured, ...]
    judgements: Mapping[str, Judgement]


def read_samples(
    store: SessionStore,
    work: Work,
    source: Source,
    but: str | None = None,
    *,
    intact: bool = False,
) -> tuple[Array | None, list[Measured]]:
    """The samples that count, but one, and the axis (P,) nm they were measured on.

    intact: damaged ones are passed over, so that they can be added again one by one.
    Raises Fault(STATE_DAMAGED, TRANSFER_INPUT).
    """
    axis, found = None, []
    for place, added in enumerate(work.current):
        if added.sample == but:
            continue
        try:
            scans, own = store.scans(work, added)
        except Fault as fault:
            if intact and fault.kind is Faults.STATE_DAMAGED:
                continue
            raise
        axis = own if axis is None else axis
        row = source.row(added.sample) if added.paired else None
        found.append(measured(added.sample, row, scans, place))
    return axis, found


def held_rows(work: Work, source: Source) -> list[int]:
    """Source rows of the cups that may be measured: those in hand, or every sample's first."""
    names = dict.fromkeys(source.samples) if work.held is None else work.held
    rows = [source.row(name) for name in names]
    return rows + [source.row(a.sample) for a in work.current if a.paired]


def reviewed(store: SessionStore, work: Work, source: Source) -> Reviewed:
    """Every sample judged by all the others. Raises as `read_samples`."""
    axis, samples = read_samples(store, work, source)
    judgements: dict[str, Judgement] = {}
    if axis is not None:
        judgements = review(Footing.of(source, axis), samples, held_rows(work, source))
        for added in work.current:
            if added.paired:
                judgements[added.sample] = with_words(
                    judgements[added.sample], added.sample, added.labels, source, work.held
                )
    empty: Array = np.empty(0)
    return Reviewed(empty if axis is None else axis, work.current, tuple(samples), judgements)


def with_words(
    judgement: Judgement,
    sample: str,
    labels: Mapping[str, float],
    source: Source,
    held: Sequence[str] | None,
) -> Judgement:
    """A judgement of a source sample's spectra, and what its reference values contradict, or what
    was said of the samples in hand at the start (held; None: any)."""
    names = [name for name, _ in source.properties]
    own = dict(zip(names, source.y[source.row(sample)].tolist(), strict=True))
    spread = dict(zip(names, source.y.std(axis=0).tolist(), strict=True))
    more = contradictions(labels, own, spread)
    if held is not None and sample not in held:
        more += (str(Sayings.NOT_IN_HAND.of()),)
    return replace(judgement, reasons=(*judgement.reasons, *more))


def material(found: Reviewed, source: Source) -> Material:
    """What `fit` is given. A sample that looks like another cup, or not like the source's
    spectrum, is left out.

    Raises Fault(TRANSFER_FAILED) where too few samples remain, saying how many are missing, or
    where most of them are unlike the source's spectra.
    """
    _lined_up(found)
    left_out = {
        name: "; ".join(judgement.reasons)
        for name, judgement in found.judgements.items()
        if judgement.left_out
    }
    kept = [
        (added, sample)
        for added, sample in zip(found.samples, found.measured, strict=True)
        if added.sample not in left_out
    ]
    pairs = [(added, sample) for added, sample in kept if sample.row is not None]
    if len(pairs) < LEAST_PAIRS:
        # Too few to pair by: what was measured counts as the target's own samples.
        known = labelled(_labels(kept, source))
        if len(kept) < LEAST_UNPAIRED and known < LEAST_LABELLED:
            raise Fault(Faults.TRANSFER_FAILED, _too_few(len(pairs), len(kept), left_out))
        pairs = []
    others = kept if not pairs else [(a, sample) for a, sample in kept if sample.row is None]
    rows = tuple(sample.row for _, sample in pairs if sample.row is not None)
    return Material(
        found.axis,
        tuple(added.sample for added, _ in pairs),
        rows,
        _stack([sample.mean for _, sample in pairs], found.axis.size),
        _labels(pairs, source),
        tuple(added.sample for added, _ in others),
        _stack([sample.mean for _, sample in others], found.axis.size),
        _labels(others, source),
        left_out,
    )


def _lined_up(found: Reviewed) -> None:
    """Most cups unlike themselves are no mistake with cups. Raises Fault(TRANSFER_FAILED)."""
    own = {name: judgement.foreign for name, judgement in found.judgements.items()}
    foreign = {name: one for name, one in own.items() if one is not None}
    if len(own) < LEAST_PAIRS or 2 * len(foreign) <= len(own):
        return
    told = f"{len(foreign)} of {len(own)} samples do not look like the source's spectra: "
    shifts = [one.shift_nm for one in foreign.values() if one.shift_nm is not None]
    if 2 * len(shifts) > len(foreign):
        told += f"as a rule {shifted(float(np.median(shifts)))}; then discard and start again"
    else:
        told += "; ".join(f"{name}: {one.told}" for name, one in list(foreign.items())[:3])
    raise Fault(Faults.TRANSFER_FAILED, told)


def _labels(samples: list[tuple[Added, Measured]], source: Source) -> Array:
    """(n, m) as given, else from the source, else NaN."""
    found = np.full((len(samples), len(source.properties)), np.nan)
    for i, (added, sample) in enumerate(samples):
        if sample.row is not None:
            found[i] = source.y[sample.row]
        for j, (name, _) in enumerate(source.properties):
            found[i, j] = added.labels.get(name, found[i, j])
    return found


def _stack(spectra: list[Array], channels: int) -> Array:
    return np.stack(spectra) if spectra else np.empty((0, channels))


def _too_few(pairs: int, kept: int, left_out: Mapping[str, str]) -> str:
    told = (
        f"{pairs} samples of the source and {kept} samples in all can be used; at least "
        f"{LEAST_PAIRS} samples of the source are needed, or {LEAST_UNPAIRED} of any kind, or "
        f"{LEAST_LABELLED} with a reference value of every property"
    )
    if left_out:
        told += "; not used: " + ", ".join(f"{name} ({why})" for name, why in left_out.items())
    return told
