"""A key pair whose public half lies on devices, to encrypt their keys for, and whose private half
lies where backups are restored from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from spektron_edge.bundle.device_key import make_key
from spektron_edge.faults import Fault, Faults

from .sealing import read_private

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class RecipientKey:
    """Files of both halves."""

    key_id: str
    public: Path
    private: Path


def make_recipient_key(folder: Path, name: str) -> RecipientKey:
    """Write NAME.pem and NAME.key.pem. Raises Fault(KEY_UNUSABLE); no file is replaced."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if _NAME.fullmatch(name) is None:
        raise Fault(Faults.KEY_UNUSABLE, f"{name!r} must be a plain name")
    private, public = folder / f"{name}.key.pem", folder / f"{name}.pem"
    try:
        if public.exists() or not make_key(private):
            raise Fault(Faults.KEY_UNUSABLE, f"{private} or {public} is there already")
        key = read_private(private)
        form = Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        public.write_bytes(key.private.public_key().public_bytes(*form))
    except OSError as error:
        raise Fault(Faults.KEY_UNUSABLE, f"{folder}: {error.strerror}") from None
    return RecipientKey(key.key_id, public, private)
