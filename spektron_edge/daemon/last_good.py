"""The configuration that worked last, for a restart that finds one that did not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from spektron_edge.config.file import Config
from spektron_edge.config.loading import parse_config, read_config
from spektron_edge.files.ledger import Ledger

FOLDER = "configuration"


class _Kept(BaseModel):
    """bad: SHA-256 of the file that did not work; good: the text of the one that did."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bad: str = ""
    good: str = ""
    why: str = ""


@dataclass(frozen=True)
class Found:
    """A configuration, the text it was read from, and why it is not the file's, if it is not."""

    config: Config
    text: str
    why: str = ""


class LastGood:
    """Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def __init__(self, state_dir: Path) -> None:
        self._ledger = Ledger(state_dir / FOLDER / "last_good.json", _Kept())

    def keep(self, *, bad: str, good: str, why: str) -> None:
        """The text `bad` did not work and `good` does; why: in words."""
        kept = _Kept(bad=_digest(bad), good=good, why=why)
        self._ledger.update(lambda _: kept)

    def forget(self) -> None:
        """The file works."""
        empty = _Kept()
        self._ledger.update(lambda now: now if now == empty else empty)

    def instead_of(self, text: str) -> tuple[str, str] | None:
        """What to use in place of a text that did not work, and why; None: use the text."""
        kept = self._ledger.read()
        return (kept.good, kept.why) if kept.bad == _digest(text) else None


def load_working(path: Path) -> Found:
    """The file's configuration, or the last good one where the very same file did not work.

    Raises Fault(CONFIG_INVALID, STATE_DAMAGED).
    """
    text = read_config(path)
    config = parse_config(text, path)
    other = LastGood(config.state_dir).instead_of(text)
    if other is None:
        return Found(config, text)
    good, why = other
    return Found(parse_config(good, path), good, f"{path} did not work: {why}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
