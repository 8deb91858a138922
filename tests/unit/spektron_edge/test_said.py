"""Sentences and what they say: the same template makes them and reads them back."""

from __future__ import annotations

from string import Formatter

import pytest

from spektron_edge.said import Said, Sayings, Value, read, read_all, together

_KINDS = [kind for kind in Sayings if kind is not Sayings.AS_WRITTEN]


def example(kind: Sayings) -> Said:
    values: dict[str, Value] = {}
    for _, name, form, _ in Formatter().parse(kind.value):
        if name:
            values[name] = f"the {name}" if not form else 12 if form == "d" else 3.0
    return kind.of(**values)


@pytest.mark.parametrize("kind", _KINDS, ids=lambda kind: kind.code)
def test_a_sentence_is_read_as_what_it_was_made_of(kind: Sayings) -> None:
    said = example(kind)
    assert read(str(said)) == said


def test_what_anybody_wrote_stays_as_it_is() -> None:
    assert read("lamp changed") == Sayings.AS_WRITTEN.of(text="lamp changed")


def test_numbers_are_read_as_they_were_rounded() -> None:
    said = Sayings.THETA_BEYOND.of(value=-1.23456e-7, cap=float("inf"))
    assert read(str(said)).values == {"value": -1.23e-7, "cap": float("inf")}


def test_what_only_looks_like_a_number_is_as_somebody_wrote_it() -> None:
    text = "offset of 1.2.3 is beyond its cap of 4."
    assert read(text) == Sayings.AS_WRITTEN.of(text=text)


def test_several_in_one_text_are_told_apart() -> None:
    """Sentences with what stands between them as well, and what was cut off."""
    said = [
        Sayings.SERVICED.of(what="lamp changed", who="eve"),
        example(Sayings.UNLIKE_ALL),
        example(Sayings.DRIFT),
        Sayings.AS_WRITTEN.of(text="the change still gro"),
    ]
    assert list(read_all(together(said))) == said
    assert read_all("") == ()
