"""Reports on the device's disk: written, signed, found again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from spektron_edge.bundle.device_signature import DeviceSigner, device_signer
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.durable import share_with_owner, write_durably
from spektron_edge.files.ledger import Action
from spektron_edge.files.state_folder import storage_fault
from spektron_edge.roles import Meaning

from .book import BookStore
from .html import page
from .report import DATA, REPORT, Report, Signed, page_name
from .seal import Document, Sealed, report_sha256, seal, verified


@dataclass(frozen=True)
class Done:
    """What came of it, and where it is."""

    sealed: Sealed
    folder: Path

    @property
    def page(self) -> Path:
        """For people."""
        return self.folder / page_name(len(self.sealed.signatures))


def signature(by: str, meaning: Meaning, reason: str, proven: str) -> Signed:
    """A person's, made now."""
    return Signed(by=by, meaning=meaning, reason=reason, utc=utc(), proven=proven)


def sign(state_dir: Path, number: int, signed: Signed) -> Done:
    """Add a person's signature to a report. Raises Fault(COMMAND_INPUT, QUALIFICATION_BROKEN)."""
    store, signer = BookStore(state_dir), device_signer(state_dir)
    folder = folder_of(state_dir, number)
    with store.signing():
        before = kept(state_dir, number, signer.public)
        theirs = {s.meaning for s in before.signatures if s.by.lower() == signed.by.lower()}
        if signed.meaning in theirs:
            why = f"{signed.by} has signed report {number} as {signed.meaning} already"
            raise Fault(Faults.COMMAND_INPUT, why)
        sealed = keep(folder, before.document["report"], (*before.signatures, signed), signer, None)
    store.note(told("qualification_signed", sealed, signed))
    return Done(sealed, folder)


def folder_of(state_dir: Path, number: int) -> Path:
    """Where a report is. Raises Fault(COMMAND_INPUT)."""
    found = sorted(BookStore(state_dir).folder.glob(f"{number:04d}-?q"))
    if not found or not (found[0] / REPORT).exists():
        told = f"there is no report {number}; `spektron-edge qualify show` lists them"
        raise Fault(Faults.COMMAND_INPUT, told)
    return found[0]


def kept(state_dir: Path, number: int, key: bytes | None) -> Sealed:
    """A report of this device, whole, and the one that its book means by that number.

    key: the device's public one; None takes the report's own word for it.
    Raises Fault(COMMAND_INPUT, QUALIFICATION_BROKEN, STATE_DAMAGED).
    """
    folder = folder_of(state_dir, number)
    sealed = verified(folder, key)
    run = next((r for r in BookStore(state_dir).read().runs if r.number == number), None)
    if sealed.report.number != number or (run is not None and run.report != sealed.sha256):
        told = f"{folder}: it is report {sealed.report.number}, and not the one that was kept"
        raise Fault(Faults.QUALIFICATION_BROKEN, f"{told} as {number}")
    return sealed


def keep(
    folder: Path,
    document: Document,
    signatures: tuple[Signed, ...],
    signer: DeviceSigner,
    data: bytes | None,
) -> Sealed:
    """Write what belongs to a report. Raises Fault(STATE_UNWRITABLE, DISK_FULL)."""
    report = Report.model_validate(document)
    text = page(report, report_sha256(document), signatures, signer.key_id).encode()
    sealed = seal(document, signatures, text, signer)
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            share_with_owner(folder)
        name = page_name(len(signatures))
        for file, content in ((DATA, data), (name, text), (REPORT, sealed.bytes)):
            if content is not None:
                write_durably(folder / file, content)
        for old in folder.glob("report*.html"):
            if old.name != name:
                old.unlink()
    except OSError as error:
        raise storage_fault(error, folder) from None
    return sealed


def told(what: str, sealed: Sealed, signed: Signed) -> Action:
    """The audit log's line for a signature."""
    report = sealed.report
    return Action(
        what=what,
        who=signed.by,
        details={
            "number": report.number,
            "kind": report.kind,
            "about": report.about,
            "verdict": report.verdict,
            "report": sealed.sha256,
            "meaning": f"{signed.meaning}: {signed.reason}",
            "proven": signed.proven,
            "key": sealed.device.key_id,
            "utc": signed.utc,
        },
    )


def utc() -> str:
    """Now, as reports write it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
