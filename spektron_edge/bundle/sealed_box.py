"""What one key pair alone can open: X25519 between a fresh key and the recipient's, HKDF-SHA256,
ChaCha20-Poly1305.

A box is magic, the recipient's key id, the fresh public key, a nonce, and what was encrypted.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from .errors import BundleError
from .keys import DeviceKey
from .signature import key_id

_RECIPIENT_BYTES, _KEY_BYTES, _NONCE_BYTES = 8, 32, 12


@dataclass(frozen=True)
class Box:
    """A kind of box. magic: how its bytes begin; label: parts its keys from those of other kinds;
    what, owner: for a reader, what it is and what it belongs to."""

    magic: bytes
    label: bytes
    what: str
    owner: str

    def seal(self, plain: bytes, recipient: bytes, bound: bytes) -> bytes:
        """Encrypt for a raw public key; bound: what the box belongs to.

        Raises ValueError for a public key that nobody can have.
        """
        from cryptography.hazmat.primitives.asymmetric.x25519 import (
            X25519PrivateKey,
            X25519PublicKey,
        )
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        ephemeral = X25519PrivateKey.generate()
        public = ephemeral.public_key().public_bytes_raw()
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(recipient))
        nonce = os.urandom(_NONCE_BYTES)
        cipher = ChaCha20Poly1305(self._derive(shared, public, recipient))
        head = self.magic + bytes.fromhex(key_id(recipient)) + public + nonce
        return head + cipher.encrypt(nonce, plain, self.label + bound)

    def recipient(self, sealed: bytes) -> str:
        """Id of the key that it is for. Raises BundleError for what is no such box."""
        header = len(self.magic) + _RECIPIENT_BYTES + _KEY_BYTES + _NONCE_BYTES
        if len(sealed) < header or not sealed.startswith(self.magic):
            raise BundleError(f"not {self.what} of this format")
        return sealed[len(self.magic) :][:_RECIPIENT_BYTES].hex()

    def unseal(self, sealed: bytes, key: DeviceKey, bound: bytes) -> bytes:
        """Decrypt. Raises BundleError where it is for another key, altered, or bound elsewhere."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
        from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

        recipient = self.recipient(sealed)
        if recipient != key.key_id:
            raise BundleError(
                f"encrypted for the device with key {recipient}; this one has {key.key_id}"
            )
        at = len(self.magic) + _RECIPIENT_BYTES
        public, at = sealed[at : at + _KEY_BYTES], at + _KEY_BYTES
        nonce, at = sealed[at : at + _NONCE_BYTES], at + _NONCE_BYTES
        try:
            shared = key.private.exchange(X25519PublicKey.from_public_bytes(public))
            cipher = ChaCha20Poly1305(self._derive(shared, public, key.public))
            return cipher.decrypt(nonce, sealed[at:], self.label + bound)
        except (InvalidTag, ValueError):
            raise BundleError(f"it was altered, or belongs to another {self.owner}") from None

    def _derive(self, shared: bytes, ephemeral: bytes, recipient: bytes) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        info = self.label + ephemeral + recipient
        return HKDF(SHA256(), _KEY_BYTES, salt=None, info=info).derive(shared)
