"""Progress on the terminal (standard error, so that standard output stays machine-readable)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Advance(Protocol):
    """Called after each step with a short state, e.g. the loss."""

    def __call__(self, state: str) -> None:
        """Advance by one."""
        ...


@contextmanager
def progress(title: str, total: int) -> Iterator[Advance]:
    """A bar over `total` steps."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, state="")

        def advance(state: str) -> None:
            bar.update(task, advance=1, state=state)

        yield advance


def silent(state: str) -> None:
    """An `Advance` that shows nothing."""
