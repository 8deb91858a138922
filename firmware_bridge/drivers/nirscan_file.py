"""The scan data of a DLP NIRscan Nano: what is in the file, which counts and which wavelengths.

The file holds images of the serialiser `tpl`: 'tpl', a byte of flags, the image's length u32, its
format up to a zero byte, a u32 for every `#` in it (how many elements), then the data, unpadded and
little-endian. Since version 2 of TI's spectrum library (`slew` scans) there are four: head,
configuration, its sections, converter values; before, all was in one.

Sources: tpl's user guide (troydhanson.github.io/tpl); TI's DLP Spectrum Library 2.0.3,
dlpspec_scan.h for the formats, dlpspec_helper.c for the black level, dlpspec_scan_col.c and
dlpspec_util.c for the wavelengths; checked against a file and its wavelengths that somebody else's
instrument wrote (github.com/LaserSmoke/pyNIRscanUSB, hex_response.txt and wavelengths.csv).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.drivers.talk import Nonsense, Refused

MOST_SECTIONS = 5
ADC_VALUES = 864
COLUMNS = 854
COLUMN, HADAMARD, SLEW = 0, 1, 2
# By the number in a section; configurations without sections have the first. (The library's header
# calls the third T_2450_US: these are 635 us times 1, 2, 4, 8, 24, 48, 96.)
EXPOSURES_US = (635, 1270, 2540, 5080, 15240, 30480, 60960)
# The converter is an ADS1255: 24 bits with a sign.
FULL = 2**23 - 1

_HEAD_FIELDS, _HEAD = b"uc#cccccccjjvvu$(f#f#)c#vccc", Struct("<I20s7BhhHHI3d3d8sHBBB")
_HEAD_LENGTHS = (20, 3, 3, 8)
_NAMES_FIELDS, _NAMES_LENGTHS = b"cvc#c#", (8, 40)
_SLEW = Struct("<BH8s40sHB")
_PLAIN = Struct("<BH8s40sHHBHH")
_SECTION = Struct("<BBHHHH")
_ADC_FIELDS = b"i#"
_TPL = Struct("<3sBI")


@dataclass(frozen=True)
class Section:
    """Neighbouring patterns: columns of `width_px` mirrors, from wavelength to wavelength, nm."""

    kind: int
    width_px: int
    start_nm: int
    end_nm: int
    patterns: int
    exposure: int = 0


@dataclass(frozen=True, eq=False)
class ScanFile:
    """One scan. temperature_c: of the detector. coefficients: nm from the column, constant first.

    black_first, black_period: which values are of patterns without light; gain: of the amplifier
    before the converter; adc: (n,) its values.
    """

    index: int
    serial: bytes
    temperature_c: float
    coefficients: tuple[float, float, float]
    gain: int
    black_first: int
    black_period: int
    sections: tuple[Section, ...]
    adc: NDArray[np.int32] = field(repr=False)

    @property
    def setup(self) -> tuple[object, ...]:
        """What must not change between two scans of one axis."""
        return self.serial, self.coefficients, self.sections


def decode(data: bytes) -> ScanFile:
    """The scan of a file. Raises Nonsense for anything else, and for configurations cut off."""
    fields, lengths, body, rest = _image(data)
    if fields == b"S(" + _HEAD_FIELDS + b")" and lengths == _HEAD_LENGTHS:
        head = _taken(_HEAD, body)
        fields, lengths, body, rest = _image(rest)
        if (fields, lengths) != (b"S(" + _NAMES_FIELDS + b"vc)", _NAMES_LENGTHS):
            raise _unknown("a slew configuration", fields, lengths)
        kind, _, _, _, _, used = _taken(_SLEW, body)
        fields, lengths, body, rest = _image(rest)
        if (fields, lengths) != (b"S(ccvvvv)#", (MOST_SECTIONS,)):
            raise _unknown("its sections", fields, lengths)
        if kind != SLEW or not 1 <= used <= MOST_SECTIONS or len(body) < _SECTION.size * used:
            raise Nonsense(f"a scan configuration of kind {kind} with {used} sections")
        sections = [Section(*_SECTION.unpack_from(body, _SECTION.size * i)) for i in range(used)]
        fields, lengths, body, _ = _image(rest)
        if fields != _ADC_FIELDS or lengths != (ADC_VALUES,):
            raise _unknown("converter values", fields, lengths)
    elif (fields, lengths) == (
        b"S(" + _HEAD_FIELDS + _NAMES_FIELDS + b"vvcvv" + _ADC_FIELDS + b")",
        _HEAD_LENGTHS + _NAMES_LENGTHS + (ADC_VALUES,),
    ):
        head, body = _taken(_HEAD, body), body[_HEAD.size :]
        kind, _, _, _, start, end, width, patterns, _ = _taken(_PLAIN, body)
        sections, body = [Section(kind, width, start, end, patterns)], body[_PLAIN.size :]
    else:
        raise _unknown("scan data", fields, lengths)
    if len(body) < 4 * ADC_VALUES:
        raise Nonsense(f"{len(body)} bytes of converter values, expected {4 * ADC_VALUES}")
    # 0 version, 1 name, 2-8 date, 9 and 10 temperatures, 11 humidity, 12 lamp, 13 index, 14-16
    # bending of columns, 17-19 wavelengths, 20 serial number, 21 values used, 22-24 black, gain.
    used = head[21]
    if used > ADC_VALUES:
        raise Nonsense(f"{used} converter values, expected {ADC_VALUES} at most")
    found = ScanFile(
        index=head[13],
        serial=head[20].rstrip(b"\0"),
        temperature_c=head[10] / 100.0,
        coefficients=(head[17], head[18], head[19]),
        gain=head[24],
        black_first=head[22],
        black_period=head[23],
        sections=tuple(sections),
        adc=np.frombuffer(body, "<i4", used).copy(),
    )
    return _checked(found)


def encode(scan: ScanFile) -> bytes:
    """The file of a slew scan, with what `ScanFile` does not hold left empty."""
    head = _HEAD.pack(
        1, b"Spektron", 15, 3, 31, 2, 7, 0, 14, 2300, round(100 * scan.temperature_c), 2700, 2600,
        scan.index, 0.0, 0.0, 0.0, *scan.coefficients, scan.serial, scan.adc.size,
        scan.black_first, scan.black_period, scan.gain,
    )  # fmt: skip
    names = _SLEW.pack(SLEW, 1, scan.serial, b"Column 1", 1, len(scan.sections))
    sections = b"".join(
        _SECTION.pack(s.kind, s.width_px, s.start_nm, s.end_nm, s.patterns, s.exposure)
        for s in scan.sections
    ).ljust(MOST_SECTIONS * _SECTION.size, b"\0")
    adc = scan.adc.astype("<i4").tobytes().ljust(4 * ADC_VALUES, b"\0")
    return (
        _imaged(b"S(" + _HEAD_FIELDS + b")", _HEAD_LENGTHS, head)
        + _imaged(b"S(" + _NAMES_FIELDS + b"vc)", _NAMES_LENGTHS, names)
        + _imaged(b"S(ccvvvv)#", (MOST_SECTIONS,), sections)
        + _imaged(_ADC_FIELDS, (ADC_VALUES,), adc)
    )


def wavelengths(scan: ScanFile) -> NDArray[np.float64]:
    """(patterns,) nm, of the middle of every pattern's columns.

    Raises Refused for Hadamard patterns, and for sections that do not follow one another.
    """
    parts = []
    for section in scan.sections:
        if section.kind != COLUMN:
            kind = "Hadamard" if section.kind == HADAMARD else f"kind {section.kind}"
            text = (
                f"its active scan configuration has patterns of {kind}: activate one of columns "
                f"(`Column 1` is the maker's) with the instrument's own program"
            )
            raise Refused("SCAN", section.kind, text)
        first, last = (_column(nm, scan.coefficients) for nm in (section.start_nm, section.end_nm))
        step = (last - first) / (section.patterns - 1) if section.patterns > 1 else 0.0
        # Added up as the library does it, then whole columns; the middle of an even number of them
        # lies between two.
        middle = np.floor(np.cumsum([first, *[step] * (section.patterns - 1)]))
        parts.append(middle - 0.5 * (section.width_px % 2 == 0))
    axis: NDArray[np.float64] = np.polyval(scan.coefficients[::-1], np.concatenate(parts))
    if not np.all(np.diff(axis) > 0.0):
        text = "the sections of its active scan configuration overlap: activate another one"
        raise Refused("SCAN", 0, text)
    return axis


def black(scan: ScanFile) -> NDArray[np.bool_]:
    """(values,) which are of patterns without light."""
    place = np.arange(scan.adc.size) - scan.black_first
    dark: NDArray[np.bool_] = place % scan.black_period == 0
    return dark


def _column(nm: float, coefficients: tuple[float, float, float]) -> float:
    """The column of the mirrors for a wavelength. Raises Nonsense where there is none."""
    c0, c1, c2 = coefficients
    square = c1 * c1 - 4.0 * c2 * (c0 - nm)
    if abs(c2) < 1e-12:
        roots = [(nm - c0) / c1] if c1 else []
    else:
        roots = [(-c1 + s * math.sqrt(square)) / (2.0 * c2) for s in (1, -1)] if square >= 0 else []
    for root in roots:
        if 0.0 <= root < COLUMNS:
            return root
    raise Nonsense(f"{nm} nm lies on no mirror by the coefficients {coefficients}")


def _checked(scan: ScanFile) -> ScanFile:
    """Raises Nonsense for numbers that no scan has."""
    patterns = sum(section.patterns for section in scan.sections)
    if not all(math.isfinite(c) for c in scan.coefficients):
        raise Nonsense(f"wavelength coefficients {scan.coefficients}")
    if scan.black_period < 2 or scan.gain not in (1, 2, 4, 8, 16, 32, 64):
        raise Nonsense(f"a black pattern every {scan.black_period}, gain {scan.gain}")
    dark = int(np.count_nonzero(black(scan)))
    if patterns < 2 or scan.adc.size - dark != patterns or not dark:
        raise Nonsense(f"{scan.adc.size} values, {dark} of them black, for {patterns} patterns")
    if any(s.exposure >= len(EXPOSURES_US) for s in scan.sections):
        raise Nonsense(f"exposures {[s.exposure for s in scan.sections]}")
    return scan


def _image(data: bytes) -> tuple[bytes, tuple[int, ...], bytes, bytes]:
    """Format, lengths and body of the first image, and what follows it. Raises Nonsense."""
    if len(data) < _TPL.size:
        raise Nonsense(f"{len(data)} bytes where an image of tpl should begin")
    mark, flags, size = _TPL.unpack_from(data)
    end = data.find(b"\0", _TPL.size, _TPL.size + 100)
    if mark != b"tpl" or flags & 1 or size > len(data) or end < 0:
        raise Nonsense(f"{data[:16].hex(' ')}: no image of tpl, or one of {size} bytes cut off")
    fields = data[_TPL.size : end]
    lengths = Struct(f"<{fields.count(b'#')}I")
    if end + 1 + lengths.size > size:
        raise Nonsense(f"an image of tpl of {size} bytes with the format {fields!r}")
    return (
        fields,
        lengths.unpack_from(data, end + 1),
        data[end + 1 + lengths.size : size],
        data[size:],
    )


def _imaged(fields: bytes, lengths: tuple[int, ...], body: bytes) -> bytes:
    after = fields + b"\0" + Struct(f"<{len(lengths)}I").pack(*lengths) + body
    return _TPL.pack(b"tpl", 0, _TPL.size + len(after)) + after


def _taken(layout: Struct, body: bytes) -> tuple[Any, ...]:
    if len(body) < layout.size:
        raise Nonsense(f"{len(body)} bytes of scan data, expected {layout.size}")
    return layout.unpack_from(body)


def _unknown(what: str, fields: bytes, lengths: tuple[int, ...]) -> Nonsense:
    return Nonsense(f"expected {what}, received the format {fields!r} of {lengths} elements")
