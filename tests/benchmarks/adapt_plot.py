"""The picture of the benchmark of adaptation."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from .adapt_peers import PEERS, YARDSTICK
from .adapt_report import OURS, Found, by_kind, median

# Peers that do harm do it tenfold; below this a bar only says so.
_LOWEST = -1.0
_COLOURS = {name: f"C{k}" for k, name in enumerate((OURS, *PEERS, YARDSTICK))} | {"native": "black"}


def plot(found: Found, path: Path) -> None:
    """Recovered share by kind of drift; swapped instruments; negative controls."""
    figure, axes = plt.subplots(
        1, 3, figsize=(15, 4.5), layout="constrained", width_ratios=(2.2, 1.6, 0.8)
    )
    _drifts(axes[0], by_kind(found))
    _swaps(axes[1], found)
    _controls(axes[2], found)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _drifts(axis, kinds):
    axis.set(title="drifts: share recovered of what they cost; below -1: at -1")
    if not kinds:
        return
    names = list(next(iter(kinds.values())))
    width = 0.8 / len(names)
    for k, name in enumerate(names):
        values = np.clip([shares[name] for shares in kinds.values()], _LOWEST, 1)
        axis.bar(
            np.arange(len(kinds)) + width * (k - len(names) / 2 + 0.5),
            values,
            width,
            label=name,
            color=_COLOURS[name],
        )
    axis.set_xticks(
        range(len(kinds)),
        [kind.replace(" ", "\n").replace("-", "-\n") for kind in kinds],
        fontsize=8,
    )
    axis.axhline(0, color="grey", linewidth=0.8)
    axis.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
    axis.set_ylim(_LOWEST * 1.05, 1.05)
    axis.legend(fontsize=8, loc="lower left", ncols=3)


def _swaps(axis, found):
    axis.set(
        title="instrument swapped: R2, mean over properties; below -1: at -1",
        ylim=(_LOWEST * 1.05, 1.05),
    )
    if not found.swaps:
        return
    names = [n for n in next(iter(found.swaps.values()))[0] if n not in ("installed", "undrifted")]
    for name in names:
        values = [median(seeds, name) for seeds in found.swaps.values()]
        marker = {OURS: "o", "native": "_", "none": "v"}.get(name, ".")
        axis.plot(
            np.clip(values, _LOWEST, 1), marker, label=name, color=_COLOURS[name], markersize=9
        )
    axis.set_xticks(
        range(len(found.swaps)),
        ["\nto ".join(where).replace("spectrometer-", "") for where in found.swaps],
        fontsize=8,
    )
    axis.axhline(0, color="grey", linewidth=0.8)
    axis.legend(fontsize=8)


def _controls(axis, found):
    axis.set(title="negative controls: installed", xlim=(0, 0.05))
    kinds = list(dict.fromkeys(kind for (kind, _), _, _ in found.controls))
    shares = [np.mean([i for (k, _), i, _ in found.controls if k == kind]) for kind in kinds]
    axis.barh(range(len(kinds)), shares)
    axis.set_yticks(range(len(kinds)), kinds)
    axis.axvline(0.01, color="grey", linewidth=0.8, linestyle=":")
