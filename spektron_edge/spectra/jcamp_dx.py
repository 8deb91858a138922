"""Spectra as JCAMP-DX 5.01: a form that every spectroscopist's program reads.

R. S. McDonald and P. A. Wilks, Appl. Spectrosc. 42 (1988) 151; P. Lampen et al., Pure Appl. Chem.
71 (1999) 1549. Wavelengths of an array detector are not equidistant, so the table is XYPOINTS:
pairs, each number in full. The same spectrum makes the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
# From here on the range is the infrared's (ISO 20473).
_INFRARED_NM = 780.0
_LONGEST = 78


@dataclass(frozen=True, eq=False)
class Spectrum:
    """values (P,) at x_nm (P,), of which those that are no finite numbers are left out; y_units: as
    JCAMP-DX names them, `ABSORBANCE` for instance; more: labels of our own."""

    title: str
    origin: str
    owner: str
    instrument: str
    taken: datetime
    x_nm: Array
    values: Array
    y_units: str
    more: Mapping[str, str] = field(default_factory=dict)


def block(spectrum: Spectrum, number: int | None = None) -> str:
    """One spectrum; number: of its block in a compound file.

    Raises ValueError where arrays do not fit or nothing is left to be told.
    """
    x, y = spectrum.x_nm, spectrum.values
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"{y.shape} values do not fit {x.shape} wavelengths")
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = x[kept], y[kept]
    if not x.size:
        raise ValueError("it has no value that is a number")
    labels = {
        "TITLE": spectrum.title,
        "JCAMP-DX": "5.01",
        "DATA TYPE": "INFRARED SPECTRUM" if np.median(x) >= _INFRARED_NM else "UV/VIS SPECTRUM",
        "DATA CLASS": "XYPOINTS",
        **({} if number is None else {"BLOCK_ID": str(number)}),
        "ORIGIN": spectrum.origin,
        "OWNER": spectrum.owner,
        "LONGDATE": _longdate(spectrum.taken),
        "SPECTROMETER/DATA SYSTEM": spectrum.instrument,
        "XUNITS": "NANOMETERS",
        "YUNITS": spectrum.y_units,
        "XFACTOR": "1",
        "YFACTOR": "1",
        "FIRSTX": _number(x[0]),
        "LASTX": _number(x[-1]),
        "MINX": _number(x.min()),
        "MAXX": _number(x.max()),
        "MINY": _number(y.min()),
        "MAXY": _number(y.max()),
        "FIRSTY": _number(y[0]),
        "NPOINTS": str(x.size),
        **{f"${name}": text for name, text in spectrum.more.items()},
    }
    lines = [line for name, text in labels.items() for line in _label(name, text)]
    lines.append("##XYPOINTS= (XY..XY)")
    lines += [f"{_number(a)}, {_number(b)}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    return "\r\n".join([*lines, "##END=", ""])


def compound(
    title: str, origin: str, owner: str, blocks: Iterable[str], count: int
) -> Iterator[str]:
    """Parts of a file of several spectra: a LINK block around theirs."""
    labels = {
        "TITLE": title,
        "JCAMP-DX": "5.01",
        "DATA TYPE": "LINK",
        "BLOCKS": str(count),
        "ORIGIN": origin,
        "OWNER": owner,
    }
    head = [line for name, text in labels.items() for line in _label(name, text)]
    yield "\r\n".join([*head, ""])
    yield from blocks
    yield "##END=\r\n"


def _label(name: str, text: str) -> list[str]:
    """A labelled record, in lines of eighty characters; no text ends it or begins another one."""
    plain = " ".join(text.split()).encode("ascii", "replace").decode()
    # Control characters are no text; `$$` begins a comment and `##` a label.
    plain = "".join(c if c.isprintable() else "?" for c in plain)
    while "$$" in plain or "##" in plain:
        plain = plain.replace("$$", "$ $").replace("##", "# #")
    line = f"##{name}= {plain}"
    lines = [line[i : i + _LONGEST] for i in range(0, len(line), _LONGEST)]
    # A line that goes on with `#` or `$` at its begin could be taken for another record.
    return [lines[0], *(f" {more}" for more in lines[1:])]


def _longdate(at: datetime) -> str:
    # Fractions are optional, and readers (jcamp 1.3) take a date with them for a text.
    return at.astimezone(timezone.utc).strftime("%Y/%m/%d %H:%M:%S +0000")


def _number(value: float) -> str:
    """Ten digits: every bit of a float32, and a wavelength to 1e-6 nm."""
    return f"{value:.10g}"
