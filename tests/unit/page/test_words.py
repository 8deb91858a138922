"""The words of the page are in one file: each asked for is there, each there is asked for."""

from __future__ import annotations

import json
import re
from pathlib import Path

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
        *(f"{kind}." for kind in re.findall(r'(?:code|known)\("(\w+)", name\)', _CODE)),
        *(
            f"{k}.{b}"
            for k, b in re.findall(r'(?:code|known|wordsFor)\("(\w+)", `(\w+)\$\{', _CODE)
        ),
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
