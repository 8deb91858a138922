"""A report: what was found, who stands for it, and the device's signature over both.

`report.json` is canonical JSON. The device signs it with a key of its own (ed25519); persons sign
with their name, what their signature means, and why.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from spektron_edge.bundle.canonical import canonical
from spektron_edge.bundle.device_signature import DeviceSigner, signed_by
from spektron_edge.bundle.signature import key_id
from spektron_edge.faults import Fault, Faults
from spektron_edge.roles import Meaning

from .book import About, Calibration, Kind
from .figures import Figure
from .items import Item, Overall, Strict

REPORT, DATA = "report.json", "data.zip"
_DOMAIN = b"spektron-qualification-v1\n"
_MOST_BYTES = 32 * 2**20
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PlanUsed(Strict):
    """Which plan, and the SHA-256 of its file."""

    title: str
    version: str
    sha256: Digest


class Signed(Strict):
    """A person's electronic signature. proven: how the person was recognised."""

    by: str = Field(min_length=1, max_length=64)
    meaning: Meaning
    reason: str = Field(min_length=1, max_length=500)
    utc: str
    proven: str


class Report(Strict):
    """What was found. clock: whether the host's is synchronised, by its kernel; data: SHA-256 of
    the raw data beside it."""

    schema_: Literal["spektron.qualification/1"] = Field("spektron.qualification/1", alias="schema")
    kind: Kind
    about: About
    number: int = Field(ge=1)
    site: str
    instrument: str
    serial: str | None
    calibration: Calibration | None
    began: str
    ended: str
    clock: Literal["synchronised", "not synchronised", "unknown"]
    software: str
    plan: PlanUsed | None
    performed_by: str
    items: tuple[Item, ...]
    figures: tuple[Figure, ...]
    verdict: Overall
    data: Digest | None

    @property
    def sha256(self) -> str:
        """What persons sign, and the audit log has."""
        return hashlib.sha256(canonical(self.model_dump(mode="json", by_alias=True))).hexdigest()


class DeviceSigned(Strict):
    """The device's signature, in hexadecimal, and the key that it is by."""

    key_id: str = Field(pattern=r"^[0-9a-f]{16}$")
    public: str = Field(pattern=r"^[0-9a-f]{64}$")
    signature: str = Field(pattern=r"^[0-9a-f]{128}$")


class _Document(Strict):
    report: Report
    signatures: tuple[Signed, ...]
    page: Digest

    @property
    def signed_bytes(self) -> bytes:
        return canonical(
            {
                "report": self.report.model_dump(mode="json", by_alias=True),
                "signatures": [s.model_dump(mode="json") for s in self.signatures],
                "page": self.page,
            }
        )


class Sealed(_Document):
    """`report.json`. page: SHA-256 of its page."""

    device: DeviceSigned

    @property
    def bytes(self) -> bytes:
        """As it is kept."""
        return canonical(self.model_dump(mode="json", by_alias=True))


def page_name(signatures: int) -> str:
    """Of the page that shows so many: another one, so that the old one is there until the report
    names the new one, whenever the power fails."""
    return "report.html" if signatures < 2 else f"report-{signatures}.html"


def seal(
    report: Report, signatures: tuple[Signed, ...], page: bytes, signer: DeviceSigner
) -> Sealed:
    """Sign report, signatures of persons and page together."""
    document = _Document(
        report=report, signatures=signatures, page=hashlib.sha256(page).hexdigest()
    )
    signature = signer.sign(_DOMAIN, document.signed_bytes)
    device = DeviceSigned(
        key_id=signer.key_id, public=signer.public.hex(), signature=signature.hex()
    )
    return Sealed(report=report, signatures=signatures, page=document.page, device=device)


def read_sealed(path: Path) -> Sealed:
    """Raises Fault(COMMAND_INPUT) where there is no such file, Fault(QUALIFICATION_BROKEN)."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise Fault(Faults.COMMAND_INPUT, f"cannot read {path}: {error.strerror}") from None
    if len(raw) > _MOST_BYTES:
        raise _broken(f"{path} is larger than a report may be")
    try:
        sealed = Sealed.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _broken(f"{path} is no report: {where} {first['msg']}".rstrip()) from None
    if sealed.bytes != raw:
        raise _broken(f"{path} is not in canonical form: it was changed, or written otherwise")
    return sealed


def verified(path: Path, key: bytes | None) -> Sealed:
    """Signature, page and raw data of a report; path: of any of its three files.

    key: raw public key of the device that must have signed; None: the one that the report names.
    Raises Fault(QUALIFICATION_BROKEN) naming what does not hold, Fault(COMMAND_INPUT).
    """
    folder = path if path.is_dir() else path.parent
    own = path.name if path.suffix == ".json" else REPORT
    sealed = read_sealed(folder / own)
    public = bytes.fromhex(sealed.device.public)
    if key_id(public) != sealed.device.key_id:
        raise _broken(f"{path}: the key is not the one that its id names")
    if key is not None and public != key:
        raise _broken(f"{path}: signed by {sealed.device.key_id}, not by the device {key_id(key)}")
    signature = bytes.fromhex(sealed.device.signature)
    if not signed_by(public, signature, _DOMAIN, sealed.signed_bytes):
        raise _broken(f"{path}: the device's signature does not hold: it was changed")
    page = page_name(len(sealed.signatures))
    for name, digest in ((page, sealed.page), (DATA, sealed.report.data)):
        _check_beside(folder / name, digest)
    return sealed


def _check_beside(path: Path, digest: str | None) -> None:
    if digest is None:
        return
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise _broken(f"{path}: {error.strerror}; it belongs to the report") from None
    if found != digest:
        raise _broken(f"{path} was changed: its SHA-256 is {found}")


def _broken(told: str) -> Fault:
    return Fault(Faults.QUALIFICATION_BROKEN, told)
