"""A line of corn cups to a daemon that adapts, and what tests ask of it."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace

import numpy as np

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.commands.asked import Asked
from spektron_edge.inbox import InstrumentReady, Measured
from spektron_edge.spectra.acquisition import References
from tests.corn_bench import SERIAL

from ..conftest import DARK, WHITE
from ..turns import turn

PATIENCE_S = 200


class Line:
    """The instrument's line: lay cups, and turn the daemon with them."""

    def __init__(self, daemon, cups, make_scan):
        self.daemon, self._cups, self._make_scan = daemon, cups, make_scan
        self._numbers = itertools.count(1)
        self.axis = cups["m5"].axis_nm
        self.ready()

    def ready(self, serial=SERIAL):
        self.serial = serial
        turn(self.daemon, InstrumentReady(serial, "1.0", 7, self.axis))

    def lay(self, instrument, samples, count=1, change=lambda x: x):
        now = self.daemon._clock.now()
        references = References(
            np.full(self.axis.size, DARK),
            np.full(self.axis.size, WHITE),
            now,
            now,
            self.serial,
            7,
            1000,
        )
        for sample in samples:
            for x in self._cups[instrument].scans(sample, count).absorbance:
                scan = replace(
                    self._make_scan(serial=self.serial, number=next(self._numbers)),
                    counts=DARK + (WHITE - DARK) * 10.0 ** -change(x),
                    axis_nm=self.axis,
                )
                turn(self.daemon, Measured(scan, references))


def wait(daemon, condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        daemon._turn(0.02)


def conclude(daemon):
    """Until the child that runs has ended and was heard."""
    assert daemon._adaptations.attempt is not None
    wait(daemon, lambda: daemon._adaptations.attempt is None)
    daemon._turn(0.0)


def through_shadow(line, cups, instrument="mp6"):
    """From the drift on, until a proposal was judged again."""
    line.lay("mp6", known(cups, 40))
    conclude(line.daemon)
    assert store_of(line.daemon).active(SERIAL) is None
    line.lay(instrument, known(cups, 12))
    conclude(line.daemon)


def change_mode(daemon, mode):
    changed = daemon._config.adaptation.model_copy(update={"mode": mode})
    daemon._reload.config = daemon._config.model_copy(update={"adaptation": changed})


def known(cups, count):
    return list(itertools.islice(itertools.cycle(cups["m5"]._spectra), count))


def audited(daemon, what):
    lines = daemon._state.audit.path.read_text().splitlines()
    return [e for e in map(json.loads, lines) if e["what"] == what]


def store_of(daemon):
    return AdaptationStore(daemon._config.state_dir).read()


def ask(daemon, name, **arguments):
    request = Asked("anna", arguments)
    return daemon._commands.carrying.actions[name](request)
