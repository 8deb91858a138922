"""What is decided about adaptations. Touches no file.

Going back takes one off an instrument's stack, down to none: the bundle's own calibration. Whatever
waits for approval goes on from what is in use now: a proposal that does not is superseded in the
same step.
"""

from __future__ import annotations

import unicodedata

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action, noted
from spektron_edge.files.seen import check_seen
from spektron_edge.said import Sayings

from .adaptations import Adaptations, Approval, Entry, Status

# Of one instrument's: what nobody looks at for so long is overtaken by newer proposals.
MOST_PROPOSED = 8
# Never installed, of all instruments: older ones are forgotten, with file and batch.
MOST_PASSED = 200
# Half of what a ledger may be: decisions about what is in it always find room.
MOST_LEDGER_BYTES = 4 * 2**20
_BY_ITSELF = "auto"


def proposed(adaptations: Adaptations, entry: Entry, who: str) -> Adaptations:
    """It lies in the folder and waits. Raises Fault(ADAPTATION_REFUSED) if it is out of date."""
    _check_parent(adaptations, entry)
    waiting = adaptations.waiting(entry.serial)
    for old in waiting[: max(0, len(waiting) + 1 - MOST_PROPOSED)]:
        adaptations = _superseded(adaptations, old, who, f"adaptation {entry.number}")
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
    if _one_person(who) in map(_one_person, entry.approved_by):
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
    against = (*entry.refusals, *entry.doubts, *(entry.tried or ()))
    if entry.mode != _BY_ITSELF or against:
        why = "; ".join(against) or f"it was made under {entry.mode!r}"
        detail = f"adaptation {number} may not be used without approval: {why}"
        raise Fault(Faults.ADAPTATION_REFUSED, detail)
    _check_parent(adaptations, entry)
    return _installed(adaptations, entry, who, entry.why)


def tried(adaptations: Adaptations, number: int, against: tuple[str, ...]) -> Adaptations:
    """Its time in shadow is over. Raises Fault(ADAPTATION_MISSING, ADAPTATION_REFUSED)."""
    entry = _waiting(adaptations, number).model_copy(update={"tried": against})
    told = "; ".join(against) or "it holds"
    return _noted(_replaced(adaptations, entry), "adaptation_tried", "daemon", entry, told)


def rejected(adaptations: Adaptations, number: int, who: str, why: str) -> Adaptations:
    """Somebody does not want it. Raises Fault(ADAPTATION_MISSING, ADAPTATION_REFUSED)."""
    entry = _waiting(adaptations, number)
    after = _changed(adaptations, entry, "rejected", f"{who}: {why}")
    return _noted(after, "adaptation_rejected", who, entry, why)


def rolled_back(
    adaptations: Adaptations, serial: str, who: str, why: str, seen: int | None = None
) -> Adaptations:
    """Back to what was in use before. seen: number that is thought to be in use. Raises
    Fault(ADAPTATION_MISSING, OTHER_THAN_SEEN)."""
    left = _seen(adaptations, serial, seen)
    if left is None:
        detail = f"no adaptation is in use for {serial}: it predicts as the bundle was made"
        raise Fault(Faults.ADAPTATION_MISSING, detail)
    after = _changed(adaptations, left, "rolled_back", f"{who}: {why}")
    after = _using(after, serial, adaptations.used[serial][:-1])
    back = after.active(serial)
    if back is not None:
        after = _changed(after, back, "installed", "")
    after = _noted(after, "adaptation_rolled_back", who, left, why, **_in_use(left, back))
    return _settled(after, serial, who)


def was_reset(
    adaptations: Adaptations, serial: str, who: str, why: str, seen: int | None = None
) -> Adaptations:
    """Back to the bundle's own calibration, whatever is in use. seen: as in `rolled_back`. Raises
    Fault(OTHER_THAN_SEEN)."""
    left = _seen(adaptations, serial, seen)
    if left is None:
        return adaptations
    after = _changed(adaptations, left, "rolled_back", f"{who}: {why}")
    after = _using(after, serial, ())
    after = _noted(after, "adaptation_reset", who, left, why, **_in_use(left, None))
    return _settled(after, serial, who)


def _seen(adaptations: Adaptations, serial: str, seen: int | None) -> Entry | None:
    left = adaptations.active(serial)
    check_seen(seen, 0 if left is None else left.number, f"the adaptation of {serial}")
    return left


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


def _one_person(name: str) -> str:
    """However a name was typed."""
    return unicodedata.normalize("NFKC", name).casefold()


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
    after = _noted(after, "adaptation_installed", who, entry, why, **_in_use(before, entry))
    return _settled(after, serial, who)


def _settled(adaptations: Adaptations, serial: str, who: str) -> Adaptations:
    """Proposals that do not go on from what is in use are out of date."""
    now = adaptations.active(serial)
    parent = None if now is None else now.id
    own = Sayings.OWN_CALIBRATION.of()
    by = str(own if now is None else Sayings.ADAPTATION.of(number=now.number))
    for entry in adaptations.waiting(serial):
        if entry.parent != parent:
            adaptations = _superseded(adaptations, entry, who, by)
    return adaptations


def _superseded(adaptations: Adaptations, entry: Entry, who: str, by: str) -> Adaptations:
    after = _changed(adaptations, entry, "superseded", by)
    return _noted(after, "adaptation_superseded", who, entry, f"{by} took over")


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
