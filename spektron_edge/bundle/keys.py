"""Keys in PEM files: public signing keys (ed25519), and a device's own key pair (X25519)."""

from __future__ import annotations

import errno
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import KeyUnusable, TrustUnusable
from .signature import key_id

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

_MAX_BYTES = 16 * 1024


@dataclass(frozen=True)
class PublicKey:
    """A signing key that this device may trust. raw: its 32 bytes; name: its file's stem."""

    key_id: str
    name: str
    raw: bytes


@dataclass(frozen=True)
class DeviceKey:
    """A device's private key, to which spectra can be encrypted. public: its 32 bytes."""

    key_id: str
    public: bytes
    private: X25519PrivateKey


def read_public_keys(folder: Path) -> Mapping[str, PublicKey]:
    """Every `*.pem` of a folder by key id. Raises TrustUnusable, naming the file, or for none."""
    found: dict[str, PublicKey] = {}
    try:
        paths = sorted(folder.glob("*.pem"))
    except OSError as error:
        raise TrustUnusable(f"{folder}: {error.strerror}") from None
    for path in paths:
        key = PublicKey(key_id(raw := _ed25519_bytes(path)), path.stem, raw)
        if key.key_id in found:
            raise TrustUnusable(f"{path} and {found[key.key_id].name}.pem are the same key")
        found[key.key_id] = key
    if not found:
        raise TrustUnusable(f"{folder} holds no public key (*.pem)")
    return found


def _ed25519_bytes(path: Path) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        pem = _read(path)
    except OSError as error:
        raise TrustUnusable(f"{path}: {error.strerror}") from None
    if b"PRIVATE KEY" in pem:
        raise TrustUnusable(f"{path} is a private key; it must never be on a device")
    try:
        key = load_pem_public_key(pem)
    except Exception as error:  # noqa: BLE001  cryptography raises several unrelated types
        raise TrustUnusable(f"{path} is no public key: {_first_line(error)}") from None
    if not isinstance(key, Ed25519PublicKey):
        raise TrustUnusable(f"{path} is a key of another kind; ed25519 is expected")
    return key.public_bytes_raw()


def read_device_key(path: Path) -> DeviceKey:
    """A device's private key. Raises KeyUnusable."""
    try:
        return device_key_of(_read(path))
    except OSError as error:
        raise KeyUnusable(
            f"{path}: {error.strerror}; `spektron-edge device-key` makes one"
        ) from None
    except KeyUnusable as error:
        raise KeyUnusable(f"{path} is {error}") from None


def device_key_of(pem: bytes) -> DeviceKey:
    """The same of a file's contents. Raises KeyUnusable."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password=None)
    except Exception as error:  # noqa: BLE001  cryptography raises several unrelated types
        raise KeyUnusable(f"no private key: {_first_line(error)}") from None
    if not isinstance(key, X25519PrivateKey):
        raise KeyUnusable("a key of another kind; X25519 is expected")
    public = key.public_key().public_bytes_raw()
    return DeviceKey(key_id(public), public, key)


def read_device_public_key(path: Path) -> bytes:
    """The 32 bytes of a device's public key. Raises KeyUnusable."""
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(_read(path))
    except OSError as error:
        raise KeyUnusable(f"{path}: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001  as above
        raise KeyUnusable(f"{path} is no public key: {_first_line(error)}") from None
    if not isinstance(key, X25519PublicKey):
        raise KeyUnusable(f"{path} is no device's public key; `spektron-edge device-key` makes one")
    return key.public_bytes_raw()


def _read(path: Path) -> bytes:
    """Read a small file. Raises OSError, also for what is none."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a file")
    with path.open("rb") as stream:
        data = stream.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise OSError(errno.EFBIG, "too large for a key")
    return data


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
