"""Reports of qualifications as files: whether they are whole, and what a list shows of them.

All of this blocks.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from spektron_edge.bundle.device_key import load_device_key
from spektron_edge.bundle.device_signature import signer_of
from spektron_edge.faults import Fault, Faults
from spektron_edge.qualification.controls import levels_of
from spektron_edge.qualification.keeping import folder_of, kept
from spektron_edge.qualification.report import Signed, page_name
from spektron_edge.qualification.seal import Sealed

from .errors import absent

Whole = Literal["whole", "other_key", "broken", "not_there"]


@dataclass(frozen=True)
class Seen:
    """whole: whether it is there as this device has signed it; levels: limits of a control
    sample's figure, by its title."""

    whole: Whole
    signatures: tuple[Signed, ...] = ()
    levels: Mapping[str, dict[str, float]] = field(default_factory=dict)


def seen(state_dir: Path, number: int) -> Seen:
    """Verified again only where a file of it or the device's key was changed."""
    try:
        folder = folder_of(state_dir, number)
        stamp = tuple(
            (path.name, path.stat().st_mtime_ns, path.stat().st_size)
            for path in sorted(folder.iterdir())
        )
        key = _own_key(state_dir)
    except (Fault, OSError):
        return Seen("not_there")
    return _looked_at(state_dir, number, key, stamp)


@functools.lru_cache(maxsize=128)
def _looked_at(
    state_dir: Path, number: int, key: bytes, _: tuple[tuple[str, int, int], ...]
) -> Seen:
    try:
        sealed = kept(state_dir, number, key)
    except Fault as fault:
        if fault.kind is not Faults.QUALIFICATION_BROKEN:
            return Seen("not_there")
        return Seen("other_key" if _by_another_key(state_dir, number) else "broken")
    levels = {figure.title: levels_of(figure) for figure in sealed.report.figures}
    return Seen("whole", sealed.signatures, levels)


def _by_another_key(state_dir: Path, number: int) -> bool:
    """A box that was replaced, or whose key was."""
    try:
        kept(state_dir, number, None)
    except Fault:
        return False
    return True


def document_of(state_dir: Path, number: int) -> tuple[bytes, str]:
    """A report as it was signed, and its name. Raises as `page_of`."""
    folder, sealed = _verified(state_dir, number)
    return sealed.bytes, f"qualification-{folder.name}.json"


def page_of(state_dir: Path, number: int) -> tuple[bytes, str]:
    """A report for people, and its name. Raises Refused(404), Fault(QUALIFICATION_BROKEN)."""
    folder, sealed = _verified(state_dir, number)
    path = folder / page_name(len(sealed.signatures))
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    if hashlib.sha256(data).hexdigest() != sealed.page:
        raise Fault(Faults.QUALIFICATION_BROKEN, f"{path} was changed meanwhile")
    return data, f"qualification-{folder.name}.html"


def _verified(state_dir: Path, number: int) -> tuple[Path, Sealed]:
    try:
        folder = folder_of(state_dir, number)
    except Fault:
        raise absent("there is no report of that number") from None
    return folder, kept(state_dir, number, _own_key(state_dir))


def _own_key(state_dir: Path) -> bytes:
    """This device's, which is not made by reading. Raises Fault(KEY_UNUSABLE)."""
    return signer_of(load_device_key(state_dir)).public
