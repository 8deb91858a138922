"""Proposals beside what counts: who installs them, who takes them back."""

from __future__ import annotations

import pytest

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.cli.main import main
from tests.adaptations import agreed
from tests.corn_bench import SERIAL

from ..turns import events
from .lines import ask, audited, change_mode, conclude, known, store_of, through_shadow, wait


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


@pytest.mark.once
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


@pytest.mark.once
def test_with_a_service_held_out_spectra_suffice(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    line.lay("m5", known(cups, 5))
    ask(line.daemon, "adapt-service-event", what="detector changed", by="Eve")
    line.lay("mp6", known(cups, 40))
    conclude(line.daemon)
    assert store_of(line.daemon).active(SERIAL) is not None


@pytest.mark.once
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


@pytest.mark.once
def test_frozen_nothing_is_computed_beside_what_counts_any_more(line, cups, behaves):
    line = line("shadow")
    behaves("sound")
    through_shadow(line, cups)
    assert line.daemon._serving.shadow is not None
    assert store_of(line.daemon).held[0].tried == ()
    change_mode(line.daemon, "frozen")
    line.lay("mp6", known(cups, 1))
    assert line.daemon._serving.shadow is None


@pytest.mark.once
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


@pytest.mark.once
def test_a_service_during_the_second_verdict_leaves_a_proposal(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    on_trial(line, cups)
    ask(line.daemon, "adapt-service-event", what="lamp changed", by="Eve")
    conclude(line.daemon)
    assert store_of(line.daemon).active(SERIAL) is None
    assert store_of(line.daemon).held[0].tried is None


@pytest.mark.once
def test_who_decides_during_the_second_verdict_was_faster(line, cups, behaves):
    line = line("propose")
    behaves("sound")
    on_trial(line, cups)
    AdaptationStore(line.daemon._config.state_dir).reject(1, "anna", "the window was dirty")
    conclude(line.daemon)
    assert store_of(line.daemon).held[0].status == "rejected"
    assert not events(line.daemon, "adaptation_failed")


@pytest.mark.once
def test_what_was_proposed_is_not_used_by_itself_in_another_mode(line, cups, behaves):
    line = line("propose")
    behaves("sound")
    on_trial(line, cups)
    change_mode(line.daemon, "auto")
    conclude(line.daemon)
    assert store_of(line.daemon).active(SERIAL) is None
    assert store_of(line.daemon).held[0].tried == ()
    assert not events(line.daemon, "adaptation_failed")


@pytest.mark.once
def test_frozen_ends_a_child_that_adapts(line, cups, behaves):
    line = line("auto")
    behaves("hangs")
    line.lay("mp6", known(cups, 40))
    change_mode(line.daemon, "frozen")
    line.lay("mp6", known(cups, 1))
    wait(line.daemon, lambda: line.daemon._adaptations.attempt is None)
    assert store_of(line.daemon).held == ()


@pytest.mark.once
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


@pytest.mark.once
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


@pytest.mark.once
def test_in_propose_people_are_told_that_what_they_approved_does_harm(line, cups, behaves):
    line = line("auto")
    behaves("sound")
    through_shadow(line, cups)
    change_mode(line.daemon, "propose")
    line.lay("m5", known(cups, 40))
    assert store_of(line.daemon).active(SERIAL) is not None
    assert "rollback" in events(line.daemon, "adaptation_doubtful")[0]["message"]
