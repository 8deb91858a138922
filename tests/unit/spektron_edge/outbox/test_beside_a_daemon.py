"""Counts are read beside a daemon that runs."""

from __future__ import annotations

import pytest

from spektron_edge.outbox import OutboxError, read_counts

from .records import counts, record


@pytest.mark.parametrize("name", ["plain", "with space", "50%", "what?", "a#b", "größe"])
def test_counts_are_read_beside_a_running_daemon(open_outbox, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    path = folder / "outbox.sqlite"
    outbox = open_outbox(path)
    outbox.commit([record(1), record(2)])
    outbox.commit([], sent=["id-000001"])
    assert read_counts(path) == outbox.counts()
    assert read_counts(path) == counts(1, 1, 0, 0)
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("content", [None, b"no database", b""])
def test_counts_of_what_is_no_outbox_are_an_error(tmp_path, content):
    path = tmp_path / "outbox.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OutboxError):
        read_counts(path)
    assert path.exists() == (content is not None)
