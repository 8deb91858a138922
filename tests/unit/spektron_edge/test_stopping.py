"""An orderly end by a signal, whatever the main path is doing."""

from __future__ import annotations

import os
import signal

import pytest

from spektron_edge.cli.stopping import stopped_by

PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def _as_before():
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_a_signal_in_the_midst_of_waiting_for_it_is_heard():
    stop = stopped_by(signal.SIGUSR1)
    # As between two looks of `wait`.
    with stop._cond:
        os.kill(os.getpid(), signal.SIGUSR1)
    assert stop.wait(PATIENCE_S)


def test_what_was_ignored_stays_so_where_that_is_asked_for():
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    stopped_by(signal.SIGUSR1, ignored_too=False)
    assert signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN
    stop = stopped_by(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert stop.wait(PATIENCE_S)
