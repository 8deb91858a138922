"""The zip of a backup, read with distrust: nothing of it is used before all of it was verified."""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydantic import ValidationError

from spektron_edge.bundle import BundleError
from spektron_edge.bundle.device_signature import signed_by
from spektron_edge.bundle.members import Caps, checked_zip
from spektron_edge.bundle.signature import key_id
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.formats import newer
from spektron_edge.files.regular import open_regular

from .manifest import (
    DOMAIN,
    MANIFEST,
    MOST_FILES,
    SEALED,
    SIGNATURE,
    Kept,
    Manifest,
    Signature,
    is_inner_path,
)

_CAPS = Caps(members=MOST_FILES + 3, member_bytes=2**32 - 1, total_bytes=16 * 2**30)
_MANIFEST_BYTES, _SIGNATURE_BYTES = 16 * 2**20, 1024
_CHUNK = 2**20


@dataclass(frozen=True)
class OpenBackup:
    """Every hash and the signature hold. signer: id of the key that signed; whose it is, the file
    alone cannot tell."""

    zip: zipfile.ZipFile
    manifest: Manifest
    signer: str

    def copy(self, kept: Kept, target: BinaryIO) -> None:
        """Unpack one file. Raises Fault(BACKUP_INVALID), OSError."""
        _verified(self.zip, kept.member, kept.bytes, kept.sha256, target)

    def read(self, kept: Kept, most: int) -> bytes:
        """A small file. Raises Fault(BACKUP_INVALID)."""
        if kept.bytes > most:
            raise _invalid(f"{kept.path} is larger than {most} bytes")
        return self.zip.read(kept.member)

    @property
    def sealed(self) -> bytes:
        """The encrypted part."""
        return self.zip.read(SEALED)


@contextlib.contextmanager
def open_backup(path: Path) -> Iterator[OpenBackup]:
    """Verify all of it, without writing anything. Raises Fault(BACKUP_INVALID)."""
    try:
        stream = open_regular(path)
    except OSError as error:
        raise _invalid(f"{path}: {error.strerror}") from None
    with contextlib.ExitStack() as opened:
        opened.enter_context(stream)
        try:
            archive = opened.enter_context(checked_zip(stream, _CAPS, is_inner_path))
            found = _check(archive)
        except Fault as fault:
            raise _invalid(f"{path}: {fault.detail}") from None
        except BundleError as error:
            raise _invalid(f"{path} is no backup: {error}") from None
        except Exception as error:  # noqa: BLE001  zipfile raises a dozen unrelated types
            raise _invalid(f"{path} is no backup, or damaged: {error}") from None
        yield found


def _check(archive: zipfile.ZipFile) -> OpenBackup:
    raw = _read(archive, MANIFEST, _MANIFEST_BYTES)
    signature = Signature.model_validate_json(_read(archive, SIGNATURE, _SIGNATURE_BYTES))
    try:
        manifest = Manifest.model_validate_json(raw)
    except ValidationError as error:
        why = newer(raw, Manifest) or f"its manifest: {error.errors()[0]['msg']}"
        raise _invalid(why) from None
    public = bytes.fromhex(manifest.public)
    if signature.key_id != key_id(public) or not signed_by(
        public, bytes.fromhex(signature.signature), DOMAIN, raw
    ):
        raise _invalid("its signature does not belong to its manifest")
    members = {kept.member for kept in manifest.files} | {MANIFEST, SIGNATURE}
    if manifest.sealed is not None:
        members.add(SEALED)
        _verified(archive, SEALED, manifest.sealed.bytes, manifest.sealed.sha256, None)
    if (others := members ^ set(archive.namelist())) or len(members) != len(archive.namelist()):
        raise _invalid(f"it does not hold what its manifest says: {', '.join(sorted(others))}")
    for kept in manifest.files:
        _verified(archive, kept.member, kept.bytes, kept.sha256, None)
    return OpenBackup(archive, manifest, signature.key_id)


def _read(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    if name not in archive.namelist():
        raise _invalid(f"it has no {name}")
    if archive.getinfo(name).file_size > most:
        raise _invalid(f"{name} is larger than it may be")
    return archive.read(name)


def _verified(
    archive: zipfile.ZipFile, name: str, size: int, sha256: str, target: BinaryIO | None
) -> None:
    """Read a member, into `target` if there is one. Raises Fault(BACKUP_INVALID), OSError."""
    digest, taken = hashlib.sha256(), 0
    try:
        with archive.open(name) as member:
            # The declared size can lie: no more is read than the manifest promised.
            while taken <= size and (chunk := member.read(min(_CHUNK, size + 1 - taken))):
                digest.update(chunk)
                taken += len(chunk)
                if target is not None:
                    target.write(chunk)
    except (KeyError, zipfile.BadZipFile) as error:
        raise _invalid(f"{name} is damaged: {error}") from None
    if taken != size or digest.hexdigest() != sha256:
        raise _invalid(f"{name} is not what was written")


def _invalid(detail: str) -> Fault:
    return Fault(Faults.BACKUP_INVALID, detail)
