"""Make a backup of a device, whether its daemon runs or not.

Small files come first and are taken again where one of them changed meanwhile: together they are
what they were at one moment. Then the outbox, by SQLite's own backup, and last the audit log: what
a ledger had not told it yet stands in the ledger, the log, or both.
"""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from ulid import ULID

from spektron_edge import __version__
from spektron_edge.bundle.device_signature import DeviceSigner, device_signer
from spektron_edge.config.file import Config
from spektron_edge.config.loading import parse_config, read_config
from spektron_edge.door.notes import keep
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.audit import GENESIS, AuditError, verify
from spektron_edge.files.audit_segments import FOLDER, segments
from spektron_edge.files.ledger import Action
from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE
from spektron_edge.outbox import OutboxDamagedError, OutboxError
from spektron_edge.outbox.store import reading

from .archive_writer import ArchiveWriter
from .manifest import AuditHead, Manifest, Sealing, is_inner_path
from .sealing import Passphrase, Recipient, seal
from .sources import Source, Sources, config_sources, state_sources
from .target_trouble import check_place, put_in_place, target_fault
from .work_folder import work_folder

_TRIES, _PAUSE_S = 8, 0.25
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Made:
    """The file that was made. untold: why the audit log does not know of it, if so."""

    path: Path
    manifest: Manifest
    bytes: int
    signer: str
    untold: str = ""


def make_backup(
    config_path: Path, target: Path, to: Passphrase | Recipient | None, who: str, tell: Tell
) -> Made:
    """Write a backup to `target`, which must not be there. to: who can open keys and accounts;
    None leaves them out. tell: how far it is.

    Raises Fault(CONFIG_INVALID, BACKUP_REFUSED, KEY_UNUSABLE, STATE_DAMAGED, STATE_UNWRITABLE,
    DISK_FULL, AUDIT_BROKEN); then there is no such file.
    """
    text = read_config(config_path)
    config = parse_config(text, config_path)
    if target.exists():
        raise _there_already(target)
    check_place(target)
    if not config.state_dir.is_dir():
        detail = f"{config.state_dir} is not there: the daemon has never run with this file"
        raise Fault(Faults.BACKUP_REFUSED, detail)
    if target.resolve().is_relative_to(config.state_dir.resolve()):
        raise Fault(
            Faults.BACKUP_REFUSED, f"{target} lies in the state folder, and would go with it"
        )
    if not is_inner_path(config_path.name):
        raise Fault(Faults.BACKUP_REFUSED, f"{config_path.name!r} must be a plain name")
    signer = device_signer(config.state_dir)
    try:
        with work_folder(target.parent) as work:
            partial = work / "backup.zip"
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as stream:
                gathering = _Gathering(config_path, text, config, signer, to, who, tell)
                manifest = gathering.write(stream, work)
                stream.flush()
                os.fsync(stream.fileno())
            put_in_place(partial, target)
        size = target.stat().st_size
    except FileExistsError:
        raise Fault(
            Faults.BACKUP_REFUSED, f"{target} is there already: give another name"
        ) from None
    except OSError as error:
        raise target_fault(error, target, config.state_dir) from None
    details: dict[str, str | int | bool | None] = {
        "backup": manifest.id,
        "keys": manifest.sealed is not None,
        "lines": manifest.audit.lines,
    }
    untold = ""
    try:
        keep(config.state_dir, Action(what="backup_made", who=who, details=details))
    except Fault as fault:
        # A disk that is full or fails: what was saved from it is there all the same.
        untold = fault.detail
    return Made(target, manifest, size, signer.key_id, untold)


@dataclass(frozen=True)
class _Gathering:
    config_path: Path
    text: str
    config: Config
    signer: DeviceSigner
    to: Passphrase | Recipient | None
    who: str
    tell: Tell

    def write(self, stream: BinaryIO, work: Path) -> Manifest:
        """Everything into the zip. Raises Fault, OSError."""
        for _ in range(_TRIES):
            stream.seek(0)
            stream.truncate()
            with ArchiveWriter(stream) as archive:
                before = state_sources(self.config.state_dir)
                stamps = _stamps(before)
                secrets = self._small_files(archive, before)
                now = _stamps(state_sources(self.config.state_dir))
                if secrets is not None and stamps == now:
                    with contextlib.suppress(_ChangedError):
                        return self._rest(archive, before, secrets, work)
            self.tell("files changed meanwhile: once more")
            time.sleep(_PAUSE_S)
        detail = f"files of {self.config.state_dir} changed each of {_TRIES} times: try again later"
        raise Fault(Faults.BACKUP_REFUSED, detail)

    def _small_files(self, archive: ArchiveWriter, state: Sources) -> dict[str, bytes] | None:
        """Secrets, which are not written yet; None where a file has gone meanwhile."""
        secrets: dict[str, bytes] = {}
        raw = self.text.encode()
        mode = self.config_path.stat().st_mode
        archive.add("config", self.config_path.name, io.BytesIO(raw), len(raw), mode)
        files = (*state.files, *self._named.files)
        for number, source_file in enumerate(files, 1):
            self.tell(f"{number} of {len(files)} files: {source_file.shown}")
            try:
                with source_file.file.open("rb") as stream:
                    status = os.fstat(stream.fileno())
                    if source_file.secret:
                        secrets[f"{source_file.where}/{source_file.path}"] = stream.read()
                    else:
                        size, mode = status.st_size, status.st_mode
                        archive.add(source_file.where, source_file.path, stream, size, mode)
            except FileNotFoundError:
                return None
        return secrets

    @property
    def _named(self) -> Sources:
        folder = self.config_path.resolve().parent
        found = config_sources(self.config, folder)
        others = tuple(f for f in found.files if f.path != self.config_path.name)
        return Sources(others, found.left_out)

    def _rest(
        self, archive: ArchiveWriter, state: Sources, secrets: dict[str, bytes], work: Path
    ) -> Manifest:
        backup_id = str(ULID())
        left_out = [*state.left_out, *self._named.left_out]
        sealing: Sealing | None = None
        if self.to is None:
            left_out += [f"{name}: a secret, and nothing to encrypt it with" for name in secrets]
        else:
            recipient = self.to.key_id if isinstance(self.to, Recipient) else None
            sealed = seal(secrets, self.to, backup_id)
            sealing = archive.seal_in(sealed, recipient, tuple(secrets))
        self.tell("the outbox")
        schema = self._outbox(archive, work)
        self.tell("the audit log")
        audit = self._audit(archive)
        manifest = Manifest(
            id=backup_id,
            made=datetime.now(timezone.utc),
            by=self.who,
            site=self.config.site,
            instrument=self.config.instrument,
            host=os.uname().nodename,
            version=__version__,
            outbox_schema=schema,
            audit=audit,
            config=self.config_path.name,
            files=tuple(archive.files),
            sealed=sealing,
            left_out=tuple(left_out),
            public=self.signer.public.hex(),
        )
        archive.finish(manifest, self.signer)
        return manifest

    def _outbox(self, archive: ArchiveWriter, work: Path) -> int:
        path = self.config.state_dir / OUTBOX_FILE
        if not path.exists():
            return 0
        copy = work / OUTBOX_FILE
        try:
            with reading(path) as db, contextlib.closing(sqlite3.connect(copy)) as whole:
                db.backup(whole)
                # The copy is one file, without a log beside it.
                whole.execute("PRAGMA journal_mode = DELETE")
                (verdict,) = whole.execute("PRAGMA quick_check(1)").fetchone()
                (schema,) = whole.execute("PRAGMA user_version").fetchone()
            if verdict != "ok":
                raise OutboxDamagedError(f"{path}: {verdict}")
        except OutboxDamagedError as error:
            raise Fault(Faults.STATE_DAMAGED, f"no backup of what is damaged: {error}") from None
        except OutboxError as error:
            raise Fault(Faults.STATE_UNWRITABLE, str(error)) from None
        with copy.open("rb") as stream:
            archive.add("state", OUTBOX_FILE, stream, copy.stat().st_size, 0o644)
        copy.unlink()
        return int(schema)

    def _audit(self, archive: ArchiveWriter) -> AuditHead:
        path = self.config.state_dir / AUDIT_FILE
        if not path.exists():
            return AuditHead(lines=0, head=GENESIS)
        try:
            chain = verify(path)
        except AuditError as error:
            raise Fault(Faults.AUDIT_BROKEN, f"no backup of what is broken: {error}") from None
        with path.open("rb") as stream:
            archive.add("state", AUDIT_FILE, stream, chain.size, 0o644)
        # It may have gone on in a new file after the segments were taken.
        taken = {kept.path for kept in archive.files}
        if any(f"{FOLDER}/{segment.name}" not in taken for segment in segments(path)):
            raise _ChangedError
        return AuditHead(lines=chain.lines, head=chain.head)


class _ChangedError(Exception):
    """What was taken does not fit together any more."""


def _there_already(target: Path) -> Fault:
    return Fault(Faults.BACKUP_REFUSED, f"{target} is there already: give another name")


def _stamps(sources: Sources) -> dict[str, tuple[int, int, int] | None]:
    return {source.path: _stamp(source) for source in sources.files}


def _stamp(source: Source) -> tuple[int, int, int] | None:
    try:
        status = source.file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
