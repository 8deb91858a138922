"""A run that was broken off goes on in another one, without a standard measured twice."""

from __future__ import annotations

import contextlib
import json
import time

import numpy as np
import pytest

from spektron_edge.cli.main import main
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Fault, Faults
from spektron_edge.qualification.conduct import Conduct, Person
from spektron_edge.qualification.plan import read_plan
from spektron_edge.qualification.raw_data import packed, unpacked
from spektron_edge.qualification.references import read_references
from spektron_edge.qualification.report import DATA
from spektron_edge.qualification.resuming import UNFINISHED

from .made import CALIBRATION, CONFIG, Somebody, measured
from .test_reports import Seeing

PLAN = 'title = "t"\nversion = "1"\n' + "".join(
    f'[[noise]]\nname = "{name}"\nscans = 4\nmean = 0.01\n' for name in ("white", "grey", "black")
)


class Cut(Exception):
    """The power fails."""


class Hand(Somebody):
    """answers: by step; what is an exception is raised."""

    def __init__(self, **answers):
        self.answers, self.asked = answers, []

    def place(self, step, number, of):
        self.asked.append(step.key)
        answer = self.answers.get(step.key.split()[-1], "measure")
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def failed(self, step, why):
        pass


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "spektron.toml"
    path.write_text(CONFIG)
    (tmp_path / "plan.toml").write_text(PLAN)
    return path


def conduct(config, *seen, resume=None):
    person = Person("anna", "logged in as anna", "yearly")
    return Conduct(load_config(config), config, person, Seeing(*seen), resume)


def plan(config):
    return read_plan(config.parent / "plan.toml")


def now(n=0.1, **changes):
    """Measured just now."""
    return measured(n, 4, at_s=time.time() + np.arange(4.0), **changes)


def folder(config, number=1):
    return load_config(config).state_dir / "qualification" / f"{number:04d}-oq"


def broken_off(config, *seen, **answers):
    with pytest.raises(Cut):
        conduct(config, *seen).operation(plan(config), Hand(**answers))


def test_a_power_cut_loses_no_measurement(config, capsys):
    first, second, third = now(0.1), now(0.2), now(0.3)
    broken_off(config, first, second, black=Cut())
    assert main(["qualify", "show", "--config", str(config)]) == 0
    assert "go on with `qualify oq --resume 1`" in capsys.readouterr().out
    hand = Hand()
    done = conduct(config, third, resume=1).operation(plan(config), hand)
    assert hand.asked == ["noise black"]
    report = done.sealed.report
    assert report.number == 2
    items = {item.what: item for item in report.items}
    assert items["gone on from"].value.startswith("qualification 1, 2 measured since")
    assert items["gone on from"].verdict == "pass"
    kept = unpacked((done.folder / DATA).read_bytes())
    assert set(kept) == {"noise white", "noise grey", "noise black"}
    np.testing.assert_array_equal(kept["noise grey"].absorbance, second.absorbance)
    assert kept["noise white"].records == first.records
    assert not (done.folder / UNFINISHED).exists()
    # What was left behind is evidence and stays.
    assert (folder(config) / UNFINISHED).exists()


def test_cut_again_and_again(config):
    broken_off(config, now(), grey=Cut())
    with pytest.raises(Cut):
        conduct(config, now(), resume=1).operation(plan(config), Hand(black=Cut()))
    hand = Hand()
    done = conduct(config, now(), resume=2).operation(plan(config), hand)
    assert hand.asked == ["noise black"]
    assert not [
        i
        for i in done.sealed.report.items
        if "noise" in i.part and i.verdict == "not done" and i.what != "photometric noise"
    ]


def test_after_ctrl_c_the_report_is_there_and_can_be_gone_on_with(config):
    before = conduct(config, now()).operation(plan(config), Hand(grey=KeyboardInterrupt()))
    assert before.sealed.report.verdict == "incomplete"
    hand = Hand()
    after = conduct(config, now(), now(), resume=1).operation(plan(config), hand)
    assert hand.asked == ["noise grey", "noise black"]
    assert after.sealed.report.number == 2
    assert (before.folder / DATA).exists()


def test_a_bad_measurement_is_taken_over_as_it_was(config):
    """Going on is no second try."""
    loud = now(0.1, noise=0.5)
    broken_off(config, loud, grey=Cut())
    hand = Hand()
    done = conduct(config, now(), now(), resume=1).operation(plan(config), hand)
    assert "noise white" not in hand.asked
    assert done.sealed.report.verdict == "fail"


@pytest.mark.parametrize("what", ["plan", "serial", "calibration", "kind", "none", "nothing"])
def test_only_the_same_can_be_gone_on_with(config, what, tmp_path):
    if what == "nothing":
        broken_off(config, white=Cut())
    else:
        broken_off(config, now(), grey=Cut())
    if what == "plan":
        (tmp_path / "plan.toml").write_text(PLAN + "# other limits\n")
    made = conduct(config, now(), now(), resume=9 if what == "none" else 1)
    if what == "serial":
        bench = made._bench
        bench.look = changed(bench.look, serial="VIRT-0002")
    if what == "calibration":
        bench = made._bench
        bench.look = changed(bench.look, transfer={"id": "abc"})
    run = made.control if what == "kind" else made.operation
    with pytest.raises(Fault, match="begin anew without `--resume`") as caught:
        run(plan(config), Hand())
    assert caught.value.kind is Faults.COMMAND_INPUT


def changed(look, **changes):
    def looked():
        known = look()
        known.state["device"] |= {k: v for k, v in changes.items() if k == "serial"}
        known.model["model"] |= {k: v for k, v in changes.items() if k != "serial"}
        return known

    return looked


def test_what_was_kept_is_signed(config):
    first = now()
    broken_off(config, first, grey=Cut())
    path = folder(config) / UNFINISHED
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        # Here and there it is a byte of the zip that says nothing.
        with contextlib.suppress(Fault):
            found = conduct(config, resume=1)._had(begun(config))
            np.testing.assert_array_equal(found["noise white"].absorbance, first.absorbance)
    # Its directory says of a member that it is encrypted, or packed in a way that nobody knows.
    at = whole.rindex(b"PK\x01\x02")
    for field in (8, 10):
        path.write_bytes(whole[: at + field] + b"\x63" + whole[at + field + 1 :])
        with pytest.raises(Fault, match="cannot be read"):
            conduct(config, resume=1)._had(begun(config))
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Fault, match="cannot be read"):
        conduct(config, resume=1)._had(begun(config))
    # Of another run, put here.
    second = folder(config, 2)
    second.mkdir()
    (second / UNFINISHED).write_bytes(whole)
    with pytest.raises(Fault, match="is of qualification 1"):
        conduct(config, resume=2)._had(begun(config))


def begun(config):
    from spektron_edge.qualification.resuming import Begun

    return Begun(
        about="operation",
        plan=plan(config).sha256,
        serial="VIRT-0001",
        calibration=CALIBRATION,
    )


def test_another_day_is_no_interruption(config):
    old = measured(0.1, 4, at_s=now().at_s - 30 * 3600)
    broken_off(config, old, grey=Cut())
    done = conduct(config, now(), now(), resume=1).operation(plan(config), Hand())
    told = next(i for i in done.sealed.report.items if i.what == "gone on from")
    assert told.verdict == "fail"


def test_samples_that_were_measured_weeks_ago_are_not_what_was_taken_over(
    config, tmp_path, monkeypatch
):
    """Their records are read again, as they are in any comparison."""
    old = measured(0.1, 4, at_s=time.time() - 20 * 86400 + np.arange(4.0))
    conducting = "spektron_edge.qualification.conduct"
    monkeypatch.setattr(f"{conducting}.measured_before", lambda *_: {"sample old": old})
    monkeypatch.setattr(f"{conducting}.made_of", lambda *_: {})
    monkeypatch.setattr(f"{conducting}.stated_errors", lambda *_: {})
    (tmp_path / "lab.csv").write_text(
        "sample,records,moisture [% by mass]\nold,A,10\nb,,10\nc,,10\n"
    )
    lab = read_references(tmp_path / "lab.csv")
    first = conduct(config, now()).comparison(plan(config), lab, Hand(c=KeyboardInterrupt()))
    assert first.sealed.report.verdict == "incomplete"
    hand = Hand()
    second = conduct(config, now(), resume=1).comparison(plan(config), lab, hand)
    assert hand.asked == ["sample c"]
    (gone_on,) = (i for i in second.sealed.report.items if i.what == "gone on from")
    assert (gone_on.verdict, gone_on.told) == ("pass", "sample b")


def test_raw_data_says_whose_its_values_are():
    both = {"water": np.arange(4.0), "fat": np.arange(4.0) + 10}
    one = measured(values=both, units={"water": "%", "fat": "g/kg"})
    found = unpacked(packed({"x": one, "y": "left out"}))
    assert list(found) == ["x"]
    np.testing.assert_array_equal(found["x"].values["water"], both["water"])
    np.testing.assert_array_equal(found["x"].values["fat"], both["fat"])
    assert found["x"].units == one.units
    assert packed({"y": "left out"}) is None
    for damaged in (b"", b"PK", packed({"x": one})[:-30]):
        with pytest.raises(ValueError, match="cannot be read"):
            unpacked(damaged)


def test_the_command_line_goes_on(config, capsys):
    words = ["qualify", "oq", "--by", "anna", "--reason", "x", "--config", str(config)]
    words += ["--plan", str(config.parent / "plan.toml"), "--resume", "3", "--json"]
    assert main(words) == Faults.COMMAND_NOT_DONE.value.exit_status
    assert "start it first" in json.dumps(capsys.readouterr().err)
