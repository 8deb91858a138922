"""What the chain is worth on held-out corn: serial line, noise, 16 bits, INT8; 20 noise seeds."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from rich.progress import track

from firmware_bridge.virtual import PtyPort, VirtualSpectrometer
from spektron_edge.bundle import read_bundle
from spektron_edge.bundle.merit import merits
from spektron_edge.clock import Clock
from spektron_edge.config.file import shipped_bundle
from spektron_edge.config.instrument import Acquisition, Serial
from spektron_edge.demo.corn import PROPERTIES, UNIT, load_corn
from spektron_edge.inbox import Inbox, Measured
from spektron_edge.inference import load_model
from spektron_edge.instrument.settings import Settings
from spektron_edge.instrument.thread import InstrumentThread
from spektron_edge.prediction.pipeline import evaluate
from spektron_edge.spectra.resampling import Resampler
from tests.benchmarks.report import FOLDER, Figure

NAME = "main_job"
SEEDS = 20


def predictions(seed, model, corn, folder):
    """(20, k) predictions of one run through a pty, in the order of the samples; and validity."""
    count = len(corn.samples)
    device = VirtualSpectrometer(corn.spectra["m5"], corn.axis_nm, seed=seed, scans=count)
    values, valid = np.full((count, len(PROPERTIES)), np.nan), 0
    inbox = Inbox(64)
    with PtyPort(device) as port:
        settings = Settings(Serial(url=port.url), Acquisition(), folder)
        thread = InstrumentThread(settings, Clock(), inbox.put)
        thread.start()
        clock = Clock()
        left = count
        while left:
            for item in inbox.take(30.0, 32):
                if not isinstance(item, Measured):
                    continue
                resampler = Resampler.between(item.scan.axis_nm, model.product.grid.axis())
                outcome = evaluate(
                    item.scan, item.references, resampler, model, settings.ages, clock.now()
                )
                row = port.call(partial(device.presented.get, item.scan.number))
                values[row] = outcome.values
                valid += outcome.valid
                left -= 1
        thread.halt()
        thread.join()
    return values, valid


def measure() -> list[Figure]:
    """All figures, and build/bench/main_job.png."""
    corn, model = load_corn().test, load_model(read_bundle(shipped_bundle()))
    FOLDER.mkdir(parents=True, exist_ok=True)
    runs, valid = [], []
    for seed in track(range(SEEDS), "noise seeds"):
        with tempfile.TemporaryDirectory() as folder:
            values, good = predictions(seed, model, corn, Path(folder))
        runs.append(values)
        valid.append(good)
    found = [merits(values, corn.references, PROPERTIES) for values in runs]
    repeat = np.sqrt(np.mean(np.var(np.array(runs), axis=0, ddof=1), axis=0))
    how = f"held-out corn on m5 through pty, noise and INT8; median of {SEEDS} noise seeds"
    how += "; of the bias, its size"
    out = []
    for column, name in enumerate(PROPERTIES):
        for key, unit, better in (
            ("r2", "1", "higher"),
            ("rmsep", UNIT, "lower"),
            ("bias", UNIT, "lower"),
            ("sep", UNIT, "lower"),
            ("rpd", "1", "higher"),
        ):
            values = [abs(getattr(run[name], key)) for run in found]
            low, middle, high = np.percentile(values, (25, 50, 75))
            out.append(Figure(f"{key}_{name}", middle, unit, better, (high - low) / 2, how))
        repeated = f"pooled standard deviation of {SEEDS} runs of the same samples"
        out.append(Figure(f"repeatability_{name}", repeat[column], UNIT, "lower", None, repeated))
    inside = "share of scans inside the calibration's domain (T2 and Q at 99 %)"
    share = np.array(valid) / len(corn.samples)
    out.append(Figure("valid_share", float(np.mean(share)), "1", "higher", None, inside))
    _plot(runs, corn.references)
    print(*model.product.notes, sep="\n")
    return out


def _plot(runs, references):
    figure, axes = plt.subplots(1, 4, figsize=(14, 3.8), layout="constrained")
    for column, (axis, name) in enumerate(zip(axes, PROPERTIES, strict=True)):
        values = np.array(runs)[:, :, column]
        middle = np.median(values, axis=0)
        spread = np.abs(np.percentile(values, (5, 95), axis=0) - middle)
        axis.errorbar(references[:, column], middle, spread, fmt="o", markersize=4, capsize=2)
        limits = [references[:, column].min(), references[:, column].max()]
        axis.plot(limits, limits, color="grey", linewidth=1)
        axis.set(title=name, xlabel=f"laboratory, {UNIT}")
    axes[0].set_ylabel(f"predicted, {UNIT} (5 to 95 % of {len(runs)} seeds)")
    figure.savefig(FOLDER / "main_job.png", dpi=110)
    plt.close(figure)
