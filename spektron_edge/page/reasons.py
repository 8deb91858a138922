"""Reasons as the page is told them: a code and values, of which it makes a sentence."""

from __future__ import annotations

from collections.abc import Iterable

from spektron_edge.said import Said, read

from .declaration import Told


class Reason(Told):
    """code: of `spektron_edge/said.py`; values: what stands in its sentence."""

    code: str
    values: dict[str, str | int | float]


def reason(said: Said) -> Reason:
    """Of what is known as code and values."""
    return Reason(code=said.code, values=dict(said.values))


def reason_or_none(said: Said | None) -> Reason | None:
    """The same, where there may be none."""
    return None if said is None else reason(said)


def read_reason(text: str) -> Reason | None:
    """Of what a file has as a sentence; None where it has none."""
    return reason(read(text)) if text else None


def read_reasons(texts: Iterable[str]) -> tuple[Reason, ...]:
    """The same of several."""
    return tuple(reason(read(text)) for text in texts)
