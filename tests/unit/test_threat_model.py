"""docs/threat-model.md: every threat has tests that exist, or is accepted in words."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

import pytest

from tests.pages import DOCS, ROOT
from tests.threat_picture import BOUNDARIES

PAGE = (DOCS / "threat-model.md").read_text()
TESTS = ROOT / "tests"
LETTERS = set("STRIDE")
_ROW = re.compile(r"^\| ([A-Z]+-\d+) \|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|$", re.M)
_TEST = re.compile(r"`([a-z0-9_/]+\.py)::([A-Za-z0-9_:]+)`")
_ACCEPTED = re.compile(r"^\*\*Accepted\*\*: \S.{20,}\. \*\*The plant\*\*: \S.{10,}$")


@dataclass(frozen=True)
class Threat:
    """One row."""

    id: str
    kinds: frozenset[str]
    threat: str
    done: str
    shown_by: str

    @property
    def tests(self):
        return _TEST.findall(self.shown_by)


def threats(text):
    return [
        Threat(name, frozenset(kinds.replace(",", " ").split()), *(c.strip() for c in cells))
        for name, kinds, *cells in _ROW.findall(text)
    ]


def sections():
    """Text by heading, of those with threats."""
    parts = re.split(r"^## (.+)$", PAGE, flags=re.M)[1:]
    return {
        head: text for head, text in zip(parts[::2], parts[1::2], strict=True) if _ROW.search(text)
    }


THREATS = threats(PAGE)


def defined(path):
    """Names of the tests in a file, those in classes as Class::test."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{n.name}" for n in node.body if isinstance(n, ast.FunctionDef)}
    return {name for name in found if name.split("::")[-1].startswith("test_")}


@pytest.mark.parametrize("threat", THREATS, ids=lambda t: t.id)
def test_a_threat_is_met_or_accepted(threat):
    assert threat.kinds
    assert threat.kinds <= LETTERS
    assert threat.threat
    if not threat.tests:
        assert _ACCEPTED.match(threat.shown_by), threat.shown_by
        return
    assert len(threat.done) > 1
    # Nothing else than names of tests stands there.
    assert not _TEST.sub("", threat.shown_by).strip(" ,")
    for file, name in threat.tests:
        assert name in defined(TESTS / file), f"{file} has no {name}"


def test_no_row_is_overlooked():
    rows = [line for line in PAGE.splitlines() if re.match(r"\| [A-Z]+-\d", line)]
    assert len(rows) == len(THREATS)
    assert len({threat.id for threat in THREATS}) == len(THREATS)


@pytest.mark.parametrize("name", sections())
def test_all_six_kinds_are_spoken_to(name):
    text = sections()[name]
    found = set().union(*(threat.kinds for threat in threats(text)))
    for line in re.findall(r"^Not a threat here: (.+)$", text, re.M):
        found |= set(re.findall(r"\b([STRIDE]) \(", line))
    assert found == LETTERS


def test_the_picture_has_every_boundary():
    assert set(sections()) == set(BOUNDARIES)


@pytest.mark.parametrize(
    "row",
    [
        "| X-1 | S | it is | - | **Accepted** |",
        "| X-1 | S | it is | done | `unit/test_threat_model.py::test_of_nothing` |",
        "| X-1 | Q | it is | done | `unit/test_threat_model.py::test_no_row_is_overlooked` |",
        "| X-1 | S | it is | done | see the code |",
    ],
)
def test_what_is_neither_is_noticed(row):
    (threat,) = threats(row)
    with pytest.raises(AssertionError):
        test_a_threat_is_met_or_accepted(threat)
