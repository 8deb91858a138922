"""The words of the page are in one file: each asked for is there, each there is asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Formatter
from typing import Any, get_args

import pytest

from firmware_bridge.messages import Capability
from spektron_edge.adaptation_mode import AdaptationMode
from spektron_edge.bundle.slots import SlotState
from spektron_edge.command_names import COMMANDS
from spektron_edge.faults import Faults
from spektron_edge.page.api.adaptation import Status
from spektron_edge.page.api.commands import Meaning
from spektron_edge.page.api.transfer import Quality
from spektron_edge.page.drift_signs import Sign
from spektron_edge.page.errors import Code
from spektron_edge.roles import ROLES
from spektron_edge.said import Sayings

_STATIC = Path(__file__).parents[3] / "spektron_edge" / "page" / "static"
_WORDS: dict[str, str] = json.loads((_STATIC / "text" / "en.json").read_text(encoding="utf-8"))
_CODE = "\n".join(path.read_text(encoding="utf-8") for path in (_STATIC / "app").rglob("*.js"))
_PARTS = {key.split(".")[0] for key in _WORDS}
# A key in full, and what a key begins with whose end is known only later: `now.as_${kind}`, or
# words for a code, code("reason", name).
_KEYS = {key for key in re.findall(r'"([a-z]+\.\w+)"', _CODE) if key.split(".")[0] in _PARTS}
_KEYS -= {name for name in _KEYS if name.endswith((".js", ".json"))}
_BEGINNINGS = tuple(
    {
        *re.findall(r"`([a-z]+\.\w*)\$\{", _CODE),
        *(f"{kind}." for kind in re.findall(r'known\("(\w+)", (?:name|code)\)', _CODE)),
        *(f"{k}.{b}" for k, b in re.findall(r'(?:known|wordsFor)\("(\w+)", `(\w+)\$\{', _CODE)),
    }
)


def test_each_key_that_is_asked_for_has_words() -> None:
    assert _KEYS - _WORDS.keys() == set()
    for beginning in _BEGINNINGS:
        assert any(key.startswith(beginning) for key in _WORDS), beginning


def test_each_key_is_asked_for() -> None:
    assert [key for key in _WORDS if key not in _KEYS and not key.startswith(_BEGINNINGS)] == []


def test_keys_are_sorted_and_words_are_not_empty() -> None:
    assert list(_WORDS) == sorted(_WORDS)
    assert all(words.strip() for words in _WORDS.values())


def test_no_markup_is_made_of_text() -> None:
    """Text becomes a text node: nothing in it is ever read as HTML."""
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", _CODE) == []


_CATALOGUE = {fault.value.code: fault.value.next_step for fault in Faults}
# What the front end finds out by itself.
_NOT_WELL = re.findall(r"NOT_WELL = \{(.*)\}", _CODE)[0]
_OWN = {
    *re.findall(r'error: "(\w+)", message', _CODE),
    *re.findall(r': "(\w+)"', _NOT_WELL),
    "refused",
}
_DONE = {
    name.replace("-", "_")
    for name in re.findall(r'(?:doneWords|simply)\("([a-z-]+)"(?!, done, inWords)', _CODE)
}


def _of(beginning: str) -> set[str]:
    return {key.removeprefix(beginning) for key in _WORDS if key.startswith(beginning)}


@pytest.mark.parametrize(
    ("beginning", "codes"),
    [
        ("fault.", {*_CATALOGUE, *get_args(Code), *_OWN}),
        ("said.", {kind.code for kind in Sayings}),
        ("command.", {name.replace("-", "_") for name in COMMANDS}),
        ("done.", {*_DONE, "waiting", "in_use", "scan_not_valid"}),
        (
            "adaptation.sign_",
            {*get_args(Sign.model_fields["name"].annotation), "over", "within", "told"},
        ),
        ("adaptation.status_", set(get_args(Status))),
        ("adaptation.mode_", set(get_args(AdaptationMode))),
        ("bundles.state_", set(get_args(SlotState))),
        ("transfer.quality_", set(get_args(Quality))),
        ("common.role_", set(ROLES)),
        ("common.meaning_", set(get_args(Meaning))),
        ("instrument.able_", {c.name.lower() for c in Capability if c.name and c}),
    ],
)
def test_each_code_that_the_server_knows_has_words_and_none_is_left_over(
    beginning: str, codes: set[str]
) -> None:
    assert _of(beginning) == codes


def test_what_to_do_about_a_fault_is_what_the_catalogue_says() -> None:
    """In English it is there twice, and cannot differ."""
    assert _of("next.") <= _of("fault.")
    assert {code: _WORDS.get(f"next.{code}") for code in _CATALOGUE} == _CATALOGUE


def test_reasons_are_faults_or_limits() -> None:
    assert _of("reason.") <= {*_CATALOGUE, "t2_above_limit", "q_above_limit"}


@pytest.mark.parametrize("kind", Sayings, ids=lambda kind: kind.code)
def test_a_sentence_asks_for_no_value_that_is_not_told(kind: Any) -> None:
    told = {name for _, name, _, _ in Formatter().parse(kind.value) if name}
    assert set(re.findall(r"\{(\w+)\}", _WORDS[f"said.{kind.code}"])) <= told


@pytest.mark.parametrize("path", sorted((_STATIC / "text").glob("*.json")), ids=lambda p: p.stem)
def test_a_language_has_every_text_with_the_same_values(path: Path) -> None:
    given: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    assert _values(given) == _values(_WORDS)
    assert path.stem in re.findall(r"LANGUAGES = (.*);", _CODE)[0]


def _values(words: dict[str, str]) -> dict[str, set[str]]:
    return {key: set(re.findall(r"\{(\w+)\}", text)) for key, text in words.items()}
