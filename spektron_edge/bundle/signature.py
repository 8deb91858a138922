"""Signatures of a bundle: ed25519 over the manifest's bytes, which hold every member's hash.

`signatures.json` is the one member that the manifest does not list. A bundle may carry several, so
that a key can be replaced: devices that know the old one or the new one accept it alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from .canonical import canonical
from .errors import BundleError

MEMBER = "signatures.json"
# What is signed begins like nothing else that an ed25519 key may ever be asked to sign.
_DOMAIN = b"spektron-bundle-v1\n"
_KEY_ID_CHARACTERS = 16
_MOST = 16
_MAX_BYTES = 64 * 1024

KeyId = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{_KEY_ID_CHARACTERS}}}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Signature(_Strict):
    """One signature, in hexadecimal, and the key that it claims."""

    key_id: KeyId
    signature: str = Field(pattern=r"^[0-9a-f]{128}$")


def _distinct(signatures: tuple[Signature, ...]) -> tuple[Signature, ...]:
    if len({s.key_id for s in signatures}) != len(signatures):
        raise ValueError("two signatures claim the same key")
    return signatures


class _Document(_Strict):
    format: Literal[1] = 1
    signatures: Annotated[
        tuple[Signature, ...], Field(min_length=1, max_length=_MOST), AfterValidator(_distinct)
    ]


def key_id(public: bytes) -> str:
    """Name of a raw public key: the head of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:_KEY_ID_CHARACTERS]


def signed_bytes(raw_manifest: bytes) -> bytes:
    """What a signature is over."""
    return _DOMAIN + raw_manifest


def read_signatures(raw: bytes) -> tuple[Signature, ...]:
    """Parse `signatures.json`. Raises BundleError."""
    if len(raw) > _MAX_BYTES:
        raise BundleError(f"{MEMBER} is larger than it may be")
    try:
        return _Document.model_validate_json(raw).signatures
    except ValidationError as error:
        raise BundleError(f"{MEMBER} refused: {error.errors()[0]['msg']}") from None


def write_signatures(signatures: Sequence[Signature]) -> bytes:
    """The bytes of `signatures.json`. Raises ValueError for none, too many or a key twice."""
    return canonical(_Document(signatures=tuple(signatures)).model_dump(mode="json"))


def holds(signature: Signature, public: bytes, raw_manifest: bytes) -> bool:
    """Whether that raw public key signed this manifest."""
    # Here and not above: a daemon with an unsigned bundle never pays for it (8 MB, 14 ms).
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(public).verify(
            bytes.fromhex(signature.signature), signed_bytes(raw_manifest)
        )
    except (InvalidSignature, ValueError):
        return False
    return True
