"""A draft becomes files: each as a whole, the configuration last, and Ctrl-C waits meanwhile."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

from spektron_edge.faults import Fault
from spektron_edge.files.durable import write_durably
from spektron_edge.files.state_folder import storage_fault
from spektron_edge.page.certificate import make

from .document import Draft
from .place import hand_over

_MODE = 0o640
_SECRET = 0o600


def write(draft: Draft) -> list[Path]:
    """What was written. Raises Fault(STATE_UNWRITABLE, DISK_FULL, PAGE_UNSERVED); then everything
    is as it was, but for a new certificate."""
    written: list[Path] = []
    with _uninterrupted():
        # The file itself, not a link to it.
        path = draft.path.resolve()
        folder = path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _make_state_folder(draft)
            if draft.certificate_for:
                made = make(folder, draft.certificate_for)
                hand_over(made.key, draft.path)
                written += [made.certificate, made.key]
            with _kept(draft.password_file):
                if draft.password is not None:
                    write_durably(draft.password_file, draft.password.encode() + b"\n", _SECRET)
                    hand_over(draft.password_file, draft.path)
                    written.append(draft.password_file)
                if draft.diff:
                    write_durably(path, draft.text.encode(), _mode(path))
                    written.append(draft.path)
        except OSError as error:
            raise storage_fault(error, folder) from None
    return written


def _make_state_folder(draft: Draft) -> None:
    folder = draft.config.state_dir
    if not folder.exists():
        folder.mkdir(parents=True, mode=0o750)
        hand_over(folder, draft.path)


def _mode(path: Path) -> int:
    """As it is; nothing in it is a secret, and it is nobody's business."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return _MODE


@contextlib.contextmanager
def _kept(path: Path) -> Iterator[None]:
    """What a file held is put back where something fails. Raises OSError."""
    try:
        before = path.read_bytes()
    except FileNotFoundError:
        before = None
    try:
        yield
    except (OSError, Fault):
        with contextlib.suppress(OSError):
            if before is None:
                path.unlink(missing_ok=True)
            elif path.read_bytes() != before:
                owner = path.stat()
                write_durably(path, before, _SECRET)
                os.chown(path, owner.st_uid, owner.st_gid)
        raise


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits. Blocking the signal would leave it to other threads, which pass it on."""
    interrupts: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: interrupts.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt
