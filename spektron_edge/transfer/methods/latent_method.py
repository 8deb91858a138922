"""What methods in the encoder's latent share: transport, an affine map, a ridge from latents."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..problem import TransferError, library_rows
from .calibration import leave_one_out_ridge
from .given import Given
from .latent_alignment import LatentMap, Settings, align
from .method import Method, positive

Array = NDArray[np.float64]


@dataclass(kw_only=True, eq=False)
class LatentMethod(Method):
    """Target latents mapped onto the source's by entropic transport; ridge from latents: ridge_.

    Prototypes are the latents of the source's spectra. Target latents are those of pairs and of
    unpaired spectra; either will do. The fields are those of `latent_alignment.Settings`. Maps no
    spectra: `transform_latents` has what is mapped, by map_.
    """

    components: int = 5
    epsilon: float = 0.05
    relaxed: float = 1.0
    pull: float = 1.0

    def _fit(self, given: Given) -> None:
        positive(
            self,
            components=self.components,
            epsilon=self.epsilon,
            relaxed=self.relaxed,
            pull=self.pull,
        )
        spectra, target = _populations(given, self.key)
        source = self._prototypes(spectra, target)
        self._align(given, source, self._read(target))

    @abstractmethod
    def _prototypes(self, source: Array, target: Array) -> Array:
        """(N, L) and (k, L) spectra -> (N, d) latents of the source; what is fitted to both."""

    @abstractmethod
    def _read(self, spectra: Array) -> Array:
        """(k, L) target spectra -> (k, d) latents, not mapped yet."""

    def _align(self, given: Given, source: Array, target: Array) -> None:
        """source (N + e, d), target (n + u, d): latents in the order of `_populations`."""
        partner = np.full(len(target), -1)
        known = len(given.pairs_source)
        rows = library_rows(given.source, given.pairs_source)
        rows[rows < 0] = len(given.source) + np.arange(int(np.sum(rows < 0)))
        partner[:known] = rows
        settings = Settings(self.components, self.epsilon, self.relaxed, self.pull)
        self.map_: LatentMap = align(source, target, partner, settings)
        moved = None
        if known:
            moved = np.empty((known, source.shape[1]))
            for i in range(known):
                kept = np.arange(len(target)) != i
                again = align(source, target[kept], partner[kept], settings)
                moved[i] = (again.apply(target[i : i + 1]) - source[rows[i]])[0]
        self.ridge_ = leave_one_out_ridge(source[: len(given.source)], given.y, moved)

    def transform_latents(self, target_X: ArrayLike) -> Array:
        """(k, L) target spectra -> (k, d) latents on the source's footing. Raises TransferError."""
        return self.map_.apply(self._read(self._checked(target_X)))

    def _predict(self, spectra: Array) -> Array:
        return self.ridge_.predict(self.map_.apply(self._read(spectra)))


def _populations(given: Given, key: str) -> tuple[Array, Array]:
    """Source (N + e, L), with pairs that are none of its rows, and target (n + u, L) spectra.

    Raises TransferError where there are fewer than three of the target.
    """
    extra = given.pairs_source[library_rows(given.source, given.pairs_source) < 0]
    target = np.concatenate([given.pairs_target, given.unpaired])
    if len(target) < 3:
        raise TransferError(
            f"{key} needs target spectra: give pairs_source and pairs_target, or unpaired"
        )
    return np.concatenate([given.source, extra]), target


def read_latents(found: NDArray[np.floating], rows: int) -> Array:
    """(rows, d) finite latents as float64. Raises TransferError for anything else."""
    z: Array = np.asarray(found, dtype=np.float64)
    if z.ndim != 2 or len(z) != rows or not np.all(np.isfinite(z)):
        raise TransferError(
            f"latents must give one row of finite numbers for each of {rows} spectra; what came "
            f"has shape {z.shape}"
        )
    return z
