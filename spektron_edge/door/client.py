"""The other side of the door, for the instrument's page and for other programs on this machine.

`DoorStream` is one connection, read by whoever holds it. `DoorClient` lives in an asyncio program,
comes back by itself, and keeps answers apart from everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from spektron_edge.commands.arguments import Argument
from spektron_edge.roles import Role

from .asking import Command, Note
from .lines import MOST_SENT, Lines

Message = dict[str, Any]
_AGAIN_S = (0.1, 0.2, 0.5, 1.0, 2.0)
_MOST_KEPT = 2048


class DoorAway(Exception):
    """The daemon is not there, or went before it answered; the message says which."""


class DoorStream:
    """One connection, without threads. Raises OSError where there is no daemon."""

    def __init__(self, path: Path, timeout_s: float = 10.0) -> None:
        """timeout_s: how long `receive` waits, then raises TimeoutError."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout_s)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._lines = Lines(MOST_SENT)
        self._waiting: deque[bytes | None] = deque()

    def receive(self) -> Message:
        """The next message. Raises DoorAway at the end, OSError."""
        while not self._waiting:
            data = self._socket.recv(2**16)
            if not data:
                raise DoorAway("the daemon ended the connection")
            self._waiting.extend(self._lines.feed(data))
        return _message(self._waiting.popleft())

    def send(self, line: Command | Note) -> None:
        """Ask for something; the answer has its id."""
        self.send_bytes(line.model_dump_json().encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        """The same, as it stands."""
        self._socket.sendall(data)

    def until(self, type_: str, **fields: object) -> Message:
        """The next message of a type and with such fields; others are passed over."""
        while True:
            found = self.receive()
            if found["type"] == type_ and fields.items() <= found.items():
                return found

    def __enter__(self) -> DoorStream:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


class DoorClient:
    """Used as `async with`; `messages` has one reader. connected: whether the daemon is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._messages: deque[Message] = deque()
        self._come = asyncio.Event()
        self._answers: dict[str, asyncio.Queue[Message | None]] = {}
        self._ids = itertools.count(1)
        self._writer: asyncio.StreamWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    @property
    def connected(self) -> bool:
        """Whether the daemon is there."""
        return self._writer is not None

    async def __aenter__(self) -> DoorClient:
        self._task = asyncio.create_task(self._stay())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def messages(self) -> AsyncIterator[Message]:
        """Everything but answers that `ask` waits for; `{"type": "connection", "door": bool}` where
        the daemon comes or goes. A reader who is far behind loses the oldest (`dropped`)."""
        while True:
            while self._messages:
                yield self._messages.popleft()
            self._come.clear()
            await self._come.wait()

    def new_id(self) -> str:
        """For a command or a note of this client."""
        return f"{next(self._ids)}"

    async def command(
        self,
        name: str,
        arguments: Mapping[str, Argument] | None = None,
        *,
        by: str,
        role: Role,
        meaning: str | None = None,
        wait_s: float = 20.0,
    ) -> Message:
        """The last answer, or where that takes longer than wait_s the one that says `accepted`; the
        last one then comes among the `messages`. Raises DoorAway, and ValidationError for what can
        be no command."""
        line = Command(
            id=self.new_id(),
            name=name,
            arguments=dict(arguments or {}),
            by=by,
            role=role,
            meaning=meaning,
        )
        return await self.ask(line, wait_s)

    async def note(
        self,
        what: str,
        who: str,
        details: Mapping[str, str | int | bool | None] | None = None,
        wait_s: float = 20.0,
    ) -> Message:
        """The answer, `ok` once the line is in the audit log. Raises as `command`."""
        line = Note(id=self.new_id(), what=what, who=who, details=dict(details or {}))
        return await self.ask(line, wait_s)

    async def ask(self, line: Command | Note, wait_s: float) -> Message:
        """See `command`."""
        if self._writer is None:
            raise DoorAway("the daemon is not there; nothing was asked")
        answers: asyncio.Queue[Message | None] = asyncio.Queue()
        self._answers[line.id] = answers
        found: Message | None = None
        try:
            self._writer.write(line.model_dump_json().encode() + b"\n")
            deadline = asyncio.get_running_loop().time() + wait_s
            while found is None or found["stage"] == "accepted":
                left_s = deadline - asyncio.get_running_loop().time()
                try:
                    following = await asyncio.wait_for(answers.get(), max(left_s, 0.0))
                except asyncio.TimeoutError:
                    break
                if following is None:
                    raise DoorAway("the daemon went before it answered; it may have been done")
                found = following
        finally:
            del self._answers[line.id]
        if found is None:
            raise DoorAway(f"no answer within {wait_s:g} s; it may be done yet")
        return found

    async def _stay(self) -> None:
        delays = iter(_AGAIN_S)
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(self._path, limit=2 * MOST_SENT)
            except OSError:
                await asyncio.sleep(next(delays, _AGAIN_S[-1]))
                continue
            try:
                self._writer = writer
                self._put({"type": "connection", "door": True})
                while line := await reader.readline():
                    # Who is turned away is told so, and then shown out.
                    delays = iter(_AGAIN_S) if line.startswith(b'{"type":"hello"') else delays
                    self._sort(_message(line))
            except (OSError, ValueError, DoorAway):
                pass
            finally:
                self._writer = None
                writer.close()
                for answers in self._answers.values():
                    answers.put_nowait(None)
                self._put({"type": "connection", "door": False})
            await asyncio.sleep(next(delays, _AGAIN_S[-1]))

    def _sort(self, message: Message) -> None:
        if message["type"] == "answer" and message["id"] in self._answers:
            self._answers[message["id"]].put_nowait(message)
        else:
            self._put(message)

    def _put(self, message: Message) -> None:
        if len(self._messages) >= _MOST_KEPT:
            self._messages.popleft()
            self.dropped += 1
        self._messages.append(message)
        self._come.set()


def _message(line: bytes | None) -> Message:
    if line is None:
        raise DoorAway(f"a line is longer than {MOST_SENT} bytes: it is another program")
    found = json.loads(line)
    if not isinstance(found, dict) or not isinstance(found.get("type"), str):
        raise DoorAway("what came is no message: it is another program")
    return found
