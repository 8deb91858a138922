"""Adaptation in a running daemon: corn cups, first on m5, then on mp6, and the child for real."""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from spektron_edge.adaptation import attempt as attempt_module
from spektron_edge.adaptation import following as following_module
from spektron_edge.adaptation import jobs as jobs_module
from spektron_edge.adaptation.task import RESULT, WORK, YARDSTICK
from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.child.process import Child
from spektron_edge.cli.main import main
from spektron_edge.daemon.daemon import Daemon
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import InstrumentReady, Measured
from spektron_edge.mqtt.commands import Key, sign
from spektron_edge.spectra.acquisition import References
from tests.adaptations import agreed
from tests.corn_bench import SERIAL, Cups, configure

from .conftest import DARK, WHITE
from .turns import events, turn

PATIENCE_S = 200


@pytest.fixture(scope="module")
def cups():
    return {name: Cups(name) for name in ("m5", "mp6")}


@pytest.fixture(scope="module")
def yardstick(tmp_path_factory):
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
        yardstick(tmp_path / "device" / "state" / WORK / YARDSTICK)
        open_ones.append(Daemon(path))
        return open_ones[-1]

    yield make
    for daemon in open_ones:
        daemon._adaptations.end()
        daemon._state.close()
    logger.handlers[:], logger.level, logger.propagate = before


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
    request = sign(Key("anna", bytes(16)), "spektron/s/i", name, 1, "", arguments)
    return daemon._commands.handler._actions[name](request)


def test_a_frozen_daemon_follows_nothing_and_starts_nothing(make_daemon, cups, make_scan):
    line = Line(make_daemon("frozen"), cups, make_scan)
    line.lay("mp6", known(cups, 30))
    assert line.daemon._adaptations.stream is None
    assert line.daemon._adaptations.attempt is None
    assert not (line.daemon._config.state_dir / WORK).exists()


def test_a_stream_like_the_source_is_left_alone(line, cups):
    line = line("auto")
    line.lay("m5", known(cups, 80))
    jobs = line.daemon._adaptations
    assert (jobs.attempt, jobs.stream.drift) == (None, None)
    assert len(jobs.stream.ring) >= 60
    assert not events(line.daemon, "drift_detected")


def test_another_instrument_is_told_and_a_proposal_made_without_delaying_scans(line, cups, behaves):
    line = line("propose")
    line.lay("m5", known(cups, 30))
    line.lay("mp6", known(cups, 60))
    told = events(line.daemon, "drift_detected")[0]
    assert "changed: the instrument" in told["message"]
    since = audited(line.daemon, "drift_detected")[0]["details"]["scan"]
    assert 25 <= since <= 35
    conclude(line.daemon)
    held = store_of(line.daemon).waiting(SERIAL)
    assert [entry.status for entry in held] == ["proposed"]
    assert store_of(line.daemon).active(SERIAL) is None
    judged = audited(line.daemon, "adaptation_judged")[0]["details"]
    assert judged["number"] == held[0].number
    assert "was a part exchanged?" in judged["told"]
    # It was made from what came after the change.
    batch = AdaptationStore(line.daemon._config.state_dir)
    header = batch.load(held[0]).header
    assert min(number for _, number in header.scans) >= since
    assert not set(header.scans) & set(header.judged_by)
    config = str(line.daemon._config.state_dir.parent / "edge.toml")
    assert main(["adapt", "replay", str(held[0].number), "--config", config]) == 0


def test_a_service_is_recorded_on_the_command_line_too(line, cups, capsys):
    line = line("propose")
    line.lay("m5", known(cups, 5))
    config = str(line.daemon._config.state_dir.parent / "edge.toml")
    words = ["adapt", "service-event", "--config", config, "--by", "Eve"]
    assert main([*words, "--what", "lamp changed"]) == 0
    assert main([*words, "--what", "x" * 300]) == Faults.ADAPTATION_INPUT.value.exit_status
    line.lay("m5", known(cups, 1))
    assert audited(line.daemon, "adaptation_service_event")[0]["details"]["event"] == "lamp changed"


def test_in_shadow_it_is_computed_beside_what_counts(line, cups):
    line = line("shadow")
    line.lay("mp6", known(cups, 40))
    conclude(line.daemon)
    assert line.daemon._serving.shadow is not None
    assert store_of(line.daemon).active(SERIAL) is None


def test_without_doubts_auto_installs_and_goes_back_when_it_does_harm(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    through_shadow(line, cups)
    assert store_of(line.daemon).active(SERIAL) is not None
    assert events(line.daemon, "adaptation_judged")
    # The instrument is repaired: what was adapted to is gone.
    line.lay("m5", known(cups, 40))
    assert store_of(line.daemon).active(SERIAL) is None
    ended = store_of(line.daemon).held[-1]
    assert ended.status == "rolled_back"
    assert "nearer to the source without it" in ended.ended_by
    assert line.daemon._serving.in_use.adaptation is None


def test_what_does_not_hold_in_shadow_stays_a_proposal(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    through_shadow(line, cups, "m5")
    (held,) = store_of(line.daemon).held
    assert (held.status, store_of(line.daemon).active(SERIAL)) == ("proposed", None)
    assert held.tried
    assert audited(line.daemon, "adaptation_tried")[0]["details"]["why"] == "; ".join(held.tried)


def test_people_see_how_a_proposal_did_in_shadow(line, cups, behaves, capsys):
    line = line("propose")
    behaves("sound")
    through_shadow(line, cups)
    assert store_of(line.daemon).active(SERIAL) is None
    config = str(line.daemon._config.state_dir.parent / "edge.toml")
    assert main(["adapt", "show", "1", "--config", config]) == 0
    assert "it holds" in capsys.readouterr().out


def test_with_a_service_held_out_spectra_suffice(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    line.lay("m5", known(cups, 5))
    ask(line.daemon, "adapt-service-event", what="detector changed", by="Eve")
    line.lay("mp6", known(cups, 40))
    conclude(line.daemon)
    assert store_of(line.daemon).active(SERIAL) is not None


def test_what_is_decided_in_the_meantime_ends_the_time_in_shadow(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    line.lay("mp6", known(cups, 40))
    conclude(line.daemon)
    store = AdaptationStore(line.daemon._config.state_dir)
    store.reject(1, "anna", "the window was dirty")
    line.lay("mp6", known(cups, 12))
    assert line.daemon._adaptations.attempt is None
    assert store_of(line.daemon).held[0].tried is None


def test_frozen_nothing_is_computed_beside_what_counts_any_more(line, cups, behaves):
    line = line("shadow")
    behaves("sound")
    through_shadow(line, cups)
    assert line.daemon._serving.shadow is not None
    assert store_of(line.daemon).held[0].tried == ()
    change_mode(line.daemon, "frozen")
    line.lay("mp6", known(cups, 1))
    assert line.daemon._serving.shadow is None


def test_spectra_of_another_instrument_judge_no_proposal(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    line.lay("mp6", known(cups, 40))
    assert line.daemon._adaptations.attempt is not None
    line.ready("OTHER-2")
    line.lay("mp6", known(cups, 1))
    conclude(line.daemon)
    assert [entry.serial for entry in store_of(line.daemon).held] == [SERIAL]
    line.lay("mp6", known(cups, 12))
    assert store_of(line.daemon).used == {}
    assert store_of(line.daemon).held[0].tried is None


def on_trial(line, cups):
    """Up to the second child, which runs."""
    line.lay("mp6", known(cups, 40))
    conclude(line.daemon)
    line.lay("mp6", known(cups, 12))
    assert line.daemon._adaptations.attempt.task.tried == 1


def test_a_service_during_the_second_verdict_leaves_a_proposal(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    on_trial(line, cups)
    ask(line.daemon, "adapt-service-event", what="lamp changed", by="Eve")
    conclude(line.daemon)
    assert store_of(line.daemon).active(SERIAL) is None
    assert store_of(line.daemon).held[0].tried is None


def test_who_decides_during_the_second_verdict_was_faster(line, cups, behaves):
    line = line("propose")
    behaves("sound")
    on_trial(line, cups)
    AdaptationStore(line.daemon._config.state_dir).reject(1, "anna", "the window was dirty")
    conclude(line.daemon)
    assert store_of(line.daemon).held[0].status == "rejected"
    assert not events(line.daemon, "adaptation_failed")


def test_what_was_proposed_is_not_used_by_itself_in_another_mode(line, cups, behaves):
    line = line("propose")
    behaves("sound")
    on_trial(line, cups)
    change_mode(line.daemon, "auto")
    conclude(line.daemon)
    assert store_of(line.daemon).active(SERIAL) is None
    assert store_of(line.daemon).held[0].tried == ()
    assert not events(line.daemon, "adaptation_failed")


def test_frozen_ends_a_child_that_adapts(line, cups, behaves):
    line = line("auto")
    behaves("hangs")
    line.lay("mp6", known(cups, 40))
    change_mode(line.daemon, "frozen")
    line.lay("mp6", known(cups, 1))
    wait(line.daemon, lambda: line.daemon._adaptations.attempt is None)
    assert store_of(line.daemon).held == ()


def test_what_a_person_approved_stays_in_auto_too(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    line.lay("mp6", known(cups, 40))
    conclude(line.daemon)
    store, model = AdaptationStore(line.daemon._config.state_dir), line.daemon._serving.model
    store.approve(1, agreed("anna"), 1, model)
    line.lay("m5", known(cups, 40))
    assert store_of(line.daemon).active(SERIAL) is not None
    assert "rollback" in events(line.daemon, "adaptation_doubtful")[0]["message"]


def test_damaged_evidence_is_set_aside_and_told_once(line, cups):
    line = line("propose")
    line.lay("m5", known(cups, 3))
    path = line.daemon._config.state_dir / "adaptations" / "evidence.json"
    path.write_text("{")
    line.lay("m5", known(cups, 20))
    (told,) = events(line.daemon, "state_damaged")
    assert "evidence.json.damaged-1" in told["message"]
    assert not path.exists()
    assert not events(line.daemon, "adaptation_failed")
    assert ask(line.daemon, "adapt-service-event", what="lamp changed", by="Eve").ok


def test_evidence_that_cannot_be_written_is_not_told_in_every_turn(line, cups):
    line = line("propose")
    line.lay("m5", known(cups, 3))
    ask(line.daemon, "adapt-service-event", what="lamp changed", by="Eve")
    lock = line.daemon._config.state_dir / "adaptations" / "lock"
    lock.unlink()
    lock.mkdir()
    line.lay("m5", known(cups, 30))
    assert len(audited(line.daemon, "adaptation_service_event")) == 1


def test_a_child_that_fails_in_the_meantime_leaves_a_proposal(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    line.lay("mp6", known(cups, 40))
    conclude(line.daemon)
    behaves("garbage")
    line.lay("mp6", known(cups, 12))
    conclude(line.daemon)
    assert events(line.daemon, "adaptation_failed")
    assert [entry.status for entry in store_of(line.daemon).held] == ["proposed"]
    line.lay("mp6", known(cups, 12))
    assert line.daemon._adaptations.attempt is None


def test_in_propose_people_are_told_that_what_they_approved_does_harm(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    through_shadow(line, cups)
    change_mode(line.daemon, "propose")
    line.lay("m5", known(cups, 40))
    assert store_of(line.daemon).active(SERIAL) is not None
    assert "rollback" in events(line.daemon, "adaptation_doubtful")[0]["message"]


@pytest.mark.parametrize(
    ("how", "why"),
    [("garbage", "damaged"), ("nothing", "cannot be read"), ("crowded", "want of memory")],
)
def test_whatever_the_child_leaves_is_survived_and_told(line, cups, behaves, how, why):
    line = line("auto")
    behaves(how)
    line.lay("mp6", known(cups, 40))
    conclude(line.daemon)
    event = events(line.daemon, "adaptation_failed")[0]
    assert why in event["message"]
    assert audited(line.daemon, "adaptation_failed")
    assert store_of(line.daemon).held == ()
    before = line.daemon._counters["valid"] + line.daemon._counters["invalid"]
    line.lay("mp6", known(cups, 5))
    after = line.daemon._counters["valid"] + line.daemon._counters["invalid"]
    assert after - before == 5
    # Not again at once.
    assert line.daemon._adaptations.attempt is None


def test_a_killed_child_is_survived_and_told(line, cups, behaves):
    line = line("auto")
    behaves("hangs")
    line.lay("mp6", known(cups, 40))
    os.kill(line.daemon._adaptations.attempt.process.pid, signal.SIGKILL)
    conclude(line.daemon)
    assert "signal 9" in events(line.daemon, "adaptation_failed")[0]["message"]


def test_a_child_that_hangs_is_ended(line, cups, behaves, monkeypatch):
    line = line("auto")
    behaves("hangs")
    monkeypatch.setattr(attempt_module, "TIME_LIMIT_S", 2.0)
    line.lay("mp6", known(cups, 40))
    process = line.daemon._adaptations.attempt.process
    conclude(line.daemon)
    assert "too long" in events(line.daemon, "adaptation_failed")[0]["message"]
    assert process.poll() == -signal.SIGKILL


def test_the_end_of_the_daemon_is_the_end_of_the_child(line, cups, behaves):
    line = line("auto")
    behaves("hangs")
    line.lay("mp6", known(cups, 40))
    process = line.daemon._adaptations.attempt.process
    line.daemon._adaptations.end()
    assert process.poll() is not None


def test_a_full_disk_is_an_event_and_no_child(line, cups, monkeypatch):
    line = line("auto")

    def full(*_):
        raise Fault(Faults.DISK_FULL, "no room")

    monkeypatch.setattr(jobs_module, "write_task", full)
    line.lay("mp6", known(cups, 40))
    assert line.daemon._adaptations.attempt is None
    assert "disk_full" in events(line.daemon, "adaptation_failed")[0]["message"]


def test_no_process_to_be_had_is_an_event(line, cups, monkeypatch):
    line = line("auto")
    monkeypatch.setattr(
        Child,
        "__init__",
        lambda *_: (_ for _ in ()).throw(Fault(Faults.ADAPTATION_FAILED, "no process")),
    )
    line.lay("mp6", known(cups, 40))
    assert "no process" in events(line.daemon, "adaptation_failed")[0]["message"]


def test_a_change_of_instrument_empties_the_ring(line, cups):
    line = line("auto")
    line.lay("m5", known(cups, 10))
    assert len(line.daemon._adaptations.stream.ring)
    line.ready("OTHER-2")
    line.lay("m5", known(cups, 1))
    assert len(line.daemon._adaptations.stream.ring) == 1


def test_a_service_starts_an_attempt_once_and_is_evidence(line, cups):
    line = line("propose")
    line.lay("m5", known(cups, 40))
    assert line.daemon._adaptations.attempt is None
    outcome = ask(line.daemon, "adapt-service-event", what="lamp changed", by="Eve")
    assert outcome.ok
    # What was measured before is of another state of the instrument.
    line.lay("m5", known(cups, 2))
    assert line.daemon._adaptations.attempt is None
    line.lay("m5", known(cups, 30))
    conclude(line.daemon)
    assert audited(line.daemon, "adaptation_service_event")[0]["who"] == "Eve"
    started = audited(line.daemon, "adaptation_started")[0]["details"]["told"]
    assert "lamp changed by Eve" in started
    line.daemon._adaptations._pace.fresh(10**6)
    line.daemon._adaptations._pace._not_before_s = 0.0
    line.lay("m5", known(cups, 5))
    assert line.daemon._adaptations.attempt is None


def test_a_stability_sample_is_known_from_its_first_measurement(line, cups):
    line = line("auto")
    line.lay("m5", ["new1"], 6)
    outcome = ask(line.daemon, "adapt-stability", sample="tile", scans=5)
    assert "from now on" in outcome.message
    line.lay("m5", ["new2"], 2)
    with pytest.raises(Fault) as caught:
        ask(line.daemon, "adapt-stability", sample="tile")
    assert caught.value.kind is Faults.SAMPLE_REFUSED
    line.lay("m5", ["new1"], 6)
    assert ask(line.daemon, "adapt-stability", sample="tile").message.endswith("its interval")
    assert ask(line.daemon, "adapt-stability", sample="tile").result["astray"] == ()
    line.lay("mp6", ["new1"], 6)
    assert ask(line.daemon, "adapt-stability", sample="tile").result["astray"]
    line.daemon._adaptations.look_after()
    assert audited(line.daemon, "stability_sample_added")
    assert audited(line.daemon, "stability_sample_measured")[-1]["details"]["astray"]


def test_a_stability_sample_astray_takes_an_adaptation_back(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    line.lay("m5", ["new1"], 6)
    ask(line.daemon, "adapt-stability", sample="tile")
    through_shadow(line, cups)
    assert store_of(line.daemon).active(SERIAL) is not None
    line.lay("mp6", ["new1"], 6, lambda x: 1.3 * x)
    assert ask(line.daemon, "adapt-stability", sample="tile").result["astray"]
    assert store_of(line.daemon).active(SERIAL) is None
    assert "stability sample" in store_of(line.daemon).held[-1].ended_by


def test_a_detector_that_stands_still_is_told_and_its_spectra_are_not_learned_from(line, cups):
    line = line("auto")
    line.lay("m5", ["new1"], 3)
    first = {}

    def stuck(x):
        still = first.setdefault("x", x)[:100]
        return np.concatenate([still, x[100:]])

    line.lay("m5", ["new2"] * 15, 1, stuck)
    assert events(line.daemon, "detector_stuck")
    line.lay("m5", ["new3", "new4"], 2)
    assert events(line.daemon, "detector_stuck_over")


def test_an_empty_beam_is_told_and_never_learned_from(line, cups):
    line = line("auto")
    line.lay("m5", known(cups, 12))
    before = len(line.daemon._adaptations.stream.ring)
    line.lay("m5", known(cups, 30), 1, lambda x: 0.02 * x)
    assert events(line.daemon, "no_sample")
    assert len(line.daemon._adaptations.stream.ring) == before
    assert line.daemon._adaptations.attempt is None


def test_a_yardstick_that_cannot_be_made_is_told_once(make_daemon, cups, make_scan, monkeypatch):
    monkeypatch.setattr(attempt_module, "_MODULE", "tests.no_such_module")
    daemon = make_daemon("auto")
    (daemon._config.state_dir / WORK / YARDSTICK).unlink(missing_ok=True)
    line = Line(daemon, cups, make_scan)
    wait(line.daemon, lambda: events(line.daemon, "adaptation_failed"))
    line.lay("mp6", known(cups, 30))
    assert len(events(line.daemon, "adaptation_failed")) == 1
    assert not (line.daemon._config.state_dir / WORK / RESULT).exists()


def test_to_frozen_and_back_it_begins_anew(line, cups):
    line = line("auto")
    line.lay("m5", known(cups, 10))
    for mode, followed in (("frozen", 0), ("auto", 3)):
        change_mode(line.daemon, mode)
        line.lay("m5", known(cups, 3))
        stream = line.daemon._adaptations.stream
        assert (0 if stream is None else stream.sound) == followed


def test_a_bundle_that_comes_back_is_followed_again(line, cups, monkeypatch):
    line = line("auto")
    jobs = line.daemon._adaptations
    for module in (jobs_module, following_module):
        monkeypatch.setattr(module, "yardstick_of", lambda _: "another")
    jobs._calibrate_after_s = float("inf")
    line.lay("m5", known(cups, 3))
    assert jobs.stream is None
    monkeypatch.undo()
    jobs._calibrate_after_s = 0.0
    line.lay("m5", known(cups, 3))
    assert jobs.stream is not None
