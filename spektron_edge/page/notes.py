"""What was done on the page, for the audit log: through the door, or kept until the daemon is
there again."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from spektron_edge import log
from spektron_edge.door.notes import keep
from spektron_edge.faults import Fault
from spektron_edge.files.ledger import Action

from .errors import Refused
from .link import utc_now

REFUSALS_PER_MIN = 10
# In memory, while the disk takes nothing.
MOST_HELD = 200
_MINUTE_S = 60.0

Details = dict[str, "str | int | bool | None"]


@dataclass
class _Minute:
    """Of one kind of refusals."""

    began: float
    listed: int = 0
    not_listed: int = 0


class Notes:
    """Lines of the audit log. `tell` asks the daemon; false where it is not there."""

    def __init__(
        self,
        state_dir: Path,
        tell: Callable[[Action], Awaitable[bool]],
        in_thread: Callable[[Callable[[], None]], Awaitable[None]],
        now: Callable[[], float],
    ) -> None:
        self._state_dir, self._tell, self._in_thread, self._now = state_dir, tell, in_thread, now
        self._kinds: dict[object, _Minute] = {}
        self._held: deque[tuple[str, str, Details]] = deque()

    async def note(self, what: str, who: str, details: Details) -> None:
        """On return it is in the audit log, or kept for it. Raises Fault where the disk takes
        neither."""
        await self.action(Action(what=f"page_{what}", who=who, details=details))

    async def action(self, action: Action) -> None:
        """The same of what a ledger has noted."""
        if not await self._tell(action):
            # The line in the audit log bears the time at which the daemon reads it.
            at: Details = {"utc": utc_now(), **action.details}
            later = action.model_copy(update={"details": at})
            await self._in_thread(functools.partial(keep, self._state_dir, later))

    async def seen(self, what: str, who: str, details: Details) -> None:
        """The same of what changes nothing: a full disk keeps nobody from looking at the
        instrument. The line waits in memory until the disk takes it, or the page ends."""
        try:
            await self.note(what, who, details)
        except (Fault, Refused) as error:
            log.warn("page_not_noted", what=what, who=who, detail=error)
            if len(self._held) < MOST_HELD:
                self._held.append((what, who, {**details, "utc": utc_now()}))

    async def again(self) -> None:
        """Lines that wait in memory, as far as the disk takes them now."""
        while self._held:
            try:
                await self.note(*self._held[0])
            except (Fault, Refused):
                return
            self._held.popleft()

    async def refused(self, who: str, details: Details, signed_in: str = "") -> None:
        """Ten a minute of each `error` and account; the next line of it says how many were not
        listed.

        signed_in: whose login it came by; what strangers send hides nothing that somebody did.
        """
        now = self._now()
        kind = self._kinds.setdefault((details["error"], signed_in), _Minute(now))
        if now - kind.began >= _MINUTE_S:
            kind.began, kind.listed = now, 0
        if kind.listed >= REFUSALS_PER_MIN:
            kind.not_listed += 1
            return
        kind.listed += 1
        missed, kind.not_listed = kind.not_listed, 0
        more: Details = {"not_listed_before": missed} if missed else {}
        log.info("page_refused", who=who, **details, **more)
        await self.seen("refused", who, {**details, **more})
