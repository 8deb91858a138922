"""What tests of a session ask of it."""

from __future__ import annotations

import pytest

from spektron_edge.faults import Fault
from spektron_edge.instrument.axis_store import save_axis
from tests.corn_bench import SERIAL


def refused(kind, action, *arguments, **options):
    with pytest.raises(Fault) as caught:
        action(*arguments, **options)
    assert caught.value.kind is kind, caught.value
    return caught.value.detail


def whats(session):
    return [action.what for action in session.store.untold()]


def csv(path, scans):
    lines = [",".join(map(str, scans.axis_nm)), *(",".join(map(str, x)) for x in scans.absorbance)]
    path.write_text("\n".join(lines))
    return path


def known_axis(session, axis_nm):
    folder = session.store.folder.parent
    folder.mkdir(parents=True, exist_ok=True)
    save_axis(folder, SERIAL, axis_nm)
