"""A detector with every flaw at once, set right, predicts what a clean one does: over a broker."""

from __future__ import annotations

import json
import queue
import re
from pathlib import Path

import numpy as np
import pytest

from firmware_bridge.virtual import Flaws, Optics, PtyPort, VirtualSpectrometer
from spektron_edge.config.loading import load_config
from spektron_edge.demo.corn import load_corn
from spektron_edge.detector.wavelength_check import Band, Standard, check
from spektron_edge.mqtt.connection import connect_plain
from tests.integration.rig import PATIENCE_S, ROOT, Raw, until

PAGE = Path(__file__).resolve().parents[2] / "docs" / "payloads.md"
BENT = (1.0, 1.5e-6, -3.0e-11)
COADDS = 4
# Of the interval that the bundle gives its values: both have references of their own noise.
TOLERANCE = 0.25
BANDS_NM = (1206.0, 1464.0, 1932.0, 2100.0, 2320.0)


def shown(folder, **optics):
    """An instrument that shows one corn sample, again and again."""
    corn = load_corn().test
    device = VirtualSpectrometer(
        corn.spectra["m5"][:1],
        corn.axis_nm,
        Optics(drift=0.0, **optics),
        interval_s=0.02,
    )
    return PtyPort(device, link=folder / "instrument")


def predictions(rig, count, when=lambda record: True):
    def found():
        rig.gather(rig.subscriber)
        return [r for r in rig.received.values() if r["valid"] and when(r)]

    return until(lambda: len(found()) >= count and found(), f"{count} predictions")


def means(records):
    names = records[0]["values"]
    return {name: np.mean([r["values"][name]["value"] for r in records]) for name in names}


@pytest.fixture
def clean(make_rig, streaming, broker, tmp_path):
    """Values and intervals of the clean instrument."""
    rig = streaming(make_rig(broker.url, shown(tmp_path)))
    found = predictions(rig, 20)
    rig.stop()
    rig.port.close()
    widths = {name: value["high"] - value["low"] for name, value in found[0]["values"].items()}
    return means(found), widths


@pytest.fixture
def flawed(clean, make_rig, streaming, broker, tmp_path):
    flaws = Flaws(nonlinearity=BENT, dead=(300,), hot=(411, 412))
    port = shown(tmp_path, white_counts=20_000.0, flaws=flaws)
    rig = make_rig(broker.url, port)
    axis = port.device.optics.wavelengths
    rows = "".join(f"{i},{nm:.6f}\n" for i, nm in enumerate(axis))
    (tmp_path / "axis.csv").write_text("pixel,nm\n" + rows)
    rig.settings[""]["state_dir"] = "flawed"
    rig.settings["acquisition"] = {
        "coadds": COADDS,
        "nonlinearity": Raw(f"[{', '.join(map(repr, BENT))}]"),
        "bad_pixels": Raw("[500]"),
        "axis_file": "axis.csv",
        "white_max_temperature_change_k": 5.0,
        "lamp_warmup_s": 0.5,
    }
    rig.settings["spectra"] = {"every": 1, "noise": True}
    rig.allow("anna", "auto-range", "wavelength-check")
    return streaming(rig)


def own_standard(folder):
    """The sample's own bands as a table, found in its true spectrum."""
    corn = load_corn().test
    known = Standard("sample", tuple(Band(nm, 0.0, "maximum") for nm in BANDS_NM))
    true = check(known, corn.spectra["m5"][0], corn.axis_nm, 100.0)
    rows = [f"{b.found_nm:.3f},0.05,maximum" for b in true.bands if b.found_nm is not None]
    assert len(rows) >= 2
    (folder / "standards").mkdir()
    head = "nm,uncertainty_nm,method\n"
    (folder / "standards" / "sample.csv").write_text(head + "\n".join(rows) + "\n")
    shifted = [f"{float(row.split(',')[0]) + 3:.3f},0.05,maximum" for row in rows]
    (folder / "standards" / "shifted.csv").write_text(head + "\n".join(shifted) + "\n")


def test_a_flawed_detector_predicts_what_a_clean_one_does(clean, flawed, command, ask, tmp_path):
    expected, widths = clean
    status, response = command(flawed, "auto-range", "anna")
    assert (status, response["ok"]) == (0, True), response
    found_us = response["result"]["integration_us"]
    assert found_us > 1500

    messages: queue.Queue = queue.Queue()
    with connect_plain(load_config(flawed.config).mqtt, 10.0) as client:
        client.on_message = lambda _c, _u, message: messages.put(message.payload)
        client.subscribe(f"{ROOT}/spectrum", qos=1)
        ranged = predictions(flawed, 20, lambda r: r["scan"]["integration_us"] == found_us)
        payload = messages.get(timeout=PATIENCE_S)
    for name, value in means(ranged).items():
        assert abs(value - expected[name]) < TOLERANCE * widths[name], name
    numbers = flawed.gather(flawed.subscriber)
    assert flawed.missed() == set()
    assert all(r["scan"]["missing_before"] == 0 for r in flawed.received.values())
    assert len(numbers) > 20

    scan = ranged[-1]["scan"]
    assert scan["averages"] == COADDS
    assert 1e-6 < scan["noise_absorbance"] < 1e-3
    assert 0 <= ranged[-1]["time"]["running_s"] - scan["ended_running_s"] < 10
    assert scan["ended_utc"] <= ranged[-1]["time"]["utc"]
    assert scan["ended_uncertainty_s"] < 5

    (code,) = re.findall(r"```python\n(.*?def decode.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {}
    exec(code, names)
    header, absorbance, noise = names["decode"](payload)
    assert header["noise"] is True
    assert absorbance.size == noise.size == header["points"] == 720
    assert 0 < np.median(noise) < 1e-3

    told = {event["code"]: event["message"] for event in flawed.events}
    assert "configured 500 (" in told["bad_pixels_bridged"]
    assert "hot 411 (" in told["bad_pixels_bridged"]
    assert "dead 300 (" in told["bad_pixels_bridged"]
    assert {"nonlinearity_corrected", "axis_replaced"} <= set(told)

    state = until(
        lambda: flawed.subscriber.state.get("device_clock") and flawed.subscriber.state, "a state"
    )
    assert state["bad_pixels"] == [300, 411, 412, 500]
    assert state["integration_us"] == found_us
    assert state["device_clock"]["uncertainty_s"] < 5

    own_standard(tmp_path / "flawed")
    words = ("wavelength-check", "--operator", "anna", "--scans", 3, "--timeout", 60)
    status, answer = ask(flawed, *words, "--standard", "sample", "--limit", 0.5)
    assert (status, answer["ok"]) == (0, True), answer
    assert abs(answer["result"]["mean_nm"]) < 0.5
    status, answer = ask(flawed, *words, "--standard", "shifted", "--limit", 0.5)
    assert (status, answer["ok"]) == (65, False), answer
    assert abs(answer["result"]["mean_nm"] + 3) < 0.5
    audit = (tmp_path / "flawed" / "audit.jsonl").read_text().splitlines()
    checked = [json.loads(line) for line in audit]
    checked = [line for line in checked if line["what"] == "wavelength_checked"]
    assert [line["details"]["passed"] for line in checked] == [True, False]
    assert {line["who"] for line in checked} == {"anna"}
    evidence = json.loads(next((tmp_path / "flawed").rglob("evidence.json")).read_text())
    assert "wavelength check failed: shifted" in evidence["services"][-1]["what"]
