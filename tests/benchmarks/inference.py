"""INT8 against fp32 and against torch: speed at batch 1, and RMSEP on held-out corn and tablets.

One thread everywhere. The engines take turns within a round, so that a busy machine slows all
of them; each round gives one ratio, and the figure is the median of the rounds. Turns of 20 calls
are the steady state; turns of one call (ids ending in _cold) find caches full of another engine.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import RidgeCV

from spektron_edge.bundle import Bundle, read_bundle
from spektron_edge.bundle.manifest import Precision
from spektron_edge.bundle.merit import Merit, median_merits, merits
from spektron_edge.demo.corn import PROPERTIES, UNIT
from spektron_edge.inference import Model, load_model
from spektron_train.checkpoint import CARD, load_checkpoint
from spektron_train.data.corn import read_corn
from spektron_train.data.instrument_noise import DetectorNoise, noisy_scans
from spektron_train.data.readers.tablets import tablet_sets, tablet_split
from spektron_train.model import Encoder, EncoderConfig
from tests.tablets import NOISE as TABLETS_NOISE
from tests.tablets import tablets_bundle

from .report import Figure

NAME = "inference"
ROUNDS = 5
CALLS_PER_ROUND = 120
PRECISIONS: tuple[Precision, ...] = ("int8", "fp32")
_ROOT = Path(__file__).resolve().parents[2]
_BUNDLE = _ROOT / "spektron_edge" / "bundles" / "corn.spektron"
_CHECKPOINT = _ROOT / "build" / "corn-checkpoint"


def measure() -> list[Figure]:
    """Load the shipped bundle, time, compare; the same comparison for tablets."""
    bundle = read_bundle(_BUNDLE)
    int8, fp32 = load_model(bundle, "corn", "int8"), load_model(bundle, "corn", "fp32")
    return [*_speed(int8, fp32), *_accuracy(bundle, _corn()), *_tablets()]


def _speed(int8: Model, fp32: Model) -> list[Figure]:
    x = read_corn().test.spectra["m5"][:1]
    engines = {"int8": lambda: int8.infer(x), "fp32": lambda: fp32.infer(x), "torch": _eager(x)}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [*_ratios(engines, 20, "b1"), *_ratios(engines, 1, "b1_cold")]
    finally:
        torch.set_num_threads(threads)


def _ratios(engines: dict[str, Callable[[], object]], calls: int, suffix: str) -> list[Figure]:
    rounds = _rounds(engines, calls)
    how = (
        f"median of {ROUNDS} rounds of {CALLS_PER_ROUND} calls in turns of {calls}, batch 1, "
        f"one thread; INT8 takes {np.median(rounds['int8']) * 1e3:.2f} ms"
    )
    figures = []
    for name, engine in (("fp32", "fp32 in onnxruntime"), ("torch", "torch eager")):
        ratios = rounds[name] / rounds["int8"]
        low, high = np.percentile(ratios, [25, 75])
        figures.append(
            Figure(
                id=f"int8_speedup_vs_{name}_{suffix}",
                value=float(np.median(ratios)),
                unit="1",
                better="higher",
                spread=float(high - low) / 2,
                how=f"against {engine}, {np.median(rounds[name]) * 1e3:.2f} ms: {how}",
            )
        )
    return figures


def _eager(x: np.ndarray) -> Callable[[], object]:
    # Speed does not depend on the weights; without a checkpoint they are random.
    if (_CHECKPOINT / CARD).is_file():
        encoder = load_checkpoint(_CHECKPOINT).encoder
    else:
        encoder = Encoder(EncoderConfig()).eval()
    tensor = torch.from_numpy(x).float()

    def run() -> object:
        with torch.inference_mode():
            return encoder(tensor, encoder.theta)

    return run


def _rounds(engines: dict[str, Callable[[], object]], calls: int) -> dict[str, np.ndarray]:
    """Median seconds per call, one value per round, engines taking turns of `calls`."""
    for engine in engines.values():
        for _ in range(10):
            engine()
    result: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(ROUNDS):
        seconds: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(CALLS_PER_ROUND // calls):
            for name, engine in engines.items():
                for _ in range(calls):
                    start = time.perf_counter()
                    engine()
                    seconds[name].append(time.perf_counter() - start)
        for name, values in seconds.items():
            result[name].append(float(np.median(values)))
    return {name: np.array(values) for name, values in result.items()}


@dataclass(frozen=True, eq=False)
class _Held:
    """Spectra that calibration did not see. suffix: of the figures' ids."""

    suffix: str
    x: np.ndarray
    references: np.ndarray
    properties: tuple[str, ...]
    unit: str
    noise: DetectorNoise

    def merits(self, runs: list[np.ndarray]) -> dict[str, Merit]:
        """Of values (n, m), one array a noise seed: the median."""
        return median_merits([merits(y, self.references, self.properties) for y in runs])


def _corn() -> _Held:
    test = read_corn().test
    noise = DetectorNoise()
    return _Held("", test.spectra["m5"], test.references, PROPERTIES, UNIT, noise)


def _tablets() -> list[Figure]:
    """The same for a product that is calibrated here, in less than a minute."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tablets.spektron"
        # Its own figures are not looked at.
        tablets_bundle(path, held_out=20)
        bundle = read_bundle(path)
    one, rows = tablet_sets()["spectrometer-1"], tablet_split()["test"]
    x, y = one.spectra[rows], one.references[rows]
    held = _Held("_tablets", x, y, one.properties, one.units[0], TABLETS_NOISE)
    return _accuracy(bundle, held)


def _accuracy(bundle: Bundle, held: _Held) -> list[Figure]:
    models = {name: load_model(bundle, None, name) for name in PRECISIONS}
    source = bundle.arrays(models["fp32"].product.source)
    probe = RidgeCV(np.geomspace(1e-3, 1e3, 25)).fit(source["z_chem"], source["y"])
    scans = noisy_scans(held.x, held.noise)
    outputs = {name: [model.infer(scan) for scan in scans] for name, model in models.items()}
    values = {n: held.merits([run.y.astype(np.float64) for run in o]) for n, o in outputs.items()}
    probed = {
        name: held.merits([probe.predict(run.z_chem).reshape(run.y.shape) for run in runs])
        for name, runs in outputs.items()
    }
    worst, ratio = _worst_ratio(values)
    worst_latent, latent_ratio = _worst_ratio(probed)
    detail = ", ".join(f"{p} {values['int8'][p].rmsep:.4f}" for p in held.properties)
    latents = [
        np.concatenate([run.z_chem for run in outputs[name]]).astype(np.float64)
        for name in PRECISIONS
    ]
    cosine = np.sum(latents[0] * latents[1], axis=1) / np.prod(
        [np.linalg.norm(z, axis=1) for z in latents], axis=0
    )
    return [
        Figure(
            id=f"int8_rmsep_over_fp32{held.suffix}",
            value=ratio,
            unit="1",
            better="lower",
            spread=None,
            how=f"worst property ({worst}); {len(held.x)} held-out spectra, median of "
            f"{len(scans)} noise seeds; INT8 RMSEP in {held.unit}: {detail}. Where the network's "
            "residual has no share in y, y does not pass through INT8 and the ratio is 1",
        ),
        Figure(
            id=f"int8_latent_probe_rmsep_over_fp32{held.suffix}",
            value=latent_ratio,
            unit="1",
            better="lower",
            spread=None,
            how=f"the same for ridge on z_chem alone, which does pass through INT8; worst property "
            f"({worst_latent})",
        ),
        Figure(
            id=f"int8_z_chem_cosine_min{held.suffix}",
            value=float(cosine.min()),
            unit="1",
            better="higher",
            spread=None,
            how=f"z_chem of INT8 against fp32, the worst of those spectra; "
            f"median {np.median(cosine):.6f}",
        ),
    ]


def _worst_ratio(figures: dict[Precision, dict[str, Merit]]) -> tuple[str, float]:
    """The property whose RMSEP INT8 raises most, and the ratio."""
    ratios = {p: merit.rmsep / figures["fp32"][p].rmsep for p, merit in figures["int8"].items()}
    worst = max(ratios, key=lambda p: ratios[p])
    return worst, ratios[worst]
