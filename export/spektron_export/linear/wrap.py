"""A laboratory's model to a bundle: graph, applicability, golden vectors, manifest, a last look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spektron_train.data.instrument_noise import DetectorNoise, noisy_scans
from spektron_train.reference.applicability import applicability_arrays, fit_applicability

from ..description import GOLDEN, THETA
from ..errors import ExportError
from ..pack import Report, golden_arrays, write_checked
from ..protection import golden_spectra, npy, npz, protected_source
from ..sbom import SBOM, bill_of_materials
from ..session import runner
from .calibration_set import (
    MIN_SAMPLES,
    Asked,
    columns_for,
    held_out,
    plain_name,
    read_spectra,
    references,
    same_axis,
)
from .coefficient_table import read_coefficients
from .description import FILE, describe, notes_of, provenance
from .evaluation import compare_linear, evaluate
from .graph import Z_CHEM, Latents, linear_graph
from .order import Order, Wrapped
from .regression import LinearModel
from .skops_file import linear_of, load_skops, refuse_pickle
from .smoothing import Filtering

Array = NDArray[np.float64]
_GOLDEN = 8


def wrap_linear(order: Order) -> Report:
    """Write the bundle. Raises ExportError (nothing is written), BundleError, OSError."""
    refuse_pickle(order.model)
    spectra, grid = read_spectra(order.spectra)
    model, filtering = _read_model(order, spectra.axis, spectra.spectra)
    columns = columns_for(spectra, model.names, _with_units(order, model), model.weights.shape[1])
    known = references(spectra, columns, MIN_SAMPLES)
    other = held_out(order.held_out, spectra, columns) if order.held_out else None
    wrapped = Wrapped(model, filtering, filtering.fold(model.weights), known.x.mean(axis=0))

    applicability = fit_applicability(
        known.x,
        filtering.kernel,
        noise=DetectorNoise(),
        rng=np.random.default_rng(0),
        most=min(len(known.x) // 3, Z_CHEM),
    )
    latents = Latents.of(applicability, wrapped.x_mean)
    graph = linear_graph(wrapped.x_mean, wrapped.weights, wrapped.y_mean, latents)
    theta = np.zeros(len(columns), np.float32)
    run = runner(graph, theta)
    names = tuple(plain_name(c.column) for c in columns)
    comparison = compare_linear(wrapped, latents, run((other or known).x), known, other, names)
    measured = evaluate(wrapped, comparison, known, other, names)

    scans = noisy_scans(known.x, DetectorNoise(), 1)
    golden_x = golden_spectra(known.x, scans[0], order.keep, _GOLDEN)
    source = {
        **applicability_arrays(applicability),
        "x": known.x.astype(np.float32),
        "y": known.y.astype(np.float32),
        "samples": np.array(known.samples),
        "z_chem": run(known.x).z_chem,
        "theta_names": np.array(["offset"]),
        "theta_sizes": np.array([len(theta)], np.int64),
    }
    members = {
        FILE: graph.SerializeToString(deterministic=True),
        THETA: npy(theta),
        **protected_source(source, order.keep, order.name, order.version, order.name),
        GOLDEN: npz(golden_arrays(golden_x, {"fp32": run})),
    }
    made = provenance(model, known, other)
    notes = notes_of(order, wrapped, known, len(applicability.score_std))
    figures = {"fp32": measured.figures}
    members[SBOM] = bill_of_materials(order.name, order.version, made, members, figures, notes)
    manifest = describe(order, grid, columns, known, members, measured, notes, made)
    shown = {**comparison.figures}
    if measured.how != "fp32":
        shown = {measured.how: measured.figures, "fit": comparison.figures["fp32"]}
    bundle_id = write_checked(order.output, manifest, members)
    return Report(
        path=order.output,
        bundle_id=bundle_id,
        bytes=order.output.stat().st_size,
        graph_bytes={FILE: len(members[FILE])},
        comparison=replace(comparison, figures=shown),
        measured_on=measured.data,
    )


def _read_model(order: Order, axis: Array, x: Array) -> tuple[LinearModel, Filtering]:
    suffix = order.model.suffix.lower()
    if suffix == ".skops":
        loaded = load_skops(order.model)
        filtering = Filtering.to(order.savgol, len(axis), loaded.features)
        return linear_of(loaded, filtering.apply(x)), filtering
    if suffix != ".csv":
        raise ExportError(f"{order.model} is neither .skops nor .csv (coefficients)")
    model = read_coefficients(order.model)
    filtering = Filtering.to(order.savgol, len(axis), len(model.weights))
    half = (len(axis) - len(model.weights)) // 2
    if model.axis_nm is None or not same_axis(model.axis_nm, axis[half : len(axis) - half]):
        raise ExportError(f"{order.model} has other wavelengths than {order.spectra}")
    return model, filtering


def _with_units(order: Order, model: LinearModel) -> tuple[Asked, ...]:
    """What was asked for, and units that a table of coefficients states."""
    if model.names is None or model.units is None:
        return order.properties
    asked = {a.column: a.unit for a in order.properties}
    stated = {n: u for n, u in zip(model.names, model.units, strict=True) if u}
    return tuple(Asked(n, asked.get(n) or stated.get(n)) for n in {**stated, **asked})
