"""The audit log in segments: one chain, wherever they lie."""

from __future__ import annotations

import gzip
import json

import pytest

from spektron_edge.clock import Stamp
from spektron_edge.files.audit import AuditError
from spektron_edge.files.audit_segments import check, segments
from spektron_edge.files.audit_tail import newest
from spektron_edge.files.state_folder import open_state
from spektron_edge.outbox import Limits

LIMITS = Limits(10**9, 10**9)
AT = Stamp(1_800_000_000.0, 12.0, "boot-a")


@pytest.fixture
def state(tmp_path):
    opened = open_state(tmp_path / "state", LIMITS)
    yield opened
    opened.close()


def fill(state, lines):
    for n in range(lines):
        state.audit.append(AT, "anna", "command_health", {"counter": state.audit.lines + 1, "n": n})


@pytest.fixture
def heads(state):
    """Heads that were published: after each of three segments and in the log that goes on."""
    found = []
    for _ in range(3):
        fill(state, 5)
        found.append((state.audit.head, state.audit.lines))
        state.begin_audit_segment(AT)
    fill(state, 2)
    found.append((state.audit.head, state.audit.lines))
    return found


def test_the_chain_spans_all_segments(state, heads):
    whole = check(state.audit.path, None, None)
    assert (whole.first, whole.chain.lines) == (1, state.audit.lines)
    assert len(whole.parts) == 3
    for head, line in heads:
        assert check(state.audit.path, head, line).found == line


def test_it_goes_on_after_a_restart(state, heads):
    state.close()
    state = open_state(state.folder, LIMITS)
    assert state.damage == []
    assert state.audit.lines == heads[-1][1]
    fill(state, 1)
    state.begin_audit_segment(AT)
    assert check(state.audit.path, heads[0][0], None).found == heads[0][1]
    state.close()


def test_pages_join_through_segments(state, heads):
    pages, before = [], None
    while page := newest(state.audit.path, 4, before):
        pages += page
        before = page[-1].number
    assert [line.number for line in pages] == list(range(state.audit.lines, 0, -1))


@pytest.mark.parametrize("which", [0, 1, 2])
def test_an_altered_segment_is_named(state, heads, which):
    path = segments(state.audit.path)[which]
    lines = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(lines.replace(b'"n":3', b'"n":4')))
    with pytest.raises(AuditError, match=path.name.replace(".", r"\.")):
        check(state.audit.path, None, None)


def test_a_segment_that_is_no_gzip_is_named(state, heads):
    path = segments(state.audit.path)[1]
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(AuditError, match=path.name.replace(".", r"\.")):
        check(state.audit.path, None, None)


def test_segments_that_were_moved_away_still_verify(state, heads):
    moved = [(path.name, path.read_bytes()) for path in segments(state.audit.path)[:2]]
    for path in segments(state.audit.path)[:2]:
        path.unlink()
    whole = check(state.audit.path, None, None)
    assert whole.first == heads[1][1] + 1
    with pytest.raises(AuditError, match="give the archive"):
        check(state.audit.path, heads[0][0], None)
    assert check(state.audit.path, heads[0][0], None, moved).found == heads[0][1]


def test_a_cut_between_segment_and_new_log_loses_nothing(state, monkeypatch):
    fill(state, 5)
    with monkeypatch.context() as cut:
        cut.setattr(
            state.audit, "go_on_anew", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
        )
        with pytest.raises(OSError, match="full"):
            state.begin_audit_segment(AT)
    fill(state, 1)
    assert check(state.audit.path, None, 6).chain.lines == 6
    state.begin_audit_segment(AT)
    whole = check(state.audit.path, None, None)
    assert (whole.first, len(whole.parts)) == (1, 1)


def test_counters_are_known_after_segments_and_outbox_are_gone(state, heads):
    used = max(json.loads(line)["number"] for line in state.audit.path.read_text().splitlines())
    state.close()
    for path in (*segments(state.audit.path), state.folder / "outbox.sqlite"):
        path.unlink()
    state = open_state(state.folder, LIMITS)
    assert not state.accept_counter("anna", heads[2][1] - 1)
    assert state.accept_counter("anna", used + 100)
    state.close()


def test_a_log_that_claims_to_go_on_from_nowhere_is_told(state, heads):
    for path in segments(state.audit.path):
        path.unlink()
    whole = check(state.audit.path, None, None)
    assert (whole.first, whole.parts) == (heads[2][1] + 1, ())


def test_a_log_that_a_full_disk_closed_goes_on_in_a_new_file(state, heads):
    """An append that failed could not open it again."""
    state.audit._stream.close()
    lines = state.audit.lines
    state.begin_audit_segment(AT)
    assert state.audit.lines > lines
    assert check(state.audit.path, None, None).first == 1


def test_segments_that_leave_while_they_are_read_are_no_trouble(state, heads, monkeypatch):
    gone = segments(state.audit.path)[0]
    monkeypatch.setattr(
        "spektron_edge.files.audit_segments.segments",
        lambda log: [*segments(log), gone.with_name(f"x{gone.name}")],
    )
    assert check(state.audit.path, None, None).first == 1
