"""The code by which whoever stands at the device makes the first account."""

from __future__ import annotations

import contextlib
import hmac
import secrets
from pathlib import Path

from spektron_edge.files.durable import share_with_owner, write_durably
from spektron_edge.files.state_folder import storage_fault

FILE = "first-boot-code"
# No letter that could be taken for a digit, or for another one: 50 bits.
_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
_LONG = 12


class FirstBoot:
    """`state_dir/page/first-boot-code`, 0600; gone once it was used."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def code(self) -> str:
        """The code, made where there is none yet. Raises Fault(STATE_UNWRITABLE, DISK_FULL)."""
        found = self._kept()
        if found:
            return found
        made = "".join(secrets.choice(_LETTERS) for _ in range(_LONG))
        told = "-".join(made[i : i + 4] for i in range(0, _LONG, 4))
        folder = self.path.parent
        try:
            if not folder.is_dir():
                folder.mkdir(parents=True)
                share_with_owner(folder)
            write_durably(self.path, f"{told}\n".encode(), 0o600)
        except OSError as error:
            raise storage_fault(error, folder) from None
        return told

    def fits(self, given: str) -> bool:
        """Whether this is the code; the comparison takes the same time for every wrong one."""
        kept = self._kept()
        return hmac.compare_digest(_plain(kept), _plain(given)) and bool(kept)

    def used(self) -> None:
        """It worked; never again."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _kept(self) -> str:
        try:
            return self.path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""


def _plain(code: str) -> bytes:
    return code.replace("-", "").replace(" ", "").upper().encode("utf-8", "surrogatepass")
