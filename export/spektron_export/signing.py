"""Signing keys and signatures on bundles. Needs neither torch nor onnx."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.bundle.archive import write_signed
from spektron_edge.bundle.signature import Signature, key_id, signed_bytes

from .errors import ExportError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_OWNER_ONLY = 0o600


@dataclass(frozen=True)
class SigningKey:
    """A private key. key_id: as devices name it."""

    key_id: str
    private: Ed25519PrivateKey


@dataclass(frozen=True)
class KeyFiles:
    """A pair that was made."""

    key_id: str
    private: Path
    public: Path


def make_key(name: str, folder: Path, passphrase: bytes | None = None) -> KeyFiles:
    """Write NAME.key.pem (for its owner only) and NAME.pem, which goes to devices.

    Raises ExportError where either exists: a key is never written over; OSError when it cannot be
    written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    private_path, public_path = folder / f"{name}.key.pem", folder / f"{name}.pem"
    for path in (private_path, public_path):
        if path.exists():
            raise ExportError(f"{path} exists; a key is never written over")
    private = Ed25519PrivateKey.generate()
    protection = NoEncryption() if passphrase is None else BestAvailableEncryption(passphrase)
    secret = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)
    public = private.public_key()
    folder.mkdir(parents=True, exist_ok=True)
    _write_new(private_path, secret, _OWNER_ONLY)
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _write_new(public_path, pem, 0o644)
    return KeyFiles(key_id(public.public_bytes_raw()), private_path, public_path)


def _write_new(path: Path, data: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def read_passphrase(path: Path | None) -> bytes | None:
    """First line of a passphrase file, None without one. Raises ExportError for an empty one."""
    if path is None:
        return None
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}") from None
    if not lines or not lines[0]:
        raise ExportError(f"{path} holds no passphrase in its first line")
    return lines[0]


def read_signing_key(path: Path, passphrase: bytes | None = None) -> SigningKey:
    """A private ed25519 key in PEM. Raises ExportError, saying whether it wants a passphrase."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        private = load_pem_private_key(path.read_bytes(), passphrase)
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}") from None
    except TypeError:
        needed = "is encrypted; give --passphrase-file" if passphrase is None else "has none"
        raise ExportError(f"{path}: the key {needed}") from None
    except Exception:  # noqa: BLE001  cryptography raises several unrelated types
        raise ExportError(f"{path} is no private key, or the passphrase is wrong") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise ExportError(f"{path} is a key of another kind; ed25519 is expected")
    return SigningKey(key_id(private.public_key().public_bytes_raw()), private)


def sign_bundle(source: Path, key: SigningKey, target: Path) -> tuple[str, ...]:
    """Add a signature; manifest and members stay byte for byte. Ids of all keys that signed.

    Raises BundleError for what is no bundle or has no canonical manifest, OSError when it cannot be
    written. Signing again with the same key changes nothing.
    """
    bundle = read_bundle(source)
    if not bundle.canonical:
        raise BundleError(f"{source}: the manifest is not in canonical form; export it again")
    made = Signature(
        key_id=key.key_id, signature=key.private.sign(signed_bytes(bundle.raw_manifest)).hex()
    )
    others = [s for s in bundle.signatures if s.key_id != key.key_id]
    signatures = sorted([*others, made], key=lambda s: s.key_id)
    write_signed(target, bundle, signatures)
    return tuple(s.key_id for s in signatures)
