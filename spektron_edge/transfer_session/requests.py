"""What the daemon's commands for transfers take."""

from __future__ import annotations

from pydantic import Field

from spektron_edge.commands.arguments import Taken, TakenKind, take_arguments
from spektron_edge.commands.asked import Asked
from spektron_edge.faults import Faults
from spektron_edge.files.seen import SeenNumber
from spektron_edge.spectra.recent import KEPT

DEFAULT_SCANS = 3


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
    """dry_run: only report; seen: the session whose report was looked at, as `transfer-status`
    names it in `work`."""

    dry_run: bool = False
    seen: str | None = Field(None, max_length=64)


class GoBack(Taken):
    """seen: number of the transfer that is thought to be in use."""

    seen: SeenNumber | None = None


class Activate(Taken):
    """transfer: number of one that is kept."""

    transfer: int = Field(ge=1)


def taken(asked: Asked, kind: type[TakenKind]) -> TakenKind:
    """The arguments of a command. Raises Fault(TRANSFER_INPUT) naming what is wrong."""
    return take_arguments(asked.arguments, kind, Faults.TRANSFER_INPUT)
