"""Samples on two instruments that differ in a known way, and an encoder that differs with theta."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CHANNELS = 120
U = np.linspace(0, 1, CHANNELS)
_BANDS = np.stack([np.exp(-0.5 * ((U - c) / 0.07) ** 2) for c in (0.2, 0.45, 0.7)])
_MIX = np.random.default_rng(5).standard_normal((CHANNELS, 12)) / 40
THETA = np.zeros(2, np.float32)


@dataclass(frozen=True)
class World:
    """Source spectra x (N, L) of samples with references y (N, 2), and t (N, L) on the target."""

    x: np.ndarray
    t: np.ndarray
    y: np.ndarray

    def arguments(self, n: int = 8, first: int = 30) -> dict:
        """Everything that a method may be given: 30 source samples, n of them measured on both."""
        glass = 0.2 + 0.3 * np.sin(9 * U)[None] + np.array([[0.0], [0.4]])
        return {
            "source_X": self.x[:first],
            "source_y": self.y[:first],
            "pairs_source": self.x[:n],
            "pairs_target": self.t[:n],
            "labels": self.y[:n],
            "unpaired": self.t[first : first + 25],
            "standards_source": glass,
            "standards_target": changed(glass),
        }


def changed(spectra):
    """As the target reads them."""
    return 1.1 * spectra + 0.04 + 0.05 * U


def world(seed=0, change=changed, samples=80, noise=2e-4) -> World:
    rng = np.random.default_rng(seed)
    amounts = 0.4 + 0.2 * rng.random((samples, 3))
    clean = 0.3 + amounts @ _BANDS
    y = 10 * amounts[:, :2] + 0.01 * rng.standard_normal((samples, 2))
    x = clean + noise * rng.standard_normal(clean.shape)
    t = change(clean) + noise * rng.standard_normal(clean.shape)
    return World(x, t, y)


def encoder(spectra, theta):
    """Latents (k, 12) that a gain, theta[0], and an offset, theta[1], of the spectra move."""
    return np.tanh(((1 + theta[0]) * spectra - 0.5 + theta[1]) @ _MIX)


def latents(spectra):
    return encoder(spectra, THETA)


def gradient(x, keep, theta, centre, spread):
    """Mean squared distance of means, with its gradient by central differences."""

    def loss(at):
        return float(np.mean((encoder(x, at).mean(axis=0) - centre) ** 2))

    step = 1e-3 * np.eye(2)
    slope = [(loss(theta + s) - loss(theta - s)) / 2e-3 for s in step]
    return loss(theta), np.array(slope, np.float32)


def r2(predicted, truth):
    return 1 - np.sum((predicted - truth) ** 2, 0) / np.sum((truth - truth.mean(0)) ** 2, 0)
