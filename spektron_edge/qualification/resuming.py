"""A run that was broken off, by Ctrl-C, a lost terminal or a power cut: its measurements go on to
another run, so that nobody has to lay the same standards into the beam again.

While a run measures, each measurement is kept at once, signed by the device. A run that came to a
report has them beside it. Both are taken as they are, good or bad: what was measured is never
measured anew.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from datetime import datetime, timezone
from pathlib import Path

from pydantic import ValidationError

from spektron_edge.bundle.canonical import canonical
from spektron_edge.bundle.device_signature import DeviceSigner, signed_by
from spektron_edge.bundle.errors import BundleError
from spektron_edge.bundle.members import Caps, checked_zip, write_members
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.durable import share_with_owner, write_durably
from spektron_edge.files.state_folder import storage_fault

from .book import About, BookStore, Calibration
from .items import Item, Strict, checked
from .keeping import kept
from .measuring import Taken
from .raw_data import packed, unpacked
from .report import DATA, REPORT, Digest
from .results import Measured

UNFINISHED = "measured.zip"
_ABOUT, _SIGNATURE = "about.json", "signature"
_DOMAIN = b"spektron-qualification-measured-v1\n"
_CAPS = Caps(members=3, member_bytes=2**28, total_bytes=2**28)
# Longer, and it is another day with another instrument.
_INTERRUPTED_S = 24 * 3600.0


class Begun(Strict):
    """What a run measures with. plan: SHA-256 of its file."""

    about: About
    plan: Digest
    serial: str | None
    calibration: Calibration | None


class _Unfinished(Strict):
    number: int
    begun: Begun
    data: Digest


def keep_measured(
    folder: Path, number: int, begun: Begun, taken: Taken, signer: DeviceSigner
) -> None:
    """What a run has measured until now, for another one to go on with.

    Raises Fault(STATE_UNWRITABLE, DISK_FULL).
    """
    data = packed(taken)
    if data is None:
        return
    about = _Unfinished(number=number, begun=begun, data=hashlib.sha256(data).hexdigest())
    told = canonical(about.model_dump(mode="json"))
    stream = io.BytesIO()
    signature = signer.sign(_DOMAIN, told)
    write_members(stream, [(_ABOUT, told), (_SIGNATURE, signature), (DATA, data)])
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            share_with_owner(folder)
        write_durably(folder / UNFINISHED, stream.getvalue())
    except OSError as error:
        raise storage_fault(error, folder) from None


def forget_measured(folder: Path) -> None:
    """The report has it now."""
    (folder / UNFINISHED).unlink(missing_ok=True)


def measured_until(
    state_dir: Path, number: int, begun: Begun, signer: DeviceSigner
) -> dict[str, Measured]:
    """What run `number` has measured, by key.

    Raises Fault(COMMAND_INPUT) where there is nothing, or it was measured with
    something else; Fault(QUALIFICATION_BROKEN) where it was changed.
    """
    folder = next(iter(sorted(BookStore(state_dir).folder.glob(f"{number:04d}-?q"))), None)
    if folder is not None and (folder / REPORT).exists():
        report = kept(state_dir, number, signer.public).report
        plan = None if report.plan is None else report.plan.sha256
        _same(number, begun, report.about, plan, (report.serial, report.calibration))
        if report.data is None:
            raise _not(f"qualification {number} has measured nothing")
        data = (folder / DATA).read_bytes()
    elif folder is not None and (folder / UNFINISHED).exists():
        about, data = _read(folder / UNFINISHED, signer)
        if about.number != number:
            raise _broken(f"{folder / UNFINISHED} is of qualification {about.number}")
        was = about.begun
        _same(number, begun, was.about, was.plan, (was.serial, was.calibration))
    else:
        raise _not(f"qualification {number} has left no measurement")
    try:
        return unpacked(data)
    except ValueError as error:
        raise _not(f"qualification {number}: {error}") from None


def gone_on(number: int, had: dict[str, Measured]) -> Item:
    """What a report says of measurements that another run has made."""
    oldest = min(float(m.at_s.min()) for m in had.values())
    began = datetime.fromtimestamp(oldest, timezone.utc)
    age_s = datetime.now(timezone.utc).timestamp() - oldest
    return checked(
        "conditions",
        "gone on from",
        f"qualification {number}, {len(had)} measured since {began:%Y-%m-%d %H:%M} UTC",
        good=age_s <= _INTERRUPTED_S,
        limit="begun within 24 hours",
        told=", ".join(had),
    )


def _same(
    number: int,
    begun: Begun,
    about: str,
    plan: str | None,
    source: tuple[str | None, Calibration | None],
) -> None:
    told = {
        f"it is about {about}": about != begun.about,
        "it went by another plan": plan != begun.plan,
        "another instrument or calibration is in use now": source
        != (begun.serial, begun.calibration),
    }
    if wrong := [words for words, is_so in told.items() if is_so]:
        raise _not(f"qualification {number}: {', '.join(wrong)}")


def _read(path: Path, signer: DeviceSigner) -> tuple[_Unfinished, bytes]:
    try:
        with path.open("rb") as stream, checked_zip(stream, _CAPS) as archive:
            told, signature, data = (archive.read(n) for n in (_ABOUT, _SIGNATURE, DATA))
    except (
        BundleError,
        OSError,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        EOFError,
        zlib.error,
    ) as error:
        raise _broken(f"{path} cannot be read: {error}") from None
    if not signed_by(signer.public, signature, _DOMAIN, told):
        raise _broken(f"{path}: the device's signature does not hold")
    try:
        about = _Unfinished.model_validate_json(told)
    except ValidationError:
        raise _not(f"{path}: another version has written it") from None
    if hashlib.sha256(data).hexdigest() != about.data:
        raise _broken(f"{path} was changed")
    return about, data


def _not(told: str) -> Fault:
    return Fault(Faults.COMMAND_INPUT, f"{told}; begin anew without `--resume`")


def _broken(told: str) -> Fault:
    return Fault(Faults.QUALIFICATION_BROKEN, told)
