"""What a backup says of itself: `manifest.json`, signed by the device in `signature.json`."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from spektron_edge.bundle.signature import KeyId

from .kinds import Place, kind_of

MANIFEST, SIGNATURE, SEALED = "manifest.json", "signature.json", "sealed"
DOMAIN = b"spektron-backup-v1\n"
# Whatever a file's mode was, or a manifest says: nobody else writes to it, nothing of it is run.
OPEN_MODES = 0o644
MOST_FILES = 20_000
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+@-]{0,199}")

Where = Literal["state", "config"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def is_inner_path(path: str) -> bool:
    """Whether a path with `/` stays below where it begins: plain names, none of them hidden."""
    return len(path) <= 500 and all(_PART.fullmatch(part) for part in path.split("/"))


def _path(path: str) -> str:
    if not is_inner_path(path.removeprefix("/")):
        raise ValueError(f"path {path!r} must consist of plain names")
    return path


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kept(_Strict):
    """A file. path: under the state folder or the configuration's, or absolute for what the
    configuration names elsewhere; mode: who may read it."""

    where: Where
    path: Annotated[str, AfterValidator(_path)]
    bytes: int = Field(ge=0, lt=2**32)
    sha256: Sha256
    mode: int = Field(ge=0, le=0o777)

    @model_validator(mode="after")
    def _below(self) -> Kept:
        if self.where == "state":
            if self.path.startswith("/"):
                raise ValueError(f"path {self.path!r} is outside the state folder")
            if kind_of(self.path).place is Place.LEFT_OUT:
                raise ValueError(f"{self.path} is none that a backup holds")
        return self

    @property
    def member(self) -> str:
        """Its name in the zip."""
        root = "-root" if self.path.startswith("/") else ""
        return f"{self.where}{root}/{self.path.removeprefix('/')}"


class Sealing(_Strict):
    """What is encrypted, and how. recipient: id of the key that it is for; None: a passphrase."""

    recipient: KeyId | None
    bytes: int = Field(ge=0, lt=2**28)
    sha256: Sha256
    holds: tuple[str, ...] = Field(max_length=MOST_FILES)


class AuditHead(_Strict):
    """Of the audit log, as the backup has it."""

    lines: int = Field(ge=0)
    head: Sha256


class Manifest(_Strict):
    """config: name of the configuration's file; left_out: what was not taken, and why; public: the
    key that signed, in hexadecimal."""

    format: int = Field(1, ge=1, le=1)
    id: str = Field(pattern=r"^[0-9A-HJKMNP-TV-Z]{26}$")
    made: AwareDatetime
    by: str
    site: str
    instrument: str
    host: str
    version: str
    outbox_schema: int
    audit: AuditHead
    config: Annotated[str, AfterValidator(_path)]
    files: tuple[Kept, ...] = Field(max_length=MOST_FILES)
    sealed: Sealing | None
    left_out: tuple[str, ...] = ()
    public: Sha256

    @property
    def total_bytes(self) -> int:
        """Of all files, unpacked."""
        return sum(f.bytes for f in self.files) + (self.sealed.bytes if self.sealed else 0)


class Signature(_Strict):
    """Over `DOMAIN` and the manifest's bytes."""

    key_id: KeyId
    signature: str = Field(pattern=r"^[0-9a-f]{128}$")
