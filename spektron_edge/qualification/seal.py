"""The device's signature over a report, the signatures of persons, and the page that shows both.

`report.json` is canonical JSON, signed with a key of the device's own (ed25519). What is signed is
the document as it stands: a later version, to which it lacks a field, finds it as sound as this.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from spektron_edge.bundle.canonical import canonical, is_canonical
from spektron_edge.bundle.device_signature import DeviceSigner, signed_by
from spektron_edge.bundle.signature import key_id
from spektron_edge.faults import Fault, Faults

from .items import Strict
from .report import DATA, REPORT, Digest, Report, Signed, page_name

Document = Mapping[str, Any]
_DOMAIN = b"spektron-qualification-v1\n"
_MOST_BYTES = 32 * 2**20
_DEVICE = "device"


class DeviceSigned(Strict):
    """The device's signature, in hexadecimal, and the key that it is by."""

    key_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    public: str = Field(pattern=r"^[0-9a-f]{64}$")
    signature: str = Field(pattern=r"^[0-9a-f]{128}$")


class _Whole(Strict):
    report: Report
    signatures: tuple[Signed, ...]
    page: Digest
    device: DeviceSigned


@dataclass(frozen=True)
class Sealed:
    """`report.json`. document: as it stands; report, signatures, device: what it says; page: its
    page's SHA-256."""

    document: Document
    report: Report
    signatures: tuple[Signed, ...]
    page: str
    device: DeviceSigned

    @property
    def sha256(self) -> str:
        """Of the report alone: what persons sign, and the audit log has."""
        return report_sha256(self.document["report"])

    @property
    def bytes(self) -> bytes:
        """As it is kept."""
        return canonical(self.document)


def report_sha256(report: Document) -> str:
    """Of a report's document."""
    return hashlib.sha256(canonical(report)).hexdigest()


def seal(
    report: Document, signatures: tuple[Signed, ...], page: bytes, signer: DeviceSigner
) -> Sealed:
    """Sign a report's document, signatures of persons and page together."""
    document: dict[str, Any] = {
        "report": report,
        "signatures": [signed.model_dump(mode="json") for signed in signatures],
        "page": hashlib.sha256(page).hexdigest(),
    }
    signature = signer.sign(_DOMAIN, canonical(document)).hex()
    device = DeviceSigned(key_id=signer.key_id, public=signer.public.hex(), signature=signature)
    return _sealed({**document, _DEVICE: device.model_dump(mode="json")})


def verified(path: Path, key: bytes | None) -> Sealed:
    """Signature, page and raw data of a report; path: of its folder, or of a file in it.

    key: raw public key of the device that must have signed; None: the one that the report names.
    Raises Fault(QUALIFICATION_BROKEN) naming what does not hold, Fault(COMMAND_INPUT).
    """
    folder = path if path.is_dir() else path.parent
    path = folder / (path.name if path.suffix == ".json" else REPORT)
    document = _read(path)
    try:
        device = DeviceSigned.model_validate(document.pop(_DEVICE, None))
    except ValidationError:
        raise _broken(f"{path} is no report: it has no device's signature") from None
    public = bytes.fromhex(device.public)
    if key_id(public) != device.key_id:
        raise _broken(f"{path}: the key is not the one that its id names")
    if key is not None and public != key:
        raise _broken(f"{path}: signed by {device.key_id}, not by the device {key_id(key)}")
    if not signed_by(public, bytes.fromhex(device.signature), _DOMAIN, canonical(document)):
        raise _broken(f"{path}: the device's signature does not hold: it was changed")
    try:
        sealed = _sealed({**document, _DEVICE: device.model_dump(mode="json")})
    except ValidationError as error:
        first = error.errors()[0]
        told = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise Fault(
            Faults.COMMAND_INPUT,
            f"{path}: the signature holds, but another version wrote the report ({told})",
        ) from None
    page = page_name(len(sealed.signatures))
    for name, digest in ((page, sealed.page), (DATA, sealed.report.data)):
        _check_beside(folder / name, digest)
    return sealed


def _sealed(document: Document) -> Sealed:
    """Raises ValidationError."""
    whole = _Whole.model_validate_json(canonical(document))
    return Sealed(document, whole.report, whole.signatures, whole.page, whole.device)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise Fault(Faults.COMMAND_INPUT, f"cannot read {path}: {error.strerror}") from None
    if len(raw) > _MOST_BYTES:
        raise _broken(f"{path} is larger than a report may be")
    found = json.loads(raw) if is_canonical(raw) else None
    if not isinstance(found, dict):
        raise _broken(f"{path} is not in canonical form: it was changed, or is no report")
    return found


def _check_beside(path: Path, digest: str | None) -> None:
    if digest is None:
        if path.exists():
            raise _broken(f"{path}: the report has no raw data; this is of something else")
        return
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise _broken(f"{path}: {error.strerror}; it belongs to the report") from None
    if found != digest:
        raise _broken(f"{path} was changed: its SHA-256 is {found}")


def _broken(told: str) -> Fault:
    return Fault(Faults.QUALIFICATION_BROKEN, told)
