"""What the daemon's commands for transfers take."""

from __future__ import annotations

from typing import TypeVar

from pydantic import Field, ValidationError

from spektron_edge.faults import Fault, Faults
from spektron_edge.mqtt.arguments import Taken
from spektron_edge.mqtt.commands import Request
from spektron_edge.recent import KEPT

DEFAULT_SCANS = 3
_SAID = {"missing": "is missing", "extra_forbidden": "is not known here"}


class Nothing(Taken):
    """No arguments."""


class Start(Taken):
    """samples: sealed samples in hand; absent: any of the source's."""

    samples: tuple[str, ...] | str | int | None = None

    @property
    def held(self) -> tuple[str, ...] | None:
        """The same, where it is a single one, too."""
        return (str(self.samples),) if isinstance(self.samples, str | int) else self.samples


class Add(Taken):
    """sample: the source's id, or a name of its own where `new`; labels: property=value."""

    sample: str | int
    new: bool = False
    labels: tuple[str, ...] | str = ()
    scans: int = Field(DEFAULT_SCANS, ge=1, le=KEPT)

    @property
    def references(self) -> tuple[str, ...]:
        """The labels, where there is a single one, too."""
        return (self.labels,) if isinstance(self.labels, str) else self.labels


class Finish(Taken):
    """dry_run: only report."""

    dry_run: bool = False


T = TypeVar("T", bound=Taken)


def taken(request: Request, kind: type[T]) -> T:
    """The arguments of a request. Raises Fault(TRANSFER_INPUT) naming what is wrong."""
    try:
        return kind.model_validate(request.arguments)
    except ValidationError as error:
        told: dict[str, list[str]] = {}
        # Of an argument of several kinds, each kind says why it is not that one.
        for found in error.errors():
            told.setdefault(str(found["loc"][0]), []).append(_SAID.get(found["type"], found["msg"]))
        parts = [f"argument {name}: {' or '.join(dict.fromkeys(w))}" for name, w in told.items()]
        raise Fault(Faults.TRANSFER_INPUT, "; ".join(parts)) from None
