"""A bundle on its way through the page: a file that is checked as soon as it is whole, and kept for
a quarter of an hour at most until somebody signs that it shall be installed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from spektron_edge.bundle.archive import MAX_TOTAL_BYTES
from spektron_edge.child.process import Child
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.state_folder import storage_fault

from .bundle_worker import RESULT, Action, Result
from .errors import Refused
from .threads import Threads

FOLDER, FILE = "incoming", "incoming.spektron"
KEPT_S = 900.0
_CHUNK_S, _WHOLE_S, _WORK_S, _POLL_S = 10.0, 600.0, 120.0, 0.1
_PIECE = 2**20
# This file, the copy that is verified, and the slot that is replaced after it; room for the daemon.
_COPIES, _SPARE = 3, 64 * 2**20


@dataclass
class Incoming:
    """folder: its own; writing: threads for the disk. One file at a time."""

    folder: Path
    writing: Threads
    found: Result | None = None
    _busy: bool = False
    _end: asyncio.TimerHandle | None = None

    @property
    def file(self) -> Path:
        """Where it lies."""
        return self.folder / FILE

    def clear(self) -> None:
        """Nothing is kept."""
        if self._end is not None:
            self._end.cancel()
        self.found, self._end = None, None
        shutil.rmtree(self.folder, ignore_errors=True)

    async def take(
        self, chunks: AsyncIterator[bytes], length: int, config: Path, who: str, serial: str | None
    ) -> Result:
        """What came, once it is verified; else nothing is kept. length: bytes as announced.

        Raises Refused(408, 409, 413), Fault.
        """
        if length > MAX_TOTAL_BYTES:
            raise _too_large()
        with self._alone():
            self.clear()
            try:
                await self.writing.run(functools.partial(self._room, length))
                await asyncio.wait_for(self._write(chunks), _WHOLE_S)
                found = await self._work("look", config, who, serial)
            except BaseException as error:
                self.clear()
                if isinstance(error, asyncio.TimeoutError):
                    raise _too_slow() from None
                raise
            self.found = found
            self._end = asyncio.get_running_loop().call_later(KEPT_S, self._too_old)
            return found

    async def install(self, sha256: str, config: Path, who: str, serial: str | None) -> Result:
        """Into the free slot; then nothing is kept here. Raises Refused(409), Fault."""
        with self._alone():
            if self.found is None or self.found.sha256 != sha256:
                told = "this file is not here any more"
                raise Refused(409, "no_file", told, "send it once more")
            try:
                return await self._work("install", config, who, serial)
            finally:
                self.clear()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if self._busy:
            told = "another bundle is being sent or installed"
            raise Refused(409, "incoming_busy", told, "wait until that is done")
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _too_old(self) -> None:
        if not self._busy:
            self.clear()

    def _room(self, length: int) -> None:
        try:
            self.folder.mkdir(parents=True, mode=0o700)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise storage_fault(error, self.folder) from None
        if free < _COPIES * length + _SPARE:
            detail = f"{free // 2**20} MiB are free, and installing it needs more"
            raise Fault(Faults.DISK_FULL, detail)

    async def _write(self, chunks: AsyncIterator[bytes]) -> None:
        piece, size = bytearray(), 0
        try:
            with self.file.open("wb") as stream:
                while True:
                    chunk = await _next(chunks)
                    size += len(chunk or b"")
                    if size > MAX_TOTAL_BYTES:
                        raise _too_large()
                    piece += chunk or b""
                    if piece and (chunk is None or len(piece) >= _PIECE):
                        await self.writing.run(functools.partial(stream.write, bytes(piece)))
                        piece.clear()
                    if chunk is None:
                        return
        except OSError as error:
            raise storage_fault(error, self.file) from None

    async def _work(self, action: Action, config: Path, who: str, serial: str | None) -> Result:
        # A name or a serial number may begin with a dash.
        arguments = ["--", action, str(config.resolve()), str(self.file), who, serial or ""]
        worker = "spektron_edge.page.bundle_worker"
        with Child(
            worker, arguments, _WORK_S, "looking at the bundle", Faults.BUNDLE_UNCHECKED
        ) as child:
            while child.running:
                await asyncio.sleep(_POLL_S)
            child.check("send it once more")
        try:
            return Result.model_validate_json((self.folder / RESULT).read_bytes())
        except (OSError, ValueError):
            raise Fault(Faults.BUNDLE_UNCHECKED, "what was found is not there") from None


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    """None at the end. Raises Refused(408)."""
    try:
        return await asyncio.wait_for(anext(chunks, None), _CHUNK_S)
    except asyncio.TimeoutError:
        # An OSError since Python 3.11.
        raise _too_slow() from None


def _too_slow() -> Refused:
    return Refused(408, "slow", "the file came too slowly")


def _too_large() -> Refused:
    return Refused(413, "too_large", f"a bundle holds {MAX_TOTAL_BYTES // 2**20} MiB at most")
