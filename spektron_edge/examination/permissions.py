"""Whether the daemon's user may read and write what it has to, and nobody else its secrets."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE
from spektron_edge.outbox.errors import SIDE_FILES
from spektron_edge.support.removal import secret_files

from .finding import Finding, bad, ok, warning
from .subject import Subject
from .users import ENTER, READ, WRITE, User, daemon_user

PART = "permissions"
_MOST_BYTES = 64 * 1024
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
        wanted += ((file, READ | WRITE) for file in _opened_to_write(config.state_dir))
    for path, want in wanted:
        if (found := _denied(user, path, want)) is not None:
            fine = False
            yield found
    for path in secret_files(config):
        if _secret(path) and (open_to := stat.S_IMODE(path.stat().st_mode)) & _TOO_OPEN:
            fine = False
            told = f"{path} is a secret, and its mode {open_to:04o} opens it to others"
            yield warning(PART, told, f"chmod 600 {path}")
    if fine:
        yield ok(PART, f"{user.name} may read and write what it has to, and secrets are its own")


def _opened_to_write(state_dir: Path) -> Iterator[Path]:
    """What the daemon does not replace but goes on in: made by root, it would be in its way."""
    return (
        state_dir / name
        for name in (OUTBOX_FILE, *(f"{OUTBOX_FILE}{side}" for side in SIDE_FILES), AUDIT_FILE)
    )


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
