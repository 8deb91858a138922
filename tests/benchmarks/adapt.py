"""Adaptation without labels: nine drifts, swapped instruments, negative controls, and peers.

20 streams of seeds SEED0 to SEED0 + 19 a case (SEED0: 1000, the quoted ones; settings were found on
0 to 19; SPLITS: fewer); CONTROLS streams of negative controls (1,000), from seed 1000 SEED0 on;
ONLY: some of drifts, swaps, tablets, controls, live; KINDS: some of the drifts; OTHER_HISTORY:
seeds that are also run with other samples before the drift (all); PEERS=no: without peers; WORKERS:
processes.

A case is a kind at one strength; RMSEP is the mean over the properties in units of the spread of
their references, and a median over seeds. Nothing is chosen by what is judged.
"""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor

from rich.progress import track

from spektron_train.benchmarks.report import Report
from spektron_train.benchmarks.sets import CORN_NOTES

from . import adapt_bundles, adapt_controls, adapt_drifts, adapt_live
from .adapt_cases import control_job, drift_job, swap_job
from .adapt_plot import plot
from .adapt_report import (
    Found,
    control_figures,
    drift_figures,
    drift_tables,
    rows,
    swap_figures,
)
from .report import FOLDER
from .transfer_sets import directions

NAME = "adapt"
SEED0 = int(os.environ.get("SEED0", "1000"))
SPLITS = int(os.environ.get("SPLITS", "20"))
CONTROLS = int(os.environ.get("CONTROLS", "1000"))
ONLY = os.environ.get("ONLY", "drifts,swaps,tablets,controls,live").split(",")
KINDS = os.environ.get("KINDS", ",".join(adapt_drifts.KINDS)).split(",")
WORKERS = int(os.environ.get("WORKERS", os.cpu_count() or 1))
# Seeds also run with calibration samples before the change, none of which comes back after it.
OTHER_HISTORY = int(os.environ.get("OTHER_HISTORY", SPLITS))
NOTES = (
    "Corn has 20 held-out samples: those before a change come back after it, which flatters what "
    "compares before with after. `recovered_median_other_history` is of streams in which they do "
    "not; the yardstick, which nothing is measured by, tells what there is to gain by it.",
    "Peers are told where the change began and get the scans from there on; the adapter is not.",
    "Adaptation and evaluation see the same 20 samples in other scans; references are never seen.",
    "A 90 % interval is 1.645 RMSEP of the bundle's held-out samples either way.",
)


def measure() -> Report:
    """All figures; build/bench/adapt.png."""
    found = Found({}, {}, [])
    with ProcessPoolExecutor(max_workers=WORKERS) as pool:
        found = Found(_drifts(pool), _swaps(pool), _controls(pool))
    drift_tables(found)
    figures = [*drift_figures(found), *swap_figures(found), *control_figures(found)]
    # Last, with nothing else running.
    figures += adapt_live.measure() if "live" in ONLY else []
    FOLDER.mkdir(parents=True, exist_ok=True)
    plot(found, FOLDER / "adapt.png")
    counts = f"Seeds from {SEED0}, {SPLITS} a case; {len(found.controls)} negative controls."
    return Report(NAME, tuple(figures), tuple(rows(found)), (*CORN_NOTES, *NOTES, counts))


def _drifts(pool):
    cells = defaultdict(list)
    if "drifts" not in ONLY:
        return cells
    seeds = range(SEED0, SEED0 + SPLITS)
    cases = [(k, s) for k in KINDS for s in range(len(adapt_drifts.STRENGTHS[k]))]
    jobs = [(*case, seed, "held-out") for case in cases for seed in seeds]
    jobs += [(*case, seed, "calibration") for case in cases for seed in seeds[:OTHER_HISTORY]]
    for (kind, strength, _, history), scores in _run(pool, drift_job, jobs, "drifts"):
        cells[kind, strength, history].append(scores)
    return cells


def _swaps(pool):
    """Bundles are made first, by one process."""
    cells = defaultdict(list)
    where = list(directions()) if "swaps" in ONLY else []
    for name in sorted({source for source, _ in where}):
        adapt_bundles.corn_bundle(name)
    if "tablets" in ONLY:
        adapt_bundles.tablets()
        where.append(("tablets", "spectrometer-2"))
    jobs = [(*w, seed) for w in where for seed in range(SEED0, SEED0 + SPLITS)]
    for (source, target, _), scores in _run(pool, swap_job, jobs, "swaps"):
        cells[source, target].append(scores)
    return cells


def _controls(pool):
    if "controls" not in ONLY:
        return []
    kinds = adapt_controls.KINDS
    jobs = [(kinds[i % len(kinds)], 1000 * SEED0 + i) for i in range(CONTROLS)]
    return list(_run(pool, control_job, jobs, "controls"))


def _run(pool, job, jobs, name):
    return track(pool.map(job, jobs), name, total=len(jobs))
