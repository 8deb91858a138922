"""Accounts of the page, as engineers see and change them."""

from __future__ import annotations

import functools
from typing import cast

from spektron_edge.roles import Role

from ..account_notes import done
from ..declaration import Answer, Call, Endpoint, Given, Told
from ..errors import Refused, absent
from ..notes import Details
from ..passwords import hashed
from ..signing_in import proven_again
from ..users import User, UserName
from .session import Password, check_password


class UserTold(Told):
    """An account."""

    name: str
    role: Role
    active: bool


class UsersAnswer(Told):
    """Everybody who has an account."""

    users: tuple[UserTold, ...]


class NewUser(Given):
    """password: which the new user had better change; your_password: of whoever gives the account,
    since it can sign."""

    your_password: Password
    user: UserName
    role: Role
    password: Password


class UserChange(Given):
    """What is to be another; sessions of the account end. your_password: of whoever changes it: an
    open page is no way to another's signature."""

    your_password: Password
    role: Role | None = None
    password: Password | None = None
    active: bool | None = None


class UserPath(Given):
    """An account's name."""

    name: UserName


def _told(user: User) -> UserTold:
    return UserTold(name=user.name, role=user.role, active=user.active)


async def _users(call: Call) -> Answer:
    users = await call.page.keeping.run(call.page.users.read)
    return UsersAnswer(users=tuple(_told(user) for user in users.held))


async def _add(call: Call) -> Answer:
    page, given = call.page, cast(NewUser, call.body)
    check_password(given.password, given.user)
    await proven_again(call, given.your_password, f"account {given.user}")
    kept = await page.hashing.run(functools.partial(hashed, given.password))
    action = done("user_add", call.who.user, {"of": given.user, "role": given.role})
    user = await page.keeping.run(
        functools.partial(page.users.add, given.user, given.role, kept, action=action)
    )
    await page.account_notes.tell()
    return _told(user)


async def _change(call: Call) -> Answer:
    page, given, name = call.page, cast(UserChange, call.body), cast(UserPath, call.path).name
    if not given.model_dump(exclude_none=True, exclude={"your_password"}):
        raise Refused(422, "input", "give role, password or active")
    users = await page.keeping.run(page.users.read)
    if users.find(name) is None:
        raise absent(f"there is no user {name}")
    kept = None
    if given.password is not None:
        check_password(given.password, name)
    await proven_again(call, given.your_password, f"account {name}")
    if given.password is not None:
        kept = await page.hashing.run(functools.partial(hashed, given.password))
    details: Details = {"of": name, "role": given.role, "active": given.active}
    details["password"] = given.password is not None
    action = done("user_changed", call.who.user, details)
    user = await page.keeping.run(
        functools.partial(
            page.users.change,
            name,
            role=given.role,
            hashed=kept,
            active=given.active,
            action=action,
        )
    )
    await page.account_notes.tell()
    return _told(user)


ENDPOINTS = (
    Endpoint("GET", "/users", "engineer", "who has an account", _users, UsersAnswer),
    Endpoint("POST", "/users", "engineer", "a new account", _add, UserTold, NewUser),
    Endpoint(
        "PATCH",
        "/users/{name}",
        "engineer",
        "another role or password, or whether the account may be used; its sessions end",
        _change,
        UserTold,
        UserChange,
        parameters=UserPath,
    ),
)
