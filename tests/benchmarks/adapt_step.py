"""One step of adaptation: loss and gradient in onnxruntime beside torch's autograd.

The bundle that ships and the checkpoint it was made from; where the bundle has no gradient graph or
the checkpoint is another, both are made anew in a folder that is thrown away. Spectra are those of
another instrument (corn on mp5), which is what adaptation is for. One thread everywhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from spektron_edge.bundle import Bundle, BundleError, read_bundle
from spektron_edge.inference import OnnxGradient, load_gradient
from spektron_edge.inference.gradient import TERMS
from spektron_export.gradient import GradientStep
from spektron_export.gradient_parity import GradientCase, relative_error
from spektron_export.pack import export_bundle
from spektron_train.checkpoint import CARD, load_checkpoint
from spektron_train.data.corn import read_corn
from spektron_train.finetune import Settings, finetune_corn
from spektron_train.model import Encoder

from .report import Figure

NAME = "adapt_step"
ROUNDS = 5
DRAWS = 9
CALLS_PER_ROUND = {1: 20, 8: 6}
STEPS_BEFORE_RSS = 5
INSTRUMENT = "mp5"
# Reconstruction and bottleneck as in pretraining; moments and anchor as strong as reconstruction.
WEIGHTS = {"reconstruction": 1.0, "bottleneck": 0.03, "centre": 1.0, "spread": 1.0, "anchor": 1.0}
_ROOT = Path(__file__).resolve().parents[2]
_BUNDLE = _ROOT / "spektron_edge" / "bundles" / "corn.spektron"
_CHECKPOINT = _ROOT / "build" / "corn-checkpoint"


def measure() -> list[Figure]:
    """Compare gradients, time in turns, weigh."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(prefix="spektron-bench-") as folder:
            bundle, encoder, origin = _model(Path(folder))
            engine = load_gradient(bundle)
            return [
                _error(engine, encoder, bundle, origin),
                *(_speed(engine, encoder, bundle, rows) for rows in CALLS_PER_ROUND),
                _memory(bundle, encoder, Path(folder)),
            ]
    finally:
        torch.set_num_threads(threads)


def _model(folder: Path) -> tuple[Bundle, Encoder, str]:
    """A bundle, the encoder that it was made from, and where they come from."""
    if (_CHECKPOINT / CARD).is_file():
        bundle, encoder = read_bundle(_BUNDLE), load_checkpoint(_CHECKPOINT).encoder
        golden = bundle.arrays(bundle.manifest.products[0].golden)
        with torch.inference_mode():
            _, z_chem, _ = encoder(torch.from_numpy(golden["x"]), encoder.theta)
        same = np.abs(z_chem.numpy() - golden["z_chem_fp32"]).max() < 1e-3
        if same and bundle.manifest.products[0].adapt:
            return bundle, encoder, "the shipped bundle"
    checkpoint = finetune_corn(read_corn(), Settings(threads=1))
    path = folder / "corn.spektron"
    export_bundle(checkpoint, path, precisions=("fp32",))
    return read_bundle(path), checkpoint.encoder, "a bundle made for this benchmark"


def _case(encoder: Encoder, bundle: Bundle, rows: int, draw: int = 0) -> GradientCase:
    spectra = read_corn().train.spectra[INSTRUMENT]
    chosen = np.random.default_rng([rows, draw]).permutation(len(spectra))[:rows]
    z_chem = bundle.arrays(bundle.manifest.products[0].source)["z_chem"]
    case = GradientCase.of(encoder, spectra[chosen], z_chem, seed=100 * rows + draw)
    case.inputs["weights"] = np.array([WEIGHTS[name] for name in TERMS], np.float32)
    return case


def _error(engine: OnnxGradient, encoder: Encoder, bundle: Bundle, origin: str) -> Figure:
    errors: dict[int, list[float]] = {}
    itself = []
    for rows in (1, 8, 32):
        cases = [_case(encoder, bundle, rows, draw) for draw in range(DRAWS)]
        errors[rows] = [_relative(engine, encoder, case) for case in cases]
        itself += [_against_itself(encoder, case) for case in cases]
    by_rows = ", ".join(
        f"{max(seen):.1e} (median {np.median(seen):.1e}) at batch {rows}"
        for rows, seen in errors.items()
    )
    weights = ", ".join(f"{name} {weight:g}" for name, weight in WEIGHTS.items())
    return Figure(
        id="grad_max_rel_err",
        value=max(max(seen) for seen in errors.values()),
        unit="1",
        better="lower",
        spread=None,
        how=f"largest difference from torch's autograd in float32 over the gradient's largest "
        f"element, worst of {DRAWS} draws of spectra and masks: {by_rows}; {INSTRUMENT}, weights "
        f"{weights}; {origin}. Rounding may turn the sign of a hidden unit, and ReLU's gradient "
        f"jumps: torch differs from itself in a batch twice as large by {np.median(itself):.1e} "
        f"(worst {max(itself):.1e})",
    )


def _against_itself(encoder: Encoder, case: GradientCase) -> float:
    """The same spectra twice over: means over the batch, and their gradients, stay as they are."""
    step = GradientStep(encoder)
    once = [torch.from_numpy(value) for value in case.inputs.values()]
    # All but the spread, which counts degrees of freedom.
    once[-1] = once[-1] * torch.tensor([float(name != "spread") for name in TERMS])
    twice = [torch.cat([value, value]) for value in once[:2]] + once[2:]
    return relative_error(step(*twice)[2].numpy(), step(*once)[2].numpy())


def _relative(engine: OnnxGradient, encoder: Encoder, case: GradientCase) -> float:
    return relative_error(case.run(engine)["gradient"], case.run_torch(encoder)["gradient"])


def _speed(engine: OnnxGradient, encoder: Encoder, bundle: Bundle, rows: int) -> Figure:
    case, peer = _case(encoder, bundle, rows), GradientStep(encoder)
    tensors = [torch.from_numpy(value) for value in case.inputs.values()]
    seconds = _rounds((lambda: case.run(engine), lambda: peer(*tensors)), CALLS_PER_ROUND[rows])
    ours, theirs = np.median(seconds, axis=0) * 1e3
    ratios = seconds[:, 1] / seconds[:, 0]
    low, middle, high = np.percentile(ratios, (25, 50, 75))
    return Figure(
        id=f"step_speedup_vs_torch_b{rows}",
        value=float(middle),
        unit="1",
        better="higher",
        spread=float(high - low) / 2,
        how=f"against torch eager, forward and backward by theta ({theirs:.1f} ms); median of "
        f"{ROUNDS} rounds of {CALLS_PER_ROUND[rows]} calls in turns, batch {rows}, one thread; a "
        f"step takes {ours:.1f} ms",
    )


def _rounds(engines: Sequence[Callable[[], object]], calls: int) -> np.ndarray:
    """(ROUNDS, engines) median seconds per call, the engines taking turns."""
    for engine in engines:
        engine()
    result = []
    for _ in range(ROUNDS):
        seconds: list[list[float]] = [[] for _ in engines]
        for _ in range(calls):
            for engine, taken in zip(engines, seconds, strict=True):
                start = time.perf_counter()
                engine()
                taken.append(time.perf_counter() - start)
        result.append([float(np.median(taken)) for taken in seconds])
    return np.array(result)


# As spektron_edge.inference.session does it, in a process that imports nothing else.
_WEIGH = """
import ctypes
import sys
import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.log_severity_level = 3
options.enable_mem_pattern = options.enable_mem_reuse = False
with open(sys.argv[1], "rb") as file:
    session = ort.InferenceSession(file.read(), options, providers=["CPUExecutionProvider"])
ctypes.CDLL(None).malloc_trim(0)
feed = dict(np.load(sys.argv[2]))
for _ in range(int(sys.argv[3])):
    session.run(["loss", "terms", "gradient"], feed)
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) * 1024)
"""


def _memory(bundle: Bundle, encoder: Encoder, folder: Path) -> Figure:
    adapt = bundle.manifest.products[0].adapt
    if adapt is None:
        raise BundleError("the bundle has no gradient graph")
    graph, feed = folder / "adapt.onnx", folder / "feed.npz"
    graph.write_bytes(bundle.graph(adapt))
    np.savez(feed, **_case(encoder, bundle, 8).inputs)
    done = subprocess.run(
        [sys.executable, "-c", _WEIGH, str(graph), str(feed), str(STEPS_BEFORE_RSS)],
        env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    return Figure(
        id="step_rss_mb_b8",
        value=int(done.stdout) / 1e6,
        unit="MB",
        better="lower",
        spread=None,
        how=f"highest resident memory of a process with numpy and onnxruntime only after "
        f"{STEPS_BEFORE_RSS} steps at batch 8",
    )
