"""Whose bundles this device accepts: a folder of public keys, and a list of what was revoked.

No rule here uses the wall clock (decision 5): a key does not expire, it is revoked. To replace one,
add the new key, sign with both, and revoke the old one once every device knows the new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .archive import Bundle
from .errors import BundleUntrusted, TrustUnusable
from .keys import PublicKey, read_public_keys
from .signature import KeyId, holds

REVOKED_FILE = "revoked.json"


@dataclass(frozen=True)
class Signer:
    """Who signed: the key's id, and the name of its file on this device."""

    key_id: str
    name: str

    def __str__(self) -> str:
        return f"{self.name} ({self.key_id})"


class _Revoked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    keys: frozenset[KeyId] = frozenset()
    bundles: frozenset[str] = Field(frozenset(), description="ids, as `inspect` shows them")


@dataclass(frozen=True)
class TrustStore:
    """The folder as it was read. Keys are read when the first signature has to be judged."""

    folder: Path
    require_signature: bool
    revoked_keys: frozenset[str]
    revoked_bundles: frozenset[str]

    def keys(self) -> Mapping[str, PublicKey]:
        """Every public key by its id. Raises TrustUnusable."""
        return read_public_keys(self.folder)

    def judge(self, bundle: Bundle) -> Signer | None:
        """Who signed the bundle; None for an unsigned one where none need be signed.

        Raises BundleUntrusted for a bundle that may not be used, TrustUnusable for a folder that
        cannot be read. A known key's signature that does not hold is refused whatever else holds.
        """
        if bundle.id in self.revoked_bundles:
            raise BundleUntrusted(f"{bundle.id} is revoked in {self.folder / REVOKED_FILE}")
        if not bundle.signatures:
            if self.require_signature:
                raise BundleUntrusted(f"{bundle.id} is not signed")
            return None
        keys, signer, revoked = self.keys(), None, None
        for signature in bundle.signatures:
            key = keys.get(signature.key_id)
            if signature.key_id in self.revoked_keys:
                revoked = signature.key_id
            elif key is None:
                continue
            elif not holds(signature, key.raw, bundle.raw_manifest):
                raise BundleUntrusted(
                    f"{bundle.id}: the signature of {key.name} ({key.key_id}) does not belong to "
                    "this manifest"
                )
            else:
                signer = signer or Signer(key.key_id, key.name)
        if signer is not None:
            return signer
        if revoked is not None:
            raise BundleUntrusted(f"{bundle.id} is signed by {revoked}, a key that was revoked")
        if not self.require_signature:
            return None
        claimed = ", ".join(s.key_id for s in bundle.signatures)
        raise BundleUntrusted(f"{bundle.id} is signed by {claimed}, unknown in {self.folder}")


def read_trust(folder: Path, *, require_signature: bool = True) -> TrustStore:
    """Open a trust store. Raises TrustUnusable for an absent folder or a bad revocation list."""
    try:
        there = folder.is_dir()
    except OSError as error:
        raise TrustUnusable(f"{folder}: {error.strerror}") from None
    if not there:
        raise TrustUnusable(f"{folder} is not a folder of public keys")
    path = folder / REVOKED_FILE
    try:
        revoked = _Revoked.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        revoked = _Revoked()
    except OSError as error:
        raise TrustUnusable(f"{path}: {error.strerror}") from None
    except ValidationError as error:
        # A list that cannot be read must not pass for an empty one.
        raise TrustUnusable(f"{path} refused: {error.errors()[0]['msg']}") from None
    return TrustStore(folder, require_signature, revoked.keys, revoked.bundles)
