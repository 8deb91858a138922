from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.door.asking import Command, LineRefused, Note, read_line
from spektron_edge.door.lines import Lines

COMMAND = {"type": "command", "id": "1", "name": "health", "by": "anna", "role": "viewer"}
NOTE = {"type": "note", "id": "2", "what": "page_signed_in", "who": "anna"}


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8), st.integers(1, 40))
def test_lines_are_the_same_however_they_arrive(data, cuts, most):
    whole = Lines(most).feed(data)
    pieces, at = Lines(most), 0
    found = []
    for cut in [*sorted(cuts), len(data)]:
        found += pieces.feed(data[at:cut]) if cut > at else []
        at = max(at, cut)
    assert found == whole
    expected = [line if len(line) <= most else None for line in data.split(b"\n")[:-1]]
    assert whole == expected


def test_of_a_line_without_an_end_no_more_is_kept_than_a_line():
    lines = Lines(100)
    for _ in range(1000):
        assert lines.feed(b"x" * 1000) == []
        assert len(lines._half) <= 100
    assert lines.feed(b"\nnext\n") == [None, b"next"]


def test_what_is_well_formed_is_read():
    given = {"sample": 3, "labels": ["moisture=9.5"], "new": True}
    command = read_line(json.dumps({**COMMAND, "arguments": given}).encode())
    assert isinstance(command, Command)
    assert command.arguments == {"sample": 3, "labels": ("moisture=9.5",), "new": True}
    note = read_line(json.dumps({**NOTE, "details": {"tries": 3, "who": "x"}}).encode())
    assert isinstance(note, Note)
    assert note.details == {"tries": 3, "who": "x"}


def test_the_examples_of_the_documentation_are_read():
    page = (Path(__file__).parents[4] / "docs" / "door.md").read_text()
    (block,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    found = [read_line(line.encode()) for line in block.splitlines()]
    assert [line.type for line in found] == ["command", "note"]


@pytest.mark.parametrize(
    "line",
    [
        {**COMMAND, "role": "root"},
        {**COMMAND, "role": None},
        {**COMMAND, "by": ""},
        {**COMMAND, "by": "anna\nbert"},
        {**COMMAND, "by": "a" * 65},
        {**COMMAND, "name": "n" * 65},
        {**COMMAND, "id": "i" * 65},
        {**COMMAND, "id": ""},
        {**COMMAND, "more": 1},
        {**COMMAND, "arguments": {"deep": {"er": 1}}},
        {**COMMAND, "arguments": {"number": 1e300}},
        {**COMMAND, "arguments": {"Name": 1}},
        {**COMMAND, "meaning": "agreed: yes"},
        {**COMMAND, "meaning": "approved"},
        {**COMMAND, "meaning": "approved: "},
        {**COMMAND, "meaning": "approved: a\nb"},
        {**NOTE, "what": "command_reload"},
        {**NOTE, "what": "page_"},
        {**NOTE, "who": 3},
        {**NOTE, "details": {"a": [1]}},
        {**NOTE, "details": {f"a{'b' * n}": 1 for n in range(17)}},
        {"type": "answer", "id": "x"},
        {"id": "x"},
    ],
    ids=lambda line: str(line)[-40:],
)
def test_what_is_not_is_refused_by_its_own_id(line):
    with pytest.raises(LineRefused) as caught:
        read_line(json.dumps(line).encode())
    assert caught.value.id == line["id"]
    assert len(str(caught.value)) < 400


@given(st.binary(max_size=200) | st.text().map(str.encode) | st.just(b"[" * 50_000))
def test_junk_is_refused(junk):
    with pytest.raises(LineRefused):
        read_line(junk)
