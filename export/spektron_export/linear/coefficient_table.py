"""Coefficients of a linear model as a CSV: a row a wavelength, a column a property.

wavelength,moisture [%],protein [%]
intercept,10.2,8.7
1100,0.31,-0.02
1102,0.29,-0.01
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from spektron_train.data.readers.csv_table import split_unit
from spektron_train.data.readers.table import Block, read_blocks
from spektron_train.data.spectral_set import DataError

from ..errors import ExportError
from .regression import LinearModel

_INTERCEPT, _WAVELENGTH = "intercept", "wavelength"
_MOST_ROWS = 65537


def read_coefficients(path: Path) -> LinearModel:
    """Read the table; wavelengths in nm. Raises ExportError naming what is wrong with it."""
    try:
        blocks = list(read_blocks(path, _MOST_ROWS))
        raw = path.read_bytes()
        model = _model(path, blocks, hashlib.sha256(raw).hexdigest())
    except DataError as error:
        raise ExportError(str(error)) from None
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error.strerror}") from None
    return model


def _model(path: Path, blocks: list[Block], sha256: str) -> LinearModel:
    if len(blocks) > 1:
        raise ExportError(f"{path} has more than {_MOST_ROWS} rows")
    block = blocks[0]
    header = block.header
    if header[0].lower() != _WAVELENGTH or len(header) < 2:
        raise ExportError(
            f"{path} starts with column {header[0]!r}; expected {_WAVELENGTH!r}, then one column a "
            f"property, and a row {_INTERCEPT!r}"
        )
    constant = [row[0].strip().lower() == _INTERCEPT for row in block.rows]
    if sum(constant) != 1:
        raise ExportError(f"{path} has {sum(constant)} rows {_INTERCEPT!r}; expected one")
    values = block.numbers(list(range(1, len(header))))
    at = constant.index(True)
    if len(block.rows) < 2:
        raise ExportError(f"{path} has no coefficients")
    # With its row in place, so that a bad cell is named by its own line.
    cells = [[*row] for row in block.rows]
    cells[at][0] = "0"
    whole = Block(path, header, cells, block.line, block.sha256, block.decimal).numbers([0])[:, 0]
    order = np.argsort(np.delete(whole, at), kind="stable")
    axis = np.delete(whole, at)[order]
    weights, intercept = np.delete(values, at, axis=0)[order], values[at]
    if np.any(np.diff(axis) <= 0):
        raise ExportError(f"{path} has a wavelength twice")
    named = [split_unit(name) for name in header[1:]]
    return LinearModel(
        what="coefficients",
        weights=weights,
        intercept=intercept,
        names=tuple(name for name, _ in named),
        units=tuple(unit for _, unit in named),
        axis_nm=axis,
        predict=lambda x: x @ weights + intercept,
        cross_validate=None,
        sha256=sha256,
        versions={},
    )
