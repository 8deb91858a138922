"""What a vendor keeps back: calibration spectra, and which instruments a bundle is for."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle.keys import read_device_public_key
from spektron_edge.bundle.manifest import TRANSFER_WITHOUT, SourceSpectra
from spektron_edge.bundle.spectra import MEMBER, seal, split

Array = NDArray[Any]
_MIXTURE_SEED = 20


@dataclass(frozen=True)
class Protection:
    """device: raw public key that spectra are encrypted to; serials: instruments it is bound to."""

    spectra: SourceSpectra = "included"
    device: bytes | None = None
    serials: tuple[str, ...] | None = None

    @property
    def product_fields(self) -> dict[str, Any]:
        """What the manifest's product says of it."""
        return {
            "source_spectra": self.spectra,
            "encrypted_spectra": MEMBER if self.spectra == "encrypted" else None,
            "transfer_without": TRANSFER_WITHOUT[self.spectra],
        }


def protection(spectra: str, serials: tuple[str, ...] = ()) -> Protection:
    """Read `included`, `left-out` or `for:PUBLIC_KEY.pem`.

    Raises ValueError for another word, BundleError for a key that is none.
    """
    bound = serials or None
    if spectra == "included":
        return Protection(serials=bound)
    if spectra == "left-out":
        return Protection("left_out", serials=bound)
    word, _, path = spectra.partition(":")
    if word != "for" or not path:
        raise ValueError(f"spectra are included, left-out or for:PUBLIC_KEY.pem, not {spectra!r}")
    return Protection("encrypted", read_device_public_key(Path(path)), bound)


def protected_source(
    source: Mapping[str, Array], how: Protection, name: str, version: int, product: str
) -> dict[str, bytes]:
    """The members that hold `source`: all of it, or what stays in the clear and what is sealed."""
    if how.spectra == "included":
        return {"source.npz": npz(source)}
    clear, spectra = split(source)
    members = {"source.npz": npz(clear)}
    if how.device is not None:
        members[MEMBER] = seal(npz(spectra), how.device, name, version, product)
    return members


def golden_spectra(x: Array, scans: Array, how: Protection, count: int) -> NDArray[np.float32]:
    """Spectra for the golden vectors: noisy calibration scans, (count, L).

    Where the spectra are kept back, random mixtures of all of them, so that none can be read off.
    """
    if how.spectra == "included":
        return scans[:: max(1, len(x) // count)][:count].astype(np.float32)
    shares = np.random.default_rng(_MIXTURE_SEED).dirichlet(np.ones(len(x)), count)
    return (shares @ x).astype(np.float32)


def npz(arrays: Mapping[str, Array]) -> bytes:
    """An .npz file."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy(array: Array) -> bytes:
    """An .npy file."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()
