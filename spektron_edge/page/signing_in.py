"""Passwords asked for: with limited tries, the same time and the same words for everybody."""

from __future__ import annotations

import contextlib
import functools

from spektron_edge.faults import Fault

from .declaration import Call
from .errors import Refused
from .passwords import matches
from .services import Page
from .sessions import Session
from .users import User

_WRONG = "name or password is wrong"


async def proven(call: Call, name: str, password: str, what: str) -> User:
    """The account of that name and password. Raises Refused(401, 403, 429)."""
    page, keys = call.page, call.page.tries.keys(name.lower(), call.address)
    if (wait := page.tries.wait_s(*keys)) > 0:
        raise Refused(
            429,
            "wait",
            "too many wrong passwords",
            f"try again in {wait:.0f} s",
            wait_s=wait,
            by=_by(page, name),
            what=what,
        )
    # Counted before it is looked at: many tries at once are many tries.
    page.tries.failed(*keys)
    user = (await page.keeping.run(page.users.refresh)).find(name)
    kept = user.hash if user is not None and user.active else None
    if not await page.hashing.run(functools.partial(matches, kept, password)) or user is None:
        raise Refused(
            403 if call.session is not None else 401,
            "wrong",
            _WRONG,
            "check the name, capitals and the keyboard's layout",
            by=_by(page, name),
            what=what,
        )
    page.tries.right(*keys)
    page.tries.came(name.lower(), call.address)
    return user


def _by(page: Page, name: str) -> str:
    """Who tried, for the audit log."""
    with contextlib.suppress(Fault):
        if (user := page.users.read().find(name)) is not None:
            return user.name
    return page.strangers.shown(name)


async def proven_again(call: Call, password: str, what: str) -> None:
    """That whoever is signed in is there. Raises as `proven`, and where the login ended or the
    account was changed meanwhile."""
    await proven(call, call.who.user, password, what)
    still_signed_in(call.page, call.who)


def still_signed_in(page: Page, session: Session) -> None:
    """Raises Refused(401): the login has ended, or the account is another one by now."""
    if not page.sessions.holds(session, page.users.read().find):
        raise Refused(401, "sign_in", "this login has ended", "sign in")
