"""Outboxes whose records age."""

from __future__ import annotations

import pytest

from spektron_edge.outbox import Limits

from .records import HOUR, Hours


@pytest.fixture
def hours():
    return Hours()


@pytest.fixture
def aging(open_outbox, tmp_path, hours):
    """Open an outbox that keeps the unacknowledged for 10 hours, the acknowledged for 2."""
    limits = Limits(10**6, 10**6, max_age_s=10 * HOUR, keep_sent_s=2 * HOUR)
    return lambda: open_outbox(tmp_path / "outbox.sqlite", limits, hours)
