"""Keys and accounts of a backup, where whoever restores can open them, and whether that proves
whose backup it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import ValidationError

from spektron_edge.bundle.device_key import FILE as DEVICE_KEY
from spektron_edge.bundle.device_signature import signer_of
from spektron_edge.bundle.errors import KeyUnusable
from spektron_edge.bundle.keys import DeviceKey, device_key_of
from spektron_edge.faults import Fault, Faults

from .archive_reader import OpenBackup
from .manifest import Kept
from .sealing import Passphrase, unseal

_DEVICE_KEY = f"state/{DEVICE_KEY}"


@dataclass(frozen=True)
class Secrets:
    """held: files by `where/path`; known: whose backup it is was shown, by a passphrase that opens
    the very key that signed, or by the signer that was asked for."""

    known: bool
    held: dict[Kept, bytes] = field(default_factory=dict)


def open_secrets(
    backup: OpenBackup, by: Passphrase | DeviceKey | None, signer: str | None
) -> Secrets:
    """by: what opens them; None leaves them where they are; signer: id of the key that has to have
    signed. Raises Fault(BACKUP_INVALID, BACKUP_REFUSED)."""
    if signer is not None and signer != backup.signer:
        detail = f"signed by {backup.signer}, not by {signer}: not this device's backup"
        raise Fault(Faults.BACKUP_REFUSED, detail)
    if by is None:
        return Secrets(signer is not None)
    if backup.manifest.sealed is None:
        raise Fault(Faults.BACKUP_REFUSED, "it holds no keys: leave out what would open them")
    plain = unseal(backup.sealed, by, backup.manifest.id)
    own = False
    if (pem := plain.get(_DEVICE_KEY)) is not None:
        try:
            own = signer_of(device_key_of(pem)).key_id == backup.signer
        except KeyUnusable as error:
            raise Fault(Faults.BACKUP_INVALID, f"its device key is {error}") from None
        if not own:
            raise Fault(Faults.BACKUP_INVALID, "signed by another device than it is of")
    held = {_kept(name, data): data for name, data in plain.items()}
    # For a recipient's public key anybody can encrypt; under the passphrase only who knows it.
    return Secrets(signer is not None or (own and isinstance(by, Passphrase)), held)


def _kept(name: str, data: bytes) -> Kept:
    where, _, path = name.partition("/")
    try:
        return Kept.model_validate(
            {"where": where, "path": path, "bytes": len(data), "sha256": "0" * 64, "mode": 0o600}
        )
    except ValidationError as error:
        detail = f"the keys in it: {name!r}: {error.errors()[0]['msg']}"
        raise Fault(Faults.BACKUP_INVALID, detail) from None
