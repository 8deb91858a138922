"""What `spektron-edge inspect` and the support file show of a state folder."""

from __future__ import annotations

from pathlib import Path

from spektron_edge.adaptation_state import Adaptations, AdaptationStore, in_words
from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.audit import AuditError
from spektron_edge.files.audit_segments import Whole, check
from spektron_edge.files.choices import ChoiceStore
from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE
from spektron_edge.outbox import OutboxDamagedError, OutboxError, read_counts
from spektron_edge.outbox.questions import last_prediction
from spektron_edge.qualification.book import BookStore
from spektron_edge.transfer_state import StateStore, Versions


def inspect_state(folder: Path) -> dict[str, object]:
    """Outbox counts, the audit chain, what is installed and what operators chose, read only.

    Raises Fault(STATE_DAMAGED, STATE_UNWRITABLE, TRANSFER_UNUSABLE, ADAPTATION_UNUSABLE).
    """
    report = inspect_in_use(folder)
    if (audit := folder / AUDIT_FILE).is_file():
        try:
            report["audit"] = describe_audit(check(audit, None, None))
        except AuditError as error:
            raise Fault(Faults.STATE_DAMAGED, str(error)) from None
        except OSError as error:
            raise _unreadable(error, folder) from None
    return report


def inspect_in_use(folder: Path) -> dict[str, object]:
    """The same of what a daemon goes by, without the audit log. Raises Fault as inspect_state."""
    outbox, audit = folder / OUTBOX_FILE, folder / AUDIT_FILE
    slots = SlotStore(folder)
    if not outbox.is_file() and not audit.is_file():
        raise Fault(Faults.STATE_DAMAGED, f"{folder} holds neither outbox nor audit log")
    report: dict[str, object] = {"state": str(folder)}
    try:
        if outbox.is_file():
            report["outbox"] = read_counts(outbox)
            if (latest := last_prediction(folder)) is not None:
                report["latest prediction"] = latest.get("id")
        if slots.folder.is_dir():
            report["bundles"] = describe_slots(slots)
        choices = ChoiceStore(folder)
        choices.read()
        if choices.in_words:
            report["chosen"] = list(choices.in_words)
        if (versions := StateStore(folder).read()).held:
            report["transfers"] = describe_transfers(versions)
        if (adaptations := AdaptationStore(folder).read()).held:
            report["adaptations"] = describe_adaptations(adaptations)
        if runs := BookStore(folder).read().runs:
            report["qualifications"] = {
                f"{r.number:04d}-{r.kind}": f"{r.about}: {r.verdict}, report {r.report[:12]}"
                for r in runs
            }
    except OutboxDamagedError as error:
        raise Fault(Faults.STATE_DAMAGED, str(error)) from None
    except (OutboxError, OSError) as error:
        raise _unreadable(error, folder) from None
    return report


def _unreadable(error: Exception, folder: Path) -> Fault:
    # SQLite needs its side files even to read.
    detail = f"{error}; inspect {folder} as the daemon's user"
    return Fault(Faults.STATE_UNWRITABLE, detail)


def describe_audit(whole: Whole) -> dict[str, object]:
    """Of a chain that holds, through all segments that are there."""
    chain = whole.chain
    shown: dict[str, object] = {
        "lines": chain.lines,
        "head": chain.head,
        "chain": "holds" if not chain.torn else "holds; the last line is unfinished",
    }
    if whole.parts:
        shown["segments"] = list(whole.parts)
    if whole.first > 1:
        shown["followed from line"] = whole.first
    return shown


def describe_slots(store: SlotStore) -> dict[str, object]:
    """What each slot holds. Raises Fault(STATE_DAMAGED, STATE_UNWRITABLE)."""
    slots = store.read()
    shown: dict[str, object] = {"active": slots.active or "none"}
    for name, slot in sorted(slots.held.items()):
        words = [slot.state, slot.bundle, f"signed by {slot.signed_by or 'nobody asked for'}"]
        if slot.state == "trying":
            words.append(f"{slot.starts} starts")
        shown[name] = ", ".join([*words, *([slot.why] if slot.why else [])])
    if slots.floors:
        floors = ", ".join(f"{name} {version}" for name, version in slots.floors.items())
        shown["nothing older than"] = floors
    return shown


def describe_transfers(versions: Versions) -> dict[str, object]:
    """Which is in use on each instrument, and what each is."""
    shown: dict[str, object] = {}
    for serial in sorted({version.header.serial for version in versions.held}):
        active = versions.active(serial)
        shown[f"on {serial}"] = "none is in use" if active is None else f"{active.number} is in use"
    for version in versions.held:
        header = version.header
        shown[f"transfer {version.number}"] = (
            f"for {header.product} on {header.serial}, made {header.created:%Y-%m-%d %H:%M} UTC "
            f"by {header.by} from {len(header.samples)} samples"
        )
    return shown


def describe_adaptations(adaptations: Adaptations) -> dict[str, object]:
    """Which is in use on each instrument; those that are installed and those that wait."""
    shown: dict[str, object] = {}
    for serial in sorted({entry.serial for entry in adaptations.held}):
        active = adaptations.active(serial)
        shown[f"on {serial}"] = "none is in use" if active is None else f"{active.number} is in use"
    for entry in adaptations.held:
        if entry.status in ("installed", "proposed"):
            shown[f"adaptation {entry.number}"] = in_words.summary(entry)
    return shown
