"""Names that no account has, as the audit log may have them: somebody in a hurry types the password
into the field of the name, and the log is for ever."""

from __future__ import annotations

import hashlib
import hmac
import secrets

_DIGITS = 8


class Strangers:
    """Tells one unknown name from another, and nobody what it was: the key is never written down,
    and gone with the process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def shown(self, name: str) -> str:
        """The same for the same name, as long as the page runs."""
        digest = hmac.new(self._key, name.lower().encode("utf-8", "replace"), hashlib.sha256)
        return f"unknown-{digest.hexdigest()[:_DIGITS]}"
