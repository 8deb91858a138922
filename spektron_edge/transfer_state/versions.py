"""Which transfers a device holds and which of them is in use. Nothing here touches a file.

Each instrument (serial number) has a stack of versions that were activated, the last of them in
use; going back takes one off, down to none: the bundle's own calibration.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action, Noted, noted
from spektron_edge.files.seen import check_seen

from .header import Header


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Version(_Strict):
    """A stored transfer. id: of its file's contents."""

    number: int = Field(ge=1)
    id: str
    file: str = Field(pattern=r"^[0-9]{4,}-[0-9a-f]{12}\.transfer$")
    header: Header


class Versions(Noted):
    """`transfers.json`. used: by serial number, the versions activated, the last one in use."""

    format: int = Field(1, ge=1, le=1)
    held: tuple[Version, ...] = ()
    used: dict[str, tuple[int, ...]] = Field(default_factory=dict)

    @property
    def following(self) -> int:
        """The next version's number."""
        return max((v.number for v in self.held), default=0) + 1

    def version(self, number: int) -> Version:
        """Raises Fault(TRANSFER_MISSING)."""
        for version in self.held:
            if version.number == number:
                return version
        known = ", ".join(str(v.number) for v in self.held) or "none"
        raise Fault(Faults.TRANSFER_MISSING, f"there is no transfer {number}; there are: {known}")

    def active(self, serial: str) -> Version | None:
        """In use for an instrument, or None for the bundle's own calibration."""
        stack = self.used.get(serial, ())
        return self.version(stack[-1]) if stack else None


def added(versions: Versions, version: Version, who: str) -> Versions:
    """A transfer was made and lies in the folder."""
    after = versions.model_copy(update={"held": (*versions.held, version)})
    return _noted(after, "transfer_added", who, version)


def activated(versions: Versions, number: int, who: str) -> Versions:
    """Use this version for its instrument. Raises Fault(TRANSFER_MISSING, TRANSFER_UNUSABLE)."""
    version = versions.version(number)
    if not any(p.valid for p in version.header.properties):
        detail = f"transfer {number} did not validate for any property; it is kept as a record"
        raise Fault(Faults.TRANSFER_UNUSABLE, detail)
    serial = version.header.serial
    stack = versions.used.get(serial, ())
    if stack and stack[-1] == number:
        return versions
    after = versions.model_copy(update={"used": {**versions.used, serial: (*stack, number)}})
    return _noted(after, "transfer_activated", who, version)


def rolled_back(versions: Versions, serial: str, who: str, seen: int | None = None) -> Versions:
    """The version in use before, or the bundle's own. seen: number that is thought to be in use.
    Raises Fault(TRANSFER_MISSING, OTHER_THAN_SEEN)."""
    left = versions.active(serial)
    check_seen(seen, 0 if left is None else left.number, f"the transfer of {serial}")
    if left is None:
        detail = f"no transfer is in use for {serial}: it predicts as the bundle was made"
        raise Fault(Faults.TRANSFER_MISSING, detail)
    stack = versions.used[serial][:-1]
    after = versions.model_copy(update={"used": {**versions.used, serial: stack}})
    return _noted(after, "transfer_rolled_back", who, left, to=stack[-1] if stack else None)


def _noted(
    versions: Versions, what: str, who: str, version: Version, **more: int | None
) -> Versions:
    header = version.header
    details: dict[str, str | int | bool | None] = {
        "version": version.number,
        "transfer": version.id,
        "serial": header.serial,
        "bundle": header.bundle,
        "samples": ", ".join(header.samples),
        "valid": ", ".join(p.name for p in header.properties if p.valid),
        **more,
    }
    return noted(versions, Action(what=what, who=who, details=details))
