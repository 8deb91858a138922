"""Bring a backup onto a device: verified as a whole before anything is written, and placed so that
a power cut leaves what was there or what was restored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from spektron_edge.bundle.keys import DeviceKey
from spektron_edge.config.file import Config
from spektron_edge.config.loading import load_config, understand_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files import placing
from spektron_edge.files.audit_segments import broken_segments
from spektron_edge.files.durable import share_with_owner, sync_folder, write_durably
from spektron_edge.files.state_folder import AUDIT_FILE, lock_state, storage_fault
from spektron_edge.support.state_report import inspect_in_use

from .archive_reader import OpenBackup, open_backup
from .made_safe import Restorer, make_safe
from .manifest import OPEN_MODES, Manifest
from .opened_secrets import Secrets, open_secrets
from .sealing import Passphrase
from .targets import Target, config_targets, occupied, outside

_CONFIG_BYTES = 256 * 2**20
_SPARE_BYTES = 16 * 2**20
_FOR_GROUP = 0o040


@dataclass(frozen=True)
class Wish:
    """config: where the configuration is, or will be; replace: set aside what is there;
    keep_config: go by the configuration that is there; by: what opens keys and accounts; signer: id
    of the key that has to have signed; who: does it."""

    config: Path
    replace: bool
    keep_config: bool
    by: Passphrase | DeviceKey | None
    signer: str | None
    who: str


@dataclass(frozen=True)
class Restored:
    """What was done, or would be. before: where what was there lies now; files: of the
    configuration, that were written; in_the_way: what would keep it from being done; broken: where
    the audit log's older parts did not hold any more when the backup was made."""

    manifest: Manifest
    signer: str
    known: bool
    keys: bool
    config: Config
    files: tuple[Path, ...]
    before: Path | None
    in_the_way: tuple[str, ...]
    broken: str = ""

    @property
    def log(self) -> Path:
        """The audit log that goes on."""
        return self.config.state_dir / AUDIT_FILE


def restore(path: Path, wish: Wish, tell: Callable[[str], None], *, dry_run: bool) -> Restored:
    """dry_run: only say what would be done. tell: how far it is.

    Raises Fault(BACKUP_INVALID, BACKUP_REFUSED, CONFIG_INVALID, CLOCK_SUSPECT, STATE_IN_USE,
    STATE_UNWRITABLE, DISK_FULL); then the state folder is as it was.
    """
    tell("verifying all of it")
    with open_backup(path) as backup:
        try:
            plan = _Plan.of(backup, wish)
            plan.check()
            done = plan.result()
            if dry_run:
                return done
            if done.in_the_way:
                raise _refused("; ".join(done.in_the_way))
            before = plan.carry_out(tell)
            return replace(done, before=before, broken=broken_segments(done.log))
        except OSError as error:
            raise storage_fault(error, wish.config) from None


@dataclass(frozen=True)
class _Plan:
    backup: OpenBackup
    wish: Wish
    secrets: Secrets
    config: Config
    targets: list[Target]
    contents: dict[Path, bytes]

    @staticmethod
    def of(backup: OpenBackup, wish: Wish) -> _Plan:
        secrets = open_secrets(backup, wish.by, wish.signer)
        if wish.keep_config:
            return _Plan(backup, wish, secrets, load_config(wish.config), [], {})
        folder, manifest = wish.config.absolute().parent, backup.manifest
        # They are held in memory until they are placed.
        if sum(k.bytes for k in manifest.files if k.where == "config") > _CONFIG_BYTES:
            detail = f"its configuration's files are larger than {_CONFIG_BYTES // 2**20} MB"
            raise Fault(Faults.BACKUP_INVALID, detail)
        files = {
            kept: backup.read(kept, _CONFIG_BYTES)
            for kept in manifest.files
            if kept.where == "config"
        }
        files |= {kept: data for kept, data in secrets.held.items() if kept.where == "config"}
        text = next((data for kept, data in files.items() if kept.path == manifest.config), None)
        if text is None:
            raise Fault(Faults.BACKUP_INVALID, "it holds no configuration")
        config = understand_config(text.decode("utf-8-sig", "replace"), wish.config)
        # The file keeps the name that was asked for.
        named = {
            (kept.model_copy(update={"path": wish.config.name}), data)
            if kept.path == manifest.config
            else (kept, data)
            for kept, data in files.items()
        }
        targets = config_targets(sorted(named, key=lambda item: item[0].path), folder)
        contents = {folder / kept.path: data for kept, data in named}
        return _Plan(backup, wish, secrets, config, targets, contents)

    def check(self) -> None:
        """Raises Fault, and nothing was written."""
        wish, state = self.wish, self.config.state_dir
        made = self.backup.manifest.made
        if (now := datetime.now(timezone.utc)) < made:
            detail = f"the clock shows {now:%Y-%m-%d %H:%M} UTC, before the backup was made"
            raise Fault(Faults.CLOCK_SUSPECT, f"{detail} ({made:%Y-%m-%d %H:%M}); nothing was done")
        elsewhere = outside(self.targets, self.config, wish.config.absolute().parent)
        if not wish.keep_config and elsewhere and not self.secrets.known:
            raise _refused(
                f"it would write to {', '.join(map(str, elsewhere))}, and nothing shows whose "
                f"backup it is: give --signer {self.backup.signer} if that is your device's "
                "(`spektron-edge backup` named it), or --passphrase-file"
            )
        free = shutil.disk_usage(_existing(state)).free
        if (needed := self.backup.manifest.total_bytes + _SPARE_BYTES) > free:
            detail = f"{needed} bytes are needed in {state}, and {free} are free"
            raise Fault(Faults.DISK_FULL, detail)

    @property
    def in_the_way(self) -> list[str]:
        """What is there and is not to be replaced; what would help."""
        found: list[str] = []
        if self.wish.replace:
            return found
        if occupied(self.config.state_dir):
            found.append(f"{self.config.state_dir} is in use: --replace sets aside what is there")
        if others := [str(t.path) for t in self.targets if t.there and not t.same]:
            found.append(
                f"other files are there: {', '.join(others)}: --replace sets them aside, "
                "--keep-config goes by them"
            )
        return found

    def carry_out(self, tell: Callable[[str], None]) -> Path | None:
        """Returns where what was there lies now."""
        state = self.config.state_dir
        _make_folder(state)
        with lock_state(state):
            placing.finish(state)
            aside = occupied(state)
            if aside and not self.wish.replace:
                raise _refused(f"{state} is in use: --replace sets aside what is there")
            staged = placing.stage(state)
            try:
                self._unpack(staged, tell)
                keys = bool(self.secrets.held)
                by = Restorer(self.wish.who, self.secrets.known, keys)
                make_safe(staged, self.backup, self.config, by)
                self._look_at(staged)
                _settle(staged)
                tell("the configuration's files")
                self._write_config()
            except BaseException:
                placing.drop(staged)
                raise
            tell("taking its place")
            before = placing.begin(state, replace=aside)
            placing.finish(state)
        return before

    def _unpack(self, staged: Path, tell: Callable[[str], None]) -> None:
        files = [kept for kept in self.backup.manifest.files if kept.where == "state"]
        for number, kept in enumerate(files, 1):
            tell(f"{number} of {len(files)} files: {kept.path}")
            with _create(staged / kept.path, kept.mode & OPEN_MODES) as stream:
                self.backup.copy(kept, stream)
        for kept, data in self.secrets.held.items():
            if kept.where == "state":
                with _create(staged / kept.path, 0o600) as stream:
                    stream.write(data)

    def _look_at(self, staged: Path) -> None:
        """Whether this version can use it all."""
        try:
            # The log that goes on was followed already. A broken segment is told, and refuses
            # nothing: all else is needed all the same.
            inspect_in_use(staged)
        except Fault as fault:
            raise Fault(Faults.BACKUP_INVALID, f"unpacked, {fault.detail}") from None

    def _write_config(self) -> None:
        for target in self.targets:
            if target.same:
                continue
            _make_folder(target.path.parent)
            if target.there:
                _set_aside(target.path)
            mode = target.kept.mode & OPEN_MODES
            write_durably(target.path, self.contents[target.path], mode)
            if not mode & _FOR_GROUP:
                # The folder may be root's; who has to read it is whoever runs the daemon.
                share_with_owner(target.path, self.config.state_dir)

    def result(self) -> Restored:
        """What would be done."""
        files = tuple(target.path for target in self.targets if not target.same)
        return Restored(
            self.backup.manifest,
            self.backup.signer,
            self.secrets.known,
            bool(self.secrets.held),
            self.config,
            files,
            None,
            tuple(self.in_the_way),
        )


def _refused(detail: str) -> Fault:
    return Fault(Faults.BACKUP_REFUSED, detail)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir()
        share_with_owner(folder)


def _set_aside(path: Path) -> None:
    number = 1
    while (before := path.with_name(f"{path.name}.{placing.BEFORE}{number}")).exists():
        number += 1
    path.rename(before)
    sync_folder(path.parent)


def _create(path: Path, mode: int) -> BinaryIO:
    _make_folder(path.parent)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def _settle(staged: Path) -> None:
    """All of it survives a power cut."""
    for at, _, names in os.walk(staged):
        for name in names:
            path = Path(at) / name
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
            share_with_owner(path)
        sync_folder(Path(at))
