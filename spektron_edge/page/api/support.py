"""The support file, with what this process knows."""

from __future__ import annotations

import functools

from starlette.responses import Response

from spektron_edge.support.archive import support_file
from spektron_edge.support.parts import Part

from ..declaration import Answer, Call, Endpoint
from ..services import Page

_ZIP = "application/zip"
_KNOWN = ("state", "model", "faults", "hello")


def _made(page: Page, known: dict[str, object], lines: list[str]) -> bytes:
    more = [
        Part("daemon.json", "what the daemon said last through its door", known),
        Part("page.log", "the latest lines of the page's log", "\n".join([*lines, ""])),
    ]
    return support_file(page.config(), more)


async def _support(call: Call) -> Answer:
    page = call.page
    told: dict[str, object] = {name: page.link.known.get(name) for name in _KNOWN}
    told["connection"] = page.link.connection
    make = functools.partial(_made, page, told, list(page.log_ring.lines))
    data = await page.reading.run(make)
    await page.notes.seen("exported", call.who.user, {"what": "support"})
    headers = {"Content-Disposition": 'attachment; filename="support.zip"'}
    return Response(data, media_type=_ZIP, headers=headers)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/support.zip",
        "engineer",
        "configuration, state and logs for support, without secrets",
        _support,
        _ZIP,
    ),
)
