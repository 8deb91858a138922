"""The sets that chemotools 0.5 ships as CSV files in its package; nothing is downloaded.

train_spectra.csv and fermentation_spectra.csv have a header of wavenumbers, coffee_spectra.csv
one of channel numbers: chemotools gives no wavenumbers for coffee, and none are made up here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..spectral_set import Array, AxisUnit, DataError, Quantity, SpectralSet
from .files import package_file
from .table import Block, is_number, read_blocks

LICENCE = "MIT, as part of chemotools"
# chemotools' documentation: "The spectra are collected every 1.25 minutes".
_MINUTES_APART = 1.25
_ALL_ROWS = 10_000


def fermentation_train(folder: Path | None = None) -> SpectralSet:
    """21 off-line ATR-FTIR spectra, 1047 channels of 428 to 1833 cm-1, glucose in g/l by HPLC.

    folder: holds the CSV files; None for the installed chemotools. Raises DataError.
    """
    block, values = _table(folder, "train_spectra.csv")
    _, glucose = _table(folder, "train_hplc.csv", ("glucose",))
    if len(glucose) != len(values):
        raise DataError(
            f"{block.path} has {len(values)} spectra and train_hplc.csv {len(glucose)} rows; the "
            "files are of different versions, get both again"
        )
    return _set(block, values, "fermentation-train", "cm-1", "intensity", glucose, ("glucose",))


def fermentation_test(folder: Path | None = None) -> SpectralSet:
    """1629 on-line spectra of one fermentation; HPLC values at the 34 spectra nearest in time.

    Five properties in g/l, NaN at all other spectra. Raises DataError.
    """
    block, values = _table(folder, "fermentation_spectra.csv")
    names = ("glucose", "xylose", "acetic_acid", "ethanol", "furfural")
    hplc, laboratory = _table(folder, "fermentation_hplc.csv", ("time", *names))
    rows = np.rint(laboratory[:, 0] * 60 / _MINUTES_APART).astype(np.int64)
    if len(set(rows)) != len(rows) or rows.min() < 0 or rows.max() >= len(values):
        raise DataError(
            f"{hplc.path} has times that do not fit {len(values)} spectra {_MINUTES_APART} minutes "
            "apart; the files are of different versions, get both again"
        )
    references = np.full((len(values), len(names)), np.nan)
    references[rows] = laboratory[:, 1:]
    return _set(block, values, "fermentation-test", "cm-1", "intensity", references, names)


def coffee(folder: Path | None = None) -> SpectralSet:
    """60 ATR-FTIR spectra of 1841 channels, axis "index"; one column an origin, 1 where it is it.

    Raises DataError.
    """
    block, values = _table(folder, "coffee_spectra.csv")
    labels = next(read_blocks(_file(folder, "coffee_labels.csv"), _ALL_ROWS))
    found = [row[0].strip() for row in labels.rows]
    if labels.header != ("labels",) or len(found) != len(values):
        raise DataError(f"{labels.path} needs one column, labels, and {len(values)} rows")
    origins = sorted(set(found))
    references = np.array([[float(label == origin) for origin in origins] for label in found])
    names = tuple(f"origin {origin}" for origin in origins)
    return _set(block, values, "coffee", "index", "absorbance", references, names, "1 or 0")


def _file(folder: Path | None, name: str) -> Path:
    return folder / name if folder else package_file("chemotools", "datasets", "data", name)


def _table(
    folder: Path | None, name: str, header: tuple[str, ...] | None = None
) -> tuple[Block, Array]:
    block = next(read_blocks(_file(folder, name), _ALL_ROWS))
    if len(block.rows) == _ALL_ROWS:
        raise DataError(f"{block.path} has {_ALL_ROWS} rows or more; this is not chemotools' file")
    if header is None and not all(is_number(cell) for cell in block.header):
        raise DataError(f"{block.path} needs a header of numbers, as chemotools 0.5 has it")
    if header is not None and block.header != header:
        raise DataError(f"{block.path} has columns {block.header}, expected {header}")
    return block, block.numbers(list(range(len(block.header))))


def _set(
    block: Block,
    values: Array,
    name: str,
    axis_unit: AxisUnit,
    quantity: Quantity,
    references: Array,
    properties: tuple[str, ...],
    unit: str = "g/l",
) -> SpectralSet:
    return SpectralSet(
        name=name,
        spectra=values,
        axis=np.array([float(cell) for cell in block.header]),
        axis_unit=axis_unit,
        quantity=quantity,
        references=references,
        properties=properties,
        units=(unit,) * len(properties),
        sample_ids=tuple(f"{name}-{i + 1}" for i in range(len(values))),
        instruments=("ATR-FTIR",) * len(values),
        sha256=block.sha256,
        licence=LICENCE,
    )
