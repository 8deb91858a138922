"""Reference values as they are written: `moisture=10.2`."""

from __future__ import annotations

from collections.abc import Sequence

from spektron_edge.faults import Fault, Faults


def read_labels(words: Sequence[str]) -> dict[str, float]:
    """property -> value. Raises Fault(TRANSFER_INPUT) naming the word that is none."""
    found = {}
    for word in words:
        name, sign, text = word.partition("=")
        try:
            # Python reads 1_2 as twelve; whoever wrote it meant something else.
            if not sign or "_" in text:
                raise ValueError
            found[name.strip()] = float(text)
        except ValueError:
            detail = f"{word!r} is no reference value; write property=value, as moisture=10.2"
            raise Fault(Faults.TRANSFER_INPUT, detail) from None
    return found
