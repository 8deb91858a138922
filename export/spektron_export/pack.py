"""Checkpoint to bundle: graphs, parity, golden vectors, manifest, a last look by the runtime."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.inference import Inference, load_model
from spektron_edge.manifest import (
    Evaluation,
    Figures,
    Graph,
    Grid,
    Manifest,
    Precision,
    Product,
    Property,
)
from spektron_edge.merit import Merit, median_merits, merits
from spektron_train.checkpoint import Checkpoint
from spektron_train.data.instrument_noise import NOISE_SEEDS, DetectorNoise, noisy_scans

from .errors import ExportError
from .graphs import IR_VERSION, OPSET, export_fp32
from .parity import FP32, INT8, Limits, Parity, compare, require, run_torch
from .protection import Protection, golden_spectra, npz, protected_source
from .provenance import provenance
from .quantise import quantise
from .session import Run, runner

MAX_BUNDLE_BYTES = 16 * 2**20
MAX_INT8_BYTES = 4 * 2**20
_FILES: dict[Precision, str] = {"fp32": "encoder.fp32.onnx", "int8": "encoder.qdq.onnx"}
# Golden outputs travel to other processors and onnxruntime versions. Measured: z moves by 5e-4
# between versions for INT8, 2e-6 for fp32; y by 2e-5. Latents have unit variance.
_Z_TOLERANCE: dict[Precision, float] = {"fp32": 1e-3, "int8": 2e-2}
_Y_TOLERANCE_OVER_RMSEP = 0.05
_GOLDEN = 8
_CALIBRATION_DRAWS = 4
Array = NDArray[Any]


@dataclass(frozen=True)
class Report:
    """What was written, and how it compares."""

    path: Path
    bundle_id: str
    bytes: int
    graph_bytes: dict[str, int]
    parity: tuple[Parity, ...]
    figures: dict[str, dict[str, Merit]]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "bundle": str(self.path),
            "id": self.bundle_id,
            "bytes": self.bytes,
            "graph_bytes": self.graph_bytes,
            "parity": [p.to_json() for p in self.parity],
            "figures": {
                graph: {name: merit.as_dict() for name, merit in figures.items()}
                for graph, figures in self.figures.items()
            },
        }


@dataclass(frozen=True)
class _Graphs:
    fp32: onnx.ModelProto
    int8: onnx.ModelProto


def export_bundle(
    checkpoint: Checkpoint,
    path: Path,
    version: int = 1,
    advance: Callable[[str], None] = lambda _: None,
    limits: tuple[Limits, Limits] | None = None,
    keep: Protection | None = None,
) -> Report:
    """Write the bundle. Four steps are announced through `advance`.

    limits: parity of fp32 with torch and of INT8 with fp32; FP32 and INT8 unless given. keep: what
    is kept back of the calibration spectra; nothing unless given.

    Raises ParityError or ExportError (nothing is written), BundleError when the runtime refuses
    the result, OSError when it cannot be written.
    """
    encoder, noise = checkpoint.encoder, DetectorNoise()
    theta = encoder.theta.detach().numpy().copy()
    x = np.asarray(checkpoint.source["x"], np.float64)
    # Fixed seeds: the same checkpoint gives the same bytes.
    scans = noisy_scans(x, noise, _CALIBRATION_DRAWS)
    fp32 = export_fp32(encoder)
    advance("exported")
    products = 4 * encoder.config.layers
    calibration = np.concatenate([x, *scans]).astype(np.float32)
    graphs = _Graphs(fp32, quantise(fp32, calibration, theta, expected=products))
    advance("quantised")
    runs: dict[Precision, Run] = {
        "fp32": runner(graphs.fp32, theta),
        "int8": runner(graphs.int8, theta),
    }
    parity, figures = _parity(checkpoint, runs, noise, limits or (FP32, INT8))
    advance("compared")
    keep, name = keep or Protection(), checkpoint.card.product
    golden_x = golden_spectra(x, scans[0], keep, _GOLDEN)
    members = {
        _FILES["fp32"]: graphs.fp32.SerializeToString(deterministic=True),
        _FILES["int8"]: graphs.int8.SerializeToString(deterministic=True),
        "theta0.npy": _npy(theta),
        **protected_source(_source(checkpoint, runs["fp32"](x)), keep, name, version, name),
        "golden.npz": npz(_golden(golden_x, runs)),
    }
    manifest = _manifest(checkpoint, members, figures, version, keep)
    bundle_id = _write_checked(path, manifest, members)
    advance("written")
    return Report(
        path=path,
        bundle_id=bundle_id,
        bytes=path.stat().st_size,
        graph_bytes={name: len(members[name]) for name in _FILES.values()},
        parity=parity,
        figures=figures,
    )


def _parity(
    checkpoint: Checkpoint,
    runs: Mapping[Precision, Run],
    noise: DetectorNoise,
    limits: tuple[Limits, Limits],
) -> tuple[tuple[Parity, ...], dict[str, dict[str, Merit]]]:
    names = tuple(p.name for p in checkpoint.card.properties)
    x, y = np.asarray(checkpoint.held_out["x"]), np.asarray(checkpoint.held_out["y"])
    engines: dict[str, Callable[[Array], Inference]] = {
        "torch": lambda scan: run_torch(checkpoint.encoder, scan),
        **runs,
    }
    scans = noisy_scans(x, noise)
    outputs = {name: [run(scan) for scan in scans] for name, run in engines.items()}
    figures = {
        name: median_merits([merits(out.y.astype(np.float64), y, names) for out in outs])
        for name, outs in outputs.items()
    }
    joined = {name: _join(outs) for name, outs in outputs.items()}
    rmsep = {name: merit.rmsep for name, merit in figures["torch"].items()}
    result = []
    for (graph, reference), limit in zip(
        (("fp32", "torch"), ("int8", "fp32")), limits, strict=True
    ):
        pair = (figures[graph], figures[reference])
        parity = compare((graph, reference), joined[graph], joined[reference], pair)
        require(parity, rmsep, limit)
        result.append(parity)
    return tuple(result), figures


def _join(outputs: list[Inference]) -> Inference:
    return Inference(
        *(np.concatenate([getattr(o, name) for o in outputs]) for name in ("y", "z_chem", "z_inst"))
    )


def _source(checkpoint: Checkpoint, calibration: Inference) -> dict[str, Array]:
    layout = checkpoint.encoder.layout
    return {
        **checkpoint.source,
        "z_chem": calibration.z_chem,
        "theta_names": np.array(layout.names),
        "theta_sizes": np.array(layout.sizes, np.int64),
    }


def _golden(x: NDArray[np.float32], runs: Mapping[Precision, Run]) -> dict[str, Array]:
    arrays: dict[str, Array] = {"x": x}
    for precision, run in runs.items():
        out = run(x)
        for name in ("y", "z_chem", "z_inst"):
            arrays[f"{name}_{precision}"] = getattr(out, name)
    return arrays


def _manifest(
    checkpoint: Checkpoint,
    members: Mapping[str, bytes],
    figures: Mapping[str, dict[str, Merit]],
    version: int,
    keep: Protection,
) -> Manifest:
    card, config = checkpoint.card, checkpoint.encoder.config
    y_tolerance = _Y_TOLERANCE_OVER_RMSEP * min(m.rmsep for m in figures["fp32"].values())
    product = Product(
        name=card.product,
        grid=Grid(start_nm=config.start, step_nm=config.step, points=config.points),
        properties=tuple(
            Property(
                name=p.name,
                unit=p.unit,
                column=column,
                calibrated_min=p.calibrated_min,
                calibrated_max=p.calibrated_max,
            )
            for column, p in enumerate(card.properties)
        ),
        graphs=tuple(
            Graph(
                file=_FILES[precision],
                precision=precision,
                y_tolerance=y_tolerance,
                z_tolerance=_Z_TOLERANCE[precision],
            )
            for precision in _FILES
        ),
        theta="theta0.npy",
        source="source.npz",
        golden="golden.npz",
        evaluation=Evaluation(
            data=f"{card.held_out_name}; simulated detector noise, 1e-4 absorbance rms at A = 0; "
            f"median of {NOISE_SEEDS} noise seeds",
            samples=len(checkpoint.held_out["y"]),
            figures={
                precision: {name: Figures(**m.as_dict()) for name, m in figures[precision].items()}
                for precision in _FILES
            },
        ),
        notes=card.notes,
        **keep.product_fields,
    )
    return Manifest(
        name=card.product,
        version=version,
        devices=keep.serials,
        opset=OPSET,
        ir_version=IR_VERSION,
        products=(product,),
        files={name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
        provenance=provenance(card),
    )


def _write_checked(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> str:
    """Write beside the target, load it as the runtime would, then put it in place."""
    if len(members[_FILES["int8"]]) > MAX_INT8_BYTES:
        raise ExportError(f"the INT8 graph is larger than {MAX_INT8_BYTES} bytes")
    candidate = path.with_name(path.name + ".unchecked")
    try:
        write_bundle(candidate, manifest, members)
        if candidate.stat().st_size > MAX_BUNDLE_BYTES:
            raise ExportError(f"the bundle is larger than {MAX_BUNDLE_BYTES} bytes")
        bundle = read_bundle(candidate)
        for precision in _FILES:
            load_model(bundle, manifest.products[0].name, precision)
        candidate.replace(path)
    finally:
        candidate.unlink(missing_ok=True)
    return bundle.id


def _npy(array: Array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
