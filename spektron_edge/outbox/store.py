"""The durable queue.

SQLite in WAL mode with synchronous=FULL (NORMAL can lose committed rows at a power cut). The scan
numbers that were dealt with are committed together with the results, so that whatever is missing
after any accident shows as a gap. No rule here uses the wall clock, which may be wrong or jump.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spektron_edge.clock import Clock
from spektron_edge.files.durable import sync_folder
from spektron_edge.files.set_aside import set_aside

from .clock import OutboxClock, Reading
from .errors import (
    SIDE_FILES,
    TROUBLE,
    OutboxDamagedError,
    OutboxError,
    OutboxFullError,
    is_damaged,
    is_read_only,
    translated,
)
from .limits import CAUSES, Limits, apply
from .outgoing import Outgoing, Progress
from .salvage import Salvaged, salvage
from .schema import AGAIN, REFUSED, SENT, UNSENT, open_database
from .span import Span

_COPIED = 1000
_INSERT = "INTO record (id, kind, payload, size, crc, stored_s) VALUES (?, ?, ?, ?, ?, ?)"


class Outbox:
    """One thread owns it. Methods raise OutboxError, OutboxFullError or OutboxDamagedError."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        clock: Clock | None = None,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        """step: called while something long gets on, many times a second."""
        self.path, self._step = path, step
        self._limits = limits
        self._host_clock = clock or Clock()
        self.salvaged: Salvaged | None = None
        self._aside: Path | None = None
        try:
            self._db = open_database(path, step)
        except TROUBLE as error:
            if not is_damaged(error):
                raise translated(error, self.path) from error
            # Kept for inspection; never silently recreated: the daemon reports `salvaged`.
            self._begin_anew()
        self._take_up()

    def _take_up(self) -> None:
        self._open_files = _identities(self.path)
        last = [Reading(*row) for row in self._query("SELECT boot, running_s, outbox_s FROM clock")]
        self._clock = OutboxClock(self._host_clock, last[0] if last else None)

    def _begin_anew(self) -> Salvaged:
        # Remembered until there is a new file: the disk may be full for a while.
        self._aside = self._aside or _set_aside(self.path)
        try:
            self._db = open_database(self.path, self._step)
        except TROUBLE as error:
            raise translated(error, self.path) from error
        self.salvaged = Salvaged(self._aside, 0)
        # Where there is no room for them, what was damaged is kept all the same.
        with contextlib.suppress(OutboxFullError), self._transaction():
            self.salvaged = salvage(self._aside, self._db, self._step)
        self._aside = None
        return self.salvaged

    def renew(self, held: Sequence[Outgoing], progress: Sequence[Progress]) -> Salvaged:
        """Set the damaged file aside and go on with a new one; what could be read of the old.

        held: unsent records that memory still has; progress: what it knows of instruments. Both
        are stored again. Raises also OSError.
        """
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        salvaged = self._begin_anew()
        self._take_up()
        with self._transaction():
            now_s = self._clock.now_s
            rows = [_row(r, now_s) for r in held]
            self._db.executemany(f"INSERT OR IGNORE {_INSERT}", rows)
            self._put_progress(progress)
        return salvaged

    @property
    def in_place(self) -> bool:
        """Whether the open files still have their names; SQLite writes on to files without."""
        return _identities(self.path) == self._open_files

    def put_back(self) -> Path | None:
        """Write all that the open files hold to a new one, and go on with it.

        Returns where another file was set aside that had the name. Raises also OSError; nothing
        was changed then.
        """
        whole = self.path.with_name(self.path.name + ".partial")
        try:
            whole.unlink(missing_ok=True)
            with contextlib.closing(sqlite3.connect(whole)) as copy:
                self._db.backup(copy, pages=_COPIED, progress=lambda *_: self._step())
        except TROUBLE as error:
            with contextlib.suppress(OSError):
                whole.unlink()
            raise translated(error, self.path) from error
        aside = None
        if _identity(self.path) not in (None, self._open_files[0]):
            # Without this one's log, which would be taken for its own.
            for side in _sides(self.path):
                if _identity(side) in self._open_files:
                    side.unlink()
            aside = _set_aside(self.path)
        whole.replace(self.path)
        # A log that stays here holds nothing that the new file does not hold as well.
        for side in _sides(self.path):
            side.unlink(missing_ok=True)
        sync_folder(self.path.parent)
        # Closed first: what it closes last, SQLite removes by its name.
        self._db.close()
        try:
            self._db = open_database(self.path, self._step)
        except TROUBLE as error:
            raise translated(error, self.path) from error
        self._open_files = _identities(self.path)
        return aside

    def make_writable(self) -> None:
        """Open the file again, if it can be written now: a connection does not learn that."""
        before = self._db
        try:
            self._db = open_database(self.path, self._step)
        except TROUBLE as error:
            raise translated(error, self.path) from error
        before.close()
        self._open_files = _identities(self.path)

    def close(self) -> None:
        """Close the database."""
        with contextlib.suppress(OutboxError), self._transaction():
            self._keep_clock()
        self._db.close()

    def commit(
        self,
        records: Sequence[Outgoing],
        progress: Sequence[Progress] = (),
        sent: Iterable[str] = (),
        refused: Iterable[tuple[str, str]] = (),
    ) -> list[Outgoing]:
        """Store records and progress, and note what the broker said of others, in one transaction.

        sent: ids that it acknowledged; refused: ids, each with the reason. On return all of it
        survives a power cut. Returns the records with their positions.
        """
        stored = []
        now_s = self._clock.now_s
        with self._transaction():
            for r in records:
                position = self._db.execute(f"INSERT {_INSERT}", _row(r, now_s)).lastrowid
                stored.append(Outgoing(r.id, r.kind, r.payload, position or 0))
            self._put_progress(progress)
            self._db.executemany(
                "UPDATE record SET state = ?, settled_s = ? WHERE id = ?",
                [(SENT, now_s, i) for i in sent],
            )
            self._db.executemany(
                "UPDATE record SET state = ?, settled_s = ?, reason = ? WHERE id = ?",
                [(REFUSED, now_s, reason, i) for i, reason in refused],
            )
        return stored

    def _put_progress(self, progress: Sequence[Progress]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO progress VALUES (?, ?, ?)",
            [(p.serial, p.boot_id, p.number) for p in progress],
        )

    def unsent(self, limit: int, after: int = 0) -> list[Outgoing]:
        """The oldest unsent records behind a position, in the order of their commit."""
        return self._waiting(UNSENT, limit, after)

    def again(self, limit: int, after: int = 0) -> list[Outgoing]:
        """The same of acknowledged records that are to be sent once more."""
        return self._waiting(AGAIN, limit, after)

    def _waiting(self, state: int, limit: int, after: int) -> list[Outgoing]:
        rows = self._query(
            "SELECT id, kind, payload, position, crc FROM record WHERE state = ? AND position > ? "
            "ORDER BY position LIMIT ?",
            (state, after, limit),
        )
        records = []
        for *row, crc in rows:
            records.append(Outgoing(*row))
            if crc not in (None, records[-1].crc):
                raise OutboxDamagedError(f"record {records[-1].id} is not what was written")
        return records

    def retry_refused(self, most: int) -> int:
        """Queue refused records again, those first that were refused first; returns how many."""
        with self._transaction():
            cursor = self._db.execute(
                "UPDATE record SET state = ? WHERE position IN (SELECT position FROM record "
                "WHERE state = ? ORDER BY settled_s, position LIMIT ?)",
                (UNSENT, REFUSED, most),
            )
        return cursor.rowcount

    def send_again(self, span: Span) -> int:
        """Queue acknowledged records of a span again; returns how many.

        Raises SpanError.
        """
        with self._transaction():
            where, values = span.condition(self._db)
            cursor = self._db.execute(
                f"UPDATE record SET state = {AGAIN} WHERE state = {SENT} AND {where}",  # noqa: S608
                values,
            )
        return cursor.rowcount

    def prune(self) -> Counter[str]:
        """Bring the outbox under its caps; how many records were dropped, by cause.

        Acknowledged ones are not counted.
        """
        with self._transaction():
            self._keep_clock()
            return apply(self._db, self._limits, self._clock.now_s)

    def _keep_clock(self) -> None:
        now = self._clock.read()
        self._db.execute(
            "INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)",
            (now.boot, now.running_s, now.outbox_s),
        )

    def progress(self, serial: str) -> Progress | None:
        """The last scan of that instrument that was committed."""
        for boot_id, number in self._query(
            "SELECT boot_id, number FROM progress WHERE serial = ?", (serial,)
        ):
            return Progress(serial, boot_id, number)
        return None

    def counts(self) -> dict[str, int]:
        """Records by state, and how many were ever dropped, by cause."""
        try:
            return _counts(self._db)
        except TROUBLE as error:
            raise translated(error, self.path) from error

    def accept_counter(self, operator: str, counter: int) -> bool:
        """True once for each operator's counter, which must rise from command to command."""
        # Read first: a counter that was used is known where nothing can be written, too.
        for (last,) in self._query(
            "SELECT counter FROM command_counter WHERE operator = ?", (operator,)
        ):
            if counter <= last:
                return False
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO command_counter VALUES (?, ?)", (operator, counter)
            )
        return True

    def counters(self) -> dict[str, int]:
        """The last counter of each operator."""
        return dict(self._query("SELECT operator, counter FROM command_counter"))

    def raise_counters(self, used: Mapping[str, int]) -> None:
        """No operator's counter is accepted up to these, which are known from elsewhere."""
        known = self.counters()
        raised = [(who, counter) for who, counter in used.items() if counter > known.get(who, 0)]
        if raised:
            with self._transaction():
                self._db.executemany("INSERT OR REPLACE INTO command_counter VALUES (?, ?)", raised)

    def put_counter(self, operator: str, counter: int) -> None:
        """The operator's next counter has to be larger than this, whatever was accepted before."""
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO command_counter VALUES (?, ?)", (operator, counter)
            )

    def _query(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, parameters).fetchall()
        except TROUBLE as error:
            raise translated(error, self.path) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            if isinstance(error, TROUBLE):
                raise translated(error, self.path) from error
            raise


def _row(record: Outgoing, now_s: int) -> tuple[object, ...]:
    size = len(record.payload)
    return record.id, record.kind, record.payload, size, record.crc, now_s


def read_counts(path: Path, *, alone: bool = False) -> dict[str, int]:
    """Counts of a database that a daemon may have open. alone: as of `reading`.

    Raises OutboxDamagedError, OutboxError.
    """
    with reading(path, alone=alone) as db:
        return _counts(db)


@contextlib.contextmanager
def reading(path: Path, *, alone: bool = False) -> Iterator[sqlite3.Connection]:
    """A database that a daemon may have open, to be read only. alone: nobody has it open, and it
    has no log: then no side files are made beside it, not even for a moment.

    Raises OutboxDamagedError, OutboxError.
    """
    # SQLite removes side files when the last one closes the database, but only if that one may
    # write: where nobody has it open, that is this one.
    try:
        lone = not path.with_name(f"{path.name}-wal").exists()
        # A card that fails is made read-only by the kernel: what is on it can still be saved.
        alone = alone or (lone and is_read_only(path))
        how = "ro&immutable=1" if alone else "rw" if lone else "ro"
        uri = f"{path.absolute().as_uri()}?mode={how}"
        with contextlib.closing(sqlite3.connect(uri, uri=True)) as db:
            db.execute("PRAGMA query_only = ON")
            yield db
    except TROUBLE as error:
        if not path.exists():
            absent = f"{path} does not exist: start the daemon once, or correct `state_dir`"
            raise OutboxError(absent) from None
        if is_damaged(error):
            raise OutboxDamagedError(f"{path}: {error}") from None
        denied = f"{path} cannot be read ({error}): ask as the daemon's user"
        raise OutboxError(denied) from None


def _counts(db: sqlite3.Connection) -> dict[str, int]:
    by_state = dict(db.execute("SELECT state, COUNT(*) FROM record GROUP BY state"))
    totals = dict(db.execute("SELECT name, value FROM total"))
    return {
        "unsent": by_state.get(UNSENT, 0),
        "sent": by_state.get(SENT, 0),
        "sent_again": by_state.get(AGAIN, 0),
        "refused": by_state.get(REFUSED, 0),
        **{f"dropped_{cause}": totals.get(f"dropped_{cause}", 0) for cause in CAUSES},
    }


def _set_aside(path: Path) -> Path:
    target = set_aside(path)
    for side, kept in zip(_sides(path), _sides(target), strict=True):
        if side.exists():
            side.rename(kept)
    return target


def _sides(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + suffix) for suffix in SIDE_FILES)


def _identities(path: Path) -> list[tuple[int, int] | None]:
    """What the names of the database and its side files stand for; None for nothing."""
    return [_identity(file) for file in (path, *_sides(path))]


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
