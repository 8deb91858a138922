"""Calibration spectra that a vendor gives to one device only, and how that device opens them.

The bundle's name and version and the product are bound in, so that a member cannot serve in another
bundle. What the daemon needs (the applicability model, latents) stays in `source` in the clear.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from .archive import Bundle
from .arrays import read_npz
from .errors import BundleError
from .keys import DeviceKey
from .manifest import Manifest, Product
from .sealed_box import Box

MEMBER = "source-spectra.enc"
# Spectra, their reference values and the samples they belong to: what a vendor may keep back.
SPECTRA = ("x", "y", "samples")
_BOX = Box(b"SPKENC1\n", b"spektron-spectra-v1\n", "encrypted spectra", "bundle or version")

Arrays = Mapping[str, NDArray[Any]]


def split(source: Arrays) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """The arrays of `source` that stay in the clear, and the calibration spectra."""
    clear = {name: array for name, array in source.items() if name not in SPECTRA}
    return clear, {name: array for name, array in source.items() if name in SPECTRA}


def seal(npz: bytes, device: bytes, name: str, version: int, product: str) -> bytes:
    """Encrypt an .npz of spectra for a device's raw public key.

    Raises ValueError for a public key that no device can have.
    """
    return _BOX.seal(npz, device, _bound(name, version, product))


def open_spectra(
    bundle: Bundle, product: Product, device_key: DeviceKey | None
) -> dict[str, NDArray[Any]]:
    """The product's calibration spectra: x (n, L), y (n, properties), samples (n,).

    device_key: this device's own, needed where they are encrypted. Raises BundleError, saying what
    cannot be done, where they were left out, are for another device, or were tampered with.
    """
    if product.source_spectra == "left_out":
        raise BundleError(
            f"{bundle.id} comes without calibration spectra; not possible: "
            f"{product.transfer_without}"
        )
    if product.source_spectra == "included":
        return split(bundle.arrays(product.source))[1]
    if device_key is None:
        raise BundleError(
            f"the calibration spectra of {bundle.id} are encrypted for a device; its key is needed"
        )
    name = product.encrypted_spectra or ""
    try:
        plain = _unseal(bundle.members[name], device_key, bundle.manifest, product)
        return read_npz(plain)
    except BundleError as error:
        raise BundleError(f"{name}: {error}") from None
    except Exception as error:  # noqa: BLE001  numpy raises a dozen unrelated types
        raise BundleError(f"{name}: not an array archive ({error})") from None


def _unseal(sealed: bytes, key: DeviceKey, manifest: Manifest, product: Product) -> bytes:
    return _BOX.unseal(sealed, key, _bound(manifest.name, manifest.version, product.name))


def _bound(name: str, version: int, product: str) -> bytes:
    return f"{name}\n{version}\n{product}".encode()
