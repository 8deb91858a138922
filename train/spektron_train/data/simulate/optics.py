"""A spectrometer with optics of its own: what it makes of a true spectrum, channel by channel.

Order of effects as in the instrument: lamp and detector, line shape on the true axis, stray light,
counts with shot and read noise and a converter's steps, ratio to a white reference, photometric
scale and non-linearity, baseline, fringes; then the axis it believes in. Blurring light instead of
absorbance is what makes strong bands look weaker on a coarse instrument (Griffiths and de Haseth,
Fourier Transform Infrared Spectrometry, 2nd ed., ch. 8).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .domain import Domain

Array = NDArray[np.float64]
_SIGMA_PER_FWHM = 1 / 2.3548
_PLANCK_NM_K = 1.4388e7


@dataclass(frozen=True)
class Optics:
    """Parameters of one instrument; u runs from -1 to 1 over the domain's grid.

    axis: (3,) believed minus true position: constant, linear and quadratic in u, in the axis unit;
    fwhm, fwhm_trend: band-pass at u = 0 in the axis unit and its relative change towards the ends;
    slit: share of a triangular line shape, the rest Gaussian; pitch: distance of pixels in the axis
    unit; gain: photometric scale; curve: quadratic non-linearity per unit of absorbance; stray:
    share of the mean light that reaches every pixel; baseline: (3,) absorbance, constant, linear,
    quadratic; fringe: amplitude in absorbance, periods over the grid, phase in rad; lamp_k: colour
    temperature in K; cutoff: (2,) u where the detector's response has halved, roll: width in u;
    full_well: electrons of the brightest pixel; read: noise in electrons; bits: of the converter;
    averages: scans averaged into one spectrum.
    """

    axis: Array
    fwhm: float
    fwhm_trend: float
    slit: float
    pitch: float
    gain: float
    curve: float
    stray: float
    baseline: Array
    fringe: Array
    lamp_k: float
    cutoff: Array
    roll: float
    full_well: float
    read: float
    bits: int
    averages: int

    def truth(self, domain: Domain) -> Array:
        """(TRUTH,) what distinguishes instruments, each of about unit spread."""
        return np.array(
            [
                *(self.axis / domain.shift),
                (np.log(self.fwhm) - np.log(domain.widths).mean()) / 0.6,
                np.log(self.gain) / 0.6,
                self.curve / 0.02,
                (np.log(self.stray) + 7.0) / 1.3,
                *(self.baseline / 0.03),
                self.fringe[0] / 0.002,
            ]
        )


TRUTH = 11


class Instrument:
    """`Optics` on a domain, with its matrices made once."""

    def __init__(self, optics: Optics, domain: Domain) -> None:
        self.optics, self.domain = optics, domain
        grid = domain.grid_axis()
        self._middle, self._half = (grid[0] + grid[-1]) / 2, (grid[-1] - grid[0]) / 2

    def _u(self, axis: Array) -> Array:
        return (axis - self._middle) / self._half

    @cached_property
    def pixels(self) -> Array:
        """(P,) true positions of the pixels, covering the grid."""
        fine = self.domain.fine_axis()
        margin = 2.5 * self.optics.fwhm
        return np.arange(fine[0] + margin, fine[-1] - margin, self.optics.pitch)

    @cached_property
    def believed(self) -> Array:
        """(P,) where the instrument believes its pixels to be."""
        u = self._u(self.pixels)
        believed: Array = self.pixels + self.optics.axis @ np.stack([np.ones_like(u), u, u**2])
        return believed

    @cached_property
    def line_shapes(self) -> csr_array:
        """(P, F) weights that sum to one per pixel, zero beyond 1.5 widths either side."""
        start, step, points = self.domain.fine
        # Narrower than the fine axis it would fall between its points.
        width = self.optics.fwhm * (1 + self.optics.fwhm_trend * self._u(self.pixels))
        width = np.maximum(width, 1.5 * step)[:, None]
        reach = int(np.ceil(1.5 * width.max() / step))
        centre = np.rint((self.pixels - start) / step).astype(np.int64)
        index = np.clip(centre[:, None] + np.arange(-reach, reach + 1), 0, points - 1)
        distance = np.abs(start + step * index - self.pixels[:, None]) / width
        gaussian = np.exp(-0.5 * (distance / _SIGMA_PER_FWHM) ** 2)
        triangle = np.clip(1 - distance, 0.0, None)
        slit = self.optics.slit
        weights = (1 - slit) * gaussian / gaussian.sum(1, keepdims=True)
        weights += slit * triangle / triangle.sum(1, keepdims=True)
        rows = np.arange(0, index.size + 1, index.shape[1])
        return csr_array((weights.ravel(), index.ravel(), rows), shape=(len(index), points))

    @cached_property
    def light(self) -> Array:
        """(F,) lamp times detector, 1 at the brightest point."""
        axis = self.domain.fine_axis()
        u = self._u(axis)
        nm = axis if self.domain.unit == "nm" else 1e7 / axis
        lamp = nm**-4.0 / np.expm1(_PLANCK_NM_K / (nm * self.optics.lamp_k))
        if self.domain.name == "raman":
            lamp = np.ones_like(nm)
        low, high = self.optics.cutoff
        response = 1 / (1 + np.exp(-(u - low) / self.optics.roll))
        response /= 1 + np.exp((u - high) / self.optics.roll)
        # FT and array instruments balance the source's slope; its square root is left over.
        light = np.sqrt(lamp / lamp.max()) * response
        relative: Array = light / light.max()
        return relative

    def measure(self, truth: Array, rng: np.random.Generator) -> Array:
        """Spectra (n, F) on the fine axis -> (n, L) on the domain's grid, as read off the device.

        Absorbance in and out for "nir" and "mir", relative intensity for "raman".
        """
        if self.domain.name == "raman":
            return self._on_grid(self._scattered(truth, rng))
        o = self.optics
        white = self.line_shapes @ self.light
        transmitted = self.light * 10.0 ** -np.clip(truth, -0.5, 8.0)
        sample = (self.line_shapes @ transmitted.T).T
        stray = o.stray * white.mean()
        counted = self._counts(sample + stray, rng, o.averages)
        reference = self._counts(white + stray, rng, 16 * o.averages)
        absorbance = -np.log10(np.maximum(counted, 1e-5) / np.maximum(reference, 1e-5))
        fringe = o.fringe[0] * np.sin(np.pi * o.fringe[1] * self._u(self.pixels) + o.fringe[2])
        read = o.gain * (absorbance + o.curve * absorbance**2)
        return self._on_grid(read + self._baseline() + fringe)

    def _scattered(self, truth: Array, rng: np.random.Generator) -> Array:
        o = self.optics
        signal = (self.line_shapes @ (self.light * truth).T).T
        stray = o.stray * signal.mean(axis=1, keepdims=True)
        counted = self._counts((signal + stray) / max(float(signal.max()), 1e-9), rng, o.averages)
        scattered: Array = o.gain * counted * float(signal.max()) + self._baseline()
        return scattered

    def _baseline(self) -> Array:
        u = self._u(self.pixels)
        baseline: Array = self.optics.baseline @ np.stack([np.ones_like(u), u, u**2 - 1 / 3])
        return baseline

    def _counts(self, light: Array, rng: np.random.Generator, averages: int) -> Array:
        """Light from 0 to 1 -> the same after counting, noise of the mean of `averages` scans."""
        o = self.optics
        electrons = light * o.full_well
        step = o.full_well / 2**o.bits
        variance = np.maximum(electrons, 0.0) + o.read**2 + step**2 / 12
        noise = rng.standard_normal(light.shape) * np.sqrt(variance / averages)
        counted: Array = (electrons + noise) / o.full_well
        return counted

    def _on_grid(self, spectra: Array) -> Array:
        """(n, P) on the believed axis -> (n, L), linear between pixels."""
        grid, believed = self.domain.grid_axis(), self.believed
        right = np.clip(np.searchsorted(believed, grid), 1, len(believed) - 1)
        share = (grid - believed[right - 1]) / (believed[right] - believed[right - 1])
        # Beyond the last pixel the last value stands, as devices do that pad their range.
        share = np.clip(share, 0.0, 1.0)
        result: Array = spectra[:, right - 1] * (1 - share) + spectra[:, right] * share
        return result


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def random_optics(domain: Domain, rng: np.random.Generator, spread: float = 1.0) -> Optics:
    """A new instrument; `spread` scales how far it may lie from a good one (0: an ideal one)."""
    widths = np.array(domain.widths)
    shift = domain.shift * spread
    return Optics(
        axis=shift * rng.standard_normal(3) * np.array([1.0, 0.7, 0.4]),
        fwhm=_log_uniform(rng, widths[0], widths[0] * (widths[1] / widths[0]) ** spread),
        fwhm_trend=spread * rng.uniform(-0.3, 0.3),
        slit=rng.uniform(0.0, 1.0),
        pitch=domain.grid[1] * _log_uniform(rng, 0.6, 2.0),
        gain=_log_uniform(rng, 0.3**spread, 3.0**spread),
        curve=spread * 0.02 * rng.standard_normal(),
        stray=_log_uniform(rng, 1e-4, 1e-4 * 1e2**spread),
        baseline=spread * 0.03 * rng.standard_normal(3),
        fringe=np.array(
            [
                spread * 2e-3 * abs(rng.standard_normal()) * rng.integers(2),
                rng.uniform(20.0, 120.0),
                rng.uniform(0.0, 2 * np.pi),
            ]
        ),
        lamp_k=rng.uniform(2300.0, 3000.0) if domain.name == "nir" else rng.uniform(1100, 1500),
        cutoff=np.array([-1.2 + 0.1 * spread * rng.random(), 1.2 - 0.1 * spread * rng.random()]),
        roll=0.05,
        full_well=_log_uniform(rng, 1e5, 3e6),
        read=_log_uniform(rng, 20.0, 200.0),
        bits=int(rng.integers(14, 19)),
        averages=int(2 ** rng.integers(3, 9)),
    )


def random_instrument(domain: Domain, rng: np.random.Generator, spread: float = 1.0) -> Instrument:
    """`random_optics` ready to measure."""
    return Instrument(random_optics(domain, rng, spread), domain)
