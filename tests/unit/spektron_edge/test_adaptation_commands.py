"""Decisions about adaptations: on the command line, and by commands to the daemon."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from spektron_edge.adaptation_state import AdaptationStore, recompute
from spektron_edge.adaptation_state.commands import AdaptationCommands
from spektron_edge.cli.local_operator import local_operator
from spektron_edge.cli.main import main
from spektron_edge.command_names import COMMANDS
from spektron_edge.commands.asked import Asked
from spektron_edge.config.model import AdaptationSettings
from spektron_edge.faults import Fault, Faults
from spektron_edge.transfer_state import StateStore
from tests.adaptations import SERIAL, adapted, put, use

from .turns import ready, stored, turn


@pytest.fixture
def device(tmp_path, tiny_bundle):
    """config(mode, approvals): the device's configuration, written anew."""

    def make(mode="propose", approvals=1):
        path = tmp_path / "edge.toml"
        path.write_text(
            f'site = "s"\ninstrument = "i"\nstate_dir = "state"\nbundle = "{tiny_bundle}"\n'
            '[serial]\nurl = "/dev/absent"\n[mqtt]\nurl = "mqtt://127.0.0.1:1"\n'
            f'[adaptation]\nmode = "{mode}"\napprovals = {approvals}\n'
        )
        return path

    make()
    return make


@pytest.fixture
def store(tmp_path):
    return AdaptationStore(tmp_path / "state")


@pytest.fixture
def adapt(tmp_path, device, capsys):
    """adapt("reset", ...) -> exit status and what it says as JSON."""

    def make(*words):
        capsys.readouterr()
        status = main(["adapt", *words, "--config", str(tmp_path / "edge.toml"), "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, json.loads(out)

    return make


def exit_status(kind):
    return kind.value.exit_status


ANNA = ("--by", "anna", "--why", "looks right")
BERT = ("--by", "Bert B.", "--why", "agreed")


def test_nothing_was_ever_adapted(adapt):
    status, said = adapt("status")
    assert (status, said["mode"], said["in use"]) == (
        0,
        "propose",
        "the bundle's own calibration",
    )
    assert adapt("list") == (0, {"adaptations": "none"})
    assert adapt("show", "1")[0] == exit_status(Faults.ADAPTATION_MISSING)
    status, said = adapt("approve", "1", *ANNA)
    assert status == exit_status(Faults.ADAPTATION_MISSING)
    assert said["error"]["code"] == "adaptation_missing"
    assert adapt("rollback", "--by", "anna")[0] == exit_status(Faults.ADAPTATION_MISSING)
    assert adapt("reset", "--by", "anna")[0] == 0


def test_two_people_approve_and_one_goes_back(adapt, device, store, tiny_model):
    device(approvals=2)
    put(store, tiny_model)
    status, said = adapt("approve", "1", *ANNA)
    told = said[f"instrument {SERIAL}"]
    assert (status, told["in use"]) == (0, "the bundle's own calibration")
    assert told["waiting"] == ["1 (approved 1 of 2, by anna): the lamp aged"]
    status, said = adapt("approve", "1", *ANNA)
    assert status == exit_status(Faults.ADAPTATION_REFUSED)
    assert "another person" in said["error"]["detail"]
    status, said = adapt("approve", "1", *BERT)
    told = said[f"instrument {SERIAL}"]
    assert (status, told["in use"], told["approved by"]) == (0, "adaptation 1", "anna, Bert B.")
    listed = adapt("list")[1]["adaptation 1"]
    assert listed["in use"]
    assert listed["scans"] == "boot 7: 3-8"
    assert [a.split(" UTC ")[1] for a in listed["approved"]] == [
        f"by anna ({local_operator()}): looks right",
        f"by Bert B. ({local_operator()}): agreed",
    ]
    status, said = adapt("rollback", "--by", "anna")
    assert (status, said[f"instrument {SERIAL}"]["in use"]) == (0, "the bundle's own calibration")
    assert store.untold()[-1].who == f"anna ({local_operator()})"


def test_show_says_everything(adapt, store, tiny_model, capsys, tmp_path):
    put(store, tiny_model)
    said = adapt("show", "1")[1]
    assert said["correction"] == "gain 0.01"
    assert said["metrics"] == {"trust": "0.9"}
    assert said["evidence"] == ["z_inst moved by 4 standard errors"]
    assert said["goes on from"] == "the bundle's own calibration"
    assert said["seed"] == 5
    assert main(["adapt", "show", "1", "--config", str(tmp_path / "edge.toml")]) == 0
    assert "against it" in capsys.readouterr().out


def test_a_rejected_one_cannot_be_approved(adapt, store, tiny_model):
    put(store, tiny_model)
    assert adapt("reject", "1", *ANNA)[0] == 0
    status, said = adapt("approve", "1", *BERT)
    assert status == exit_status(Faults.ADAPTATION_REFUSED)
    assert "rejected (anna" in said["error"]["detail"]


@pytest.mark.parametrize("mode", ["frozen", "shadow"])
def test_a_mode_that_uses_none_lets_nobody_approve(adapt, device, store, tiny_model, mode):
    device(mode)
    put(store, tiny_model)
    status, said = adapt("approve", "1", *ANNA)
    assert status == exit_status(Faults.ADAPTATION_REFUSED)
    assert f'adaptation.mode is "{mode}"' in said["error"]["detail"]
    assert store.read().active(SERIAL) is None


def test_what_is_for_another_bundle_is_not_approved(adapt, store, tiny_model):
    put(store, replace(tiny_model, bundle_id="other-1-000000000000"))
    assert adapt("approve", "1", *ANNA)[0] == exit_status(Faults.ADAPTATION_REFUSED)


def test_reset_mends_what_is_damaged(adapt, store, tiny_model):
    use(store, tiny_model)
    use(store, tiny_model, adapted(tiny_model, 0.02))
    entry = store.read().active(SERIAL)
    (store.folder / entry.file).write_bytes(b"")
    told = adapt("status")[1][f"instrument {SERIAL}"]
    assert "was altered" in told["cannot be used"]
    assert "adapt reset" in told["cannot be used"]
    status, said = adapt("reset", "--by", "anna", "--why", "strange values")
    assert (status, said[f"instrument {SERIAL}"]["in use"]) == (0, "the bundle's own calibration")
    (store.folder / "adaptations.json").write_text("junk")
    status, said = adapt("status")
    assert status == exit_status(Faults.ADAPTATION_UNUSABLE)
    assert adapt("rollback", "--by", "anna")[0] == exit_status(Faults.ADAPTATION_UNUSABLE)
    status, said = adapt("reset", "--by", "anna")
    assert (status, said["in use"]) == (0, "the bundle's own calibration")


def test_of_several_instruments_one_has_to_be_named(adapt, store, tiny_model):
    use(store, tiny_model)
    use(store, tiny_model, serial="OTHER")
    for word in ("rollback", "reset"):
        status, said = adapt(word, "--by", "anna")
        assert status == exit_status(Faults.ADAPTATION_MISSING)
        assert "OTHER" in said["error"]["detail"]
    status, said = adapt("reset", "--by", "anna", "--serial", "OTHER")
    assert said["instrument OTHER"]["in use"] == "the bundle's own calibration"
    assert said[f"instrument {SERIAL}"]["in use"] == "adaptation 1"


@pytest.mark.parametrize("words", [("--by", " "), ("--by", "a" * 65), ("--by", "a\nb"), ()])
def test_who_it_is_has_to_be_said(adapt, words, capsys):
    with pytest.raises(SystemExit) as caught:
        adapt("reset", *words)
    assert caught.value.code == 2


def test_a_transfer_in_use_is_told(adapt, store, tiny_model, state, tmp_path):
    use(store, tiny_model)
    transfers = StateStore(tmp_path / "state")
    transfers.activate(transfers.add(state, "anna"), "anna")
    told = adapt("status")[1][f"instrument {SERIAL}"]
    assert told["not applied"] == "transfer 1 is in use on this instrument"
    # Trouble with transfers does not stop anybody from going back.
    (transfers.folder / "transfers.json").write_text("junk")
    status, said = adapt("reset", "--by", "anna")
    assert (status, store.read().active(SERIAL)) == (0, None)
    assert "transfers.json is damaged" in said[f"instrument {SERIAL}"]["not applied"]


def test_replay_says_whether_every_bit_is_the_same(adapt, store, tiny_model, monkeypatch):
    put(store, tiny_model)
    for gain, status in ((0.01, 0), (0.0100001, exit_status(Faults.ADAPTATION_UNUSABLE))):
        again = adapted(tiny_model, gain)
        monkeypatch.setattr(recompute, "recompute_for", lambda *_, again=again: lambda *_: again)
        done, said = adapt("replay", "1")
        assert (done, said["same in every bit"]) == (status, status == 0)
    assert said["differences"][0].startswith("coefficients: by up to 1e-07")
    assert adapt("replay", "2")[0] == exit_status(Faults.ADAPTATION_MISSING)
    # Another bundle would come to something else, which says nothing about the adaptation.
    put(store, replace(tiny_model, bundle_id="other-1-000000000000"))
    status, said = adapt("replay", "2")
    assert status == exit_status(Faults.ADAPTATION_REFUSED)
    assert "of other-1-000000000000, and" in said["error"]["detail"]


# ---- the daemon


@pytest.fixture
def commands(daemon, make_scan):
    turn(daemon, ready(make_scan))
    rules = AdaptationSettings(mode="propose", approvals=2)
    daemon._reload.config = daemon._config.model_copy(update={"adaptation": rules})
    return AdaptationCommands(lambda: daemon._config, daemon._serving).actions()


@pytest.fixture
def there(daemon):
    return AdaptationStore(daemon._config.state_dir)


def ask(commands, command, operator="anna", **arguments):
    request = Asked(operator, arguments)
    return commands[command](request)


def last(daemon):
    return [r for r in stored(daemon) if "scan" in r][-1]


def test_every_command_is_known_and_carried_out(daemon, commands):
    known = {name for name in COMMANDS if name.startswith("adapt-")}
    assert set(commands) == known - {"adapt-service-event", "adapt-stability"}
    assert known <= set(daemon._commands.carrying.actions)


def test_one_person_approves_over_mqtt_and_another_at_the_page(commands, there, tiny_model):
    number = put(there, tiny_model)
    given = {"adaptation": number, "why": "seen"}
    ask(commands, "adapt-approve", **given)

    def at_page(who):
        return commands["adapt-approve"](
            Asked(who, given, through="page", meaning="approved: checked")
        )

    with pytest.raises(Fault, match="another person"):
        at_page("Anna")
    assert at_page("carl").result["in_use"] == number
    (entry,) = there.read().held
    assert [(a.who, a.through) for a in entry.approvals] == [
        ("anna", "mqtt"),
        ("carl", "page, approved"),
    ]


def test_operators_decide_over_mqtt_and_the_next_scan_shows_it(
    daemon, commands, there, scan, tiny_model
):
    put(there, tiny_model)
    outcome = ask(commands, "adapt-status")
    assert outcome.message == "the bundle's own calibration is in use"
    assert outcome.result["waiting"] == ("1 (approved 0 of 2): the lamp aged",)
    assert ask(commands, "adapt-approve", adaptation=1, why="seen").result["in_use"] is None
    with pytest.raises(Fault, match="another person"):
        ask(commands, "adapt-approve", adaptation=1, why="seen")
    outcome = ask(commands, "adapt-approve", "bert", adaptation=1, why="seen, too")
    assert (outcome.result["in_use"], outcome.result["applied"]) == (1, True)
    turn(daemon, scan(1))
    assert last(daemon)["model"]["adaptation"]["approved_by"] == ["anna", "bert"]
    assert ask(commands, "adapt-list").result["adaptations"][0].startswith("1: installed, approved")
    for name in ("adapt-rollback", "adapt-reset"):
        with pytest.raises(Fault, match="is 1 now, and was 2 when it was looked at"):
            ask(commands, name, seen=2)
    outcome = ask(commands, "adapt-rollback", why="odd values", seen=1)
    assert outcome.result["in_use"] is None
    with pytest.raises(Fault) as twice:
        ask(commands, "adapt-rollback", why="odd values", seen=1)
    assert twice.value.kind is Faults.OTHER_THAN_SEEN
    turn(daemon, scan(2))
    assert last(daemon)["model"]["adaptation"] is None
    number = put(there, tiny_model, adapted(tiny_model, 0.02))
    assert ask(commands, "adapt-reject", adaptation=number, why="no").result["waiting"] == ()
    assert ask(commands, "adapt-reset").message == "the bundle's own calibration is in use"


def test_reset_over_mqtt_makes_results_valid_again(daemon, commands, there, scan, tiny_model):
    use(there, tiny_model)
    (there.folder / there.read().active(SERIAL).file).unlink()
    turn(daemon)
    outcome = ask(commands, "adapt-status")
    assert outcome.message.startswith("adaptation 1 is in use, and cannot be used: ")
    assert (outcome.result["in_use"], outcome.result["applied"]) == (1, False)
    assert ask(commands, "adapt-reset").result["in_use"] is None
    turn(daemon, scan(1))
    assert last(daemon)["reasons"] != ["adaptation_unusable"]
    (there.folder / "adaptations.json").write_text("junk")
    turn(daemon, scan(2))
    turn(daemon, scan(3))
    assert last(daemon)["reasons"] == ["adaptation_unusable"]
    ask(commands, "adapt-reset")
    turn(daemon, scan(4))
    assert last(daemon)["reasons"] != ["adaptation_unusable"]


def test_reload_takes_other_rules(daemon, commands, there, tmp_path, tiny_model):
    put(there, tiny_model)
    path = tmp_path / "edge.toml"
    before = path.read_text()
    assert daemon._reload.reload().ok
    with pytest.raises(Fault, match=r'adaptation\.mode is "frozen"'):
        ask(commands, "adapt-approve", adaptation=1, why="seen")
    path.write_text(f'{before}[adaptation]\nmode = "auto"\n')
    assert daemon._reload.reload().message.startswith("bundle tiny-1")
    assert ask(commands, "adapt-approve", adaptation=1, why="seen").result["in_use"] == 1
    assert daemon._reload.reload().message.endswith("; adaptation 1")


def test_an_adaptation_that_is_not_applied_is_told(daemon, commands, there, tiny_model, state):
    use(there, tiny_model)
    transfers = StateStore(daemon._config.state_dir)
    transfers.activate(transfers.add(state, "anna"), "anna")
    daemon._serving.take_changes()
    outcome = ask(commands, "adapt-status")
    assert outcome.message == "adaptation 1 is in use, but not applied while transfer 1 is"
    assert outcome.result["applied"] is False


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("adapt-status", {"more": 1}),
        ("adapt-approve", {"adaptation": 1}),
        ("adapt-approve", {"adaptation": 0, "why": "x"}),
        ("adapt-approve", {"adaptation": "1", "why": "x"}),
        ("adapt-approve", {"adaptation": True, "why": "x"}),
        ("adapt-approve", {"adaptation": 1, "why": " "}),
        ("adapt-approve", {"adaptation": 1, "why": "a\x1b[2Jb"}),
        ("adapt-reset", {"serial": "x"}),
    ],
)
def test_arguments_that_a_command_does_not_take_are_refused(commands, command, arguments):
    with pytest.raises(Fault) as caught:
        ask(commands, command, **arguments)
    assert caught.value.kind is Faults.ADAPTATION_REFUSED
    assert "argument" in caught.value.detail
