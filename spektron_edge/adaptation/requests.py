"""What the daemon's commands for evidence take."""

from __future__ import annotations

from typing import TypeVar

from pydantic import Field, ValidationError

from spektron_edge.commands.arguments import Taken
from spektron_edge.commands.asked import Asked
from spektron_edge.faults import Fault, Faults

from .evidence_store import FEWEST_SCANS


class Service(Taken):
    """what was done; by: whom, if it was not the operator who tells it."""

    what: str
    by: str = ""


class Stable(Taken):
    """sample: its name; scans: of it, the latest so many."""

    sample: str | int
    scans: int = Field(5, ge=FEWEST_SCANS, le=10)


T = TypeVar("T", bound=Taken)


def taken(asked: Asked, kind: type[T]) -> T:
    """The arguments of a command. Raises Fault(ADAPTATION_INPUT) naming what is wrong."""
    try:
        return kind.model_validate(asked.arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Fault(Faults.ADAPTATION_INPUT, f"argument {where}: {first['msg']}") from None
