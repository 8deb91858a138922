"""The page as an ASGI application: routes from declarations, static files, and a guard around."""

from __future__ import annotations

import json

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from spektron_edge import log

from .declaration import Endpoint
from .endpoints import ENDPOINTS
from .errors import Code, Refused
from .guarding import Guard
from .openapi import openapi
from .routing import PREFIX, cookie_name, refusal, routes
from .services import Page
from .static_files import StaticFiles

_WORDS: dict[int, Code] = {404: "not_found", 405: "method"}


def application(page: Page, endpoints: tuple[Endpoint, ...] = ENDPOINTS) -> Starlette:
    """Of these services."""
    static = StaticFiles()
    described = json.dumps(openapi(endpoints, cookie_name(page))).encode()

    async def description(_: Request) -> Response:
        return Response(described, media_type="application/json")

    async def file(request: Request) -> Response:
        try:
            return static.answer(request)
        except Refused as refused:
            return await refusal(page, request, refused, None)

    async def refuse(request: Request, refused: Refused) -> Response:
        return await refusal(page, request, refused, None)

    async def not_routed(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 400
        told = "there is nothing here that takes this"
        response = await refusal(
            page, request, Refused(status, _WORDS.get(status, "input"), told), None
        )
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        return response

    async def broken(request: Request, error: Exception) -> Response:
        log.warn("page_internal", path=request.scope["path"], error=repr(error))
        told = Refused(500, "internal", "the page failed; its log says how")
        return await refusal(page, request, told, None)

    return Starlette(
        routes=[
            Route(f"{PREFIX}/openapi.json", description, methods=["GET"]),
            *routes(page, endpoints),
            Route("/", file, methods=["GET"]),
            Route("/{name:path}", file, methods=["GET"]),
        ],
        middleware=[Middleware(Guard, settings=page.started_with.page, refuse=refuse)],
        exception_handlers={HTTPException: not_routed, Exception: broken},
    )
