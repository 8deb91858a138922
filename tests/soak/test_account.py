"""The account itself: what it takes for told, and what it does not."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.soak.account import account
from tests.soak.ledger import Ledger, Made
from tests.soak.memory import Sample, lives
from tests.soak.schedule import KINDS, plan


@dataclass
class Message:
    topic: str
    payload: bytes


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "came.jsonl")


def hear(ledger, kind, **record):
    ledger.take(None, None, Message(f"spektron/lab/m5/{kind}", json.dumps(record).encode()))


def predicted(ledger, record_id, boot_id, number):
    scan = {"boot_id": boot_id, "number": number}
    hear(ledger, "prediction", id=record_id, serial="A", scan=scan, valid=True)


def made(boot_id, *numbers, position=1):
    return [Made("A", boot_id, number, position, float(number)) for number in numbers]


def test_each_scan_is_counted_where_it_went(ledger):
    scans = [*made(1, 0, position=0), *made(1, 1, 2, 3, 4, 5), *made(2, 0)]
    for number in (1, 2):
        predicted(ledger, f"p{number}", 1, number)
    predicted(ledger, "p2", 1, 2)
    hear(ledger, "event", id="e1", code="scans_missed", scans=[[3, 3]], boot_id=1)
    hear(ledger, "event", id="e2", code="instrument_restarted", scans=[[3, 3]], boot_id=1)
    found = account(scans, ledger)
    assert found.counts == {"reference": 1, "published": 2, "gap": 1, "power": 2, "unaccounted": 1}
    assert found.unaccounted == (scans[-1],)
    assert (found.ids, found.repeats) == (4, 1)
    assert not found.whole


def test_what_is_said_twice_or_never_was_is_found(ledger):
    predicted(ledger, "p1", 1, 1)
    predicted(ledger, "p2", 1, 1)
    predicted(ledger, "p3", 1, 2)
    hear(ledger, "event", id="e1", code="scans_missed", scans=[[2, 3]], boot_id=1)
    found = account(made(1, 1, 2), ledger)
    assert set(found.twice) == {(1, 1), (1, 2)}
    assert found.phantom == ((1, 3),)
    assert not found.unaccounted
    assert not found.whole


def test_a_seed_gives_the_same_faults_of_every_kind_at_the_rate_that_was_asked_for():
    found = plan(7, 3600.0, 20.0)
    assert found == plan(7, 3600.0, 20.0)
    assert found != plan(8, 3600.0, 20.0)
    assert {one.kind for one in found} == set(KINDS)
    assert 3600.0 / len(found) < 25.0
    assert max(one.over_s for one in found) < 3600.0
    # Memory is followed in one life of the daemon.
    assert max(one.at_s for one in found if KINDS[one.kind].restarts) < 1000.0
    for part in ("line", "broker", "disk", "clock", "daemon"):
        of = [one for one in found if part in KINDS[one.kind].parts]
        assert all(a.over_s < b.at_s for a, b in itertools.pairwise(of))


def test_what_grows_is_told_from_what_a_fault_closes_for_a_while():
    def at(second, files):
        return Sample(float(second), "daemon", 1, 130.0 + second / 3600, files, 4)

    broken = lives([at(s, 17 if 200 <= s < 240 else 21) for s in range(600)])
    assert broken[0].files == (21, 21)
    assert broken[0].slope_mb_h == pytest.approx(1.0)
    (leaking,) = lives([at(s, 21 + s // 60) for s in range(600)])
    assert leaking.files[1] > leaking.files[0] + 2
