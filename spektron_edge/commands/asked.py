"""What an operator asks for, once it is known who asks, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from spektron_edge.faults import Fault, Faults

from .arguments import Argument

Through = Literal["mqtt", "page"]
Detail = str | int | bool | None
Result = dict[str, "str | int | float | bool | tuple[str, ...] | None"]


@dataclass(frozen=True)
class Asked:
    """A command of somebody who may send it.

    operator: who, by name; through: which way it came, and so by what that is known; meaning: of
    the electronic signature, `approved: why`, where there is one; noted: what the audit log keeps
    of the request beside its arguments.
    """

    operator: str
    arguments: dict[str, Argument] = field(default_factory=dict)
    correlation: str = ""
    through: Through = "mqtt"
    meaning: str | None = None
    noted: Mapping[str, Detail] = field(default_factory=dict)

    @property
    def signed_as(self) -> str:
        """The way it came, and as what it was signed: `page, approved`."""
        if self.meaning is None:
            return self.through
        return f"{self.through}, {self.meaning.partition(':')[0]}"


@dataclass(frozen=True)
class CommandOutcome:
    """What came of a command. ticket: it was accepted, and the end of it follows under this one."""

    ok: bool
    message: str
    result: Result = field(default_factory=dict)
    ticket: int | None = None


Action = Callable[[Asked], CommandOutcome]


class Audit(Protocol):
    """Writes a line of the audit log."""

    def __call__(self, what: str, who: str, /, **details: Detail) -> object:
        """what: a name; who: as far as it is proven."""


def without_arguments(action: Callable[[], CommandOutcome]) -> Action:
    """Refuses a request with arguments, which nobody would look at."""

    def carry_out(asked: Asked) -> CommandOutcome:
        if asked.arguments:
            names = ", ".join(asked.arguments)
            raise Fault(Faults.COMMAND_INPUT, f"this command takes no arguments, not {names}")
        return action()

    return carry_out
