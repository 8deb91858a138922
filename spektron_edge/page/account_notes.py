"""What was done with accounts, for the audit log: noted by the change itself, so that a page
that is killed after it leaves none untold."""

from __future__ import annotations

import asyncio
import functools

from spektron_edge.files.ledger import Action

from .link import utc_now
from .notes import Details, Notes
from .threads import Threads
from .users import UserStore


def done(what: str, who: str, details: Details) -> Action:
    """For UserStore; with the time at which it was done."""
    return Action(what=f"page_{what}", who=who, details={**details, "utc": utc_now()})


class AccountNotes:
    """Belongs to the event loop."""

    def __init__(self, users: UserStore, notes: Notes, keeping: Threads) -> None:
        self._users, self._notes, self._keeping = users, notes, keeping
        self._alone = asyncio.Lock()

    async def tell(self) -> None:
        """On return all of them are in the audit log, or kept for it: each once, or once more where
        the page is killed in between. Raises Fault, Refused."""
        async with self._alone:
            while untold := self._users.read().untold:
                await self._notes.action(untold[0])
                await self._keeping.run(functools.partial(self._users.told, untold[0]))
