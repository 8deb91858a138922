"""Lines that the daemon reads at its door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from spektron_edge.commands.arguments import Arguments, Name
from spektron_edge.roles import MEANINGS, Role

_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"
_MOST_SAID = 128
Id = Annotated[str, Field(min_length=1, max_length=64)]
Person = Annotated[str, Field(max_length=64, pattern=_PRINTABLE)]
Meaning = Annotated[
    str,
    Field(max_length=512, pattern=rf"^({'|'.join(MEANINGS)}): [^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"),
]
Detail = (
    Annotated[bool, Field(strict=True)]
    | Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)]
    | Annotated[str, Field(max_length=1024)]
    | None
)


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Command(_Line):
    """id: comes back in the answer; by, role: who asks, as the page knows them; meaning: of the
    electronic signature, `approved: why`."""

    type: Literal["command"] = "command"
    id: Id
    name: Annotated[str, Field(max_length=64)]
    arguments: Arguments = Field(default_factory=dict)
    by: Person
    role: Role
    meaning: Meaning | None = None


class Note(_Line):
    """A line for the audit log."""

    type: Literal["note"] = "note"
    id: Id
    what: Annotated[str, Field(pattern=r"^page_[a-z_]{1,58}$")]
    who: Person
    details: Annotated[dict[Name, Detail], Field(max_length=16)] = Field(default_factory=dict)


@dataclass(frozen=True)
class AtDoor:
    """What came in, and through which connection."""

    connection: int
    line: Command | Note


class LineRefused(Exception):
    """It is none of ours. id: what it called itself, where that can be read."""

    def __init__(self, message: str, id_: str | None) -> None:
        super().__init__(message)
        self.id = id_


_ANY: TypeAdapter[Command | Note] = TypeAdapter(
    Annotated[Command | Note, Field(discriminator="type")]
)


def read_line(line: bytes) -> Command | Note:
    """Raises LineRefused, naming what is wrong."""
    try:
        return _ANY.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])[:_MOST_SAID]
        said = f"{where}: {first['msg']}" if where else first["msg"]
        told = f"not a command or note: {said[:_MOST_SAID]}"
        raise LineRefused(told, _id_of(line)) from None


def _id_of(line: bytes) -> str | None:
    try:
        found = from_json(line)
    except ValueError:
        return None
    given = found.get("id") if isinstance(found, dict) else None
    return given if isinstance(given, str) and len(given) <= _MOST_SAID else None
