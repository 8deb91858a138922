"""What the service manager is told of the page: that it listens, that it gets on, who looks."""

from __future__ import annotations

import asyncio
from typing import Protocol

from spektron_edge.service.service import Service

from .link import Link

_LOOK_EVERY_S = 0.1
_TURN_EVERY_S = 1.0


class Server(Protocol):
    """The one that listens."""

    started: bool


async def tell(service: Service, server: Server, link: Link) -> None:
    """For as long as the page runs. A loop that hangs turns no more."""
    while not server.started:
        await asyncio.sleep(_LOOK_EVERY_S)
    service.ready()
    every_s = min(service.every_s, _TURN_EVERY_S)
    while True:
        service.turn()
        watching, daemon = len(link.streams), "there" if link.connected else "away"
        late = "".join(f"; {told}" for told in service.late)
        service.status(f"{watching} watching; the daemon is {daemon}{late}")
        await asyncio.sleep(every_s)
