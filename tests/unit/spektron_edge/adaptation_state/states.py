"""What is refused, and why."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from spektron_edge.faults import Fault, Faults


@contextlib.contextmanager
def refused(kind, text="."):
    with pytest.raises(Fault, match=text) as caught:
        yield
    assert caught.value.kind is kind


REFUSED, MISSING, UNUSABLE = (
    Faults.ADAPTATION_REFUSED,
    Faults.ADAPTATION_MISSING,
    Faults.ADAPTATION_UNUSABLE,
)


def other(state, **changes):
    correction = state.adapted.correction
    coefficients = correction.coefficients + changes.pop("by", 0.0)
    moved = replace(correction, coefficients=coefficients, **changes)
    return replace(state, adapted=replace(state.adapted, correction=moved))
