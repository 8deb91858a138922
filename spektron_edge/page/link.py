"""What the daemon says through its door: the last of each, and who listens."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from pydantic import ValidationError

from spektron_edge import log
from spektron_edge.commands.arguments import Argument
from spektron_edge.door.client import DoorAway, DoorClient
from spektron_edge.files.ledger import Action
from spektron_edge.roles import Role

from .errors import Refused
from .stream import Stream, framed

MOST_STREAMS = 16
KEPT_SPECTRA = 200
# A daemon that runs tells its state every two seconds, but for what it does at a stretch.
SILENT_S = 15.0
# A line of the audit log keeps somebody waiting; what comes late is noted twice.
_NOTE_S = 5.0
_LIVE = frozenset({"prediction", "event", "state", "model", "spectrum", "axis", "faults"})


class Link:
    """Belongs to the event loop. known: type -> the last message of it; connected: that the daemon
    is there, and says something; silent: it is there, and has said nothing for SILENT_S."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """now: seconds of a clock that only runs forward."""
        self._now = now
        self.known: dict[str, dict[str, Any]] = {}
        self.spectra: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.streams: set[Stream] = set()
        self.connected = self.silent = False
        self.since = self._heard_utc = utc_now()
        self._heard = now()
        self._client: DoorClient | None = None

    @property
    def connection(self) -> dict[str, object]:
        """As it is told."""
        return {"door": self.connected, "silent": self.silent, "since": self.since}

    async def follow(self, client: DoorClient) -> None:
        """Take what comes through the door, for as long as the page runs."""
        self._client = client
        watching = asyncio.create_task(self._watch())
        try:
            async for message in client.messages():
                try:
                    self.take(message)
                except (LookupError, TypeError, ValueError, AttributeError) as error:
                    log.warn("page_door_message", type=message.get("type"), detail=repr(error))
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.look()

    def look(self) -> None:
        """Whether the daemon has hung: its socket stays open then, and nothing comes of it."""
        if self.connected and self._now() - self._heard >= SILENT_S:
            log.warn("page_door_silent", since=self._heard_utc)
            self._connection(door=False, silent=True, since=self._heard_utc)

    def _connection(self, *, door: bool, silent: bool, since: str) -> None:
        self.connected, self.silent, self.since = door, silent, since
        self._tell("connection", self.connection)

    def take(self, message: dict[str, Any]) -> None:
        """One message of the daemon."""
        kind = message.get("type")
        self._heard, self._heard_utc = self._now(), utc_now()
        if kind == "connection":
            self._connection(door=message["door"] is True, silent=False, since=utc_now())
            return
        if self.silent:
            self._connection(door=True, silent=False, since=utc_now())
        if kind == "answer":
            self._tell("answer", _data("answer", message))
        elif kind == "hello":
            self.known["hello"] = message
        elif kind in _LIVE:
            self.known[kind] = message
            if kind == "spectrum":
                self._keep(message)
            if self.streams:
                self._tell(kind, _data(kind, message))

    async def ask(
        self,
        name: str,
        arguments: Mapping[str, Argument],
        by: str,
        role: Role,
        meaning: str | None,
        patience_s: float,
    ) -> dict[str, Any]:
        """Send a command; the last answer within the patience, else the one that says `accepted`:
        the last one then comes on the streams.

        Raises Refused(422, 503) for what is no command, and where the daemon does not answer.
        """
        if self._client is None:
            raise _away("the daemon is not there; nothing was asked")
        if self.silent:
            # It would be done whenever the daemon goes on.
            raise _away(f"the daemon has said nothing since {self.since}; nothing was asked")
        try:
            return await self._client.command(
                name, arguments, by=by, role=role, meaning=meaning, wait_s=patience_s
            )
        except DoorAway as away:
            raise _away(str(away)) from None
        except ValidationError as error:
            told = error.errors(include_url=False)[0]["msg"]
            raise Refused(422, "input", f"arguments: {told}") from None

    async def note(self, action: Action) -> bool:
        """A line of the audit log; false where nobody wrote it."""
        if self._client is None or self.silent:
            return False
        try:
            answer = await self._client.note(
                action.what, action.who, action.details, wait_s=_NOTE_S
            )
        except DoorAway:
            return False
        return answer.get("ok") is True

    def listen(self, spectra_per_s: float) -> Stream:
        """A new stream, with what is known already in it. Raises Refused(429) beyond sixteen."""
        if len(self.streams) >= MOST_STREAMS:
            raise Refused(
                429, "too_many_streams", f"{MOST_STREAMS} pages are open already", wait_s=5.0
            )
        stream = Stream(spectra_per_s, time.monotonic)
        stream.put("connection", framed("connection", self.connection))
        for kind in ("model", "state", "axis", "faults", "prediction", "spectrum"):
            if kind in self.known:
                stream.put(kind, framed(kind, _data(kind, self.known[kind])))
        self.streams.add(stream)
        return stream

    def close(self) -> None:
        """All streams end."""
        for stream in self.streams:
            stream.close()

    def _tell(self, kind: str, data: object) -> None:
        frame = framed(kind, data)
        for stream in self.streams:
            stream.put(kind, frame)

    def _keep(self, message: dict[str, Any]) -> None:
        record = message.get("record")
        if isinstance(record, str):
            self.spectra[record] = {**message, "instrument": self.known.get("hello", {})}
            while len(self.spectra) > KEPT_SPECTRA:
                self.spectra.popitem(last=False)


def _data(kind: str, message: dict[str, Any]) -> object:
    if kind in ("prediction", "event", "state", "model"):
        return message["record"]
    if kind == "faults":
        return message["faults"]
    return {name: value for name, value in message.items() if name != "type"}


def _away(why: str) -> Refused:
    return Refused(
        503,
        "daemon_away",
        why,
        "start it (`systemctl restart spektron-edge`), or see its log; history is here meanwhile",
    )


def utc_now() -> str:
    """As records write it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
