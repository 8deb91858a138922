"""Accounts of the page: `state_dir/page/users.json`, for the daemon's user alone to read."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action, Ledger, Noted, noted
from spektron_edge.roles import Role

FOLDER = "page"
FILE = "users.json"
MOST = 64
UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class User(_Strict):
    """An account. hash: argon2id; edition: another one after every change, which ends sessions."""

    name: UserName
    role: Role
    hash: str = Field(max_length=256, repr=False)
    active: bool = True
    edition: str = Field(pattern=r"^[0-9a-f]{16}$")


class Users(Noted):
    """`users.json`."""

    format: Literal[1] = 1
    held: tuple[User, ...] = Field((), max_length=MOST)

    def find(self, name: str) -> User | None:
        """By name. Names that differ in capitals only are one person."""
        return next((user for user in self.held if user.name.lower() == name.lower()), None)


class _Accounts(Ledger[Users]):
    def read(self) -> Users:
        """With the way back in, where it is damaged."""
        try:
            return super().read()
        except Fault as fault:
            if fault.kind is Faults.STATE_DAMAGED:
                raise Fault(Faults.ACCOUNTS_DAMAGED, fault.detail) from None
            raise


class UserStore:
    """The file. Methods raise Fault(PAGE_ACCOUNT, ACCOUNTS_DAMAGED) and those of a state folder."""

    def __init__(self, state_dir: Path) -> None:
        self._ledger = _Accounts(state_dir / FOLDER / FILE, Users(), mode=0o600)
        self._seen: tuple[tuple[int, int] | None, Users] | None = None

    def read(self) -> Users:
        """Everybody, as this store last saw them; the first time, from the file."""
        return self.refresh() if self._seen is None else self._seen[1]

    def refresh(self) -> Users:
        """Everybody; the file is read again only where it was changed, by whomever. Blocks."""
        stamp = self._ledger.stamp
        if self._seen is None or self._seen[0] != stamp:
            self._seen = stamp, self._ledger.read()
        return self._seen[1]

    def _update(self, change: Callable[[Users], Users], action: Action | None = None) -> Users:
        """action: for the audit log, kept by the same rename as the change."""

        def changed(before: Users) -> Users:
            after = change(before)
            return after if action is None else noted(after, action)

        after = self._ledger.update(changed)
        self.refresh()
        return after

    def told(self, action: Action) -> None:
        """It stands in the audit log, or is kept for it."""
        self._update(functools.partial(_told, action=action))

    def add(
        self,
        name: str,
        role: Role,
        hashed: str,
        *,
        first: bool = False,
        action: Action | None = None,
    ) -> User:
        """One more. first: only where there is nobody yet."""
        user = User(name=name, role=role, hash=hashed, edition=_edition())
        self._update(functools.partial(_added, user=user, first=first), action)
        return user

    def change(
        self,
        name: str,
        *,
        role: Role | None = None,
        hashed: str | None = None,
        active: bool | None = None,
        action: Action | None = None,
    ) -> User:
        """Another role or password, or whether the account may be used. Ends its sessions."""
        given: dict[str, object] = {"role": role, "hash": hashed, "active": active}
        changes = {key: value for key, value in given.items() if value is not None}
        after = self._update(functools.partial(_changed, name=name, changes=changes), action)
        user = after.find(name)
        assert user is not None  # noqa: S101  _changed raises otherwise
        return user

    def remove(self, name: str, action: Action | None = None) -> None:
        """Nobody of that name any more."""
        self._update(functools.partial(_removed, name=name), action)


def _edition() -> str:
    return secrets.token_hex(8)


def _added(users: Users, user: User, *, first: bool) -> Users:
    if first and users.held:
        raise Fault(Faults.PAGE_ACCOUNT, "there is an account already")
    if users.find(user.name) is not None:
        raise Fault(Faults.PAGE_ACCOUNT, f"there is a user {user.name} already")
    if len(users.held) >= MOST:
        raise Fault(Faults.PAGE_ACCOUNT, f"{MOST} accounts are the most")
    return _whole(users, (*users.held, user))


def _changed(users: Users, name: str, changes: dict[str, object]) -> Users:
    before = _known(users, name)
    after = before.model_copy(update={**changes, "edition": _edition()})
    return _whole(users, tuple(after if user is before else user for user in users.held))


def _removed(users: Users, name: str) -> Users:
    before = _known(users, name)
    return _whole(users, tuple(user for user in users.held if user is not before))


def _told(users: Users, action: Action) -> Users:
    """Command line and page may both have told it."""
    left = list(users.untold)
    if action not in left:
        return users
    left.remove(action)
    return users.model_copy(update={"untold": tuple(left)})


def _known(users: Users, name: str) -> User:
    found = users.find(name)
    if found is None:
        raise Fault(Faults.PAGE_ACCOUNT, f"there is no user {name}")
    return found


def _whole(before: Users, held: tuple[User, ...]) -> Users:
    """Where there was an engineer, one stays: else nobody could give anybody a password."""

    def engineers(users: tuple[User, ...]) -> int:
        return sum(user.active and user.role == "engineer" for user in users)

    if engineers(before.held) and not engineers(held):
        raise Fault(Faults.PAGE_ACCOUNT, "the last active engineer cannot be taken away")
    return Users(held=held, untold=before.untold)
