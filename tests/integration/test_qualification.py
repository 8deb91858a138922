"""IQ, OQ and PQ with a live daemon, a virtual instrument and standards in its beam."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from spektron_edge.cli.main import main
from spektron_edge.config.loading import load_config
from spektron_edge.faults import Faults
from spektron_edge.qualification.conduct import Conduct, Person
from spektron_edge.qualification.keeping import Done
from spektron_edge.qualification.plan import read_plan
from spektron_edge.qualification.references import read_references
from spektron_edge.qualification.report import DATA
from spektron_edge.qualification.resuming import UNFINISHED
from tests.integration.qualified import Hand, write_plan
from tests.integration.rig import Rig, until

ANNA = Person("anna", "logged in as anna", "yearly qualification")


def conduct(rig: Rig) -> Conduct:
    return Conduct(load_config(rig.config), rig.config, ANNA)


def verdicts(done: Done, *parts: str) -> dict[str, str]:
    """Of the items of some parts."""
    items = done.sealed.report.items
    return {f"{i.part}, {i.what}": i.verdict for i in items if i.part.startswith(parts)}


def raw_records(done: Done) -> list[tuple[str, ...]]:
    """Ids of the predictions that each measurement of a report was made of."""
    with zipfile.ZipFile(done.folder / DATA) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith("about.json"))
        return [tuple(json.loads(archive.read(name))["records"]) for name in names]


def newest(rig: Rig) -> dict:
    rig.gather(rig.subscriber)
    return rig.newest


@pytest.mark.once
def test_a_plants_qualification(broker, make_rig, streaming, capsys, monkeypatch, tmp_path):
    rig = make_rig(broker.url)
    rig.settings["qualification"] = {"every": "7d", "predictions": "mark", "plan": "plan.toml"}
    plan = read_plan(write_plan(tmp_path))
    streaming(rig)
    hand = Hand(rig.port)
    # Nothing has shown yet that values of this instrument are right.
    until(lambda: "qualification_due" in newest(rig)["reasons"], "a prediction that is marked")
    assert not newest(rig)["valid"]
    assert newest(rig)["values"]["moisture"]["value"] is not None

    installed = conduct(rig).installation(plan)
    items = {item.what: item for item in installed.sealed.report.items}
    assert items["serial number"].value == "VIRT-0001"
    assert items["chain"].verdict == items["self-test"].verdict == "pass"
    assert items["numpy, files"].verdict == "pass"
    assert items["used by the daemon"].verdict == items["running daemon"].verdict == "pass"
    assert items["faults"].value == "none"

    operated = conduct(rig).operation(plan, hand)
    told = [i for i in operated.sealed.report.items if i.verdict in ("fail", "not done")]
    assert not told
    assert operated.sealed.report.verdict == "pass"
    assert hand.asked[0] == "wavelength"
    assert len(hand.asked) == 8

    references = read_references(hand.references(tmp_path / "laboratory.csv", 6))
    compared = conduct(rig).comparison(plan, references, hand)
    assert compared.sealed.report.verdict == "pass", verdicts(compared, "comparison")
    until(lambda: newest(rig)["valid"], "predictions that count")
    assert "qualification_due_over" in rig.codes()

    # The same from predictions that are there already: nobody is asked for anything.
    asked = len(hand.asked)
    before = hand.references(tmp_path / "before.csv", 6, records=raw_records(compared))
    history = conduct(rig).comparison(plan, read_references(before), hand)
    assert history.sealed.report.verdict == "pass"
    assert len(hand.asked) == asked
    biases = [
        next(i.value for i in done.sealed.report.items if i.what == "bias")
        for done in (compared, history)
    ]
    assert biases[0] == pytest.approx(biases[1])

    biased = hand.references(tmp_path / "biased.csv", 6, 0.5, raw_records(compared))
    failed = conduct(rig).comparison(plan, read_references(biased), hand)
    assert verdicts(failed, "comparison")["comparison, moisture, bias"] == "fail"
    until(lambda: "qualification_failed" in newest(rig)["reasons"], "a prediction that is marked")
    until(lambda: rig.gather(rig.subscriber) and "qualification_failed" in rig.codes(), "an event")

    audited = [(line["what"], line["details"].get("report")) for line in rig.audited]
    for done in (installed, operated, compared, history, failed):
        assert ("qualification_done", done.sealed.sha256) in audited
        assert main(["qualify", "verify", str(done.folder), "--config", str(rig.config)]) == 0
    capsys.readouterr()
    assert main(["qualify", "show", "--config", str(rig.config)]) == 0
    assert "qualification 5            pq, comparison: fail; by anna" in capsys.readouterr().out

    killed_and_gone_on_with(rig, hand, capsys, monkeypatch, tmp_path / "plan.toml")
    wrong_instrument(rig, plan)
    at_a_terminal(rig, hand, capsys, monkeypatch)


def killed_and_gone_on_with(rig, hand, capsys, monkeypatch, plan):
    """The terminal is lost after the first standard; the next run asks for the second."""
    hand.lay(hand.rows("wavelength"))
    words = ["qualify", "oq", "--by", "bert", "--reason", "yearly", "--plan", str(plan)]
    words += ["--config", str(rig.config)]
    folder = load_config(rig.config).state_dir / "qualification" / "0006-oq"
    started = subprocess.Popen(
        [sys.executable, "-m", "spektron_edge", *words],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with started as process:
        try:
            process.stdin.write(b"\n")
            process.stdin.flush()
            until((folder / UNFINISHED).exists, "the first measurement, kept")
        finally:
            process.kill()
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", io.StringIO("e\n"))
    status = main([*words, "--resume", "6", "--json"])
    assert status == Faults.QUALIFICATION_DUE.value.exit_status
    out, err = capsys.readouterr()
    assert "[1/7] Lay into the beam: photometric standard grey 0." in err
    told = json.loads(out)
    found = {f"{item['part']}, {item['what']}": item for item in told["items"]}
    assert told["number"] == 7
    assert found["wavelength accuracy, band at 1151.7 nm"]["verdict"] == "pass"
    assert found["conditions, gone on from"]["verdict"] == "pass"
    assert found["photometric linearity, grey 0"]["verdict"] == "not done"
    assert told["to go on"].startswith("`qualify oq --resume 7`")


def wrong_instrument(rig, plan):
    hand = Hand(rig.port, shift_nm=3.5, noise=3e-3)
    hand.answers = {"photometric grey 1": "skip", "repeatability 1": "end"}
    done = conduct(rig).operation(plan, hand)
    found = verdicts(done, "wavelength", "photometric", "baseline", "repeatability")
    assert found["wavelength accuracy, band at 1151.7 nm"] == "fail"
    assert found["wavelength precision, band at 1151.7 nm"] == "pass"
    assert found["photometric noise, white, rms, mean of windows"] == "fail"
    assert found["photometric linearity, grey 1"] == "not done"
    assert found["photometric linearity, at 1200 nm"] == "not done"
    assert found["repeatability, corn 1"] == "not done"
    assert done.sealed.report.verdict == "fail"


def at_a_terminal(rig, hand, capsys, monkeypatch):
    hand.lay(hand.rows("control"))
    # Enter, once.
    monkeypatch.setattr("sys.stdin", io.StringIO("what?\n\n"))
    words = ["qualify", "pq", "--control", "--by", "bert", "--reason", "weekly", "--json"]
    assert main([*words, "--config", str(rig.config)]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert (told["verdict"], told["about"]) == ("pass", "control")
    assert "[1/1] Lay into the beam: control sample control corn." in err
    # Nobody is there to go on: what was not done is said, and the report is made.
    assert main([*words, "--config", str(rig.config)]) == Faults.QUALIFICATION_DUE.value.exit_status
    again = json.loads(capsys.readouterr().out)
    assert again["verdict"] == "incomplete"
    assert again["items"][0]["told"] == "left out by the operator"
    sign = ["qualify", "sign", str(told["number"]), "--by", "carl", "--reason", "read it"]
    sign += ["--meaning", "approved"]
    assert main([*sign, "--config", str(rig.config)]) == 0
    assert "carl, approved: read it" in capsys.readouterr().out
    assert main([*sign, "--config", str(rig.config)]) == Faults.COMMAND_INPUT.value.exit_status
    page = (Path(told["file"]).parent / "report-2.html").read_text()
    assert "carl" in page
    assert "<script" not in page
    assert main(["qualify", "verify", told["file"]]) == 0
    until(lambda: [x for x in rig.audited if x["what"] == "qualification_signed"], "the audit log")


@pytest.mark.parametrize("action", ["oq", "iq"])
def test_without_a_daemon(action, make_rig, capsys, tmp_path):
    rig = make_rig("mqtt://127.0.0.1:1")
    plan = write_plan(tmp_path)
    words = ["qualify", action, "--plan", str(plan), "--by", "anna", "--reason", "new"]
    status = main([*words, "--config", str(rig.config)])
    out, err = capsys.readouterr()
    if action == "oq":
        assert status == Faults.COMMAND_NOT_DONE.value.exit_status
        assert "no daemon runs" in err
    else:
        assert status in (57, 58)
        assert "not done  instrument, instrument" in out
