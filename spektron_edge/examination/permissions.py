"""Whether the daemon's user may read and write what it has to, and nobody else its secrets."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from spektron_edge.config.file import Config
from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE
from spektron_edge.support.removal import secret_files

from .finding import Finding, bad, ok, warning
from .subject import Subject
from .users import ENTER, READ, WRITE, User, daemon_user

PART = "permissions"
_MOST_BYTES, _MOST_NAMED = 64 * 1024, 3
_WRITTEN_TO = (OUTBOX_FILE, AUDIT_FILE)
# Others may do nothing, and a group may read: that of a service, for instance.
_TOO_OPEN = 0o037


def look(subject: Subject) -> Iterator[Finding]:
    """Raises OSError."""
    config = subject.config
    user, fine = daemon_user(config.state_dir), True
    wanted = [(subject.path, READ), *((path, READ) for path in secret_files(config))]
    if not config.uses_slots:
        wanted.append((config.bundle_path, READ))
    if config.state_dir.is_dir():
        wanted.append((config.state_dir, READ | WRITE | ENTER))
    for path, want in wanted:
        if (found := _denied(user, path, want)) is not None:
            fine = False
            yield found
    if closed := _closed(user, config.state_dir):
        fine = False
        named = ", ".join(str(path) for path in closed[:_MOST_NAMED])
        more = f" and {len(closed) - _MOST_NAMED} more" if len(closed) > _MOST_NAMED else ""
        said = f"{user.name}, who runs the daemon, may not use {named}{more}: made as another user"
        yield bad(PART, said, f"chown -R {user.name}: {config.state_dir}")
    for path in exposed(config):
        fine = False
        told = f"{path} is a secret, and its mode {_mode(path):04o} opens it to others"
        yield warning(PART, told, closing(path))
    if fine:
        yield ok(PART, f"{user.name} may read and write what it has to, and secrets are its own")


def _closed(user: User, folder: Path) -> list[Path]:
    """What lies in the state folder and the daemon cannot use. Most files are replaced as a whole,
    for which their folder has to be writable."""
    found = []
    for at, _, names in os.walk(folder):
        if Path(at) != folder and not user.may(Path(at), READ | WRITE | ENTER):
            found.append(Path(at))
            continue
        for name in names:
            want = READ | WRITE if name.startswith(_WRITTEN_TO) else READ
            with contextlib.suppress(FileNotFoundError):
                if not user.may(Path(at) / name, want):
                    found.append(Path(at) / name)
    return sorted(found)


def exposed(config: Config) -> list[Path]:
    """Files of keys and passwords that others on this machine may do anything to."""
    return [path for path in secret_files(config) if _secret(path) and _mode(path) & _TOO_OPEN]


def closing(path: Path) -> str:
    """The command that closes it to others; who may read it in a group still may."""
    return f"chmod g-wx,o= {path}"


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _denied(user: User, path: Path, want: int) -> Finding | None:
    # What is not there is for its own look to say.
    if not path.exists() or user.may(path, want):
        return None
    verb = "write to" if want & WRITE else "read"
    step = f"chown {user.name} {path}, or open it and the folders above it to that user"
    return bad(PART, f"{user.name}, who runs the daemon, may not {verb} {path}", step)


def _secret(path: Path) -> bool:
    """Files of certificates are no secret, unless they hold the key as well."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES)
    except OSError:
        # Not there, or well closed.
        return False
    return b"PRIVATE KEY-----" in data or b"-----BEGIN" not in data
