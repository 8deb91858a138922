"""The configuration that worked last, for a restart that finds one that did not.

Kept from the moment a trial begins: a power cut in its middle is a trial that did not end well.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from spektron_edge.config.file import Config
from spektron_edge.config.loading import parse_config, read_config
from spektron_edge.files.durable import write_durably
from spektron_edge.files.ledger import Ledger
from spektron_edge.files.state_folder import storage_fault
from spektron_edge.mqtt.secrets import NAMES, Secrets, read_secrets

FOLDER = "configuration"


class Kept(BaseModel):
    """bad: `identity` of the configuration that did not work; good: the text of the one that did;
    secrets: which files of its section [mqtt] hold something else now, and are kept as they were.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bad: str = ""
    good: str = ""
    why: str = ""
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """A configuration, the text it was read from, and why it is not the file's, if it is not.

    secrets: names of files that it has as they were once.
    """

    config: Config
    text: str
    why: str = ""
    secrets: tuple[str, ...] = ()


class LastGood:
    """Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def __init__(self, state_dir: Path) -> None:
        self._ledger = Ledger(state_dir / FOLDER / "last_good.json", Kept())

    def read(self) -> Kept:
        """What is kept now."""
        return self._ledger.read()

    def keep(self, kept: Kept, secrets: Secrets) -> None:
        """secrets: what the files held; for nobody but the daemon's user to read."""
        self._ledger.create()
        try:
            for name, content in secrets.items():
                write_durably(self._kept_as(name), content, 0o600)
        except OSError as error:
            raise storage_fault(error, self._ledger.folder) from None
        self._put(kept)

    def _put(self, kept: Kept) -> None:
        self._ledger.update(lambda now: now if now == kept else kept)

    def restore(self, kept: Kept) -> None:
        """What was kept before; no trial has begun."""
        self._put(kept)
        self._remove(set(NAMES) - set(kept.secrets))

    def forget(self) -> None:
        """The file works."""
        self.restore(Kept())

    def _remove(self, names: set[str]) -> None:
        for name in names:
            # Where that cannot be done, a copy stays that only the daemon's user can read.
            with contextlib.suppress(OSError):
                self._kept_as(name).unlink(missing_ok=True)

    def _kept_as(self, name: str) -> Path:
        return self._ledger.folder / name.removesuffix("_file")

    def with_secrets(self, config: Config, names: tuple[str, ...]) -> Config:
        """The configuration with what is kept in place of these files."""
        paths = {name: self._kept_as(name) for name in names}
        return config.model_copy(update={"mqtt": config.mqtt.model_copy(update=paths)})

    def instead_of(self, config: Config) -> Kept | None:
        """What to use in place of a configuration that did not work; None: use it."""
        kept = self.read()
        return kept if kept.bad and kept.bad == identity(config) else None


def identity(config: Config) -> str:
    """SHA-256 of what a configuration says, and of the secrets that it names, as they are now.

    Another comment is no other configuration. Raises Fault(CONFIG_INVALID) for unreadable secrets.
    """
    digest = hashlib.sha256(config.model_dump_json().encode())
    for name, content in read_secrets(config.mqtt).items():
        digest.update(name.encode() + hashlib.sha256(content).digest())
    return digest.hexdigest()


def load_working(path: Path) -> Found:
    """The file's configuration, or the last good one where the very same one did not work.

    Raises Fault(CONFIG_INVALID, STATE_DAMAGED).
    """
    text = read_config(path)
    config = parse_config(text, path)
    last_good = LastGood(config.state_dir)
    kept = last_good.instead_of(config)
    if kept is None:
        return Found(config, text)
    good = last_good.with_secrets(parse_config(kept.good, path), kept.secrets)
    return Found(good, kept.good, f"{path} did not work: {kept.why}", kept.secrets)
