from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from firmware_bridge.virtual import Optics, PtyPort, VirtualSpectrometer
from spektron_edge import __version__
from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.cli.inspection import inspect_bundle
from spektron_edge.cli.main import main
from spektron_edge.cli.show import show
from spektron_edge.clock import Stamp
from spektron_edge.faults import Faults
from spektron_edge.files.audit import Audit
from spektron_edge.files.state_folder import AUDIT_FILE, OUTBOX_FILE
from spektron_edge.outbox import Limits, Outbox, OutboxError, Outgoing
from spektron_edge.support.state_report import inspect_state
from spektron_edge.transfer_state import StateStore
from tests import bundles
from tests import transfers as transfers_of
from tests.adaptations import adapted, put, use

AT = Stamp(1_800_000_000.0, 12.0, "boot-a")


@pytest.fixture
def configure(tmp_path, tiny_bundle):
    def make(extra="", port="/dev/absent", broker="mqtt://127.0.0.1:1", bundle=tiny_bundle):
        path = tmp_path / "edge.toml"
        path.write_text(
            f'site = "plant"\ninstrument = "nir"\nstate_dir = "state"\nbundle = "{bundle}"\n'
            f'[serial]\nurl = "{port}"\n[mqtt]\nurl = "{broker}"\n{extra}'
        )
        return path

    return make


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    outbox = Outbox(folder / OUTBOX_FILE, Limits(10**9, 10**9))
    outbox.commit([Outgoing("a", "event", b"{}"), Outgoing("b", "event", b"{}")])
    outbox.commit([], sent=["a"])
    outbox.close()
    audit = Audit(folder / AUDIT_FILE)
    audit.append(AT, "daemon", "started", {})
    audit.append(AT, "daemon", "stopped", {})
    audit.close()
    return folder


def said(capsys):
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return out, err


def fails(capsys, kind, *arguments) -> str:
    """The command ends with the fault's status and says it, on stderr and in --json."""
    arguments = [str(a) for a in arguments]
    assert main(arguments) == kind.value.exit_status
    out, err = said(capsys)
    assert f"[{kind.value.code}]" in err
    assert kind.value.next_step in err
    if "--json" in arguments:
        assert json.loads(out)["error"]["code"] == kind.value.code
    else:
        assert out == ""
    return err


# ---- the command line itself


@pytest.mark.parametrize("arguments", [[], ["dance"], ["run"], ["demo", "--scans", "0"]])
def test_a_command_that_is_none_explains_itself(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: spektron-edge" in said(capsys)[1]


@pytest.mark.parametrize(
    "arguments", [["transfer"], ["transfer", "add", "--scans", "x"], ["bundle", "list"], ["dance"]]
)
def test_a_command_that_is_none_explains_itself_in_json_too(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main([*arguments, "--json"])
    assert caught.value.code == 2
    out, err = said(capsys)
    assert json.loads(out)["error"]["code"] == "usage"
    assert json.loads(out)["error"]["detail"] in err


def test_an_interrupted_command_says_so_in_json(capsys, monkeypatch, tmp_path):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("spektron_edge.cli.transfer_session._session", interrupted)
    status = main(["transfer", "status", "--config", str(tmp_path / "x"), "--json"])
    assert status == 130
    assert json.loads(said(capsys)[0])["error"]["code"] == "interrupted"


def test_it_knows_its_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert said(capsys)[0] == f"spektron-edge {__version__}\n"


def test_it_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "spektron_edge", "check-config", "/absent.toml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Faults.CONFIG_INVALID.value.exit_status
    assert done.stdout == ""
    assert "cannot read /absent.toml" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interrupt_is_no_traceback(monkeypatch):
    from spektron_edge.cli import inspection

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(inspection, "inspect_bundle", interrupt)
    assert main(["inspect"]) == 130


# ---- inspect


def test_inspect_shows_a_bundle(capsys, tiny_bundle):
    assert main(["inspect", str(tiny_bundle)]) == 0
    out = said(capsys)[0]
    for part in ("tiny-1-", "grain", "1200 to 2380 nm, 60 points", "RMSEP 0.1", "theta0.npy"):
        assert part in out


def test_inspect_without_a_path_shows_the_shipped_bundle(capsys):
    assert main(["inspect", "--json"]) == 0
    report = json.loads(said(capsys)[0])
    assert "product corn" in report
    assert report["checks"] == "hashes and golden vectors hold on this machine"


def test_inspect_checks_every_graph(tmp_path):
    wrong = {**bundles.golden_arrays()}
    wrong["y_fp32"] = wrong["y_fp32"] + 1
    path = bundles.write_tiny(tmp_path / "b.spektron", replaced={"golden.npz": bundles.npz(wrong)})
    with pytest.raises(Exception, match="golden"):
        inspect_bundle(path)


def test_half_precision_may_be_computed_otherwise_here(tmp_path, capsys):
    product, golden = bundles.product(), bundles.golden_arrays()
    (whole, _) = product["graphs"]
    product["graphs"].append({**whole, "precision": "fp16"})
    # As on a processor that computes with halves itself.
    golden |= {f"{name}_fp16": golden[f"{name}_fp32"] + 1 for name in ("y", "z_chem", "z_inst")}
    path = bundles.write_tiny(
        tmp_path / "b.spektron",
        replaced={"golden.npz": bundles.npz(golden)},
        products=[product],
    )
    for command in ("inspect", "verify"):
        assert main([command, str(path)]) == 0
        out = said(capsys)[0]
        assert "grain int8" in out or command == "inspect"
        assert "but not grain fp16: encoder.fp32.onnx: y differs" in out


@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_inspect_refuses_what_is_no_bundle(capsys, tmp_path, json_):
    fails(capsys, Faults.BUNDLE_INVALID, "inspect", tmp_path / "absent", *json_)
    (tmp_path / "junk").write_bytes(b"junk")
    fails(capsys, Faults.BUNDLE_INVALID, "inspect", tmp_path / "junk", *json_)


def test_inspect_shows_a_state_folder_and_leaves_it_as_it_is(capsys, state):
    before = {p.name: p.read_bytes() for p in state.iterdir()}
    assert main(["inspect", str(state), "--json"]) == 0
    report = json.loads(said(capsys)[0])
    assert (report["outbox"]["unsent"], report["outbox"]["sent"]) == (1, 1)
    assert report["audit"]["lines"] == 2
    assert report["audit"]["chain"] == "holds"
    assert {n: (state / n).read_bytes() for n in before} == before


def test_inspect_says_which_transfer_and_which_adaptation_is_in_use(
    capsys, state, transfer, tiny_model
):
    report = inspect_state(state)
    assert "transfers" not in report
    assert "adaptations" not in report

    transfers = StateStore(state)
    for _ in range(2):
        number = transfers.add(transfers_of.state_for(transfer, tiny_model), "anna")
    transfers.activate(number, "anna")
    adaptations = AdaptationStore(state)
    for gain in (0.01, 0.02, 0.03):
        use(adaptations, tiny_model, adapted(tiny_model, gain))
    adaptations.reject(put(adaptations, tiny_model, adapted(tiny_model, 0.04)), "anna", "seen")
    put(adaptations, tiny_model, adapted(tiny_model, 0.05))
    put(adaptations, tiny_model, adapted(tiny_model, 0.06), serial="VIRT-0002")

    assert main(["inspect", str(state), "--json"]) == 0
    report = json.loads(said(capsys)[0])
    assert report["transfers"] == {
        "on VIRT-0001": "2 is in use",
        **{
            f"transfer {n}": "for grain on VIRT-0001, made 2026-11-22 00:00 UTC by anna from "
            "8 samples"
            for n in (1, 2)
        },
    }
    made = "made 2026-11-22 00:00 UTC under propose: the lamp aged"
    assert report["adaptations"] == {
        "on VIRT-0001": "3 is in use",
        "on VIRT-0002": "none is in use",
        "adaptation 3": f"installed, approved by anna, for grain on VIRT-0001, {made}",
        "adaptation 5": f"proposed, for grain on VIRT-0001, {made}",
        "adaptation 6": f"proposed, for grain on VIRT-0002, {made}",
    }


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("adaptations/adaptations.json", Faults.ADAPTATION_UNUSABLE),
        ("transfers/transfers.json", Faults.TRANSFER_UNUSABLE),
    ],
)
def test_inspect_names_a_damaged_list_and_what_mends_it(capsys, state, file, kind):
    path = state / file
    path.parent.mkdir()
    path.write_text("{")
    assert str(path) in fails(capsys, kind, "inspect", state)


def test_inspect_says_that_a_line_is_unfinished_without_touching_it(state):
    with (state / AUDIT_FILE).open("ab") as stream:
        stream.write(b'{"half')
    report = inspect_state(state)
    assert "unfinished" in report["audit"]["chain"]
    assert (state / AUDIT_FILE).read_bytes().endswith(b'{"half')


def test_inspect_finds_a_broken_chain(capsys, state):
    log = state / AUDIT_FILE
    log.write_bytes(log.read_bytes().replace(b"started", b"stopped"))
    assert "line 2" in fails(capsys, Faults.STATE_DAMAGED, "inspect", state)


def test_inspect_by_someone_who_may_only_read_is_no_damage(capsys, state, monkeypatch):
    def read_only(_):
        raise OutboxError("attempt to write a readonly database")

    monkeypatch.setattr("spektron_edge.support.state_report.read_counts", read_only)
    assert "daemon's user" in fails(capsys, Faults.STATE_UNWRITABLE, "inspect", str(state))


def test_inspect_of_an_outbox_that_cannot_be_read_is_no_damage(capsys, plain_folder):
    (plain_folder / OUTBOX_FILE).touch(mode=0)
    told = fails(capsys, Faults.STATE_UNWRITABLE, "inspect", str(plain_folder))
    assert "cannot be read" in told
    assert "daemon's user" in told


def test_inspect_refuses_a_damaged_outbox_and_an_empty_folder(capsys, state, tmp_path):
    (state / OUTBOX_FILE).write_bytes(b"x" * 4096)
    fails(capsys, Faults.STATE_DAMAGED, "inspect", state, "--json")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "neither" in fails(capsys, Faults.STATE_DAMAGED, "inspect", empty)


# ---- check-config


def test_check_config_says_what_a_daemon_would_use(capsys, configure):
    assert main(["check-config", str(configure()), "--json"]) == 0
    report = json.loads(said(capsys)[0])
    assert report["topics"] == "spektron/plant/nir/..."
    assert report["product"] == "grain"
    assert report["properties"] == "moisture, protein"


def test_check_config_refuses_a_wrong_file_and_a_wrong_bundle(capsys, configure, tmp_path):
    path = configure(extra="keepalive = 1\n")
    assert "keepalive_s" in fails(capsys, Faults.CONFIG_INVALID, "check-config", path, "--json")
    fails(capsys, Faults.BUNDLE_INVALID, "check-config", configure(bundle="absent.spektron"))


@pytest.mark.parametrize(
    "extra",
    [
        'username = "u"\npassword_file = "absent"\n',
        '[[commands.operators]]\nname = "anna"\nkey_file = "absent"\nmay = ["health"]\n',
    ],
)
def test_check_config_looks_for_passwords_and_keys(capsys, configure, extra):
    detail = fails(capsys, Faults.CONFIG_INVALID, "check-config", str(configure(extra)))
    assert "absent" in detail or "anna" in detail


def test_a_probe_of_an_absent_instrument_is_a_fault(capsys, configure):
    fails(capsys, Faults.PORT_MISSING, "check-config", configure(), "--probe")


@pytest.fixture
def instrument(tmp_path):
    axis = np.arange(1100.0, 2499.0, 2.0)

    def make(**optics):
        device = VirtualSpectrometer(
            np.zeros((1, axis.size)), axis, Optics(pixels=120, **optics), baud=921600
        )
        return PtyPort(device, link=tmp_path / "tty")

    return make


def test_a_probe_finds_the_instrument_and_then_misses_the_broker(capsys, configure, instrument):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"mqtt://127.0.0.1:{probe.getsockname()[1]}"
    with instrument() as port:
        path = configure(port=port.url, broker=url)
        fails(capsys, Faults.BROKER_UNREACHABLE, "check-config", path, "--probe")


def test_a_probe_finds_an_instrument_that_does_not_cover_the_model(capsys, configure, instrument):
    with instrument(start_nm=1500.0) as port:
        path = configure(port=port.url)
        fails(capsys, Faults.AXIS_OUTSIDE_MODEL, "check-config", path, "--probe")


# ---- run and command, as far as they go without a broker


def test_run_with_a_wrong_configuration_ends_before_anything_starts(capsys, configure, tmp_path):
    fails(capsys, Faults.CONFIG_INVALID, "run", "--config", tmp_path / "absent.toml")
    path = configure(bundle="absent.spektron")
    fails(capsys, Faults.BUNDLE_INVALID, "run", "--config", path)
    assert not (tmp_path / "state").exists()


def test_a_command_of_nobody_is_refused_here(capsys, configure):
    arguments = ("command", "health", "--config", configure(), "--operator", "anna")
    assert "no operator 'anna'" in fails(capsys, Faults.COMMAND_FAILED, *arguments)


def test_a_command_without_a_readable_key_is_refused_here(capsys, configure, tmp_path):
    arguments = ("command", "health", "--config", configure(), "--operator", "anna", "--json")
    fails(capsys, Faults.COMMAND_FAILED, *arguments, "--key", tmp_path / "absent")
    (tmp_path / "short").write_bytes(b"short")
    fails(capsys, Faults.COMMAND_FAILED, *arguments, "--key", tmp_path / "short")


def test_a_command_without_a_broker_is_a_fault(capsys, configure, tmp_path):
    (tmp_path / "key").write_bytes(os.urandom(16).hex().encode())
    operators = '[[commands.operators]]\nname = "anna"\nkey_file = "key"\nmay = ["health"]\n'
    arguments = ("command", "health", "--config", configure(extra=operators), "--operator", "anna")
    fails(capsys, Faults.BROKER_UNREACHABLE, *arguments)


# ---- simulate


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--baud", "12345"],
        ["--spectra", "absent.csv"],
    ],
    ids=" ".join,
)
def test_simulate_refuses_what_cannot_work(capsys, arguments):
    fails(capsys, Faults.CONFIG_INVALID, "simulate", *arguments)


def test_simulate_refuses_a_link_that_cannot_be_made(capsys, tmp_path):
    fails(capsys, Faults.PORT_DENIED, "simulate", "--link", tmp_path / "absent" / "tty")


def test_simulate_leaves_a_file_in_the_place_of_its_link(capsys, tmp_path):
    (tmp_path / "precious").write_text("data")
    fails(capsys, Faults.PORT_DENIED, "simulate", "--link", str(tmp_path / "precious"))
    assert (tmp_path / "precious").read_text() == "data"


@pytest.mark.parametrize("seconds", ["-1", "0", "nan", "inf", "1e300"])
def test_a_wait_that_is_none_is_refused(capsys, seconds):
    with pytest.raises(SystemExit):
        main(["command", "health", "--config", "x", "--operator", "o", "--timeout", seconds])
    assert "must be above 0" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["simulate", "demo"])
def test_a_negative_seed_is_refused(capsys, command):
    with pytest.raises(SystemExit) as caught:
        main([command, "--seed", "-1"])
    assert caught.value.code == 2
    assert "--seed" in said(capsys)[1]


def test_nothing_from_outside_speaks_to_the_terminal(capsys):
    evil = "\x1b]0;S\x07\n\u202e"
    show({"a": evil, evil: [evil], "b": {"c": evil, "d": [evil]}}, as_json=False)
    said = capsys.readouterr().out
    assert all(line.isprintable() for line in said.splitlines())
    assert len(said.splitlines()) == 6
    assert said.startswith(f"{'a':26} \\x1b]0;S\\x07\\n\\u202e")
