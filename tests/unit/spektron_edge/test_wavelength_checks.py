from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from spektron_edge.detector.wavelength_check import load_standard
from spektron_edge.faults import Fault, Faults
from spektron_edge.instrument.wavelength_checks import UNSOUND, WITHIN_S, WavelengthChecks
from spektron_edge.prediction.pipeline import failed

AXIS = np.arange(900.0, 2000.0, 2.0)
BANDS = load_standard("srm-2035").bands


class Bench:
    def __init__(self, folder):
        self.finished, self.checks = {}, []
        self.checking = WavelengthChecks(
            lambda: SimpleNamespace(state_dir=folder),
            self.finished.__setitem__,
            itertools.count(1),
            lambda check, who: self.checks.append((check, who)),
        )

    def ask(self, **arguments):
        request = SimpleNamespace(arguments={"standard": "srm-2035", **arguments}, operator="anna")
        return self.checking.actions()["wavelength-check"](request)

    def show(self, scan, shift=0.0, height=0.3):
        seen = sum(height * np.exp(-(((AXIS - b.nm - shift) / 8) ** 2) / 2) for b in BANDS)
        fault = Fault(Faults.AXIS_OUTSIDE_MODEL, "the model does not matter")
        self.checking.measured(replace(scan, axis_nm=AXIS), failed(fault, seen))


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


@pytest.mark.parametrize(("shift", "passed"), [(0.2, True), (-6.0, False)])
def test_the_next_scans_are_averaged_and_judged(bench, make_scan, shift, passed):
    outcome = bench.ask(scans=3)
    assert (outcome.ok, outcome.ticket) == (True, 1)
    for _ in range(2):
        bench.show(make_scan(), shift)
    assert not bench.finished
    bench.show(make_scan(), shift)
    done = bench.finished[1]
    assert done.ok is passed
    assert done.result["passed"] is passed
    assert done.result["mean_nm"] == pytest.approx(shift, abs=0.1)
    assert [(c.passed, who) for c, who in bench.checks] == [(passed, "anna")]
    bench.show(make_scan())
    assert len(bench.finished) == 1


def test_scans_without_absorbance_do_not_count(bench, make_scan):
    bench.ask(scans=1)
    bench.checking.measured(make_scan(), failed(Fault(Faults.SATURATED, "full")))
    assert not bench.finished
    bench.show(make_scan())
    assert bench.finished[1].ok


def test_scans_that_go_on_telling_nothing_end_it_with_their_reason(bench, make_scan):
    bench.ask(scans=30)
    for count in (UNSOUND - 1, 1, UNSOUND - 1):
        for _ in range(count):
            bench.checking.measured(make_scan(), failed(Fault(Faults.NO_DARK, "no dark yet")))
        assert not bench.finished
        bench.show(make_scan())
    for _ in range(UNSOUND):
        assert not bench.finished
        bench.checking.measured(make_scan(), failed(Fault(Faults.NO_DARK, "no dark yet")))
    done = bench.finished[1]
    assert done.result == {"fault": "command_not_done"}
    assert "no dark yet [no_dark] Next: send `take-dark`" in done.message
    assert bench.ask().ticket == 2


def test_another_sample_in_the_beam_is_answered_and_not_judged(bench, make_scan):
    bench.ask(scans=1)
    bench.show(make_scan(), height=1e-4)
    assert bench.finished[1].result == {"fault": "wavelength_astray"}
    assert bench.checks == []


def test_another_instrument_meanwhile_ends_it(bench, make_scan):
    bench.ask(scans=2)
    bench.show(make_scan())
    bench.checking.measured(make_scan(), failed(Fault(Faults.NO_DARK, ""), np.zeros(3)))
    assert "another instrument" in bench.finished[1].message


def test_one_at_a_time_and_none_for_ever(bench):
    bench.ask()
    with pytest.raises(Fault) as caught:
        bench.ask()
    assert caught.value.kind is Faults.COMMAND_NOT_DONE
    begun = bench.checking._running.at_s
    bench.checking.look_after(begun + WITHIN_S - 1)
    assert not bench.finished
    bench.checking.look_after(begun + WITHIN_S + 1)
    assert "0 of 8 sound scans" in bench.finished[1].message
    assert bench.ask().ticket == 2
    bench.checking.end()
    assert "stopped" in bench.finished[2].message


@pytest.mark.parametrize(
    "arguments",
    [
        {"standard": "water"},
        {"scans": 0},
        {"limit_nm": 0},
        {"limit_nm": "far"},
        {"standard": "a/b"},
    ],
    ids=str,
)
def test_what_is_asked_wrongly_is_refused(bench, arguments):
    with pytest.raises(Fault) as caught:
        bench.ask(**arguments)
    assert caught.value.kind is Faults.COMMAND_INPUT
    assert bench.ask().ticket == 1
