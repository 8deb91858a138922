"""INT8 against fp32 and against torch: speed at batch 1 and RMSEP on the held-out spectra.

One thread everywhere. The engines take turns within a round, so that a busy machine slows all
of them; each round gives one ratio, and the figure is the median of the rounds. Turns of 20 calls
are the steady state; turns of one call (ids ending in _cold) find caches full of another engine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import RidgeCV

from spektron_edge.bundle import read_bundle
from spektron_edge.demo.corn import PROPERTIES
from spektron_edge.inference import Model, load_model
from spektron_edge.merit import median_merits, merits
from spektron_train.checkpoint import CARD, load_checkpoint
from spektron_train.data.corn import read_corn
from spektron_train.data.instrument_noise import DetectorNoise, noisy_scans
from spektron_train.model import Encoder, EncoderConfig

from .report import Figure

NAME = "inference"
ROUNDS = 5
CALLS_PER_ROUND = 120
_ROOT = Path(__file__).resolve().parents[2]
_BUNDLE = _ROOT / "spektron_edge" / "bundles" / "corn.spektron"
_CHECKPOINT = _ROOT / "build" / "corn-checkpoint"


def measure() -> list[Figure]:
    """Load the shipped bundle, time, compare."""
    bundle = read_bundle(_BUNDLE)
    int8, fp32 = load_model(bundle, "corn", "int8"), load_model(bundle, "corn", "fp32")
    source = bundle.arrays(int8.product.source)
    probe = RidgeCV(np.geomspace(1e-3, 1e3, 25)).fit(source["z_chem"], source["y"])
    return [*_speed(int8, fp32), *_accuracy(int8, fp32, probe.predict)]


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


def _accuracy(int8: Model, fp32: Model, probe: Callable[[np.ndarray], np.ndarray]) -> list[Figure]:
    """probe: (n, 128) latents to (n, k) properties, fitted on fp32 latents of training samples."""
    test = read_corn().test
    scans = noisy_scans(test.spectra["m5"], DetectorNoise())
    outputs = {
        name: [model.infer(scan) for scan in scans]
        for name, model in (("int8", int8), ("fp32", fp32))
    }
    figures = {
        name: median_merits(
            [merits(run.y.astype(np.float64), test.references, PROPERTIES) for run in runs]
        )
        for name, runs in outputs.items()
    }
    probed = {
        name: median_merits(
            [merits(probe(run.z_chem), test.references, PROPERTIES) for run in runs]
        )
        for name, runs in outputs.items()
    }
    by_latent = {p: probed["int8"][p].rmsep / probed["fp32"][p].rmsep for p in PROPERTIES}
    worst_latent = max(by_latent, key=lambda p: by_latent[p])
    ratios = {p: figures["int8"][p].rmsep / figures["fp32"][p].rmsep for p in PROPERTIES}
    worst = max(ratios, key=lambda p: ratios[p])
    detail = ", ".join(f"{p} {figures['int8'][p].rmsep:.4f}" for p in PROPERTIES)
    latents = [
        np.concatenate([run.z_chem for run in outputs[name]]).astype(np.float64)
        for name in ("int8", "fp32")
    ]
    cosine = np.sum(latents[0] * latents[1], axis=1) / np.prod(
        [np.linalg.norm(z, axis=1) for z in latents], axis=0
    )
    return [
        Figure(
            id="int8_rmsep_over_fp32",
            value=ratios[worst],
            unit="1",
            better="lower",
            spread=None,
            how=f"worst property ({worst}); 20 held-out spectra, median of {len(scans)} noise "
            f"seeds; INT8 RMSEP in % by mass: {detail}. Where the network's residual has no share "
            f"in y, y does not pass through INT8 and the ratio is 1",
        ),
        Figure(
            id="int8_latent_probe_rmsep_over_fp32",
            value=by_latent[worst_latent],
            unit="1",
            better="lower",
            spread=None,
            how=f"the same for ridge on z_chem alone, which does pass through INT8; worst property "
            f"({worst_latent})",
        ),
        Figure(
            id="int8_z_chem_cosine_min",
            value=float(cosine.min()),
            unit="1",
            better="higher",
            spread=None,
            how=f"z_chem of INT8 against fp32, the worst of those spectra; "
            f"median {np.median(cosine):.6f}",
        ),
    ]
