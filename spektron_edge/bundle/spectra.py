"""Calibration spectra that a vendor gives to one device only, and how that device opens them.

X25519 between a fresh key and the device's, HKDF-SHA256, ChaCha20-Poly1305. The bundle's name and
version and the product are bound in, so that a member cannot serve in another bundle. What the
daemon needs (the applicability model, latents) stays in `source` in the clear.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from .archive import Bundle
from .arrays import read_npz
from .errors import BundleError
from .keys import DeviceKey
from .manifest import Manifest, Product
from .signature import key_id

MEMBER = "source-spectra.enc"
# Spectra, their reference values and the samples they belong to: what a vendor may keep back.
SPECTRA = ("x", "y", "samples")
_MAGIC = b"SPKENC1\n"
_LABEL = b"spektron-spectra-v1\n"
_RECIPIENT_BYTES, _KEY_BYTES, _NONCE_BYTES = 8, 32, 12
_HEADER_BYTES = len(_MAGIC) + _RECIPIENT_BYTES + _KEY_BYTES + _NONCE_BYTES

Arrays = Mapping[str, NDArray[Any]]


def split(source: Arrays) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """The arrays of `source` that stay in the clear, and the calibration spectra."""
    clear = {name: array for name, array in source.items() if name not in SPECTRA}
    return clear, {name: array for name, array in source.items() if name in SPECTRA}


def seal(npz: bytes, device: bytes, name: str, version: int, product: str) -> bytes:
    """Encrypt an .npz of spectra for a device's raw public key.

    Raises ValueError for a public key that no device can have.
    """
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    ephemeral = X25519PrivateKey.generate()
    public = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(device))
    nonce = os.urandom(_NONCE_BYTES)
    cipher = ChaCha20Poly1305(_derive(shared, public, device))
    sealed = cipher.encrypt(nonce, npz, _bound(name, version, product))
    return _MAGIC + bytes.fromhex(key_id(device)) + public + nonce + sealed


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
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    if len(sealed) < _HEADER_BYTES or not sealed.startswith(_MAGIC):
        raise BundleError("not encrypted spectra of this format")
    at = len(_MAGIC)
    recipient, at = sealed[at : at + _RECIPIENT_BYTES].hex(), at + _RECIPIENT_BYTES
    public, at = sealed[at : at + _KEY_BYTES], at + _KEY_BYTES
    nonce, at = sealed[at : at + _NONCE_BYTES], at + _NONCE_BYTES
    if recipient != key.key_id:
        raise BundleError(
            f"encrypted for the device with key {recipient}; this one has {key.key_id}"
        )
    try:
        shared = key.private.exchange(X25519PublicKey.from_public_bytes(public))
        cipher = ChaCha20Poly1305(_derive(shared, public, key.public))
        bound = _bound(manifest.name, manifest.version, product.name)
        return cipher.decrypt(nonce, sealed[at:], bound)
    except (InvalidTag, ValueError):
        raise BundleError("it was altered, or belongs to another bundle or version") from None


def _derive(shared: bytes, ephemeral: bytes, device: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=_LABEL + ephemeral + device).derive(shared)


def _bound(name: str, version: int, product: str) -> bytes:
    return _LABEL + f"{name}\n{version}\n{product}".encode()
