"""What the two slots of a device hold, and how that changes. Nothing here touches a file.

A bundle comes into a slot as `candidate`, is `trying` once it was made active, and `good` when it
has proven itself; one that did not is `failed`. What an operator or a trial did is noted in
`untold` by the same change, until the daemon has written it into its audit log.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action, Noted, noted
from spektron_edge.files.seen import check_seen
from spektron_edge.said import Sayings

SlotName = Literal["a", "b"]
SlotState = Literal["candidate", "trying", "good", "failed"]
MAX_STARTS = 3
DAEMON = "daemon"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Slot(_Strict):
    """A bundle on this device. starts: of the daemon, while trying, that did not end in order."""

    file: str = Field(pattern=r"^[ab]-[0-9a-f]{12}\.spektron$")
    bundle: str
    name: str
    version: int
    signed_by: str | None
    state: SlotState
    starts: int = 0
    why: str = ""


class Slots(Noted):
    """`slots.json`. floors: highest version accepted of each signed bundle, by its name."""

    format: Literal[1] = 1
    active: SlotName | None = None
    held: dict[SlotName, Slot] = Field(default_factory=dict)
    floors: dict[str, int] = Field(default_factory=dict)

    @property
    def current(self) -> Slot | None:
        """The active slot's bundle."""
        return None if self.active is None else self.held.get(self.active)

    @property
    def spare(self) -> SlotName:
        """The slot that is not active."""
        return "b" if self.active == "a" else "a"

    @property
    def fallback(self) -> SlotName | None:
        """The other slot, where its bundle has proven itself."""
        other = self.held.get(self.spare)
        return self.spare if other is not None and other.state == "good" else None


def _changed(slots: Slots, **changes: object) -> Slots:
    return slots.model_copy(update=changes)


def _with(slots: Slots, name: SlotName, **changes: object) -> dict[SlotName, Slot]:
    return {**slots.held, name: slots.held[name].model_copy(update=changes)}


def _noted(slots: Slots, what: str, who: str, **details: str | int | bool | None) -> Slots:
    return noted(slots, Action(what=what, who=who, details=dict(details)))


def free_slot(slots: Slots) -> SlotName:
    """Where a new bundle may go. Raises Fault(SLOT_UNFIT) while the active one is on trial."""
    current = slots.current
    if current is not None and current.state == "trying" and slots.fallback is not None:
        raise Fault(
            Faults.SLOT_UNFIT,
            f"slot {slots.active} is on trial and slot {slots.fallback} is what it would fall back "
            "to; wait until it has proven itself, or roll back",
        )
    return slots.spare


def installed(slots: Slots, name: SlotName, slot: Slot, who: str) -> Slots:
    """A verified bundle lies in a slot. Raises Fault(SLOTS_BUSY) when that one became active."""
    if slots.active == name:
        raise Fault(Faults.SLOTS_BUSY, f"the daemon fell back to slot {name} meanwhile")
    after = _changed(slots, held={**slots.held, name: slot})
    return _noted(
        after, "bundle_installed", who, slot=name, bundle=slot.bundle, signed_by=slot.signed_by
    )


def activated(slots: Slots, name: SlotName, who: str, seen: str | None = None) -> Slots:
    """The slot that the daemon takes next. seen: bundle that is thought to be in it. Raises
    Fault(SLOT_UNFIT, OTHER_THAN_SEEN)."""
    slot = slots.held.get(name)
    if slot is None:
        raise Fault(Faults.SLOT_UNFIT, f"slot {name} is empty")
    check_seen(seen, slot.bundle, f"the bundle in slot {name}")
    if slot.state == "failed":
        raise Fault(Faults.SLOT_UNFIT, f"slot {name} failed: {slot.why}; install a bundle into it")
    if slots.active == name:
        return slots
    state: SlotState = "good" if slot.state == "good" else "trying"
    after = _changed(slots, active=name, held=_with(slots, name, state=state, starts=0, why=""))
    return _noted(after, "bundle_activated", who, slot=name, bundle=slot.bundle)


def rolled_back(slots: Slots, who: str, seen: str | None = None) -> Slots:
    """Back to the other slot, though it may be older. seen: bundle that is thought to be in use.
    Raises Fault(SLOT_UNFIT, OTHER_THAN_SEEN)."""
    name, left = slots.fallback, slots.current
    check_seen(seen, "none" if left is None else left.bundle, "the bundle in use")
    if name is None or left is None or slots.active is None:
        detail = "the other slot holds no bundle that has proven itself"
        raise Fault(Faults.SLOT_UNFIT, f"nothing to roll back to: {detail}")
    state: SlotState = "good" if left.state == "good" else "failed"
    after = _changed(
        slots,
        active=name,
        held=_with(slots, slots.active, state=state, why=str(Sayings.SLOT_ROLLED_BACK.of())),
    )
    target = after.held[name]
    if target.signed_by is not None:
        after = _changed(after, floors={**after.floors, target.name: target.version})
    return _noted(
        after, "bundle_rolled_back", who, slot=name, bundle=target.bundle, left=left.bundle
    )


def lowered(slots: Slots, name: str, version: int, bundle: str, who: str) -> Slots:
    """An operator accepts an older version of a bundle that is configured as a file."""
    after = _changed(slots, floors={**slots.floors, name: version})
    return _noted(after, "bundle_rolled_back", who, bundle=bundle, version=version)


def accepted(slots: Slots, name: str, version: int) -> Slots:
    """The daemon has taken a signed bundle into use: nothing older from now on."""
    if version <= slots.floors.get(name, 0):
        return slots
    return _changed(slots, floors={**slots.floors, name: version})


def begun(slots: Slots) -> Slots:
    """The daemon starts with the active slot: a trial counts it, and ends after too many."""
    current = slots.current
    if current is None or slots.active is None or current.state != "trying":
        return slots
    if current.starts >= MAX_STARTS and slots.fallback is not None:
        return fell_back(slots, str(Sayings.NO_ORDERLY_END.of(starts=current.starts)))
    return _changed(slots, held=_with(slots, slots.active, starts=current.starts + 1))


def ended(slots: Slots, bundle: str) -> Slots:
    """The daemon ends in good order during a trial: that start does not count."""
    current = slots.current
    if slots.active is None or current is None or current.bundle != bundle:
        return slots
    if current.state != "trying" or not current.starts:
        return slots
    return _changed(slots, held=_with(slots, slots.active, starts=current.starts - 1))


def proven(slots: Slots, bundle: str, how: str) -> Slots:
    """The bundle on trial has proven itself."""
    current = slots.current
    if slots.active is None or current is None or current.bundle != bundle:
        return slots
    if current.state != "trying":
        return slots
    after = _changed(slots, held=_with(slots, slots.active, state="good", starts=0))
    return _noted(after, "bundle_proven", DAEMON, slot=slots.active, bundle=bundle, how=how)


def fell_back(slots: Slots, why: str) -> Slots:
    """Leave the active slot for the other one, if that is good; else nothing changes."""
    name, left = slots.fallback, slots.current
    if name is None or left is None or slots.active is None:
        return slots
    after = _changed(slots, active=name, held=_with(slots, slots.active, state="failed", why=why))
    return _noted(
        after,
        "bundle_fell_back",
        DAEMON,
        slot=name,
        bundle=after.held[name].bundle,
        left=left.bundle,
        why=why,
    )
