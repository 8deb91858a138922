"""What `spektron-train data` does: list the sets, describe one, import one into shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .readers import registry
from .readers.csv_table import Declared
from .readers.folder import folder_blocks
from .shards import INDEX, Shards, write_shards
from .spectral_set import Array, DataError, SpectralSet

ROWS_PER_SHARD = 4096


def list_datasets() -> list[dict[str, str]]:
    """One row a named set: name, what, size, licence, where to get it, and what it needs."""
    return [
        {
            "name": entry.name,
            "what": entry.what,
            "size": entry.size,
            "licence": entry.licence,
            "where": entry.where,
            "needs": "nothing" if entry.bundled else "a path",
        }
        for entry in registry.DATA_SETS
    ]


def describe(
    path_or_name: str | Path, at: Path | None = None, declared: Declared | None = None
) -> dict[str, Any]:
    """What a named set, a folder of shards, or a file or folder holds.

    at: where a named set's files are. A named set that needs a path and gets none is described by
    the registry alone. Raises DataError when it is neither, or cannot be read.
    """
    path_or_name = str(path_or_name)
    entry = _entry(path_or_name)
    if entry is not None and at is None and not entry.bundled:
        return {"name": entry.name, "what": entry.what, "size": entry.size, "where": entry.where}
    if entry is None and (Path(path_or_name) / INDEX).is_file():
        shards = Shards(Path(path_or_name))
        return {**shards.card, "spectra": shards.rows, "shards": len(shards), **_axis(shards.axis)}
    skipped: Counter[str] = Counter()
    instruments: Counter[str] = Counter()
    known: Counter[str] = Counter()
    first: SpectralSet | None = None
    for block in _blocks(path_or_name, at, declared, skipped):
        first = first or block
        instruments.update(block.instruments)
        for name, column in zip(block.properties, block.references.T, strict=True):
            known[name] += int(np.count_nonzero(np.isfinite(column)))
    if first is None:
        raise DataError(f"{path_or_name} gave no spectra ({dict(skipped) or 'nothing was read'})")
    return {
        "name": entry.name if entry else path_or_name,
        "spectra": instruments.total(),
        **_axis(first.axis),
        "axis_unit": first.axis_unit,
        "quantity": first.quantity,
        "properties": dict(zip(first.properties, first.units, strict=True)),
        "known": dict(known),
        "instruments": dict(instruments),
        "skipped": dict(skipped),
        "licence": first.licence,
    }


def import_shards(
    source: str | Path,
    folder: Path,
    progress: Callable[[int], None],
    at: Path | None = None,
    declared: Declared | None = None,
    rows_per_shard: int = ROWS_PER_SHARD,
) -> dict[str, Any]:
    """Write a named set, or a file or folder, to shards; returns counts of rows and of skips.

    progress: called with the number of spectra in each block read. Raises DataError.
    """
    skipped: Counter[str] = Counter()

    def counted() -> Iterator[SpectralSet]:
        for block in _blocks(str(source), at, declared, skipped):
            yield block
            progress(len(block))

    write_shards(counted(), folder, rows_per_shard)
    shards = Shards(folder)
    return {
        "folder": str(folder),
        "spectra": shards.rows,
        "shards": len(shards),
        "skipped": dict(skipped),
    }


def _entry(name: str) -> registry.DataSet | None:
    known = {entry.name: entry for entry in registry.DATA_SETS}
    return known.get(name)


def _blocks(
    source: str, at: Path | None, declared: Declared | None, skipped: Counter[str]
) -> Iterator[SpectralSet]:
    entry = _entry(source)
    if entry is not None:
        return registry.read(entry, at, skipped)
    if not Path(source).exists():
        names = ", ".join(entry.name for entry in registry.DATA_SETS)
        raise DataError(f"{source} is no file or folder, and no set by name ({names})")
    return folder_blocks(Path(source), declared or Declared())


def _axis(axis: Array) -> dict[str, Any]:
    return {"channels": len(axis), "from": float(axis[0]), "to": float(axis[-1])}
