"""The audit log beside a daemon that writes it."""

from __future__ import annotations

import pytest

from spektron_edge.clock import Stamp
from spektron_edge.files.audit import Audit


@pytest.fixture
def log(page):
    audit = Audit(page.state_dir / "audit.jsonl")
    for n in range(12):
        audit.append(Stamp(1_800_000_000.0, 12.5, "b"), "anna", "reload", {"n": n})
    yield audit
    audit.close()


def test_lines_newest_first_page_by_page(asked, log):
    first = asked("/audit?limit=5", "viewer").json()
    assert [line["number"] for line in first["lines"]] == [12, 11, 10, 9, 8]
    assert first["lines"][0]["details"] == {"n": 11}
    assert (first["lines"][0]["who"], first["lines"][0]["what"]) == ("anna", "reload")
    assert first["lines"][0]["utc"] == "2027-01-15T08:00:00.000Z"
    assert first["lines"][0]["head"] == log.head
    rest = asked(f"/audit?limit=500&before={first['next']}").json()
    assert [line["number"] for line in rest["lines"]] == [7, 6, 5, 4, 3, 2, 1]
    assert rest["next"] is None


def test_a_chain_that_holds_with_the_head_that_was_published(asked, page, log):
    page.link.known["state"] = {"record": {"audit_head": log.head}}
    log.append(Stamp(1.0, 1.0, "b"), "anna", "reload", {})
    found = asked("/audit/verify", "viewer").json()
    assert (found["holds"], found["lines"], found["head"]) == (True, 13, log.head)
    assert found["published_head"] == page.link.known["state"]["record"]["audit_head"]
    told = [{"code": "chain_holds", "values": {}}]
    told += [{"code": "head_at", "values": {"line": 12, "behind": 1}}]
    assert found["reasons"] == told


def test_a_head_that_is_not_there_and_a_changed_line(asked, log):
    cut = asked(f"/audit/verify?head={'1' * 64}").json()
    assert (cut["holds"], cut["published_head"]) == (False, "1" * 64)
    raw = log.path.read_bytes()
    log.path.write_bytes(raw.replace(b'"n":4', b'"n":5'))
    found = asked("/audit/verify").json()
    assert (found["holds"], found["lines"], found["head"]) == (False, None, None)
    (why,) = found["reasons"]
    assert "line 6 does not follow" in why["values"]["text"]
    assert asked("/audit/verify?head=x").status_code == 422


def test_damage_is_shown_among_the_lines(asked, log):
    with log.path.open("ab") as stream:
        stream.write(b"\x00\xff\n[1]\n")
    lines = asked("/audit?limit=3").json()["lines"]
    assert [line["what"] for line in lines] == ["unreadable", "unreadable", "reload"]


def test_a_line_that_cannot_be_read_hides_nothing_older(asked, log):
    raw = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join([*raw[:7], b"torn\n", *raw[8:]]))
    first = asked("/audit?limit=5").json()
    assert [line["number"] for line in first["lines"]] == [12, 11, 10, 9, None]
    rest = asked(f"/audit?limit=5&before={first['next']}").json()
    assert [line["number"] for line in rest["lines"]] == [7, 6, 5, 4, 3]


def test_before_the_daemon_ever_ran(asked):
    assert asked("/audit").json() == {"lines": [], "next": None}
    assert asked("/audit/verify").json()["holds"] is False
