"""Virtual spectrometers, and threads without patience."""

from __future__ import annotations

import pytest

from spektron_edge.instrument import session as instrument_session
from spektron_edge.instrument import thread as instrument_thread

from .rigs import Rig


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(instrument_thread, "_PAUSE_S", 0.05)
    monkeypatch.setattr(instrument_session, "_PAUSE_S", 0.05)


@pytest.fixture
def make(tmp_path):
    rigs = []

    def build(faults=None, optics=None, acquisition=None, serial=None, **device):
        rig = Rig(tmp_path, faults or {}, optics or {}, acquisition or {}, serial or {}, **device)
        rigs.append(rig)
        return rig

    yield build
    for rig in rigs:
        rig.stop()
