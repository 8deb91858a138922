"""Messages <-> bodies (header + payload), generic over the declarations in `messages`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple, get_type_hints

from firmware_bridge.messages import (
    GROWING,
    MAX_VERSION,
    MESSAGES,
    MIN_VERSION,
    Header,
    Message,
)
from firmware_bridge.wire import Doc, ProtocolError, WireType


@dataclass(frozen=True)
class WireField:
    """One declared field: name, wire type and meaning."""

    name: str
    kind: WireType
    doc: Doc


class Decoded(NamedTuple):
    """A body taken apart; `message` is None when this host does not know its type."""

    header: Header
    message: Message | None


def layout(declaration: type[Any]) -> tuple[WireField, ...]:
    """Return the fields of a declared message (or of Header) in wire order."""
    hints = get_type_hints(declaration, include_extras=True)
    out = []
    for field in fields(declaration):
        extras = hints[field.name].__metadata__
        kind = next(e for e in extras if isinstance(e, WireType))
        doc = next(e for e in extras if isinstance(e, Doc))
        out.append(WireField(field.name, kind, doc))
    return tuple(out)


_HEADER = layout(Header)
_LAYOUTS = {declaration: layout(declaration) for declaration in MESSAGES}
_BY_TYPE: dict[int, type[Message]] = {int(m.TYPE): m for m in MESSAGES}


def encode(
    message: Message,
    sequence: int = 0,
    device_us: int = 0,
    flags: int = 0,
    *,
    version: int = MAX_VERSION,
) -> bytes:
    """Return the body of `message`, without framing; raises ProtocolError on values that
    do not fit their fields.
    """
    header = Header(version, int(message.TYPE), flags, sequence, device_us)
    return _pack(header, _HEADER) + _pack(message, _LAYOUTS[type(message)])


def decode(body: bytes) -> Decoded:
    """Take a body apart; raises ProtocolError when it is too short, too long or makes no sense."""
    values, at = _unpack(body, 0, _HEADER)
    header = Header(**values)
    declaration = _BY_TYPE.get(header.type)
    if declaration is None:
        return Decoded(header, None)
    grows = declaration in GROWING
    if not grows and not MIN_VERSION <= header.version <= MAX_VERSION:
        raise ProtocolError(
            f"{declaration.__name__} of protocol version {header.version}, "
            f"this host reads {MIN_VERSION} to {MAX_VERSION}"
        )
    values, end = _unpack(body, at, _LAYOUTS[declaration])
    if end != len(body) and not grows:
        raise ProtocolError(f"{declaration.__name__}: {len(body) - end} bytes too many")
    return Decoded(header, declaration(**values))


def _pack(record: Any, plan: tuple[WireField, ...]) -> bytes:
    try:
        return b"".join(field.kind.pack(getattr(record, field.name)) for field in plan)
    except ProtocolError as error:
        raise ProtocolError(f"{type(record).__name__}: {error}") from None


def _unpack(body: bytes, at: int, plan: tuple[WireField, ...]) -> tuple[dict[str, Any], int]:
    values = {}
    for field in plan:
        values[field.name], at = field.kind.unpack(body, at)
    return values, at
