"""Optimal transport in the encoder's latent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .latent_method import LatentMethod, read_latents

Array = NDArray[np.float64]
# Spectra (k, L) -> latents (k, d).
Latents = Callable[[Array], NDArray[np.floating]]


@dataclass(kw_only=True, eq=False)
class LatentTransport(LatentMethod):
    """Entropic transport between latents of both instruments, kept as an affine map: map_.

    latents: spectra (k, L) -> (k, d), such as an encoder's `z_chem` (`bundled.latents`). Where only
    latents are at hand, as in a bundle without calibration spectra, give them in place of spectra,
    and `latents=np.asarray`. Everything else is `LatentMethod`'s.
    """

    key = "latent_transport"
    needs = frozenset({"latents"})
    latents: Latents

    def _prototypes(self, source: Array, target: Array) -> Array:  # noqa: ARG002
        return self._read(source)

    def _read(self, spectra: Array) -> Array:
        return read_latents(self.latents(spectra), len(spectra))
