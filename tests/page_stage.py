"""A stand-in for the page's server: real static files under the real policy, made-up answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests import page_answers as answers
from tests.page_cups import Cups

STATIC = Path(__file__).resolve().parents[1] / "spektron_edge" / "page" / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
PASSWORD = "beam splitter 42"
VIEWS = (
    "now",
    "history",
    "instrument",
    "transfer",
    "adaptation",
    "bundles",
    "records",
    "qualification",
    "audit",
    "users",
    "support",
)
_SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"><path d="M0 20L40 0"/></svg>'


@dataclass
class Stage:
    """What the answers depend on; tests change it. asked: commands as they came, in order; cups: a
    transfer that goes on by commands, and not one that stands still; sent: a bundle's file."""

    role: str = "engineer"
    signed_in: bool = True
    idle: bool = False
    first_boot: bool = False
    door: bool = True
    silent: bool = False
    valid: bool = True
    streaming: bool = True
    rate: float = 10.0
    refuse: dict[str, str] | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    cups: Cups | None = None
    sent: bytes = b""
    url: str = ""

    def session(self) -> dict[str, Any]:
        """GET /session."""
        return {
            "signed_in": self.signed_in,
            "user": "anna" if self.signed_in else None,
            "role": self.role if self.signed_in else None,
            "csrf": "c" if self.signed_in else None,
            "idle": self.signed_in and self.idle,
            "first_boot": self.first_boot,
            "needs_sign_in": True,
            "site": "lab",
            "instrument": "m5",
            "version": "0.0",
        }


@contextlib.contextmanager
def stage() -> Iterator[Stage]:
    """A stage that is served on a free port of loopback for as long as the block runs."""
    found = Stage()
    config = uvicorn.Config(
        _application(found), port=0, log_level="error", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    found.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    try:
        yield found
    finally:
        found.streaming = False
        server.should_exit = True
        thread.join(10)


def _application(found: Stage) -> Starlette:
    plain: dict[str, Callable[[], object]] = {
        "/products": lambda: answers.PRODUCTS,
        "/now": lambda: answers.now(door=found.door, silent=found.silent),
        "/axis": lambda: answers.AXIS,
        "/records": answers.records,
        "/spectra": answers.spectra,
        "/transfer": lambda: answers.TRANSFER if found.cups is None else found.cups.told(),
        "/adaptation": lambda: answers.ADAPTATION,
        "/bundles": lambda: answers.BUNDLES,
        "/qualifications": lambda: answers.QUALIFICATIONS,
        "/audit": lambda: answers.AUDIT,
        "/audit/verify": lambda: answers.VERIFIED,
        "/users": lambda: answers.USERS,
    }

    async def session(request: Request) -> Response:
        if request.method == "POST":
            given = await request.json()
            if given["password"] != PASSWORD:
                return _refused(401, "wrong")
            found.signed_in, found.idle = True, False
        elif request.method == "DELETE":
            found.signed_in = False
        return JSONResponse(found.session())

    async def first(request: Request) -> Response:
        if (await request.json())["code"] != "code":
            return _refused(403, "code")
        found.signed_in, found.first_boot = True, False
        return JSONResponse(found.session())

    async def history(request: Request) -> Response:
        return JSONResponse(answers.history(request.query_params["property"], 3600.0))

    async def whole(request: Request) -> Response:
        return JSONResponse(answers.adaptation_whole(request.path_params["number"]))

    async def command(request: Request) -> Response:
        if found.idle:
            return _refused(401, "idle")
        name, given = request.path_params["name"], await request.json()
        found.asked.append({"name": name, **given})
        if found.refuse is not None:
            return JSONResponse(found.refuse, 409)
        told = {"id": "1", "stage": "finished", "ok": True, "message": f"{name} done"}
        told["result"] = answers.result(name, given["arguments"])
        if found.cups is not None:
            told |= found.cups.take(name, given["arguments"])
        return JSONResponse(told)

    async def picture(_: Request) -> Response:
        return Response(_SVG, media_type="image/svg+xml")

    async def live(_: Request) -> Response:
        if not found.streaming:
            return _refused(429, "too_many_streams")
        return StreamingResponse(_events(found), media_type="text/event-stream")

    async def incoming(request: Request) -> Response:
        found.sent = await request.body()
        return JSONResponse(answers.INCOMING)

    async def install(request: Request) -> Response:
        found.asked.append({"name": "bundle-install", **await request.json()})
        told = {"bundles": answers.BUNDLES, "slot": "b", "bundle": "corn-3-0123456789ab"}
        return JSONResponse({**told, "tried": []})

    async def other(_: Request) -> Response:
        return JSONResponse({"message": "done"})

    routes = [
        *(Route(path, _plain(made)) for path, made in plain.items()),
        Route("/session", session, methods=["GET", "POST", "DELETE"]),
        Route("/first-boot", first, methods=["POST"]),
        Route("/history", history),
        Route("/adaptation/{number:int}", whole),
        Route("/commands/{name}", command, methods=["POST"]),
        Route("/transfer/picture.svg", picture),
        Route("/live", live),
        Route("/bundles/incoming", incoming, methods=["POST"]),
        Route("/bundles/incoming/install", install, methods=["POST"]),
        Route("/{rest:path}", other, methods=["POST", "PATCH"]),
    ]
    served = Mount("/", StaticFiles(directory=STATIC, html=True))
    zipped = Middleware(GZipMiddleware, minimum_size=500)
    return Starlette(
        routes=[Mount("/api/v1", routes=routes), served], middleware=[zipped, Middleware(_Strict)]
    )


class _Strict:
    """ASGI middleware: the policy of the real page on every answer."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def strict(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"content-security-policy", POLICY.encode()))
            await send(message)

        await self._app(scope, receive, strict)


def _plain(made: Callable[[], object]) -> Callable[[Request], Any]:
    async def answer(_: Request) -> Response:
        return JSONResponse(made())

    return answer


def _refused(status: int, code: str) -> Response:
    return JSONResponse({"error": code, "message": f"refused: {code}", "next_step": None}, status)


async def _events(found: Stage) -> AsyncIterator[str]:
    def framed(name: str, data: object) -> str:
        return f"event: {name}\ndata: {json.dumps(data)}\n\n"

    yield framed(
        "connection", {"door": found.door, "silent": found.silent, "since": answers.ago(900)}
    )
    yield framed("axis", answers.axis_message())
    yield framed("model", answers.MODEL_RECORD)
    yield framed("state", answers.STATE)
    yield framed("faults", answers.FAULTS)
    number = 200
    while found.streaming:
        number += 1
        yield framed("prediction", answers.prediction(number, valid=found.valid))
        yield framed("spectrum", answers.spectrum(number))
        await asyncio.sleep(1 / found.rate)
