"""What is said of a sample, checked before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from spektron_edge.faults import Fault, Faults

from .source import Source
from .work import NAME_PATTERN

# A reference value outside the source's by so many times their range is a slip.
_FAR = 10.0


def check_words(source: Source, sample: str, labels: Mapping[str, float], *, new: bool) -> None:
    """A sample's name and its reference values. Raises Fault(TRANSFER_INPUT)."""
    known = [name for name, _ in source.properties]
    for name, value in labels.items():
        if name not in known:
            detail = f"property {name!r} is not one of {', '.join(known)}"
            raise Fault(Faults.TRANSFER_INPUT, detail)
        if not np.isfinite(value):
            raise Fault(Faults.TRANSFER_INPUT, f"the reference value of {name} is no number")
        known_values = source.y[:, known.index(name)]
        low, high = float(known_values.min()), float(known_values.max())
        if not low - _FAR * (high - low) <= value <= high + _FAR * (high - low):
            detail = f"{name}={value:g} is far from the source's {low:g} to {high:g}: check its"
            raise Fault(Faults.TRANSFER_INPUT, f"{detail} unit and its decimal point")
    check_name(sample)
    if new and sample in source.samples:
        detail = f"{sample} is a sample of the source; leave out --new, or use another name"
        raise Fault(Faults.TRANSFER_INPUT, detail)


def check_name(sample: str) -> None:
    """Raises Fault(TRANSFER_INPUT)."""
    if re.match(NAME_PATTERN, sample) is None or not writable(sample):
        detail = f"{sample!r} is no name of a sample: 1 to 64 characters, no comma"
        raise Fault(Faults.TRANSFER_INPUT, detail)


def writable(text: str) -> bool:
    """Whether a file, a log and a terminal can hold it. What is no UTF-8 comes as surrogates."""
    if not 1 <= len(text) <= 64 or text.isspace():
        return False
    return not re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", text)
