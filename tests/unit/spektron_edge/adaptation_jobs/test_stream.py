"""What a daemon follows, and what it makes of evidence."""

from __future__ import annotations

import numpy as np
import pytest

from spektron_edge.adaptation import attempt as attempt_module
from spektron_edge.adaptation import following as following_module
from spektron_edge.adaptation import jobs as jobs_module
from spektron_edge.adaptation.task import RESULT, WORK, YARDSTICK
from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.cli.main import main
from spektron_edge.faults import Fault, Faults
from tests.corn_bench import SERIAL

from ..turns import events
from .lines import Line, ask, audited, change_mode, conclude, known, store_of, through_shadow, wait


def test_a_frozen_daemon_follows_nothing_and_starts_nothing(make_daemon, cups, make_scan):
    line = Line(make_daemon("frozen"), cups, make_scan)
    line.lay("mp6", known(cups, 30))
    assert line.daemon._adaptations.stream is None
    assert line.daemon._states.record().drift is None
    assert line.daemon._adaptations.attempt is None
    assert not (line.daemon._config.state_dir / WORK).exists()


def test_a_stream_like_the_source_is_left_alone(line, cups):
    line = line("auto")
    line.lay("m5", known(cups, 80))
    jobs = line.daemon._adaptations
    assert (jobs.attempt, jobs.stream.drift) == (None, None)
    assert len(jobs.stream.ring) >= 60
    assert not events(line.daemon, "drift_detected")
    known_now = line.daemon._states.record().drift
    assert (known_now.spectra, known_now.told) == (jobs.stream.sound, None)
    assert known_now.samples >= 60
    assert 0 <= known_now.share <= 1


def test_another_instrument_is_told_and_a_proposal_made_without_delaying_scans(line, cups, behaves):
    line = line("propose")
    line.lay("m5", known(cups, 30))
    line.lay("mp6", known(cups, 60))
    told = events(line.daemon, "drift_detected")[0]
    assert "changed: the instrument" in told["message"]
    known_now = line.daemon._states.record().drift
    assert "changed: the instrument" in known_now.told
    assert known_now.share > 1
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
