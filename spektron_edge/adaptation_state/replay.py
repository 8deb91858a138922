"""An adaptation made again from what was kept of it, and compared bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.adaptation.candidate import Adapted, Batch
from spektron_edge.adaptation.correction import Correction

from .store import AdaptationStore

# (batch, seed, what it goes on from; None for the bundle's own calibration) -> what it comes to.
Recompute = Callable[[Batch, int, "Adapted | None"], Adapted]


def replay(store: AdaptationStore, number: int, recompute: Recompute) -> tuple[str, ...]:
    """What differs when an adaptation is made again; empty where every bit is the same.

    Raises Fault(ADAPTATION_MISSING) for one that is not kept, or whose parent is not, and
    ADAPTATION_UNUSABLE for damaged files; what `recompute` raises.
    """
    adaptations = store.read()
    entry = adaptations.entry(number)
    state = store.load(entry)
    header = state.header
    batch = store.batch(entry, header)
    parent = None
    if header.parent is not None:
        parent = store.load(adaptations.by_id(header.parent)).adapted
    return differences(state.adapted, recompute(batch, header.seed, parent))


def differences(kept: Adapted, again: Adapted) -> tuple[str, ...]:
    """Parts of two that are not the same in every bit, by how much."""
    pairs: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {"theta": (kept.theta, again.theta)}
    for name in (field.name for field in fields(Correction)):
        values = (getattr(kept.correction, name), getattr(again.correction, name))
        pairs[name] = (np.asarray(values[0]), np.asarray(values[1]))
    told = []
    for name, (one, two) in pairs.items():
        if one.shape != two.shape or one.dtype != two.dtype:
            told.append(f"{name}: {two.dtype}{two.shape} instead of {one.dtype}{one.shape}")
        elif one.tobytes() != two.tobytes():
            told.append(f"{name}: by up to {np.max(np.abs(one - two)):.3g}")
    return tuple(told)
