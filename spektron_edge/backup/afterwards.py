"""What whoever restored a backup has to see to: what no backup can know."""

from __future__ import annotations

from .restoring import Restored


def afterwards(done: Restored) -> list[str]:
    """Lines for a reader, the most pressing first."""
    manifest, config = done.manifest, done.config
    told = []
    if not done.keys:
        told.append(
            "give keys again: the broker's password, TLS keys, operators' keys and accounts of the "
            "page are not restored; `check-config` names each file that is missing"
        )
        told.append(
            "device key: a new one is made; ask vendors to encrypt calibration spectra for it"
        )
    if config.trust is not None:
        told.append(f"revoke again in {config.trust.keys} what was revoked after the backup")
    if done.keys and config.commands.operators:
        told.append("take away again the operators and accounts that were taken away since")
    if config.uses_slots:
        told.append("install again the bundles that came after the backup")
    told.append(
        "records that waited for the broker then are sent with the ids they had; consumers drop "
        "those that they know"
    )
    told.append(
        f"the audit log goes on after line {manifest.audit.lines}; heads that were published later "
        "belong to lines that are lost"
    )
    if done.broken:
        told.append(f"the audit log was broken when the backup was made: {done.broken}")
    told += [f"was not in the backup: {name}" for name in manifest.left_out]
    return told
