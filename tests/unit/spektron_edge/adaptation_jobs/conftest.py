"""Daemons that adapt: corn cups, first on m5, then on mp6."""

from __future__ import annotations

import logging

import pytest

from spektron_edge.adaptation import attempt as attempt_module
from spektron_edge.adaptation.task import WORK, YARDSTICK
from spektron_edge.daemon.daemon import Daemon
from tests.corn_bench import Cups, configure

from .lines import Line, wait


@pytest.fixture(scope="session")
def cups():
    return {name: Cups(name) for name in ("m5", "mp6")}


@pytest.fixture(scope="session")
def yardstick():
    """The file of the shipped bundle, made once."""
    made = {}

    def at(path):
        if "bytes" in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(made["bytes"])
        return made

    return at


@pytest.fixture
def make_daemon(tmp_path, yardstick):
    logger = logging.getLogger("spektron_edge")
    before = logger.handlers[:], logger.level, logger.propagate
    open_ones = []

    def make(mode):
        path = configure(tmp_path / "device", f'adaptation.mode = "{mode}"')
        # Frozen, a daemon needs none, and makes not even the folder.
        if mode != "frozen":
            yardstick(tmp_path / "device" / "state" / WORK / YARDSTICK)
        open_ones.append(Daemon(path))
        return open_ones[-1]

    yield make
    for daemon in open_ones:
        daemon._adaptations.end()
        daemon._state.close()
    logger.handlers[:], logger.level, logger.propagate = before


@pytest.fixture
def line(make_daemon, cups, make_scan, yardstick):
    """line(mode): a daemon that knows what is usual."""

    def make(mode):
        line = Line(make_daemon(mode), cups, make_scan)
        wait(line.daemon, lambda: line.daemon._adaptations.following.yardstick is not None)
        path = line.daemon._config.state_dir / WORK / YARDSTICK
        yardstick(path).setdefault("bytes", path.read_bytes())
        return line

    return make


@pytest.fixture
def behaves(monkeypatch):
    def choose(how):
        monkeypatch.setattr(attempt_module, "_MODULE", "tests.fake_adaptation_child")
        monkeypatch.setenv("SPEKTRON_TEST_CHILD", how)

    return choose
