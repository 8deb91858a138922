"""Commands over MQTT: proof of who asks, and that it is asked only once.

A subscriber does not learn who published, so the broker's access list alone cannot tell operators
apart. Each request therefore carries an HMAC under the operator's key and a counter that rises from
request to request: a recorded request cannot be played again, whatever the clocks say.
Arguments are signed with the rest.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spektron_edge.commands.arguments import Argument, Arguments, canonical_arguments
from spektron_edge.config.commands import Operator

MIN_KEY_BYTES = 16
_MOST_SAID = 128
_STRANGER = "operator or signature refused"


class CommandRefused(Exception):
    """The request is not accepted; the message may be sent to whoever asked.

    operator: who asked, where that was proven; why: for log and audit, where the message may not
    say it.
    """

    def __init__(self, message: str, operator: str | None = None, why: str = "") -> None:
        super().__init__(message)
        self.operator = operator
        self.why = why or message


class Request(BaseModel):
    """Payload of a command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operator: str = Field(max_length=64)
    counter: int = Field(ge=1, le=2**63 - 1)
    correlation: str = Field("", max_length=128)
    arguments: Arguments = Field(default_factory=dict)
    mac: str = Field(pattern=r"^[0-9a-f]{64}$")


@dataclass(frozen=True)
class Key:
    """An operator's shared secret."""

    operator: str
    secret: bytes


def read_key(operator: str, path: Path) -> Key:
    """Read a key file: at least 16 bytes, surrounding white space ignored.

    Raises CommandRefused when it is absent or too short.
    """
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise CommandRefused(f"key of {operator} cannot be read: {error.strerror}") from None
    if len(secret) < MIN_KEY_BYTES:
        raise CommandRefused(f"key of {operator} is shorter than {MIN_KEY_BYTES} bytes")
    return Key(operator, secret)


def shared_with(key: Key, operators: Iterable[Operator]) -> str | None:
    """The name of another operator with the same key; who asks with it is then not known."""
    for other in operators:
        if other.name != key.operator:
            with contextlib.suppress(CommandRefused):
                if hmac.compare_digest(read_key(other.name, other.key_file).secret, key.secret):
                    return other.name
    return None


def sign(
    key: Key,
    root: str,
    command: str,
    counter: int,
    correlation: str = "",
    arguments: dict[str, Argument] | None = None,
) -> Request:
    """Make a request. `root` is the instrument's topic root, so a request fits one instrument."""
    given = arguments or {}
    mac = _mac(key, root, command, counter, correlation, given)
    return Request(
        operator=key.operator, counter=counter, correlation=correlation, arguments=given, mac=mac
    )


def to_payload(request: Request) -> bytes:
    """A request as it is sent. Without arguments it is what daemons knew before there were any."""
    left_out = None if request.arguments else {"arguments"}
    return request.model_dump_json(exclude=left_out).encode()


def _mac(
    key: Key,
    root: str,
    command: str,
    counter: int,
    correlation: str,
    arguments: dict[str, Argument],
) -> str:
    text = "\n".join((root, command, key.operator, str(counter), correlation))
    if arguments:
        # Before the rest, and no root begins like it: no correlation can pass for arguments.
        digest = hashlib.sha256(canonical_arguments(arguments)).hexdigest()
        text = f"arguments {digest}\n{text}"
    return hmac.new(key.secret, text.encode(), hashlib.sha256).hexdigest()


def parse(payload: bytes) -> Request:
    """The request in a payload. Raises CommandRefused when it is none."""
    try:
        return Request.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])[:_MOST_SAID]
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise CommandRefused(f"the payload is not a signed request: {what[:_MOST_SAID]}") from None


def authorise(
    request: Request,
    command: str,
    root: str,
    operators: tuple[Operator, ...],
    accept_counter: Callable[[str, int], bool],
) -> None:
    """Return when the request is proven to come from an operator who may do this.

    accept_counter: remembers an operator's counter durably, false when it is not a new one.
    Raises CommandRefused.
    """
    # One answer for unknown operator and wrong key: which of the two is nobody's business.
    operator = next((o for o in operators if o.name == request.operator), None)
    if operator is None:
        raise CommandRefused(_STRANGER)
    try:
        key = read_key(operator.name, operator.key_file)
    except CommandRefused as error:
        raise CommandRefused(_STRANGER, why=str(error)) from None
    expected = _mac(key, root, command, request.counter, request.correlation, request.arguments)
    if not hmac.compare_digest(expected, request.mac):
        raise CommandRefused(_STRANGER)
    if (other := shared_with(key, operators)) is not None:
        why = f"{operator.name} and {other} have one key"
        raise CommandRefused("this key is that of another operator, too", why=why)
    if command not in operator.may:
        raise CommandRefused(f"{operator.name} may not {command}", operator.name)
    if not accept_counter(operator.name, request.counter):
        raise CommandRefused("the counter was used before; send a larger one", operator.name)
