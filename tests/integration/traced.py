"""System calls of a process, from strace, and what a power cut would leave of its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_TRACED = "pwrite64,write,fsync,fdatasync,ftruncate,sendto,sendmsg"
STRACE = ("strace", "-f", "-y", "-xx", "-s", "100000", f"--trace={_TRACED}", "-o")

_CALL = re.compile(r"(\d+) +(\w+)\((\d+)<([^>]*)>(.*)")
_RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>")
_DATA = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_NUMBERS = re.compile(r", (\d+)(?:, (\d+))?(?:\)| <unfinished)")


@dataclass(frozen=True)
class Call:
    """One system call on an open file. begun: false when a call of before has come back."""

    name: str
    begun: bool
    returned: bool
    thread: int
    file: Path
    data: bytes = b""
    at: int = 0


def calls(trace: Path) -> Iterator[Call]:
    """In the order of the kernel's; a call that lasted comes twice, when it began and returned."""
    lasting: dict[int, Call] = {}
    for line in trace.read_text("ascii").splitlines():
        if (again := _RESUMED.match(line)) is not None:
            call = lasting.pop(int(again[1]), None)
            if call is not None:
                yield Call(call.name, False, True, call.thread, call.file)
            continue
        if (found := _CALL.match(line)) is None:
            continue
        thread, name, rest = int(found[1]), found[2], found[5]
        data = b"".join(map(_unhex, _DATA.findall(rest)))
        numbers = _NUMBERS.search(rest)
        at = 0
        if numbers is not None:
            at = int((numbers[2] if name == "pwrite64" else numbers[1]) or 0)
        returned = "<unfinished" not in rest
        file = Path(_unhex(found[4]).decode())
        call = Call(name, True, returned, thread, file, data, at)
        if not returned:
            lasting[thread] = call
        yield call


def _unhex(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


@dataclass
class Disk:
    """Contents of files: what was written, and of that what was synced."""

    written: dict[str, bytearray] = field(default_factory=dict)
    synced: dict[str, bytes] = field(default_factory=dict)
    _syncing: dict[int, bytes] = field(default_factory=dict)

    def take(self, call: Call) -> bool:
        """Take note of a call; true when more is synced than before."""
        name = call.file.name
        content = self.written.setdefault(name, bytearray())
        if call.name == "pwrite64" and call.begun:
            content.extend(bytes(max(0, call.at - len(content))))
            content[call.at : call.at + len(call.data)] = call.data
        elif call.name == "ftruncate" and call.begun:
            del content[call.at :]
        elif call.name in ("fsync", "fdatasync"):
            if call.begun:
                # What is written while it lasts may be left out.
                self._syncing[call.thread] = bytes(content)
            if call.returned:
                self.synced[name] = self._syncing.pop(call.thread)
                return True
        return False

    def after_a_power_cut(self, folder: Path) -> None:
        """Write what was synced, and nothing else, into an empty folder."""
        for name, content in self.synced.items():
            (folder / name).write_bytes(content)
