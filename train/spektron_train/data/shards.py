"""Sets larger than memory on disk: folders of memory-mapped .npy files and one JSON index.

A folder holds axis.npy, for each shard NNNNN.spectra.npy (n, L), NNNNN.references.npy (n, m) and
NNNNN.names.json, and last of all index.json with the digest of every file. A folder without it is
one whose writing was interrupted.
"""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .readers.files import sha256_of
from .spectral_set import Array, DataError, SpectralSet, merged

INDEX = "index.json"
_AXIS = "axis.npy"
_FORMAT = "spektron-shards-1"
_SHARED = ("name", "axis_unit", "quantity", "properties", "units", "licence")
_ROW = np.array([0])
# Rows are shuffled among this many shards, whose order is shuffled among all.
WINDOW = 4
# A batch may straddle two windows; more are never mapped at once.
MOST_OPEN = 2 * WINDOW


@dataclass(frozen=True)
class Position:
    """Where a training run stands: batches done in an epoch. Restart with `batches(start=step)`."""

    epoch: int
    step: int


def write_shards(blocks: Iterable[SpectralSet], folder: Path, rows_per_shard: int) -> None:
    """Write the blocks, which share axis, units, quantity and properties, to a new folder.

    Holds one shard and one block in memory. Raises DataError when `folder` holds anything, when
    blocks differ, when there is none, and when the disk refuses.
    """
    if rows_per_shard < 1:
        raise DataError(f"a shard of {rows_per_shard} rows cannot be written; give 1 or more")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise DataError(f"{folder} is not empty; name a new folder, or delete it first")
        _write(blocks, folder, rows_per_shard)
    except OSError as error:
        raise DataError(f"{folder} cannot be written ({error.strerror or error})") from None


def _write(blocks: Iterable[SpectralSet], folder: Path, size: int) -> None:
    first: SpectralSet | None = None
    pending: list[SpectralSet] = []
    shards: list[dict[str, Any]] = []
    sources = hashlib.sha256()
    for block in blocks:
        if first is None:
            first = block.take(_ROW)
            np.save(folder / _AXIS, first.axis)
        merged("shards", [first, block.take(_ROW)])
        sources.update(block.sha256.encode())
        pending.append(block)
        if sum(map(len, pending)) >= size:
            rows = merged(first.name, pending)
            whole = len(rows) - len(rows) % size
            for start in range(0, whole, size):
                part = rows.take(np.arange(start, start + size))
                shards.append(_write_shard(part, folder, len(shards)))
            pending = [rows.take(np.arange(whole, len(rows)))] if whole < len(rows) else []
    if first is None:
        raise DataError(f"nothing to write to {folder}: the source gave no spectra")
    if pending:
        shards.append(_write_shard(merged(first.name, pending), folder, len(shards)))
    index = {
        "format": _FORMAT,
        **{name: getattr(first, name) for name in _SHARED},
        "source_sha256": sources.hexdigest(),
        "files": {_AXIS: sha256_of([folder / _AXIS])},
        "shards": shards,
    }
    part_file = folder / f"{INDEX}.part"
    part_file.write_text(json.dumps(index, indent=1), encoding="utf-8")
    part_file.replace(folder / INDEX)


def _write_shard(rows: SpectralSet, folder: Path, number: int) -> dict[str, Any]:
    spectra, references, names = _shard_files(number)
    np.save(folder / spectra, rows.spectra)
    np.save(folder / references, rows.references)
    text = {"sample_ids": rows.sample_ids, "instruments": rows.instruments}
    (folder / names).write_text(json.dumps(text), encoding="utf-8")
    files = (spectra, references, names)
    return {"rows": len(rows), "files": {name: sha256_of([folder / name]) for name in files}}


def _shard_files(number: int) -> tuple[str, str, str]:
    return f"{number:05d}.spectra.npy", f"{number:05d}.references.npy", f"{number:05d}.names.json"


class Shards:
    """A folder written by `write_shards`; files are mapped, and checked when first used.

    Raises DataError on opening when the folder is incomplete or its index damaged, and on reading
    a file that was altered or cut short.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index = _read_index(folder)
        self._digests: dict[str, str] = dict(self._index["files"])
        for shard in self._index["shards"]:
            self._digests.update(shard["files"])
        self._checked: set[str] = set()
        self._open: OrderedDict[int, SpectralSet] = OrderedDict()
        self._lengths = np.array([shard["rows"] for shard in self._index["shards"]], np.int64)
        self.axis = self._array(_AXIS)
        for number in range(len(self)):
            for name in _shard_files(number):
                if not (folder / name).is_file():
                    raise DataError(f"{folder / name} is missing; import the set again")

    def __len__(self) -> int:
        """How many shards there are."""
        return len(self._lengths)

    @property
    def rows(self) -> int:
        """How many spectra there are."""
        return int(self._lengths.sum())

    @property
    def card(self) -> dict[str, Any]:
        """Name, units, quantity, properties, licence and the digest of what was read."""
        return {name: self._index[name] for name in (*_SHARED, "source_sha256")}

    def read(self, number: int) -> SpectralSet:
        """Shard `number`, its spectra mapped and not in memory. Raises DataError."""
        if number in self._open:
            self._open.move_to_end(number)
            return self._open[number]
        if not 0 <= number < len(self):
            raise DataError(f"{self.folder} has shards 0 to {len(self) - 1}, not {number}")
        spectra, references, names = _shard_files(number)
        try:
            text = json.loads(self._verified(names).read_text(encoding="utf-8"))
            shard = SpectralSet(
                **{k: _frozen(v) for k, v in self._index.items() if k in _SHARED},
                spectra=self._array(spectra),
                axis=self.axis,
                references=self._array(references),
                sample_ids=tuple(text["sample_ids"]),
                instruments=tuple(text["instruments"]),
                sha256=self._digests[spectra],
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{self.folder}: shard {number} is damaged ({error})") from None
        if len(shard) != self._lengths[number]:
            raise DataError(f"{self.folder / spectra} has {len(shard)} rows; import the set again")
        while len(self._open) >= MOST_OPEN:
            self._open.popitem(last=False)
        self._open[number] = shard
        return shard

    def steps(self, size: int, world: int = 1) -> int:
        """Batches of `size` in an epoch for each of `world` ranks; the remainder is left out."""
        if size < 1 or world < 1 or self.rows < size * world:
            raise DataError(
                f"{self.folder} has {self.rows} spectra, which is not one batch of {size} for each "
                f"of {world} ranks"
            )
        return self.rows // (size * world)

    def position(self, batches: int, size: int, world: int = 1) -> Position:
        """Epoch and step after so many batches."""
        return Position(*divmod(batches, self.steps(size, world)))

    def batches(
        self, size: int, seed: int, epoch: int, rank: int = 0, world: int = 1, start: int = 0
    ) -> Iterator[SpectralSet]:
        """Batches `start` and on of an epoch, shuffled by seed and epoch alone.

        Ranks take turns in one order, so they share no row. At most MOST_OPEN shards are mapped,
        and a restart reads nothing that it does not need.
        """
        if not 0 <= rank < world:
            raise DataError(f"rank {rank} of {world} does not exist")
        steps = self.steps(size, world)
        order = _Order(self._lengths, seed, epoch)
        for step in range(start, steps):
            first = (step * world + rank) * size
            yield self._rows(order.rows(first, first + size))

    def _rows(self, wanted: NDArray[np.int64]) -> SpectralSet:
        """Rows given as (k, 2) of shard and row, in that order."""
        numbers, inverse = np.unique(wanted[:, 0], return_inverse=True)
        parts = [self.read(int(n)).take(wanted[wanted[:, 0] == n, 1]) for n in numbers]
        # Row j of `wanted` is the next unused one of its shard's part.
        place = np.empty(len(wanted), np.int64)
        place[np.argsort(inverse, kind="stable")] = np.arange(len(wanted))
        return replace(merged(str(self.folder), parts).take(place), name=str(self.folder))

    def _verified(self, name: str) -> Path:
        path = self.folder / name
        if name not in self._checked:
            if sha256_of([path]) != self._digests[name]:
                raise DataError(f"{path} was altered or cut short; import the set again")
            self._checked.add(name)
        return path

    def _array(self, name: str) -> Array:
        try:
            # An empty array cannot be mapped.
            path = self._verified(name)
            empty = "references" in name and not self._index["properties"]
            array: Array = np.load(path, mmap_mode=None if empty else "r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.folder / name} cannot be read ({error})") from None
        return array


class _Order:
    """The order of all rows in an epoch, computed one window of shards at a time."""

    def __init__(self, lengths: NDArray[np.int64], seed: int, epoch: int) -> None:
        self._seed, self._epoch, self._lengths = seed, epoch, lengths
        shards = np.random.default_rng([seed, epoch]).permutation(len(lengths))
        self._windows = [shards[i : i + WINDOW] for i in range(0, len(shards), WINDOW)]
        self._ends = np.cumsum([lengths[window].sum() for window in self._windows])
        self._held: OrderedDict[int, NDArray[np.int64]] = OrderedDict()

    def rows(self, first: int, last: int) -> NDArray[np.int64]:
        """Rows `first` to `last` of the epoch as (k, 2) of shard and row."""
        parts = []
        while first < last:
            number = int(np.searchsorted(self._ends, first, side="right"))
            window = self._window(number)
            begin = int(self._ends[number]) - len(window)
            end = min(last, int(self._ends[number]))
            parts.append(window[first - begin : end - begin])
            first = end
        return np.concatenate(parts)

    def _window(self, number: int) -> NDArray[np.int64]:
        if number not in self._held:
            pairs = np.concatenate(
                [
                    np.stack([np.full(self._lengths[s], s), np.arange(self._lengths[s])], axis=1)
                    for s in self._windows[number]
                ]
            )
            random = np.random.default_rng([self._seed, self._epoch, 1 + number])
            self._held[number] = pairs[random.permutation(len(pairs))]
            if len(self._held) > 2:
                self._held.popitem(last=False)
        return self._held[number]


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / INDEX
    if not path.is_file():
        state = (
            "is incomplete: its writing was interrupted"
            if (folder / _AXIS).is_file()
            else ("is no folder of shards")
        )
        raise DataError(f"{folder} {state}; delete it and import the set again")
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if index["format"] != _FORMAT:
            raise DataError(f"{path} has format {index['format']!r}; this version reads {_FORMAT}")
        whole = (
            isinstance(index["files"][_AXIS], str)
            and index["shards"]
            and all(
                isinstance(shard["rows"], int)
                and 0 < shard["rows"] < 2**40
                and isinstance(shard["files"], dict)
                and set(shard["files"]) == set(_shard_files(number))
                for number, shard in enumerate(index["shards"])
            )
            and all(name in index for name in (*_SHARED, "source_sha256"))
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); import the set again") from None
    if not whole:
        raise DataError(f"{path} is damaged; import the set again")
    return index
