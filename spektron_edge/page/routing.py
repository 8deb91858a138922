"""From declarations to routes: what every request is asked before its handler sees it."""

from __future__ import annotations

import asyncio
import hmac
import json
import math
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from firmware_bridge.printable import printable
from spektron_edge import log
from spektron_edge.faults import Fault
from spektron_edge.roles import ROLES

from .declaration import Call, Endpoint, Upload, as_json
from .errors import Refused, of_fault
from .services import Page
from .sessions import Session
from .signing_in import still_signed_in

PREFIX = "/api/v1"
MOST_BODY = 64 * 1024
_BODY_S = 10.0
_TOLD = 200
Model = TypeVar("Model", bound=BaseModel)


def routes(page: Page, endpoints: Sequence[Endpoint]) -> list[Route]:
    """A route for each."""
    return [
        Route(PREFIX + endpoint.path, _answering(page, endpoint), methods=[endpoint.method])
        for endpoint in endpoints
    ]


def cookie_name(page: Page) -> str:
    """Of the session. Browsers take `__Host-` from this very host over TLS only."""
    return "__Host-spektron" if page.started_with.page.encrypted else "spektron-session"


def _answering(page: Page, endpoint: Endpoint):  # type: ignore[no-untyped-def]
    async def answer(request: Request) -> Response:
        session: Session | None = None
        try:
            token = request.cookies.get(cookie_name(page), "")
            session = page.sessions.find(token, page.users.read().find) if token else None
            call = await _checked(page, endpoint, request, token, session)
            made = await endpoint.handler(call)
        except Fault as fault:
            return await refusal(page, request, of_fault(fault), session)
        except Refused as refused:
            return await refusal(page, request, refused, session)
        except MemoryError:
            log.warn("page_memory", path=request.scope["path"])
            no_room = Refused(
                503,
                "memory",
                "the page has no memory left for this",
                "ask for less, or give it more: `memory_mb` of `[page]`",
                wait_s=5.0,
            )
            return await refusal(page, request, no_room, session)
        if isinstance(made, Response):
            return made
        return as_json(made, endpoint.status)

    return answer


async def _checked(
    page: Page, endpoint: Endpoint, request: Request, token: str, session: Session | None
) -> Call:
    """Raises Refused, Fault."""
    if endpoint.role is not None and session is None:
        raise Refused(401, "sign_in", "nobody is signed in here", "sign in")
    if endpoint.writes:
        _same_site(request, session)
    if (
        endpoint.role is not None
        and session is not None
        and ROLES.index(session.role) < ROLES.index(endpoint.role)
    ):
        told = f"this takes the role {endpoint.role}, and {session.user} is {session.role}"
        raise Refused(403, "role", told, "ask somebody of that role")
    if session is not None:
        _awake(page, endpoint, session)
    try:
        path = endpoint.parameters.model_validate(request.path_params)
    except ValidationError:
        told = "there is nothing of that name"
        raise Refused(404, "not_found", told, what="no name") from None
    query = _query(request, endpoint.query)
    body: BaseModel | Upload | None = None
    if endpoint.takes:
        body = _upload(request, endpoint.takes)
    elif endpoint.writes:
        body = await _body(request, endpoint.body)
        if session is not None and endpoint.role is not None:
            # Somebody may have taken the role away while the body came.
            still_signed_in(page, session)
    address = request.client.host if request.client else "local"
    return Call(page, session, token, address, path, query, body)


def _awake(page: Page, endpoint: Endpoint, session: Session) -> None:
    """Whoever only watches stays signed in, as a viewer would be."""
    acts = endpoint.writes or endpoint.role not in (None, "viewer")
    if acts and endpoint.role is not None and page.sessions.idle(session):
        told = "nothing was done here for long; whoever acts now has to be known"
        raise Refused(401, "idle", told, "sign in again")
    page.sessions.touch(session, acts=acts)


def _same_site(request: Request, session: Session | None) -> None:
    """What another site's page cannot send: RFC 6454's Origin, Fetch Metadata, a token of ours."""
    origin = request.headers.get("origin")
    if origin is not None:
        host = request.headers.get("host", "")
        wanted = f"{request.scope['scheme']}://{host}".lower()
        if origin.lower() != wanted:
            raise Refused(403, "origin", "this request comes from another site's page")
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused(403, "origin", "this request comes from another site's page")
    if session is not None:
        given = request.headers.get("x-csrf-token", "")
        if not _equal(given, session.csrf):
            raise Refused(
                403,
                "csrf",
                "X-CSRF-Token is missing or is not this session's",
                "load the page again",
            )


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("latin-1", "replace"), wanted.encode())


def _query(request: Request, kind: type[Model]) -> Model:
    given = request.query_params.multi_items()
    if len({name for name, _ in given}) != len(given):
        raise Refused(422, "input", "a name of the query comes twice")
    return _modelled(dict(given), kind, "query")


def _upload(request: Request, kind: str) -> Upload:
    """Raises Refused(400, 415)."""
    length = _length(request, "")
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != kind:
        raise Refused(415, "media_type", f"the body has to be {kind}")
    return Upload(_chunks(request), length)


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise _gone() from None


def _length(request: Request, otherwise: str) -> int:
    length = request.headers.get("content-length", otherwise)
    if not length.isascii() or not length.isdigit():
        raise Refused(400, "input", "Content-Length is no number")
    return int(length)


def _gone() -> Refused:
    return Refused(400, "input", "the browser went away")


async def _body(request: Request, kind: type[Model] | None) -> Model | None:
    """Raises Refused(400, 408, 413, 415, 422)."""
    length = _length(request, "0")
    if length > MOST_BODY:
        raise _too_large()
    if kind is None:
        if length or "transfer-encoding" in request.headers:
            raise Refused(400, "input", "this takes no body")
        return None
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise Refused(415, "media_type", "the body has to be application/json")
    try:
        raw = await asyncio.wait_for(_read(request), _BODY_S)
    except asyncio.TimeoutError:
        raise Refused(408, "slow", f"the body did not come within {_BODY_S:g} s") from None
    except ClientDisconnect:
        raise _gone() from None
    try:
        document = json.loads(raw, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        raise Refused(400, "input", "the body is not JSON") from None
    if not isinstance(document, dict):
        raise Refused(422, "input", "the body is not an object")
    return _modelled(document, kind, "body")


async def _read(request: Request) -> bytes:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MOST_BODY:
            raise _too_large()
    return bytes(raw)


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("too large a number")
    return value


def _too_large() -> Refused:
    return Refused(413, "too_large", f"a body holds {MOST_BODY} bytes at most")


def _modelled(given: dict[str, object], kind: type[Model], where: str) -> Model:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        told = "; ".join(
            ".".join(printable(str(part))[:40] for part in found["loc"]) + f": {found['msg']}"
            for found in error.errors(include_input=False, include_url=False)[:5]
        )
        raise Refused(422, "input", f"{where}: {told}") from None


async def refusal(
    page: Page, request: Request, refused: Refused, session: Session | None
) -> Response:
    """The answer; a line of the audit log where nobody may do that, or nothing like that is."""
    response = as_json(refused.answer, refused.status)
    if refused.wait_s is not None:
        response.headers["Retry-After"] = str(math.ceil(refused.wait_s))
    if refused.status == 413 or refused.status == 408:
        response.headers["Connection"] = "close"
    reads = request.method in ("GET", "HEAD")
    if refused.status in (503, 409):
        log.info("page_not_done", code=refused.code, detail=refused.message)
    of_state = refused.status in (503, 409) or (refused.status == 404 and session is not None)
    # To ask for what is not there, or not now, is no attack; what was to be done is always told.
    if not (reads and of_state) or refused.what is not None:
        who = session.user if session is not None else refused.by or "nobody"
        address = request.client.host if request.client else "local"
        await page.notes.refused(
            who,
            {
                "status": refused.status,
                "error": refused.code,
                "method": request.method[:16],
                "path": printable(request.scope["path"])[:_TOLD],
                "address": address,
                **({} if refused.what is None else {"what": refused.what}),
                # By somebody's open page, as somebody else.
                **({} if refused.by in (None, who) else {"claimed": refused.by}),
            },
            "" if session is None else session.user,
        )
    return response
