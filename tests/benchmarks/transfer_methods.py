"""Every transfer method by itself on corn, with the hyperparameters that it has from the start.

Cases and splits are those of the transfer benchmark, on development seeds (SEED0 to SEED0 +
SPLITS - 1; 0 and 8). Nothing is tuned here but what a method's own `fit` chooses from training
data. Methods that need pairs or labels have 5 and 10 transfer samples by Kennard-Stone; those that
need neither, and those in the latent once more, have 30 source spectra and 30 other target spectra.
Latents are those of the shipped bundle, whose network has seen simulated spectra only. LoRA takes
half a minute a case and runs on the first LORA_SPLITS splits (2).
"""

from __future__ import annotations

import copy
import os
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache

import numpy as np
from rich.progress import track

from spektron_edge.bundle import read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.inference import load_gradient, load_model
from spektron_edge.transfer.methods import REGISTRY, bundled
from spektron_edge.transfer.methods.calibration import leave_one_out_ridge
from spektron_train.benchmarks.report import Report, Row, row
from spektron_train.benchmarks.sets import CORN_NOTES
from tests.requirements import SHARED

from .report import Figure
from .transfer_cases import r2
from .transfer_sets import INSTRUMENTS, PROPERTIES, corn, directions, kennard_stone

NAME = "transfer_methods"
SEED0 = int(os.environ.get("SEED0", "0"))
SPLITS = int(os.environ.get("SPLITS", "8"))
LORA_SPLITS = int(os.environ.get("LORA_SPLITS", "2"))
PAIRS = (5, 10)
UNPAIRED = 0
_GLASS = SHARED / "data" / "corn"


class _Bundle:
    """Encoder and gradient of the shipped bundle; what the encoder made of a spectrum is kept."""

    def __init__(self):
        bundle = read_bundle(shipped_bundle())
        self._model = load_model(bundle, None, "fp32")
        self.theta0 = self._model.theta
        self.gradient = bundled.gradient(load_gradient(bundle), self.theta0)
        self._route = bundled.spektron_route(bundle)
        self._read = bundled.latents(self._model)
        self._known = {}

    def latents(self, spectra):
        new = [s for s in spectra if s.tobytes() not in self._known]
        if new:
            found = zip(new, self._read(np.array(new)), strict=True)
            self._known |= {s.tobytes(): z for s, z in found}
        return np.array([self._known[s.tobytes()] for s in spectra])

    def encoder(self, spectra, theta):
        if np.array_equal(theta, self.theta0):
            return self.latents(spectra)
        return self._route.encoder(spectra, theta)


@lru_cache
def _bundle():
    return _Bundle()


def _method(key):
    if key == "latent_transport":
        return REGISTRY[key](latents=_bundle().latents)
    if key == "spektron_route":
        own = _bundle()
        return REGISTRY[key](encoder=own.encoder, gradient=own.gradient, theta0=own.theta0)
    return REGISTRY[key]()


@lru_cache
def _basis():
    from spektron_train.pretraining.foundation import load_foundation
    from spektron_train.pretraining.shipped import FOUNDATION
    from spektron_train.training.calibration import basis_on

    return basis_on(load_foundation(FOUNDATION)[0], 1100.0, 700, len(PROPERTIES))


@lru_cache(maxsize=1)
def _calibrated(source, seed):
    """The foundation's encoder, calibrated on the training samples of a source instrument."""
    import torch

    from spektron_train.data.instrument_noise import DetectorNoise
    from spektron_train.training.calibration import calibrate

    torch.set_num_threads(1)
    basis, rng = copy.deepcopy(_basis()), np.random.default_rng(seed)
    case = corn(source, next(i for i in INSTRUMENTS if i != source), seed)
    calibrate(basis, case.x_source, case.y, noise=DetectorNoise(), scans=2, rng=rng)
    return basis.encoder


def _glass(instrument):
    """(1, L): mean of the NBS glass spectra, which come with corn and are not in any package."""
    file = _GLASS / f"corn_{instrument}nbs.csv"
    return np.loadtxt(file, delimiter=",", skiprows=1).mean(axis=0, keepdims=True)


def glass_is_here():
    return all((_GLASS / f"corn_{name}nbs.csv").is_file() for name in INSTRUMENTS)


def job(arguments):
    """(key, source and target, seed) -> {transfer samples: (r2 (m,), seconds)}."""
    key, where, seed = arguments
    case, found = corn(*where, seed), {}
    if key == "native_latent":
        ridge = leave_one_out_ridge(np.float64(_bundle().latents(case.x_target)), case.y)
        predicted = ridge.predict(np.float64(_bundle().latents(case.x_test)))
        return arguments, {UNPAIRED: (r2(predicted, case.y_test), 0.0)}
    needs = frozenset({"labels"}) if key == "lora" else REGISTRY[key].needs
    if key == "lora":
        from spektron_train.training.lora_method import LoraTransfer

        method = LoraTransfer(encoder=_calibrated(where[0], seed))
    else:
        method = _method(key)
    runs = {}
    if needs & {"pairs", "labels", "latents"}:
        for n in PAIRS:
            chosen = kennard_stone(case.x_source, n)
            pairs = (case.x_source[chosen], case.x_target[chosen])
            runs[n] = ((case.x_source, case.y, *pairs), {"labels": case.y[chosen]})
    if needs & {"unpaired", "latents"}:
        order = np.random.default_rng([seed, 9]).permutation(len(case.y))
        ours, theirs = np.array_split(order, 2)
        arrays = (case.x_source[ours], case.y[ours])
        runs[UNPAIRED] = (arrays, {"unpaired": case.x_target[theirs]})
    if not needs or needs == {"standards"}:
        glass = {}
        if needs:
            glass = dict(
                zip(("standards_source", "standards_target"), map(_glass, where), strict=True)
            )
        runs[UNPAIRED] = ((case.x_source, case.y), glass)
    for n, (arrays, named) in runs.items():
        started = time.perf_counter()
        predicted = method.fit(*arrays, **named).predict(case.x_test)
        found[n] = (r2(predicted, case.y_test), time.perf_counter() - started)
    return arguments, found


def measure() -> Report:
    """A table of methods; each row of the report is one method on one direction and property."""
    keys = [key for key in REGISTRY if key != "standards" or glass_is_here()]
    keys.append("native_latent")
    cells = defaultdict(dict)
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        for seed in track(range(SEED0, SEED0 + SPLITS), "transfer methods"):
            wanted = [*keys, "lora"] if seed < SEED0 + LORA_SPLITS else keys
            jobs = [(key, where, seed) for where in directions() for key in wanted]
            for (key, where, at), found in pool.map(job, jobs, chunksize=len(wanted)):
                for n, outcome in found.items():
                    cells[key, n][where, at] = outcome
    notes = [
        f"Seeds {SEED0} to {SEED0 + SPLITS - 1}, development; LoRA on {LORA_SPLITS} of them.",
        "Latents: z_chem of the shipped bundle. Ridge from them with all 60 target labels: "
        "native_latent.",
    ]
    if "standards" not in keys:
        notes.append("standards left out: the glass spectra of corn are not here.")
    spent = {key: np.median([s for _, s in found.values()]) for (key, _), found in cells.items()}
    told = ", ".join(f"{key} {value:.2f}" for key, value in spent.items() if value)
    notes.append(f"Median seconds a fit with its predictions: {told}.")
    return Report(NAME, tuple(_figures(cells)), tuple(_rows(cells)), (*CORN_NOTES, *notes))


def _values(found, where):
    """(splits, m) R2 of one direction."""
    return np.stack([value for (at, _), (value, _) in found.items() if at == where])


def _figures(cells):
    out = []
    for (key, n), found in sorted(cells.items(), key=lambda item: item[0][1]):
        medians = np.array([np.median(_values(found, where), axis=0) for where in directions()])
        told = f"{n} transfer samples" if n else "no transfer samples"
        how = f"R2, mean over six directions of medians over splits, {told}"
        name = f"{key}_n{n}" if n else f"{key}_unpaired"
        out.append(Figure(f"{name}_mean4", medians.mean(), "R2", "higher", None, how))
        out.append(Figure(f"{name}_moisture", medians[:, 0].mean(), "R2", "higher", None, how))
    return out


def _rows(cells) -> list[Row]:
    return [
        row(
            f"corn {'>'.join(where)}",
            name,
            f"{key}, {n} transfer samples" if n else f"{key}, no transfer samples",
            _values(found, where)[:, j],
            unit="1",
            metric="R2",
        )
        for (key, n), found in cells.items()
        for where in directions()
        for j, name in enumerate(PROPERTIES)
    ]
