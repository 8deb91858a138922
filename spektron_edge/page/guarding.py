"""Around every answer: which host was asked for, and headers that keep browsers strict."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spektron_edge.config.page import PageSettings

from .errors import Refused
from .routing import PREFIX

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# RFC 9110, 7.2. No path or query: an address would be made of it that nobody asked for.
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::[0-9]{0,5})?")
CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_STRICT = {
    "Content-Security-Policy": CONTENT_SECURITY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}
_YEAR_S = 365 * 86400


def hosts_of(settings: PageSettings) -> frozenset[str]:
    """Names by which the page may be asked for. A name that somebody else's DNS points here would
    make a foreign page same-origin (DNS rebinding)."""
    if settings.on_loopback:
        return frozenset((*_LOOPBACK, *(name.lower() for name in settings.names)))
    return frozenset(name.lower() for name in (settings.host, *settings.names))


class Guard:
    """ASGI middleware."""

    def __init__(
        self,
        app: ASGIApp,
        settings: PageSettings,
        refuse: Callable[[Request, Refused], Awaitable[Response]],
    ) -> None:
        self._app, self._refuse = app, refuse
        self._hosts = hosts_of(settings)
        self._strict = dict(_STRICT)
        if settings.encrypted:
            self._strict["Strict-Transport-Security"] = f"max-age={_YEAR_S}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI wants it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._strict.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(PREFIX):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refused = self._refused(Headers(scope=scope))
        if refused is not None:
            response = await self._refuse(Request(scope), refused)
            await response(scope, receive, strict)
            return
        await self._app(scope, receive, strict)

    def _refused(self, headers: Headers) -> Refused | None:
        if not self._known(headers):
            told = "the page is not known by this name"
            return Refused(400, "host", told, "add the name to `names` of `[page]`")
        if "transfer-encoding" in headers and "content-length" in headers:
            # RFC 9112, 6.1: a proxy before us may see another request than we do.
            return Refused(400, "smuggling", "a body has one length")
        return None

    def _known(self, headers: Headers) -> bool:
        given = headers.getlist("host")
        found = _HOST.fullmatch(given[0]) if len(given) == 1 else None
        return found is not None and (found["six"] or found["name"]).lower() in self._hosts
