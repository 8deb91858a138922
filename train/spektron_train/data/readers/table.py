"""CSV tables read by blocks of rows, so that a file of any size needs little memory."""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from ..spectral_set import Array, DataError
from .files import need_path

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MISSING = frozenset({"", "NA", "NaN", "nan", "N/A"})
# A file without line ends would otherwise be read whole; 4200 channels of 25 digits are 0.1 MB.
_LONGEST_LINE = 2**24


@dataclass(frozen=True)
class Block:
    """Consecutive rows of a table: cells as text, the first row's line in the file.

    header: names of the columns; each row has as many cells; sha256: of the header's and these
    rows' bytes.
    """

    path: Path
    header: tuple[str, ...]
    rows: list[list[str]]
    line: int
    sha256: str
    decimal: str

    def numbers(self, columns: list[int], gaps: bool = False) -> Array:
        """The columns as numbers, (rows, columns); `gaps` lets empty and NA cells be NaN.

        Raises DataError naming line and column of the first cell that is not a number.
        """
        out = np.empty((len(self.rows), len(columns)))
        for i, row in enumerate(self.rows):
            cells = [row[c] for c in columns]
            if self.decimal == ",":
                cells = [cell.replace(",", ".") for cell in cells]
            try:
                # float() also takes "1_000", "nan" and "infinity".
                if "_" in "".join(cells):
                    raise ValueError
                out[i] = [float(cell) for cell in cells]
                if not np.isfinite(out[i]).all():
                    raise ValueError
            except ValueError:
                out[i] = [
                    self._number(i, c, cell, gaps) for c, cell in zip(columns, cells, strict=True)
                ]
        return out

    def _number(self, row: int, column: int, text: str, gaps: bool) -> float:
        text = text.strip()
        if is_number(text):
            return float(text)
        if gaps and text in _MISSING:
            return float("nan")
        hint = "use a decimal point, or say that the decimal separator is a comma"
        if not re.fullmatch(r"[+-]?\d+,\d+([eE][+-]?\d+)?", text):
            hint = "correct the cell, or remove the row or the column"
        raise DataError(
            f"{self.path}, line {self.line + row}, column {self.header[column]!r}: {text!r} is not "
            f"a number; {hint}"
        )


def is_number(text: str) -> bool:
    """Whether the text is a finite number with a decimal point, nothing more."""
    return _NUMBER.fullmatch(text.strip()) is not None and bool(np.isfinite(float(text)))


def read_blocks(path: Path, rows: int, decimal: str = ".") -> Iterator[Block]:
    """The table `path` (.csv, .txt, or either with .gz), `rows` rows at a time.

    UTF-8, with or without a byte order mark; separated by tabs or semicolons where the header has
    one of these, else by commas. Raises DataError on a missing, empty, truncated or ragged file.
    """
    need_path(path)
    try:
        with _open(path) as stream:
            yield from _blocks(path, stream, rows, decimal)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 text (byte {error.start} of a line); save it as UTF-8"
        ) from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged or cut short ({error}); get it again") from None
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV table ({error})") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror or error})") from None


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


class _Lines:
    """Decoded lines of a stream; keeps the digest of what was handed out since `restart`."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream
        self.number = 0
        self.digest = hashlib.sha256()

    def __iter__(self) -> Iterator[str]:
        while line := self._stream.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise DataError(f"{self._path} has a line above 16 MiB, so it is not a table")
            self.number += 1
            self.digest.update(line)
            text = line.decode("utf-8-sig" if self.number == 1 else "utf-8")
            if "\0" in text:
                raise DataError(f"{self._path} holds zero bytes; save it as UTF-8 text")
            yield text


def _blocks(path: Path, stream: IO[bytes], rows: int, decimal: str) -> Iterator[Block]:
    lines = _Lines(path, stream)
    text = iter(lines)
    first = next(text, "")
    if not first.strip():
        raise DataError(f"{path} is empty or starts with an empty line; a header is needed")
    separator = next((s for s in "\t;" if s in first), ",")
    if decimal == separator:
        raise DataError(f"{path} is separated by commas, so numbers cannot have decimal commas")
    header = tuple(cell.strip() for cell in next(csv.reader([first], delimiter=separator)))
    heading, lines.digest = lines.digest.copy(), lines.digest.copy()
    found: list[list[str]] = []
    line, any_rows = lines.number + 1, False
    # strict: a quote that is never closed is an error and not the rest of the file.
    for row in csv.reader(text, delimiter=separator, strict=True):
        if not row:
            continue
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {lines.number}: {len(row)} cells where the header has "
                f"{len(header)}; the file is cut short, or its numbers have decimal commas"
            )
        found.append(row)
        any_rows = True
        if len(found) == rows:
            yield Block(path, header, found, line, lines.digest.hexdigest(), decimal)
            found, line, lines.digest = [], lines.number + 1, heading.copy()
    if found:
        yield Block(path, header, found, line, lines.digest.hexdigest(), decimal)
    if not any_rows:
        raise DataError(f"{path} has a header and no rows")
