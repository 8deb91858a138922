"""A bundle of a few kilobytes, made without onnx: its graphs are written as protobuf by hand.

    y = x W + theta,  z_chem = tanh(x C),  z_inst = tanh(x D)

so that every output can be computed with numpy.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spektron_edge.bundle import write_bundle
from spektron_edge.bundle.manifest import Grid, Manifest
from spektron_edge.spectra.preprocessing import correlate_valid, savgol_kernel

GRID = Grid(start_nm=1200.0, step_nm=20.0, points=60)
PROPERTIES = ("moisture", "protein")
Z_CHEM, Z_INST = 128, 64
_WINDOW, _COMPONENTS = 7, 3


# ---- an ONNX graph, field numbers as in onnx.proto


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _value_info(name: str, dims: tuple[int | str, ...]) -> bytes:
    shape = b"".join(_field(1, _field(1, d) if isinstance(d, int) else _field(2, d)) for d in dims)
    tensor = _field(1, 1) + _field(2, shape)
    return _field(1, name) + _field(2, _field(1, tensor))


def _node(kind: str, inputs: tuple[str, ...], output: str) -> bytes:
    return b"".join(_field(1, i) for i in inputs) + _field(2, output) + _field(4, kind)


def _tensor(name: str, array: np.ndarray) -> bytes:
    dims = b"".join(_field(1, d) for d in array.shape)
    return dims + _field(2, 1) + _field(8, name) + _field(9, array.astype("<f4").tobytes())


def _graph(
    nodes: tuple[bytes, ...],
    inputs: Mapping[str, tuple[int | str, ...]],
    outputs: Mapping[str, tuple[int | str, ...]],
    weights: Mapping[str, np.ndarray],
) -> bytes:
    graph = b"".join(_field(1, node) for node in nodes)
    graph += _field(2, "tiny")
    graph += b"".join(_field(5, _tensor(n, w)) for n, w in weights.items())
    graph += b"".join(_field(11, _value_info(n, d)) for n, d in inputs.items())
    graph += b"".join(_field(12, _value_info(n, d)) for n, d in outputs.items())
    return _field(1, 10) + _field(7, graph) + _field(8, _field(2, 20))


def weights_part(weights: Mapping[str, np.ndarray]) -> bytes:
    """What follows a graph that names these weights and does not hold them."""
    return _field(7, b"".join(_field(5, _tensor(n, w)) for n, w in weights.items()))


def gradient_graph(**outputs: str) -> bytes:
    """Stands for loss and gradient of adaptation; outputs may get other names.

    s = max(x keep),  c = centre spread,  terms = weights s + c,  loss = weights terms,
    gradient = (theta - theta0) s
    """
    names = {n: outputs.get(n, n) for n in ("loss", "terms", "gradient")}
    nodes = (
        _node("Mul", ("x", "keep"), "kept"),
        # Over all channels and rows: ReduceMax keeps dimensions, the product with 1 drops them.
        _node("ReduceMax", ("kept",), "largest"),
        _node("MatMul", ("largest", "one"), "row"),
        _node("MatMul", ("row", "one"), "s"),
        _node("MatMul", ("centre", "spread"), "c"),
        _node("Mul", ("weights", "s"), "scaled"),
        _node("Add", ("scaled", "c"), names["terms"]),
        _node("MatMul", ("weights", names["terms"]), names["loss"]),
        _node("Sub", ("theta", "theta0"), "moved"),
        _node("Mul", ("moved", "s"), names["gradient"]),
    )
    inputs: dict[str, tuple[int | str, ...]] = {
        **dict.fromkeys(("x", "keep"), ("B", GRID.points)),
        **dict.fromkeys(("theta", "theta0"), (len(THETA),)),
        **dict.fromkeys(("centre", "spread"), (Z_CHEM,)),
        "weights": (5,),
    }
    shapes = {names["loss"]: (), names["terms"]: (5,), names["gradient"]: (len(THETA),)}
    return _graph(nodes, inputs, shapes, {"one": np.ones(1)})


def onnx_graph(
    weights: Mapping[str, np.ndarray],
    *,
    points: int = GRID.points,
    x_name: str = "x",
    y_name: str = "y",
    y_kind: str = "Add",
) -> bytes:
    """The model of this module's docstring; another `y_kind` computes y differently."""
    names = (x_name, "theta")
    nodes = (
        _node("MatMul", (x_name, "W"), "xW"),
        _node(y_kind, ("xW", "theta"), y_name),
        _node("MatMul", (x_name, "C"), "xC"),
        _node("Tanh", ("xC",), "z_chem"),
        _node("MatMul", (x_name, "D"), "xD"),
        _node("Tanh", ("xD",), "z_inst"),
    )
    outputs = {
        y_name: ("B", weights["W"].shape[1]),
        "z_chem": ("B", Z_CHEM),
        "z_inst": ("B", Z_INST),
    }
    inputs = dict(zip(names, (("B", points), (weights["W"].shape[1],)), strict=True))
    return _graph(nodes, inputs, outputs, weights)


# ---- the model's parts


def spectra(n: int, seed: int = 1) -> np.ndarray:
    """Smooth absorbance (n, 60) on GRID: what the tiny model is calibrated for."""
    rng = np.random.default_rng(seed)
    place = np.linspace(0, 1, GRID.points)
    shapes = np.array(
        [np.exp(-(((place - c) / w) ** 2)) for c, w in ((0.2, 0.1), (0.5, 0.15), (0.8, 0.1))]
    )
    noise = 1e-4 * rng.standard_normal((n, GRID.points))
    return 0.3 + 0.2 * place + rng.uniform(0.1, 0.4, (n, 3)) @ shapes + noise


def weights(seed: int = 2) -> dict[str, np.ndarray]:
    """W, C, D of the docstring, float32."""
    rng = np.random.default_rng(seed)
    return {
        name: (rng.standard_normal((GRID.points, width)) / GRID.points).astype(np.float32)
        for name, width in (("W", len(PROPERTIES)), ("C", Z_CHEM), ("D", Z_INST))
    }


THETA = np.array([10.0, 20.0], np.float32)


def expected(x: np.ndarray, theta: np.ndarray = THETA) -> dict[str, np.ndarray]:
    """The outputs by numpy, float64."""
    w = {name: value.astype(np.float64) for name, value in weights().items()}
    return {
        "y": x @ w["W"] + theta.astype(np.float64),
        "z_chem": np.tanh(x @ w["C"]),
        "z_inst": np.tanh(x @ w["D"]),
    }


def gradient_inputs(rows: int = 4) -> dict[str, np.ndarray]:
    """All inputs of the gradient graph, theta0 = THETA."""
    rng = np.random.default_rng(6)
    values = {
        "x": spectra(4, seed=5)[:rows],
        "keep": rng.random((rows, GRID.points)) > 0.4,
        "theta": THETA + np.array([0.5, -0.25]),
        "theta0": THETA,
        "centre": rng.standard_normal(Z_CHEM),
        "spread": rng.random(Z_CHEM),
        "weights": rng.random(5),
    }
    return {name: np.asarray(value, np.float32) for name, value in values.items()}


def expected_gradient(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Its outputs by numpy."""
    s = (inputs["x"] * inputs["keep"]).max()
    terms = inputs["weights"] * s + inputs["centre"] @ inputs["spread"]
    gradient = (inputs["theta"] - inputs["theta0"]) * s
    return {"loss": inputs["weights"] @ terms, "terms": terms, "gradient": gradient}


def adaptive(**changes: Any) -> dict[str, Any]:
    """Arguments of `write_tiny` for a product that can adapt; changes to its `adapt`."""
    inputs = gradient_inputs()
    golden = {k: v for k, v in inputs.items() if k not in ("x", "theta0")}
    adapt = {
        "file": "adapt.onnx",
        "inputs": ["x", "keep", "theta", "theta0", "centre", "spread", "weights"],
        "terms": ["reconstruction", "bottleneck", "centre", "spread", "anchor"],
        "golden": "adapt.golden.npz",
        "tolerance": 1e-3,
        **changes,
    }
    return {
        "replaced": {
            "adapt.onnx": gradient_graph(),
            "adapt.golden.npz": npz({**golden, **expected_gradient(inputs)}),
        },
        "products": [product(adapt=adapt)],
    }


def npz(arrays: Mapping[str, Any]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


def source_arrays() -> dict[str, np.ndarray]:
    """The applicability model of 40 calibration spectra."""
    kernel = savgol_kernel(_WINDOW, 2, 1)
    filtered = correlate_valid(spectra(40), kernel)
    mean = filtered.mean(axis=0)
    _, _, rows = np.linalg.svd(filtered - mean, full_matrices=False)
    loadings = rows[:_COMPONENTS]
    scores = (filtered - mean) @ loadings.T
    return {
        "pca_kernel": kernel,
        "pca_mean": mean,
        "pca_loadings": loadings,
        "pca_score_std": scores.std(axis=0, ddof=1),
        "pca_t2_limit": np.array(30.0),
        "pca_q_limit": np.array(1e-5),
        "names": np.array(["moisture", "protein"]),
    }


def golden_arrays() -> dict[str, np.ndarray]:
    """Four spectra and what both graphs make of them."""
    x = spectra(4, seed=5).astype(np.float32)
    outputs = {k: v.astype(np.float32) for k, v in expected(x.astype(np.float64)).items()}
    return {
        "x": x,
        **{f"{k}_{p}": v for p in ("fp32", "int8") for k, v in outputs.items()},
    }


def members() -> dict[str, bytes]:
    """Everything in the tiny bundle but its manifest."""
    return {
        "encoder.fp32.onnx": onnx_graph(weights()),
        "encoder.qdq.onnx": onnx_graph(weights()),
        "theta0.npy": npy(THETA),
        "source.npz": npz(source_arrays()),
        "golden.npz": npz(golden_arrays()),
    }


def product(name: str = "grain", **changes: Any) -> dict[str, Any]:
    """A product of the manifest, as JSON."""
    tolerances = {"y_tolerance": dict.fromkeys(PROPERTIES, 1e-3), "z_tolerance": 1e-4}
    figures = {"rmsep": 0.1, "r2": 0.9, "bias": 0.0, "sep": 0.1, "rpd": 3.0}
    return {
        "name": name,
        "grid": GRID.model_dump(),
        "properties": [
            {
                "name": p,
                "unit": "% by mass",
                "column": column,
                "calibrated_min": 0.0,
                "calibrated_max": 100.0,
            }
            for column, p in enumerate(PROPERTIES)
        ],
        "graphs": [
            {"file": "encoder.fp32.onnx", "precision": "fp32", **tolerances},
            {"file": "encoder.qdq.onnx", "precision": "int8", **tolerances},
        ],
        "theta": "theta0.npy",
        "source": "source.npz",
        "golden": "golden.npz",
        "evaluation": {
            "data": "made up",
            "samples": 4,
            "figures": {p: dict.fromkeys(PROPERTIES, figures) for p in ("fp32", "int8")},
        },
        **changes,
    }


def observability() -> dict[str, Any]:
    """What an infrared instrument sees of carbon dioxide, as JSON of the manifest."""

    def level(wavenumber: float, species: str, degeneracy: int, fate: str) -> dict[str, Any]:
        return {
            "wavenumber_cm1": wavenumber,
            "species": species,
            "degeneracy": degeneracy,
            "relative_intensity": 0.0 if fate == "inactive" else 1.0,
            "stretches": {} if species == "Pi_u" else {"C=O": 1.0},
            "fate": fate,
        }

    return {
        "format": 1,
        "smiles": "O=C=O",
        "method": "GFN2-xTB",
        "instrument": {
            "technique": "infrared",
            "low_cm1": 400.0,
            "high_cm1": 4000.0,
            "resolution_cm1": 8.0,
        },
        "point_group": "D*h",
        "vibrations": 4,
        "observable_share": 1.0,
        "literal_ratio": 1.0,
        "freedom": {"seen": 3, "overlapped": 0, "weak": 0, "outside": 0, "inactive": 1},
        "levels": [
            level(600.0, "Pi_u", 2, "seen"),
            level(1400.0, "Sigma_g+", 1, "inactive"),
            level(2500.0, "Sigma_u+", 1, "seen"),
        ],
        "groups": [{"bond": "C=O", "bonds": 2, "seen_cm1": [2500.0], "lost_cm1": [1400.0]}],
        "note": "infrared 400-4000 cm-1: of 4 vibrational degrees of freedom 3 seen, 1 inactive",
    }


def manifest(contents: Mapping[str, bytes], **changes: Any) -> dict[str, Any]:
    """The manifest of `contents`, as JSON."""
    return {
        "format": 1,
        "name": "tiny",
        "version": 1,
        "opset": 20,
        "ir_version": 10,
        "products": [product()],
        "files": {n: hashlib.sha256(d).hexdigest() for n, d in contents.items()},
        "provenance": {
            "created": "2026-01-02T03:04:05Z",
            "git_commit": "0000000",
            "seed": 0,
            "data": {},
            "versions": {},
            "licences": {},
        },
        **changes,
    }


def write_tiny(path: Path, *, replaced: Mapping[str, bytes] | None = None, **changes: Any) -> Path:
    """A sound bundle, with other members or manifest entries where asked for; hashes fit."""
    contents = {**members(), **(replaced or {})}
    write_bundle(path, Manifest.model_validate(manifest(contents, **changes)), contents)
    return path


def write_raw(path: Path, entries: list[tuple[str, bytes]]) -> Path:
    """A zip of just these entries; nothing is checked."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def raw_entries(**changes: Any) -> list[tuple[str, bytes]]:
    """Entries of the tiny bundle in order, the manifest first."""
    contents = members()
    document = json.dumps(manifest(contents, **changes)).encode()
    return [("manifest.json", document), *contents.items()]
