"""Which adaptations a device holds, who approved them, and which are in use: `adaptations.json`.

Each instrument (serial number) has a stack of adaptations that were installed, the last of them in
use.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Noted

from .header import Header, MadeUnder, Sentence, Sentences, Serial, Sha256, StateId

Status = Literal["proposed", "installed", "rejected", "superseded", "rolled_back"]
_SCANS_TOLD = 12


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Approval(_Strict):
    """Who agreed. through: how that is known: `mqtt` (a key), `page` and as what it
    was signed (`page, approved`), or the local account."""

    who: str = Field(min_length=1, max_length=64)
    through: str = Field(max_length=80)
    at: datetime
    why: Sentence


class Entry(_Strict):
    """A kept adaptation: what is told of it without opening its file.

    id: of its file's contents; bytes: of file and batch; scans: what it was made from, in words;
    tried: what spoke against it after its time in shadow, None before that is over; installed:
    whether it ever was in use; ended_by: who rejected, left or replaced it, and why.
    """

    number: int = Field(ge=1)
    id: StateId
    file: str = Field(pattern=r"^[0-9]{4,}-[0-9a-f]{12}\.adaptation$")
    batch: Sha256
    bytes: int = Field(ge=0)
    serial: Serial
    bundle: str
    product: str
    mode: MadeUnder
    parent: StateId | None
    created: datetime
    scans: str
    why: Sentence
    refusals: Sentences
    doubts: Sentences
    status: Status = "proposed"
    tried: Sentences | None = None
    approvals: tuple[Approval, ...] = ()
    installed: bool = False
    ended_by: str = ""

    @property
    def batch_file(self) -> str:
        """Name of the file of its spectra."""
        return f"{self.batch}.batch"

    @property
    def approved_by(self) -> tuple[str, ...]:
        """Names of those who agreed."""
        return tuple(approval.who for approval in self.approvals)


class Adaptations(Noted):
    """`adaptations.json`. used: by serial number, what was installed, the last one in use."""

    format: int = Field(1, ge=1, le=1)
    latest: int = Field(0, ge=0, description="highest number that was ever given")
    held: tuple[Entry, ...] = ()
    used: dict[Serial, Annotated[tuple[int, ...], Field(min_length=1)]] = Field(
        default_factory=dict
    )

    @model_validator(mode="after")
    def _whole(self) -> Adaptations:
        """What is in use is there, and is that instrument's: else nothing else can be believed."""
        serials = {entry.number: entry.serial for entry in self.held}
        if len(serials) != len(self.held) or max(serials, default=0) > self.latest:
            raise ValueError("it numbers its adaptations wrongly")
        for serial, stack in self.used.items():
            if any(serials.get(number) != serial for number in stack):
                raise ValueError(f"what is in use for {serial} is not in it")
        return self

    def entry(self, number: int) -> Entry:
        """Raises Fault(ADAPTATION_MISSING)."""
        for entry in self.held:
            if entry.number == number:
                return entry
        known = ", ".join(str(entry.number) for entry in self.held) or "none"
        detail = f"there is no adaptation {number}; there are: {known}"
        raise Fault(Faults.ADAPTATION_MISSING, detail)

    def by_id(self, state_id: str) -> Entry:
        """The oldest of that id. Raises Fault(ADAPTATION_MISSING)."""
        for entry in self.held:
            if entry.id == state_id:
                return entry
        raise Fault(Faults.ADAPTATION_MISSING, f"adaptation {state_id} is not kept here")

    def active(self, serial: str) -> Entry | None:
        """In use for an instrument, or None for the bundle's own calibration."""
        stack = self.used.get(serial, ())
        return self.entry(stack[-1]) if stack else None

    @property
    def only_in_use(self) -> str:
        """The one instrument with an adaptation in use. Raises Fault(ADAPTATION_MISSING)."""
        if len(self.used) != 1:
            have = ", ".join(self.used) or "none"
            detail = f"no instrument is named, and those with an adaptation in use are: {have}"
            raise Fault(Faults.ADAPTATION_MISSING, detail)
        return next(iter(self.used))

    def waiting(self, serial: str) -> tuple[Entry, ...]:
        """Proposals for an instrument, oldest first."""
        return tuple(e for e in self.held if e.serial == serial and e.status == "proposed")


def entry_of(header: Header, number: int, state_id: str, size: int) -> Entry:
    """What the ledger keeps of an adaptation; size: bytes of file and batch."""
    return Entry(
        number=number,
        id=state_id,
        file=f"{number:04d}-{state_id}.adaptation",
        batch=header.batch,
        bytes=size,
        serial=header.serial,
        bundle=header.bundle,
        product=header.product,
        mode=header.mode,
        parent=header.parent,
        created=header.created,
        scans=scan_ranges(header.scans),
        why=header.why,
        refusals=header.refusals,
        doubts=header.doubts,
    )


def scan_ranges(scans: tuple[tuple[int, int], ...]) -> str:
    """Boot ids and ranges of numbers, such as `boot 7: 3-40, 42`; the first dozen ranges."""
    ranges: list[tuple[int, int, int]] = []
    for boot, number in scans:
        if ranges and ranges[-1][0] == boot and ranges[-1][2] + 1 == number:
            ranges[-1] = (boot, ranges[-1][1], number)
        else:
            ranges.append((boot, number, number))
    words, last = "", None
    for boot, first, end in ranges[:_SCANS_TOLD]:
        words += f"; boot {boot}: " if boot != last else ", "
        words += f"{first}" if first == end else f"{first}-{end}"
        last = boot
    more = len(ranges) - _SCANS_TOLD
    return words.removeprefix("; ") + (f" and {more} ranges more" if more > 0 else "")
