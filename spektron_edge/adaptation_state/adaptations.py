"""Which adaptations a device holds, who approved them, and which are in use. Touches no file.

Each instrument (serial number) has a stack of adaptations that were installed, the last of them in
use; going back takes one off, down to none: the bundle's own calibration. Whatever waits for
approval goes on from what is in use now: a proposal that does not is superseded in the same step.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from spektron_edge.faults import Fault, Faults
from spektron_edge.ledger import Action, Noted, noted

from .header import Header, MadeUnder, Sentence, Sentences, Serial, Sha256, StateId

# Of one instrument's: what nobody looks at for so long is overtaken by newer proposals.
MOST_PROPOSED = 8
# Never installed, of all instruments: older ones are forgotten, with file and batch.
MOST_PASSED = 200
# Half of what a ledger may be: decisions about what is in it always find room.
MOST_LEDGER_BYTES = 4 * 2**20

Status = Literal["proposed", "installed", "rejected", "superseded", "rolled_back"]
_BY_ITSELF = "auto"
_SCANS_TOLD = 12


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Approval(_Strict):
    """Who agreed. through: how that is known: `mqtt` (a key), or the local account."""

    who: str = Field(min_length=1, max_length=64)
    through: str = Field(max_length=80)
    at: datetime
    why: Sentence


class Entry(_Strict):
    """A kept adaptation: what is told of it without opening its file.

    id: of its file's contents; bytes: of file and batch; scans: what it was made from, in words;
    installed: whether it ever was in use; ended_by: who rejected, left or replaced it, and why.
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


def proposed(adaptations: Adaptations, entry: Entry, who: str) -> Adaptations:
    """It lies in the folder and waits. Raises Fault(ADAPTATION_REFUSED) if it is out of date."""
    _check_parent(adaptations, entry)
    waiting = adaptations.waiting(entry.serial)
    for old in waiting[: max(0, len(waiting) + 1 - MOST_PROPOSED)]:
        adaptations = _changed(adaptations, old, "superseded", f"adaptation {entry.number}")
    held, latest = (*adaptations.held, entry), max(adaptations.latest, entry.number)
    after = adaptations.model_copy(update={"held": held, "latest": latest})
    return _noted(after, "adaptation_proposed", who, entry, entry.why)


def approved(adaptations: Adaptations, number: int, approval: Approval, needed: int) -> Adaptations:
    """One more person agrees; installed when so many different ones do.

    Raises Fault(ADAPTATION_MISSING, ADAPTATION_REFUSED).
    """
    entry = _waiting(adaptations, number)
    if entry.refusals:
        detail = f"adaptation {number} must not be used: {'; '.join(entry.refusals)}"
        raise Fault(Faults.ADAPTATION_REFUSED, detail)
    who = approval.who
    if who.casefold() in (name.casefold() for name in entry.approved_by):
        detail = f"{who} has approved adaptation {number} already; another person has to"
        raise Fault(Faults.ADAPTATION_REFUSED, detail)
    _check_parent(adaptations, entry)
    entry = entry.model_copy(update={"approvals": (*entry.approvals, approval)})
    after = _replaced(adaptations, entry)
    count = f"{len(entry.approvals)} of {needed}"
    after = _noted(
        after,
        "adaptation_approved",
        who,
        entry,
        approval.why,
        through=approval.through,
        approvals=count,
    )
    return after if len(entry.approvals) < needed else _installed(after, entry, who, approval.why)


def installed_by_itself(adaptations: Adaptations, number: int, who: str) -> Adaptations:
    """Used without a person. Raises Fault(ADAPTATION_MISSING, ADAPTATION_REFUSED)."""
    entry = _waiting(adaptations, number)
    against = (*entry.refusals, *entry.doubts)
    if entry.mode != _BY_ITSELF or against:
        why = "; ".join(against) or f"it was made under {entry.mode!r}"
        detail = f"adaptation {number} may not be used without approval: {why}"
        raise Fault(Faults.ADAPTATION_REFUSED, detail)
    _check_parent(adaptations, entry)
    return _installed(adaptations, entry, who, entry.why)


def rejected(adaptations: Adaptations, number: int, who: str, why: str) -> Adaptations:
    """Somebody does not want it. Raises Fault(ADAPTATION_MISSING, ADAPTATION_REFUSED)."""
    entry = _waiting(adaptations, number)
    after = _changed(adaptations, entry, "rejected", f"{who}: {why}")
    return _noted(after, "adaptation_rejected", who, entry, why)


def rolled_back(adaptations: Adaptations, serial: str, who: str, why: str) -> Adaptations:
    """Back to what was in use before. Raises Fault(ADAPTATION_MISSING)."""
    left = adaptations.active(serial)
    if left is None:
        detail = f"no adaptation is in use for {serial}: it predicts as the bundle was made"
        raise Fault(Faults.ADAPTATION_MISSING, detail)
    after = _changed(adaptations, left, "rolled_back", f"{who}: {why}")
    after = _using(after, serial, adaptations.used[serial][:-1])
    back = after.active(serial)
    if back is not None:
        after = _changed(after, back, "installed", "")
    after = _settled(after, serial)
    return _noted(after, "adaptation_rolled_back", who, left, why, **_in_use(left, back))


def was_reset(adaptations: Adaptations, serial: str, who: str, why: str) -> Adaptations:
    """Back to the bundle's own calibration, whatever is in use."""
    left = adaptations.active(serial)
    if left is None:
        return adaptations
    after = _changed(adaptations, left, "rolled_back", f"{who}: {why}")
    after = _settled(_using(after, serial, ()), serial)
    return _noted(after, "adaptation_reset", who, left, why, **_in_use(left, None))


def thinned(adaptations: Adaptations, most_bytes: int) -> Adaptations:
    """Without the oldest that were never installed and wait no longer, as far as room is needed.

    most_bytes: of all files and batches. Raises Fault(ADAPTATION_REFUSED) where those that have to
    stay are too many.
    """
    passed = [e for e in adaptations.held if not e.installed and e.status != "proposed"]
    total = sum(entry.bytes for entry in adaptations.held)
    forgotten: list[Entry] = []
    while passed and (len(passed) > MOST_PASSED or total > most_bytes):
        forgotten.append(passed.pop(0))
        total -= forgotten[-1].bytes
    if total > most_bytes:
        raise _full(f"adaptations that were in use, or wait, take {most_bytes / 2**20:g} MiB")
    after = adaptations
    if forgotten:
        held = tuple(entry for entry in adaptations.held if entry not in forgotten)
        numbers = ", ".join(str(entry.number) for entry in forgotten)
        action = Action(what="adaptations_forgotten", who="daemon", details={"numbers": numbers})
        after = noted(adaptations.model_copy(update={"held": held}), action)
    if len(after.model_dump_json()) > MOST_LEDGER_BYTES:
        raise _full("the list of adaptations is as long as it may be")
    return after


def _full(why: str) -> Fault:
    detail = f"{why}, and none of them is thrown away: move the folder `adaptations` to an archive"
    return Fault(Faults.ADAPTATION_REFUSED, detail)


def _waiting(adaptations: Adaptations, number: int) -> Entry:
    entry = adaptations.entry(number)
    if entry.status != "proposed":
        by = f" ({entry.ended_by})" if entry.ended_by else ""
        detail = f"adaptation {number} does not wait: it is {entry.status.replace('_', ' ')}{by}"
        raise Fault(Faults.ADAPTATION_REFUSED, detail)
    return entry


def _check_parent(adaptations: Adaptations, entry: Entry) -> None:
    now = adaptations.active(entry.serial)
    if entry.parent != (None if now is None else now.id):
        used = "the bundle's own calibration" if now is None else f"adaptation {now.number}"
        detail = f"adaptation {entry.number} does not go on from what is in use now, {used}"
        raise Fault(Faults.ADAPTATION_REFUSED, detail)


def _installed(adaptations: Adaptations, entry: Entry, who: str, why: str) -> Adaptations:
    serial, before = entry.serial, adaptations.active(entry.serial)
    after = adaptations
    if before is not None:
        after = _changed(after, before, "superseded", f"adaptation {entry.number}")
    after = _changed(after, entry, "installed", "")
    after = _using(after, serial, (*after.used.get(serial, ()), entry.number))
    after = _settled(after, serial)
    return _noted(after, "adaptation_installed", who, entry, why, **_in_use(before, entry))


def _settled(adaptations: Adaptations, serial: str) -> Adaptations:
    """Proposals that do not go on from what is in use are out of date."""
    now = adaptations.active(serial)
    parent = None if now is None else now.id
    by = "the bundle's own calibration" if now is None else f"adaptation {now.number}"
    for entry in adaptations.waiting(serial):
        if entry.parent != parent:
            adaptations = _changed(adaptations, entry, "superseded", by)
    return adaptations


def _changed(adaptations: Adaptations, entry: Entry, status: Status, by: str) -> Adaptations:
    ever = entry.installed or status == "installed"
    update = {"status": status, "ended_by": by, "installed": ever}
    return _replaced(adaptations, entry.model_copy(update=update))


def _replaced(adaptations: Adaptations, entry: Entry) -> Adaptations:
    held = tuple(entry if e.number == entry.number else e for e in adaptations.held)
    return adaptations.model_copy(update={"held": held})


def _using(adaptations: Adaptations, serial: str, stack: tuple[int, ...]) -> Adaptations:
    used = {other: numbers for other, numbers in adaptations.used.items() if other != serial}
    return adaptations.model_copy(update={"used": {**used, serial: stack} if stack else used})


def _in_use(before: Entry | None, after: Entry | None) -> dict[str, str]:
    ids = ["factory" if entry is None else entry.id for entry in (before, after)]
    return {"before": ids[0], "after": ids[1]}


def _noted(
    adaptations: Adaptations, what: str, who: str, entry: Entry, why: str, **more: str
) -> Adaptations:
    details: dict[str, str | int | bool | None] = {
        "adaptation": entry.number,
        "id": entry.id,
        "serial": entry.serial,
        "bundle": entry.bundle,
        "mode": entry.mode,
        "parent": entry.parent or "factory",
        "scans": entry.scans,
        "batch": entry.batch,
        "why": why,
        **more,
    }
    return noted(adaptations, Action(what=what, who=who, details=details))
