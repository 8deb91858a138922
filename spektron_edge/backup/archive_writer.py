"""The zip of a backup, written as it is gathered: an outbox may be larger than memory."""

from __future__ import annotations

import hashlib
import json
import zipfile
from types import TracebackType
from typing import BinaryIO

from spektron_edge.bundle.canonical import canonical
from spektron_edge.bundle.device_signature import DeviceSigner
from spektron_edge.faults import Fault, Faults

from .manifest import (
    DOMAIN,
    MANIFEST,
    OPEN_MODES,
    SEALED,
    SIGNATURE,
    Kept,
    Manifest,
    Sealing,
    Where,
)

_CHUNK = 2**20


class ArchiveWriter:
    """Members go in one after the other; the manifest, which names them all, comes last."""

    def __init__(self, stream: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, allowZip64=False)
        self.files: list[Kept] = []

    def add(self, where: Where, path: str, source: BinaryIO, size: int, mode: int) -> None:
        """size: bytes to take from the source; it may have grown since. Raises OSError, and
        Fault(BACKUP_REFUSED) for what is too large for a zip that devices read."""
        digest, taken = hashlib.sha256(), 0
        kept = Kept(where=where, path=path, bytes=0, sha256="0" * 64, mode=mode & OPEN_MODES)
        info = _info(kept.member)
        info.file_size = size
        try:
            with self._zip.open(info, "w") as member:
                while taken < size and (chunk := source.read(min(_CHUNK, size - taken))):
                    digest.update(chunk)
                    member.write(chunk)
                    taken += len(chunk)
        except (zipfile.LargeZipFile, RuntimeError):
            detail = f"{path} and what was before it are more than 4 GiB: lower `outbox.max_mb`"
            raise Fault(Faults.BACKUP_REFUSED, detail) from None
        self.files.append(kept.model_copy(update={"bytes": taken, "sha256": digest.hexdigest()}))

    def seal_in(self, sealed: bytes, recipient: str | None, holds: tuple[str, ...]) -> Sealing:
        """The encrypted part."""
        self._zip.writestr(_info(SEALED), sealed)
        digest = hashlib.sha256(sealed).hexdigest()
        return Sealing(recipient=recipient, bytes=len(sealed), sha256=digest, holds=holds)

    def finish(self, manifest: Manifest, signer: DeviceSigner) -> None:
        """Sign, and end the zip."""
        raw = canonical(manifest.model_dump(mode="json"))
        signature = signer.sign(DOMAIN, raw).hex()
        self._zip.writestr(_info(MANIFEST), raw)
        document = {"key_id": signer.key_id, "signature": signature}
        self._zip.writestr(_info(SIGNATURE), json.dumps(document))
        self._zip.close()

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
    return info
