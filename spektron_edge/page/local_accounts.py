"""Accounts changed on the device itself, by whoever may write the state folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from spektron_edge.door.notes import keep
from spektron_edge.faults import Fault, Faults
from spektron_edge.roles import Role

from .account_notes import done
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
    noted = done(f"user_{action}", who, {"of": name, "role": role})
    if action == "add" and role is not None and kept is not None:
        store.add(name, role, kept, action=noted)
    elif action == "remove":
        store.remove(name, noted)
    else:
        store.change(name, role=role, hashed=kept, action=noted)
    # The page may not run.
    keep(state_dir, noted)
    store.told(noted)
