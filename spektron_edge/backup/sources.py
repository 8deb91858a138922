"""What a backup takes: files of the state folder, and those that the configuration names."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from spektron_edge.config.file import Config
from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE

from .kinds import ANYTHING, Place, kind_of
from .manifest import Where, is_inner_path

# Copied by themselves: the daemon writes to them at any time.
LIVE = (OUTBOX_FILE, AUDIT_FILE)
_KEY_BYTES = 64 * 1024
_ONLY_OWNER = 0o077


@dataclass(frozen=True)
class Source:
    """A file. path: as the manifest has it; secret: it may leave the device encrypted only."""

    where: Where
    path: str
    file: Path
    secret: bool

    @property
    def shown(self) -> str:
        """For a reader."""
        return self.path if self.where == "state" else f"{self.path} (configuration)"


@dataclass(frozen=True)
class Sources:
    """left_out: what cannot be taken, and why."""

    files: tuple[Source, ...]
    left_out: tuple[str, ...]


def state_sources(folder: Path) -> Sources:
    """All of the state folder but LIVE, sorted by path. Raises OSError."""
    files, left_out = [], []
    for at, _, names in os.walk(folder):
        for name in names:
            file = Path(at) / name
            path = file.relative_to(folder).as_posix()
            kind = kind_of(path)
            if kind.place is Place.LEFT_OUT or path in LIVE:
                continue
            try:
                status = file.lstat()
            except FileNotFoundError:
                continue
            if not stat.S_ISREG(status.st_mode) or not is_inner_path(path):
                left_out.append(f"{path}: a link, no file, or a name that no file of ours has")
                continue
            private = kind is ANYTHING and not status.st_mode & _ONLY_OWNER
            secret = kind.place is Place.SEALED or private or _holds_key(file)
            files.append(Source("state", path, file, secret))
    return Sources(tuple(sorted(files, key=lambda s: s.path)), tuple(left_out))


def config_sources(config: Config, folder: Path) -> Sources:
    """Files that the configuration names. folder: of the configuration."""
    mqtt, page = config.mqtt, config.page
    plain = [mqtt.ca_file, mqtt.cert_file, page.certificate, config.acquisition.axis_file]
    plain += [config.bundle] if isinstance(config.bundle, Path) else []
    plain += _trusted(config)
    files: dict[str, Source] = {}
    left_out = []
    for named, hidden in [*((p, True) for p in config.secret_files), *((p, False) for p in plain)]:
        if named is None:
            continue
        path = _under(named, folder)
        if not _is_file(named) or not is_inner_path(path.removeprefix("/")):
            left_out.append(f"{named}: not there, no file, or a name that cannot be kept")
            continue
        source = Source("config", path, named, hidden or _holds_key(named))
        files.setdefault(path, source)
    return Sources(tuple(files.values()), tuple(left_out))


def _trusted(config: Config) -> list[Path]:
    if config.trust is None:
        return []
    return sorted(p for p in config.trust.keys.glob("*") if p.suffix in (".pem", ".json"))


def _under(file: Path, folder: Path) -> str:
    plain = Path(os.path.normpath(file.absolute()))
    return str(plain.relative_to(folder)) if plain.is_relative_to(folder) else str(plain)


def _is_file(path: Path) -> bool:
    # In a folder that may not be looked into, pathlib raises.
    with contextlib.suppress(OSError):
        return path.is_file()
    return False


def _holds_key(file: Path) -> bool:
    """Files of certificates may hold the key as well."""
    try:
        with file.open("rb") as stream:
            return b"PRIVATE KEY" in stream.read(_KEY_BYTES)
    except OSError:
        return False
