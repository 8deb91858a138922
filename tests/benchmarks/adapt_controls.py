"""Negative controls: streams in which the spectra change and the instrument has not.

Adaptation must install nothing on them. Every stream starts like one in production; what goes wrong
starts at `changed` and goes on to the end. References are nan where there are none.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from spektron_train.data.simulate.domain import NIR
from spektron_train.data.simulate.families import FAMILIES
from spektron_train.data.simulate.matter import Matter
from spektron_train.data.simulate.substances import SUBSTANCES, absorptivity

from .adapt_streams import Source, Stream, corn_held_out

KINDS = (
    "product change",
    "fouled cuvette",
    "empty cuvette",
    "stuck detector",
    "slow chemistry",
    "nothing happens",
)
SCANS_BEFORE, SCANS_AFTER = 40, 60
# Slow chemistry, in standard deviations of the calibration samples.
DRIFTED_SD = (1.0, 3.0)
_FILMS = ("water", "unsaturated oil", "starch", "cereal protein")
_ADDED = ("sucrose", "cellulose", "animal protein", "saturated fat", "mineral", "lactose", "water")


def control(source: Source, kind: str, seed: int) -> Stream:
    """A stream of SCANS_BEFORE and SCANS_AFTER scans; nothing of it is judged but what is
    installed, so `seen` is its end.
    """
    rng = np.random.default_rng([seed, 200 + KINDS.index(kind)])
    held_out = corn_held_out(source)
    rows = rng.integers(len(held_out.samples), size=SCANS_BEFORE + SCANS_AFTER)
    truth, y = held_out.spectra[source.name][rows], held_out.references[rows].copy()
    seen, y[SCANS_BEFORE:] = _EVENTS[kind](source, truth[SCANS_BEFORE:], y[SCANS_BEFORE:], rng)
    undrifted = source.noise.add(truth, rng)
    if kind == "stuck detector":
        # Of spectra as they were read, with their noise.
        read = np.concatenate([undrifted[:SCANS_BEFORE], _stuck(undrifted, rng)])
    else:
        noise = source.noise.add(seen, rng)
        read = np.concatenate([undrifted[:SCANS_BEFORE], noise])
    return Stream(read, undrifted, y, SCANS_BEFORE, len(read))


def _product(source, truth, y, rng):
    """Another product at once: of a simulated family, or the known one blended with something."""
    if rng.random() < 0.5:
        family = rng.choice([name for name in FAMILIES if name != "whole grain"])
        samples = _matter().draw(len(truth), rng, str(family))
        axis = NIR.fine_axis()
        there = np.stack([np.interp(source.axis, axis, row) for row in samples.absorbance])
        # As a gain of the electronics would be set for it, so that the detector sees something.
        return there - there.min() + truth.min(), np.full(y.shape, np.nan)
    # A blend of one thing in varying shares: from what is hardly there to a third.
    mean = np.exp(rng.uniform(np.log(0.003), np.log(0.3)))
    share = mean * (1 + 0.2 * rng.standard_normal((len(truth), 1)))
    share = np.clip(share, 0.0, 0.5)
    pure = absorptivity(SUBSTANCES[str(rng.choice(_ADDED))], 1e7 / source.axis)
    return (1 - share) * truth + share * source.path_mm * pure, (1 - share) * y


def _fouled(source, truth, y, rng):
    """A film that grows, absorbing as its matter does and scattering as a power of wavelength."""
    growth = _ramp(len(truth), rng)[:, None]
    pure = absorptivity(SUBSTANCES[str(rng.choice(_FILMS))], 1e7 / source.axis)
    film_mm = np.exp(rng.uniform(np.log(0.002), np.log(0.05)))
    haze = np.exp(rng.uniform(np.log(0.005), np.log(0.1)))
    scatter = (source.axis / source.axis[0]) ** -rng.uniform(0.5, 4.0)
    return truth + growth * (film_mm * pure + haze * scatter), y


def _empty(source, truth, y, rng):
    """A window and what stands behind it: nearly nothing, with fringes of the window and dust."""
    u = np.linspace(-1.0, 1.0, len(source.axis))
    level = rng.uniform(-0.02, 0.3) + 0.02 * rng.standard_normal() * u
    fringe = rng.uniform(0, 2e-3) * np.sin(np.pi * rng.uniform(10, 60) * u + rng.uniform(0, 6.3))
    dust = np.abs(0.02 * rng.standard_normal((len(truth), 1))) * truth
    return level + fringe + dust, np.full(y.shape, np.nan)


def _chemistry(source, truth, y, rng):
    """All references move along one direction in which they vary, by 1 to 3 standard deviations,
    and spectra move with them by the pure components found in the calibration samples.
    """
    mean = source.y.mean(axis=0)
    vectors = np.linalg.svd(source.y - mean, full_matrices=False)[2]
    scores = (source.y - mean) @ vectors.T
    direction = rng.standard_normal(len(vectors))
    direction /= np.linalg.norm(direction)
    end = rng.uniform(*DRIFTED_SD) * (direction * scores.std(axis=0, ddof=1)) @ vectors
    moved = _ramp(len(truth), rng)[:, None] * end
    return truth + moved @ pure_components(source.x, source.y), y + moved


def _nothing(source, truth, y, rng):
    return truth, y


def _no_detector(source, truth, y, rng):
    """What is stuck are readings, so that is done once they are there."""
    return truth, np.full(y.shape, np.nan)


def pure_components(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(m, L) by how much spectra (n, L) change with references (n, m): classical least squares
    beside the offset and the multiple of the mean spectrum that scatter makes of each.
    """
    mean = x.mean(axis=0)
    scatter = np.stack([np.ones_like(mean), mean], axis=1)
    share = np.linalg.lstsq(scatter, (x - mean).T, rcond=None)[0].T
    known = np.column_stack([y - y.mean(axis=0), share])
    return np.linalg.lstsq(known, x - mean, rcond=None)[0][: y.shape[1]]


def _stuck(undrifted, rng):
    """(SCANS_AFTER, L): one scan for ever, or a block of channels of it."""
    first, rest = undrifted[SCANS_BEFORE - 1], undrifted[SCANS_BEFORE:].copy()
    if rng.random() < 0.5:
        return np.broadcast_to(first, rest.shape).copy()
    width = int(rng.integers(5, len(first) // 3))
    start = int(rng.integers(0, len(first) - width))
    rest[:, start : start + width] = first[start : start + width]
    return rest


def _ramp(n, rng):
    """(n,) from 0 to 1, faster or slower at first."""
    return np.linspace(0.0, 1.0, n) ** rng.uniform(0.5, 2.0)


@lru_cache
def _matter() -> Matter:
    return Matter.within(NIR)


_EVENTS = {
    "product change": _product,
    "fouled cuvette": _fouled,
    "empty cuvette": _empty,
    "stuck detector": _no_detector,
    "slow chemistry": _chemistry,
    "nothing happens": _nothing,
}
