"""Faults at random on line, broker, disk, clock and process: every scan has to be told."""

from __future__ import annotations

import random

import pytest

from tests.requirements import need
from tests.soak.report import failures, in_words
from tests.soak.run import run


@pytest.mark.timeout(7200)
@pytest.mark.once
@pytest.mark.parametrize(
    ("minutes", "every_s", "seed"),
    [(2.5, 7.0, 101), pytest.param(60, 20.0, None, marks=pytest.mark.long)],
)
def test_every_scan_is_accounted_for_whatever_happens(tmp_path, minutes, every_s, seed):
    need("broker")
    need("tmpfs")
    seed = random.randrange(2**32) if seed is None else seed
    soak = run(tmp_path, 60 * minutes, seed, every_s, print)
    print(in_words(soak))
    assert soak.account.counts["published"] > 60 * minutes
    assert soak.account.whole
    assert failures(soak) == []
