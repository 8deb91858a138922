"""What the benchmark of adaptation says of what it found: figures, rows and the table of drifts."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from spektron_train.benchmarks.report import Row, row

from .adapt_drifts import KINDS, STRENGTHS
from .adapt_peers import PEERS, YARDSTICK
from .report import Figure
from .transfer_sets import PROPERTIES

# A drift that costs less is none that adaptation is judged by.
COUNTED = 0.1
OURS = "adapted"


@dataclass(frozen=True)
class Found:
    """drifts: (kind, strength, history) -> by seed, method -> RMSEP (m,); swaps: (source, target)
    -> by seed, method -> R2 (m,); controls: ((kind, seed), installed, largest change of a
    prediction over half its interval) of each stream.
    """

    drifts: dict
    swaps: dict
    controls: list


def median(seeds, method):
    """Over seeds, of the mean over properties."""
    return float(np.median([np.mean(scores[method]) for scores in seeds]))


def cost(seeds):
    """By how much, relative to no drift, the frozen model is worse."""
    return median(seeds, "none") / median(seeds, "undrifted") - 1


def recovered(seeds, method):
    """Share of what the drift cost that a method takes back."""
    frozen = median(seeds, "none")
    return (frozen - median(seeds, method)) / (frozen - median(seeds, "undrifted"))


def methods(seeds):
    """Ours first, then the peers that ran, then what they are not measured by."""
    names = (*PEERS, YARDSTICK)
    return [OURS, *(name for name in names if name in seeds[0] and name != "none")]


def counted(found: Found, history="held-out"):
    """(kind, strength) -> seeds of the drifts that cost enough."""
    return {
        (kind, strength): seeds
        for (kind, strength, of), seeds in found.drifts.items()
        if of == history and cost(seeds) >= COUNTED
    }


def by_kind(found: Found):
    """kind -> method -> recovered share of what all its strengths that count cost together.

    A mean of shares would be a mean of the weakest drifts: a peer that does nothing but harm there
    has shares of -5, whatever it is worth when it is needed.
    """
    cells = counted(found)
    return {
        kind: {
            method: sum(median(s, "none") - median(s, method) for s in seeds)
            / sum(median(s, "none") - median(s, "undrifted") for s in seeds)
            for method in methods(seeds[0])
        }
        for kind in KINDS
        if (seeds := [s for (k, _), s in cells.items() if k == kind])
    }


def drift_figures(found: Found) -> list[Figure]:
    """Of the drifts, each with the rule that it is made by."""
    cells = counted(found)
    if not cells:
        return []
    of_all = {k: v for k, v in found.drifts.items() if k[2] == "held-out"}
    out = []
    told = f"median over {len(cells)} cases that cost 10 % or more, of {len(of_all)}"
    for method in methods(next(iter(cells.values()))):
        value = float(np.median([recovered(s, method) for s in cells.values()]))
        name = f"{_prefix(method)}recovered_median"
        out.append(Figure(name, value, "1", "higher", None, f"recovered share, {method}: {told}"))
    kinds = by_kind(found)
    best = [k for k, v in kinds.items() if v[OURS] > max([0.0, *_others(v)])]
    told = (
        "kinds where the share recovered of what all counted strengths cost together is above 0, "
    )
    told += f"which is the frozen model, and above every peer's; {len(kinds)} kinds count"
    out.append(Figure("kinds_best", len(best), f"of {len(KINDS)}", "higher", None, told))
    shares = [{m: recovered(s, m) for m in methods(s)} for s in cells.values()]
    value = float(np.mean([v[OURS] > max([0.0, *_others(v)]) for v in shares]))
    told = "the same of single cases, as a share of those that count"
    out.append(Figure("cases_best_share", value, "1", "higher", None, told))
    over = {k: median(s, OURS) / median(s, "none") - 1 for k, s in of_all.items()}
    worst = max(over, key=over.__getitem__)
    told = f"largest RMSEP over frozen, less one, of all cases: {worst[0]}, strength {worst[1]}"
    out.append(Figure("worst_over_frozen", over[worst], "1", "lower", None, told))
    single = max(
        float(np.mean(f[OURS]) / np.mean(f["none"]) - 1) for s in of_all.values() for f in s
    )
    told = "the same of the worst single stream"
    out.append(Figure("worst_over_frozen_single", single, "1", "lower", None, told))
    share = float(np.mean([f["installed"] for s in cells.values() for f in s]))
    told = "share of streams with a drift that counts on which something was installed"
    out.append(Figure("drifts_installed_share", share, "1", "higher", None, told))
    other = counted(found, "calibration")
    common = [seeds for case, seeds in other.items() if case in cells]
    for method in methods(common[0]) if common else ():
        told = f"recovered share, {method}, where samples before the change do not come back; "
        told += f"{len(common[0])} seeds"
        value = float(np.median([recovered(seeds, method) for seeds in common]))
        name = f"{_prefix(method)}recovered_median_other_history"
        out.append(Figure(name, value, "1", "higher", None, told))
    return out


def swap_figures(found: Found) -> list[Figure]:
    """Of instruments that were swapped, beside frozen model, peers and ceiling."""
    out = []
    corn = {k: v for k, v in found.swaps.items() if k[0] != "tablets"}
    sets = (
        ("corn_swap", corn, "six directions"),
        ("corn_swap_from_m5", {k: v for k, v in corn.items() if k[0] == "m5"}, "m5 to mp5, mp6"),
        ("tablets_swap", {k: v for k, v in found.swaps.items() if k not in corn}, "1 to 2"),
    )
    for name, cells, where in sets:
        if not cells:
            continue
        first = next(iter(cells.values()))
        for method in (*methods(first), "none", "native"):
            value = float(np.mean([median(s, method) for s in cells.values()]))
            key = f"{name}_mean4" if name != "tablets_swap" else name
            key = {"none": f"{key}_frozen", "native": f"{key}_ceiling"}.get(
                method, _prefix(method) + key
            )
            told = f"R2, mean over properties, {where}; medians over {len(first)} streams, after "
            told += "20 spectra and a service event, no labels; ceiling: ridge on all labels of "
            told += "the target"
            out.append(Figure(key, value, "R2", "higher", None, told))
    return out


def control_figures(found: Found) -> list[Figure]:
    """Of negative controls, all together and by kind."""
    if not found.controls:
        return []
    told = f"share of {len(found.controls)} streams that led to an installed state"
    share = float(np.mean([installed for _, installed, _ in found.controls]))
    out = [Figure("negative_installed_share", share, "1", "lower", None, told)]
    moved = max(change for _, _, change in found.controls)
    told = "largest change of a prediction over half its 90 % interval, all negative controls"
    out.append(Figure("negative_moved_over_interval", moved, "1", "lower", None, told))
    for kind in dict.fromkeys(k for (k, _), _, _ in found.controls):
        own = [installed for (k, _), installed, _ in found.controls if k == kind]
        told = (
            f"share of {len(own)} streams with {kind}"
            if kind != "nothing happens"
            else (f"share of {len(own)} streams in which nothing happens")
        )
        name = f"negative_installed_share_{_key(kind)}"
        out.append(Figure(name, float(np.mean(own)), "1", "lower", None, told))
    return out


def rows(found: Found) -> list[Row]:
    """Every method's values by seed, mean over the properties; of swaps also each property.

    The drifts' properties stand in their own tables: as rows they would be five hundred.
    """
    out = []
    for (kind, strength, history), seeds in found.drifts.items():
        if history == "held-out":
            dataset = f"{kind} {STRENGTHS[kind][strength]:g}"
            out += _rows(dataset, seeds, "RMSEP over spread", ())
    for where, seeds in found.swaps.items():
        out += _rows(" to ".join(where), seeds, "R2", ("undrifted", "none", OURS, "native"))
    return out


def drift_tables(found: Found) -> None:
    """Print kinds and strengths against methods, then against properties."""
    cells = {k[:2]: v for k, v in found.drifts.items() if k[2] == "held-out"}
    if not cells:
        return
    names = methods(next(iter(cells.values())))
    one = _table("share recovered of what a drift costs", ("cost", "installed", *names))
    two = _table(
        "RMSEP by property over that without the drift: frozen, adapted",
        [f"{name}{of}" for name in PROPERTIES for of in ("", " adapted")],
    )
    for (kind, strength), seeds in cells.items():
        shares = [f"{recovered(seeds, m):.2f}" for m in names]
        if cost(seeds) < COUNTED:
            shares = [f"({share})" for share in shares]
        installed = np.mean([f["installed"] for f in seeds])
        size = f"{STRENGTHS[kind][strength]:g}"
        one.add_row(kind, size, f"{cost(seeds):.0%}", f"{installed:.0%}", *shares)
        undrifted, frozen, ours = (
            np.median([f[method] for f in seeds], axis=0) for method in ("undrifted", "none", OURS)
        )
        ratios = np.stack([frozen, ours], axis=1) / undrifted[:, None]
        two.add_row(kind, size, *(f"{ratio:.2f}" for ratio in ratios.ravel()))
    console = Console(highlight=False, width=160)
    console.print(one)
    console.print("In brackets: costs too little to count.")
    console.print(two)


def _table(title, columns):
    table = Table(title=title, title_justify="left")
    table.add_column("drift")
    for column in ("size", *columns):
        table.add_column(column, justify="right")
    return table


def _rows(dataset, seeds, metric, by_property):
    out = []
    for method in seeds[0]:
        if method == "installed":
            continue
        values = np.array([scores[method] for scores in seeds])
        mean = values.mean(axis=1)
        out.append(row(dataset, "mean", method, mean, unit="1", metric=metric))
        if method in by_property and values.shape[1] > 1:
            for j, name in enumerate(PROPERTIES):
                out.append(row(dataset, name, method, values[:, j], unit="1", metric=metric))
    return out


def _others(shares):
    return [share for method, share in shares.items() if method not in (OURS, YARDSTICK)]


def _prefix(method):
    """Of the id of a figure that ours has too."""
    if method == OURS:
        return ""
    return f"yardstick_{_key(method)}_" if method == YARDSTICK else f"peer_{_key(method)}_"


def _key(name):
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
