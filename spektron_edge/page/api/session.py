"""Who is signed in: the session, the first account, one's own password."""

from __future__ import annotations

import functools
from typing import Annotated, cast

from pydantic import Field
from starlette.responses import Response

from spektron_edge import __version__
from spektron_edge.roles import Role

from ..account_notes import done
from ..declaration import Answer, Call, Endpoint, Given, Told, as_json
from ..errors import Refused
from ..passwords import MOST, hashed, unfit
from ..routing import cookie_name
from ..sessions import Session
from ..signing_in import proven, proven_again
from ..users import User, UserName

Password = Annotated[str, Field(min_length=1, max_length=MOST)]


class SessionAnswer(Told):
    """csrf: for the header X-CSRF-Token of every write; idle: so long after the last action that it
    only reads, and the next action is answered with 401 `idle`; first_boot: nobody has an account
    yet."""

    signed_in: bool
    user: str | None
    role: Role | None
    csrf: str | None
    idle: bool
    first_boot: bool
    needs_sign_in: bool
    site: str
    instrument: str
    version: str


class SignIn(Given):
    """An account and its password."""

    user: UserName
    password: Password


class FirstAccount(Given):
    """code: as `spektron-edge page` has printed it, on the device."""

    code: Annotated[str, Field(min_length=1, max_length=64)]
    user: UserName
    password: Password


class OwnPassword(Given):
    """One's own password: the old one and the new."""

    old: Password
    new: Password


def _told(call: Call, session: Session | None) -> SessionAnswer:
    config = call.page.started_with
    return SessionAnswer(
        signed_in=session is not None,
        user=None if session is None else session.user,
        role=None if session is None else session.role,
        csrf=None if session is None else session.csrf,
        idle=session is not None and call.page.sessions.idle(session),
        first_boot=not call.page.users.read().held,
        needs_sign_in=True,
        site=config.site,
        instrument=config.instrument,
        version=__version__,
    )


async def _read(call: Call) -> Answer:
    return _told(call, call.session)


def _begun(call: Call, user: User) -> Response:
    page = call.page
    if call.session is not None:
        page.sessions.end(call.token)
    token, session = page.sessions.begin(user)
    response = as_json(_told(call, session))
    response.set_cookie(
        cookie_name(page),
        token,
        httponly=True,
        samesite="strict",
        secure=page.started_with.page.encrypted,
    )
    return response


async def _sign_in(call: Call) -> Answer:
    given = cast(SignIn, call.body)
    user = await proven(call, given.user, given.password, "sign_in")
    await call.page.notes.seen("signed_in", user.name, {"address": call.address, "role": user.role})
    return _begun(call, user)


async def _sign_out(call: Call) -> Answer:
    if call.session is not None:
        call.page.sessions.end(call.token)
        await call.page.notes.seen("signed_out", call.session.user, {"address": call.address})
    response = as_json(_told(call, None))
    response.delete_cookie(
        cookie_name(call.page),
        httponly=True,
        samesite="strict",
        secure=call.page.started_with.page.encrypted,
    )
    return response


async def _first_boot(call: Call) -> Answer:
    page, given = call.page, cast(FirstAccount, call.body)
    if page.users.read().held:
        raise Refused(409, "not_first", "there are accounts already", "sign in")
    keys = ("first boot", f"address {call.address}")
    if (wait := page.tries.wait_s(*keys)) > 0:
        raise Refused(
            429, "wait", "too many wrong codes", f"try again in {wait:.0f} s", wait_s=wait
        )
    page.tries.failed(*keys)
    if not await page.keeping.run(functools.partial(page.first_boot.fits, given.code)):
        raise Refused(
            403, "code", "this is not the code", "`spektron-edge page` printed it on the device"
        )
    page.tries.right(*keys)
    check_password(given.password, given.user)
    kept = await page.hashing.run(functools.partial(hashed, given.password))
    action = done("first_account", given.user, {"address": call.address, "role": "engineer"})
    user = await page.keeping.run(
        functools.partial(page.users.add, given.user, "engineer", kept, first=True, action=action)
    )
    await page.keeping.run(page.first_boot.used)
    await page.account_notes.tell()
    return _begun(call, user)


async def _own_password(call: Call) -> Answer:
    page, given = call.page, cast(OwnPassword, call.body)
    check_password(given.new, call.who.user)
    await proven_again(call, given.old, "password")
    kept = await page.hashing.run(functools.partial(hashed, given.new))
    action = done("password_changed", call.who.user, {"of": call.who.user})
    user = await page.keeping.run(
        functools.partial(page.users.change, call.who.user, hashed=kept, action=action)
    )
    await page.account_notes.tell()
    return _begun(call, user)


def check_password(password: str, user: str) -> None:
    """Raises Refused(422) for what is none."""
    if why := unfit(password, user):
        raise Refused(422, "password", why)


ENDPOINTS = (
    Endpoint("GET", "/session", None, "who is signed in", _read, SessionAnswer),
    Endpoint("POST", "/session", None, "sign in", _sign_in, SessionAnswer, SignIn),
    Endpoint("DELETE", "/session", None, "sign out", _sign_out, SessionAnswer),
    Endpoint(
        "POST",
        "/session/password",
        "viewer",
        "another password of one's own; other sessions of the account end",
        _own_password,
        SessionAnswer,
        OwnPassword,
    ),
    Endpoint(
        "POST",
        "/first-boot",
        None,
        "the first engineer's account, by the code that the device has printed",
        _first_boot,
        SessionAnswer,
        FirstAccount,
    ),
)
