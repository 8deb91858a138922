"""The end of an audit log, whatever it is made of."""

from __future__ import annotations

import hashlib
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spektron_edge.clock import Stamp
from spektron_edge.files import audit_tail
from spektron_edge.files.audit import Audit
from spektron_edge.files.audit_tail import newest


@given(st.lists(st.binary(max_size=40)), st.binary(max_size=9), st.integers(1, 12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_all_whole_lines_come_backwards_through_blocks_of_any_size(
    tmp_path, monkeypatch, lines, torn, block
):
    monkeypatch.setattr(audit_tail, "_BLOCK", block)
    lines = [line.replace(b"\n", b"") + b"\n" for line in lines]
    path = tmp_path / "log"
    path.write_bytes(b"".join(lines) + torn.replace(b"\n", b""))
    heads = [line.head for line in newest(path, 10**6)]
    assert heads == [hashlib.sha256(line).hexdigest() for line in reversed(lines)]


def test_pages_of_a_real_log_join_without_a_gap(tmp_path):
    audit = Audit(tmp_path / "audit.jsonl")
    for n in range(25):
        audit.append(Stamp(0.0, 1.0, "b"), "anna", "reload", {"n": n})
    audit.close()
    pages, before = [], None
    while page := newest(audit.path, 7, before):
        pages += page
        before = page[-1].number
    assert [line.number for line in pages] == list(range(25, 0, -1))
    assert pages[0].head == audit.head
    assert newest(audit.path, 3, 1) == []


def test_a_line_that_is_none_is_not_hidden(tmp_path):
    path = tmp_path / "audit.jsonl"
    path.write_bytes(json.dumps({"number": 1}).encode() + b"\n[]\n\x00\xff\n")
    assert [line.entry for line in newest(path, 9)] == [{}, {}, {"number": 1}]
