from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spektron_edge.mqtt.retained import RetainedLedger

HERE, THERE = "mqtt://here", "mqtts://there:1"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "retained.json"


def opened(path):
    ledger = RetainedLedger(path)
    assert ledger.load() is None
    return ledger


def test_what_is_used_is_on_disk_before_it_is_published(path):
    opened(path).use(HERE, "a/status")
    assert opened(path).entries() == [(HERE, "a/status")]


def test_the_file_is_written_only_when_topics_change(path):
    ledger = opened(path)
    ledger.use(HERE, "a/status")
    before = path.stat().st_mtime_ns, path.stat().st_ino
    for _ in range(3):
        ledger.use(HERE, "a/status")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_what_is_not_used_again_is_a_ghost_until_it_is_struck_off(path):
    old = opened(path)
    for topic in ("old/status", "old/state", "same/status"):
        old.use(HERE, topic)
    old.use(THERE, "old/status")
    new = opened(path)
    new.use(HERE, "same/status")
    assert new.ghosts(HERE) == ["old/state", "old/status"]
    new.strike(HERE, "old/state")
    assert new.ghosts(HERE) == ["old/status"]
    assert opened(path).entries() == [
        (HERE, "old/status"),
        (HERE, "same/status"),
        (THERE, "old/status"),
    ]


def test_what_is_in_use_is_never_struck_off(path):
    ledger = opened(path)
    ledger.use(HERE, "a")
    ledger.strike(HERE, "a")
    assert opened(path).entries() == [(HERE, "a")]


names = st.sampled_from(["a", "b", "ä/ö", 'quote"', "new\nline"])


@given(st.lists(st.tuples(st.sampled_from(["use", "strike", "again"]), names), max_size=30))
@settings(deadline=None, max_examples=40)
def test_nothing_that_may_be_retained_is_ever_missing(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("ledger") / "retained.json"
    ledger, retained, used = opened(path), set(), set()
    for step, topic in steps:
        if step == "use":
            ledger.use(HERE, topic)
            retained.add(topic)
            used.add(topic)
        elif step == "strike":
            # The daemon removes ghosts only, and the broker has acknowledged it.
            retained -= {topic} - used
            ledger.strike(HERE, topic)
        else:
            ledger, used = opened(path), set()
        assert {t for _, t in opened(path).entries()} == retained


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"format": 2, "retained": []}',
        b'{"format": 1}',
        b'{"format": 1, "retained": [3]}',
    ],
)
def test_a_damaged_ledger_is_set_aside_and_begun_anew(path, damage):
    path.write_bytes(damage)
    ledger = RetainedLedger(path)
    aside = ledger.load()
    assert aside.read_bytes() == damage
    ledger.use(HERE, "a")
    assert json.loads(path.read_text())["retained"] == [{"broker": HERE, "topic": "a"}]


def test_what_could_not_be_written_is_written_with_the_next_change(path):
    ledger = opened(path)
    path.parent.rmdir()
    with pytest.raises(OSError, match="No such file"):
        ledger.use(HERE, "a")
    with pytest.raises(OSError, match="No such file"):
        ledger.use(HERE, "a")
    path.parent.mkdir()
    ledger.use(HERE, "a")
    assert opened(path).entries() == [(HERE, "a")]
