"""What this device signs itself: ed25519, with a key made from the device's own.

One secret to keep, to back up and to replace: the signing key is derived from `device-key.pem`
(HKDF-SHA256), which serves X25519 and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .device_key import load_device_key, make_device_key
from .keys import DeviceKey
from .signature import key_id

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_LABEL = b"spektron-device-signature-v1"


@dataclass(frozen=True)
class DeviceSigner:
    """key_id: of the public half; public: its 32 bytes."""

    key_id: str
    public: bytes
    private: Ed25519PrivateKey

    def sign(self, domain: bytes, data: bytes) -> bytes:
        """64 bytes; domain: what kind of thing is signed, so that it cannot pass for another."""
        return self.private.sign(domain + data)


def device_signer(state_dir: Path) -> DeviceSigner:
    """This device's; its key is made where there is none.

    Raises Fault(KEY_UNUSABLE, STATE_UNWRITABLE, DISK_FULL).
    """
    make_device_key(state_dir)
    return signer_of(load_device_key(state_dir))


def signer_of(key: DeviceKey) -> DeviceSigner:
    """The signing key that belongs to a device's key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    seed = HKDF(SHA256(), 32, salt=None, info=_LABEL).derive(key.private.private_bytes_raw())
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public = private.public_key().public_bytes_raw()
    return DeviceSigner(key_id(public), public, private)


def signed_by(public: bytes, signature: bytes, domain: bytes, data: bytes) -> bool:
    """Whether the holder of that raw public key signed it."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, domain + data)
    except (InvalidSignature, ValueError):
        return False
    return True
