"""Arguments of a command: a small flat object, and the one form of it that is signed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
)

from spektron_edge.faults import Fault, Faults

_MAX_BYTES = 8192
# Beyond it, languages that know one kind of number only would sign another one.
_MOST = 2**53
_SAID = {"missing": "is missing", "extra_forbidden": "is not known here"}

Name = Annotated[StrictStr, Field(pattern=r"^[a-z][a-z_]{0,31}$")]
Word = Annotated[StrictStr, Field(max_length=256)]
Argument = (
    StrictBool
    | Annotated[StrictInt, Field(ge=-_MOST, le=_MOST)]
    | Annotated[StrictFloat, Field(ge=-_MOST, le=_MOST, allow_inf_nan=False)]
    | Word
    | Annotated[tuple[Annotated[StrictStr, Field(max_length=128)], ...], Field(max_length=256)]
)


def canonical_arguments(arguments: dict[str, Argument]) -> bytes:
    """What is signed: JSON with sorted keys, no spaces, and characters as they are, in UTF-8."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _small(arguments: dict[str, Argument]) -> dict[str, Argument]:
    if len(canonical_arguments(arguments)) > _MAX_BYTES:
        raise ValueError(f"the arguments are longer than {_MAX_BYTES} bytes")
    return arguments


Arguments = Annotated[dict[Name, Argument], Field(max_length=16), AfterValidator(_small)]


class Taken(BaseModel):
    """Base of what a command takes: anything else is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Nothing(Taken):
    """No arguments."""


TakenKind = TypeVar("TakenKind", bound=Taken)


def take_arguments(
    given: Mapping[str, Argument], kind: type[TakenKind], refusal: Faults
) -> TakenKind:
    """What a command takes. Raises Fault(refusal) naming what is wrong."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        told: dict[str, list[str]] = {}
        # Of an argument of several kinds, each kind says why it is not that one.
        for found in error.errors():
            told.setdefault(str(found["loc"][0]), []).append(_SAID.get(found["type"], found["msg"]))
        parts = [f"argument {name}: {' or '.join(dict.fromkeys(w))}" for name, w in told.items()]
        raise Fault(refusal, "; ".join(parts)) from None


def parse_arguments(words: Sequence[str]) -> dict[str, Argument]:
    """`name=value` as written on a command line: a value with commas is a list, true, false and
    plain numbers are those, the rest is text. Raises ValueError naming the word."""
    found: dict[str, Argument] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign:
            raise ValueError(f"{word!r} is not of the form name=value")
        found[name] = _value(text)
    try:
        return TypeAdapter(Arguments).validate_python(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"argument {where}: {first['msg']}") from None


def _value(text: str) -> Argument:
    if "," in text:
        return tuple(part for part in text.split(",") if part)
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        # "007" is the name of something, and not the number seven.
        if repr(number) == text:
            return number
    return text
