"""Members of a zip, read under caps: what a file claims is checked before anything is unpacked.

Python's zipfile loads the whole directory of a file, however long, so its size is looked at first.
"""

from __future__ import annotations

import contextlib
import stat
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .errors import BundleError
from .manifest import is_plain_name

# The end-of-directory record: signature, disks, entries, size and offset of the directory, comment.
_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE, _ZIP64_LOCATOR, _ZIP64_LOCATOR_BYTES = b"PK\x05\x06", b"PK\x06\x07", 20
_DIRECTORY_BYTES_PER_MEMBER = 512
_UNREADABLE_FLAGS = 0x1 | 0x20 | 0x40  # encrypted, a patch, strongly encrypted


@dataclass(frozen=True)
class Caps:
    """Most that an archive may hold: members, bytes of one unpacked, bytes of all unpacked."""

    members: int
    member_bytes: int
    total_bytes: int


def read_members(stream: BinaryIO, caps: Caps) -> dict[str, bytes]:
    """Every member of a zip by name. Raises as `checked_zip`."""
    with checked_zip(stream, caps) as archive:
        return {info.filename: _read(archive, info) for info in archive.infolist()}


@contextlib.contextmanager
def checked_zip(
    stream: BinaryIO, caps: Caps, is_name: Callable[[str], bool] = is_plain_name
) -> Iterator[zipfile.ZipFile]:
    """A zip of which nothing was unpacked yet, and every member's claims were looked at.

    Raises BundleError for what is beyond the caps or of a kind that no bundle holds, and whatever
    zipfile raises for what is no zip.
    """
    _check_directory(stream, caps)
    with zipfile.ZipFile(stream) as archive:
        infos = archive.infolist()
        if len(infos) > caps.members or sum(i.file_size for i in infos) > caps.total_bytes:
            raise BundleError("it is larger than it may be; it is not read")
        seen: set[str] = set()
        for info in infos:
            _check(info, caps, is_name)
            if info.filename in seen:
                raise BundleError(f"member {info.filename!r} appears twice")
            seen.add(info.filename)
        yield archive


def write_members(target: Path | BinaryIO, entries: Iterable[tuple[str, bytes]]) -> None:
    """A zip whose bytes depend on its contents only: this order, one time."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in entries:
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)


def _check_directory(stream: BinaryIO, caps: Caps) -> None:
    size = stream.seek(0, 2)
    if size < _END.size:
        raise zipfile.BadZipFile("too short for a zip")
    # Packed contents are hardly longer than what they unpack to.
    if size > caps.total_bytes + caps.members * _DIRECTORY_BYTES_PER_MEMBER:
        raise BundleError("it is larger than it may be; it is not read")
    stream.seek(size - _END.size)
    signature, *_, entries, length, offset, comment = _END.unpack(stream.read(_END.size))
    if signature != _END_SIGNATURE or comment:
        raise zipfile.BadZipFile("cut short, or something was added at its end")
    if entries > caps.members or length > caps.members * _DIRECTORY_BYTES_PER_MEMBER:
        raise BundleError("it is larger than it may be; it is not read")
    if offset + length != size - _END.size:
        raise zipfile.BadZipFile("something was added at its beginning")
    stream.seek(max(0, size - _END.size - _ZIP64_LOCATOR_BYTES))
    if stream.read(4) == _ZIP64_LOCATOR:
        raise zipfile.BadZipFile("a zip64 archive, which no bundle is")
    stream.seek(0)


def _check(info: zipfile.ZipInfo, caps: Caps, is_name: Callable[[str], bool]) -> None:
    name = info.filename
    if info.orig_filename != name or not is_name(name):
        raise BundleError(f"member name {info.orig_filename!r} must be a plain file name")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise BundleError(f"member {name!r} is a link, folder or device, not a file")
    if info.flag_bits & _UNREADABLE_FLAGS:
        raise BundleError(f"member {name!r} is encrypted by zip, which no bundle uses")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BundleError(f"member {name!r} is compressed in a way that no bundle uses")
    if info.file_size > caps.member_bytes:
        raise BundleError(f"member {name!r} is larger than a member may be")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as stream:
        # The declared size can lie: read no more than it promised.
        data = stream.read(info.file_size + 1)
    if len(data) != info.file_size:
        raise BundleError(f"member {info.filename!r} is not as long as it claims")
    return data
