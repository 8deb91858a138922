"""Accounts changed on the device itself, by whoever may write the state folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from spektron_edge.door.notes import keep
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.roles import Role

from .link import utc_now
from .passwords import hashed, unfit
from .users import UserName, UserStore


def change(
    state_dir: Path, action: str, name: str, role: Role | None, password: str | None, who: str
) -> None:
    """add, role, password or remove; a line of the audit log says who did it.

    Raises Fault(PAGE_ACCOUNT) and the state folder's.
    """
    try:
        TypeAdapter(UserName).validate_python(name)
    except ValidationError:
        detail = f"{name!r} is no name: letters, digits, `_`, `.` and `-`, 32 at most"
        raise Fault(Faults.PAGE_ACCOUNT, detail) from None
    if password is not None and (why := unfit(password, name)):
        raise Fault(Faults.PAGE_ACCOUNT, why)
    store, kept = UserStore(state_dir), None if password is None else hashed(password)
    if action == "add" and role is not None and kept is not None:
        store.add(name, role, kept)
    elif action == "remove":
        store.remove(name)
    else:
        store.change(name, role=role, hashed=kept)
    details: dict[str, str | int | bool | None] = {"of": name, "role": role, "utc": utc_now()}
    keep(state_dir, Action(what=f"page_user_{action}", who=who, details=details))
