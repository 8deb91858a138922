"""What a device knows of its qualifications: `state_dir/qualification/book.json`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

from pydantic import Field

from spektron_edge.files.ledger import Action, Ledger, Noted, noted

from .items import Overall, Strict

FOLDER = "qualification"
BOOK = "book.json"
Kind = Literal["iq", "oq", "pq"]
About = Literal["installation", "operation", "comparison", "control"]


class Calibration(Strict):
    """What values come from: the bundle, and the ids of what an instrument changes in it."""

    bundle: str
    product: str
    transfer: str | None = None
    adaptation: str | None = None

    @property
    def told(self) -> str:
        """In words."""
        parts = [self.bundle, self.product]
        parts += [f"transfer {self.transfer}"] if self.transfer else []
        parts += [f"adaptation {self.adaptation}"] if self.adaptation else []
        return ", ".join(parts)


class Control(Strict):
    """One measurement of a control sample: the mean value of so many scans."""

    name: str
    property: str
    unit: str
    value: float


class Run(Strict):
    """One qualification that has ended. utc_s: of its newest measurement, which may be older than
    the run, or of its end where nothing was measured, seconds since 1970; report: the SHA-256 of
    what was found."""

    number: int
    kind: Kind
    about: About
    serial: str | None
    calibration: Calibration | None
    utc_s: float
    verdict: Overall
    report: str
    by: str
    controls: tuple[Control, ...] = ()


class Book(Noted):
    """next_number: of the next run; those that were broken off have a number and no run."""

    format: Literal[1] = 1
    next_number: int = Field(1, ge=1)
    runs: tuple[Run, ...] = ()


class BookStore:
    """The file. Methods raise Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED)."""

    def __init__(self, state_dir: Path) -> None:
        self.folder = state_dir / FOLDER
        self._ledger = Ledger(self.folder / BOOK, Book())

    @property
    def stamp(self) -> tuple[int, int] | None:
        """Another one whenever it was changed."""
        return self._ledger.stamp

    def read(self) -> Book:
        """What it holds now."""
        return self._ledger.read()

    def begin(self, action: Callable[[int], Action]) -> int:
        """A number for a run that begins; action: the audit log's line for it."""

        def numbered(book: Book) -> Book:
            after = book.model_copy(update={"next_number": book.next_number + 1})
            return noted(after, action(book.next_number))

        return self._ledger.update(numbered).next_number - 1

    def end(self, run: Run, action: Action) -> None:
        """A run has ended, and its report is kept."""

        def added(book: Book) -> Book:
            return noted(book.model_copy(update={"runs": (*book.runs, run)}), action)

        self._ledger.update(added)

    def signing(self) -> AbstractContextManager[None]:
        """One signature at a time."""
        return self._ledger.locked("sign.lock", wait=True)

    def note(self, action: Action) -> None:
        """Something else for the audit log."""
        self._ledger.update(lambda book: noted(book, action))

    def told(self, count: int) -> None:
        """The oldest `count` actions stand in the audit log."""
        self._ledger.update(lambda book: book.model_copy(update={"untold": book.untold[count:]}))
