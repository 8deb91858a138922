"""Checkpoint to bundle: graphs, parity, golden vectors, manifest, a last look by the runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle import read_bundle, write_bundle
from spektron_edge.bundle.manifest import Manifest, Precision
from spektron_edge.bundle.merit import Merit
from spektron_edge.bundle.observability import Observability
from spektron_edge.inference import Inference, load_gradient, load_model
from spektron_edge.inference.backend import OUTPUTS
from spektron_train.checkpoint import Checkpoint
from spektron_train.data.instrument_noise import DetectorNoise, noisy_scans

from .calibration_spectra import RangeSpectra
from .comparison import Comparison, compare_graphs
from .description import ADAPT_GOLDEN, GOLDEN, THETA, describe
from .errors import ExportError
from .gradient_parity import GradientCase, GradientParity, gradient_golden, require_gradient
from .graph_set import FILES, PRECISIONS, build_graphs, graph_members
from .parity import LIMITS, Limits, Parity
from .protection import Protection, golden_spectra, npy, npz, protected_source
from .provenance import provenance
from .sbom import SBOM, bill_of_materials
from .session import Run, runner

MAX_BUNDLE_BYTES = 16 * 2**20
MAX_INT8_BYTES = 4 * 2**20
_GOLDEN = 8
_CALIBRATION_DRAWS = 4
Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Report:
    """What was written, and how it compares.

    graph_bytes: by file; measured_on: what the figures are of, in words; gradient: the gradient
    graph beside autograd, None where there is none.
    """

    path: Path
    bundle_id: str
    bytes: int
    graph_bytes: dict[str, int]
    comparison: Comparison
    measured_on: str
    gradient: GradientParity | None = None

    @property
    def parity(self) -> tuple[Parity, ...]:
        """One a graph."""
        return self.comparison.parity

    @property
    def figures(self) -> dict[str, dict[str, Merit]]:
        """By engine and property."""
        return self.comparison.figures

    @property
    def gradient_error(self) -> float | None:
        """Of the gradient against autograd, relative to the largest element."""
        return None if self.gradient is None else self.gradient.errors["gradient"]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "bundle": str(self.path),
            "id": self.bundle_id,
            "bytes": self.bytes,
            "graph_bytes": self.graph_bytes,
            "parity": [p.to_json() for p in self.parity],
            "gradient_error": self.gradient_error,
            "figures": {
                graph: {name: merit.as_dict() for name, merit in figures.items()}
                for graph, figures in self.figures.items()
            },
        }


def export_bundle(
    checkpoint: Checkpoint,
    path: Path,
    version: int = 1,
    advance: Callable[[str], None] = lambda _: None,
    *,
    precisions: Sequence[Precision] = PRECISIONS,
    adapt: bool = True,
    limits: Mapping[Precision, Limits] = LIMITS,
    keep: Protection | None = None,
    ranges: RangeSpectra | None = None,
    observed: Sequence[Observability] = (),
) -> Report:
    """Write the bundle. Three steps are announced through `advance`.

    precisions: encoder graphs that go into it; adapt: whether the gradient graph does; limits:
    parity of fp32 with torch, and of the others with fp32; keep: what is kept back of the
    calibration spectra, nothing unless given; ranges: spectra that INT8's ranges are
    seen on, the checkpoint's own unless given; observed: what instruments see of analytes.

    Raises ParityError or ExportError (nothing is written), BundleError when the runtime refuses
    the result, OSError when it cannot be written.
    """
    if ranges is not None:
        if "int8" not in precisions:
            raise ExportError("spectra for INT8's ranges are given, and no INT8 graph is asked for")
        checkpoint = replace(checkpoint, card=ranges.noted_on(checkpoint.card))
    encoder, noise = checkpoint.encoder, DetectorNoise()
    theta = encoder.theta.detach().numpy().copy()
    x = np.asarray(checkpoint.source["x"], np.float64)
    # Fixed seeds: the same checkpoint gives the same bytes.
    scans = noisy_scans(x, noise, _CALIBRATION_DRAWS)
    calibration = np.concatenate([x, *scans])
    if ranges is not None:
        seen = noisy_scans(ranges.x, noise, _CALIBRATION_DRAWS)
        calibration = np.concatenate([ranges.x, *seen])
    graphs = build_graphs(encoder, calibration.astype(np.float32), precisions, adapt)
    advance("exported")
    runs = {precision: runner(model, theta) for precision, model in graphs.encoders.items()}
    comparison = compare_graphs(checkpoint, graphs, runs, noise, limits)
    known = runs["fp32"](x)
    keep, name = keep or Protection(), checkpoint.card.product
    golden_x = golden_spectra(x, scans[0], keep, _GOLDEN)
    packed = graph_members(graphs, precisions)
    members = {
        **packed.members,
        THETA: npy(theta),
        **protected_source(_source(checkpoint, known), keep, name, version, name),
        GOLDEN: npz(golden_arrays(golden_x, {p: runs[p] for p in precisions})),
    }
    gradient = None
    if graphs.gradient is not None:
        case = GradientCase.of(encoder, golden_x, known.z_chem)
        gradient = require_gradient(graphs.gradient, encoder, case)
        members[ADAPT_GOLDEN] = npz(gradient_golden(case, gradient.actual))
    advance("compared")
    made = provenance(checkpoint.card)
    figures, notes = comparison.figures, checkpoint.card.notes
    members[SBOM] = bill_of_materials(name, version, made, members, figures, notes)
    manifest = describe(
        checkpoint, packed, members, precisions, figures, version, keep, made, tuple(observed)
    )
    bundle_id = write_checked(path, manifest, members)
    advance("written")
    return Report(
        path=path,
        bundle_id=bundle_id,
        bytes=path.stat().st_size,
        graph_bytes={name: len(data) for name, data in packed.members.items()},
        comparison=comparison,
        measured_on=manifest.products[0].evaluation.data,
        gradient=gradient,
    )


def _source(checkpoint: Checkpoint, calibration: Inference) -> dict[str, Array]:
    layout = checkpoint.encoder.layout
    return {
        **checkpoint.source,
        "z_chem": calibration.z_chem,
        "theta_names": np.array(layout.names),
        "theta_sizes": np.array(layout.sizes, np.int64),
    }


def golden_arrays(x: NDArray[np.float32], runs: Mapping[Precision, Run]) -> dict[str, Array]:
    """What the runtime compares with: spectra x (n, L), and what each graph makes of them."""
    arrays: dict[str, Array] = {"x": x}
    for precision, run in runs.items():
        out = run(x)
        for name in OUTPUTS:
            arrays[f"{name}_{precision}"] = getattr(out, name)
    return arrays


def write_checked(path: Path, manifest: Manifest, members: Mapping[str, bytes]) -> str:
    """Write beside the target, load it as the runtime would, then put it in place."""
    if len(members.get(FILES["int8"], b"")) > MAX_INT8_BYTES:
        raise ExportError(f"the INT8 graph is larger than {MAX_INT8_BYTES} bytes")
    product = manifest.products[0]
    candidate = path.with_name(path.name + ".unchecked")
    try:
        write_bundle(candidate, manifest, members)
        if candidate.stat().st_size > MAX_BUNDLE_BYTES:
            raise ExportError(f"the bundle is larger than {MAX_BUNDLE_BYTES} bytes")
        bundle = read_bundle(candidate)
        for graph in product.graphs:
            load_model(bundle, product.name, graph.precision)
        if product.adapt:
            load_gradient(bundle, product.name)
        candidate.replace(path)
    finally:
        candidate.unlink(missing_ok=True)
    return bundle.id
