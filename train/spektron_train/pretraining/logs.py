"""Numbers of a run over its steps: CSV for programs, TensorBoard for people."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from torch.utils.tensorboard import SummaryWriter

from spektron_train.archive import write_file

from .config import TERMS

TRAIN, VALIDATION = "train.csv", "validation.csv"
TRAIN_COLUMNS = ("step", "total", *TERMS, "rate", "gradient_norm", "spectra_per_s")
VALIDATION_COLUMNS = ("step", "total", "smoothed", *TERMS)


class RunLog:
    """Two CSV files and TensorBoard events in a folder, from `first` (steps done) on.

    Rows of steps after `first`, which an interrupted run left behind, are removed. Steps count from
    one. Raises OSError.
    """

    def __init__(self, folder: Path, first: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._files = {}
        for name, columns in ((TRAIN, TRAIN_COLUMNS), (VALIDATION, VALIDATION_COLUMNS)):
            _keep_rows(folder / name, columns, first)
            self._files[name] = (folder / name).open("a", encoding="utf-8", newline="")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=first + 1)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files.values():
            file.close()
        self._board.close()

    def train(self, step: int, values: Mapping[str, float]) -> None:
        """One row of `TRAIN_COLUMNS` after a step."""
        self._row(TRAIN, TRAIN_COLUMNS, step, values, "train")

    def validation(self, step: int, values: Mapping[str, float]) -> None:
        """One row of `VALIDATION_COLUMNS`."""
        self._row(VALIDATION, VALIDATION_COLUMNS, step, values, "validation")

    def _row(
        self,
        name: str,
        columns: tuple[str, ...],
        step: int,
        values: Mapping[str, float],
        group: str,
    ) -> None:
        file = self._files[name]
        csv.writer(file).writerow([step, *(repr(float(values[c])) for c in columns[1:])])
        file.flush()
        for column in columns[1:]:
            self._board.add_scalar(f"{group}/{column}", values[column], step)


def _keep_rows(path: Path, columns: tuple[str, ...], last: int) -> None:
    """Header and whole rows up to step `last`; a row a crash tore is dropped."""
    kept = []
    if last and path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        if rows and tuple(rows[0]) == columns:
            kept = [r for r in rows[1:] if len(r) == len(columns) and r[0].isdigit()]
            kept = [r for r in kept if int(r[0]) <= last]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([columns, *kept])
    write_file(path, text.getvalue().encode())
