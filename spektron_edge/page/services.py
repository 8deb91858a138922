"""Everything that answers need, made once per process."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from spektron_edge import log
from spektron_edge.config.file import Config
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault

from .account_notes import AccountNotes
from .first_boot import FirstBoot
from .incoming import FOLDER as INCOMING
from .incoming import Incoming
from .link import Link
from .log_ring import LogRing
from .notes import Notes
from .sessions import Sessions
from .source_mean import Sources
from .strangers import Strangers
from .threads import Threads
from .tries import Tries
from .users import FOLDER, UserStore

_MIN_S = 60.0


@dataclass(eq=False)
class Page:
    """config_path: read again where it changes, for bundle and adaptation; `[page]` is that of the
    start. reading: threads for what browsers look at; keeping: for accounts and notes, which never
    wait behind it; surveying: for questions about everything that was stored, which take seconds
    and memory, one at a time; hashing: for passwords, one at a time."""

    config_path: Path
    started_with: Config
    link: Link
    users: UserStore
    sessions: Sessions
    tries: Tries
    strangers: Strangers
    notes: Notes
    account_notes: AccountNotes
    first_boot: FirstBoot
    reading: Threads
    surveying: Threads
    keeping: Threads
    hashing: Threads
    log_ring: LogRing
    sources: Sources
    incoming: Incoming
    _config: tuple[tuple[int, int], Config] | None = None

    @property
    def state_dir(self) -> Path:
        """The daemon's folder."""
        return self.started_with.state_dir

    def config(self) -> Config:
        """As the file says now; as it was where it cannot be read. Blocks."""
        try:
            status = self.config_path.stat()
            stamp = status.st_ino, status.st_mtime_ns
            if self._config is None or self._config[0] != stamp:
                self._config = stamp, load_config(self.config_path)
        except (OSError, Fault) as error:
            log.warn("page_config_unread", detail=error)
        return self.started_with if self._config is None else self._config[1]

    def close(self) -> None:
        """The process ends."""
        self.incoming.clear()
        self.reading.close()
        self.surveying.close()
        self.keeping.close()
        self.hashing.close()


def services(config_path: Path, config: Config, link: Link) -> Page:
    """What the page works with."""
    reading, keeping = Threads(2, 32, "page-reading"), Threads(1, 64, "page-keeping")
    folder = config.state_dir / FOLDER
    users = UserStore(config.state_dir)
    notes = Notes(config.state_dir, link.note, keeping.run, time.monotonic)
    incoming = Incoming(folder / INCOMING, reading)
    # A process that was killed has left what nobody knows any more.
    incoming.clear()
    return Page(
        config_path=config_path,
        started_with=config,
        link=link,
        users=users,
        sessions=Sessions(
            config.page.session_min * _MIN_S, config.page.idle_min * _MIN_S, time.monotonic
        ),
        tries=Tries(time.monotonic),
        strangers=Strangers(),
        notes=notes,
        account_notes=AccountNotes(users, notes, keeping),
        first_boot=FirstBoot(folder),
        reading=reading,
        surveying=Threads(1, 16, "page-surveying"),
        keeping=keeping,
        hashing=Threads(1, 8, "page-hashing"),
        log_ring=LogRing(),
        sources=Sources(),
        incoming=incoming,
    )
