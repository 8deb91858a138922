"""The daemon, a real Mosquitto, and the reference firmware under QEMU instead of an instrument."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from spektron_edge.bundle import read_bundle
from spektron_edge.config.file import shipped_bundle
from spektron_edge.demo.corn import PROPERTIES, load_corn
from spektron_edge.inference import load_model
from tests.firmware.emulator import Emulator
from tests.integration.rig import Rig, listening, standard_settings, until

# Ten scans a second: what a machine that runs other tests beside this one keeps up with.
AVERAGES = 100


@pytest.fixture
def bench(tmp_path, broker) -> Iterator[Callable[[str], tuple[Emulator, Rig]]]:
    """bench(line): a board with the held-out corn samples before it, and its daemon's rig."""
    made: list[tuple[Emulator, Rig]] = []

    def make(line: str) -> tuple[Emulator, Rig]:
        board = Emulator(tmp_path, line, load_corn().test.spectra["m5"])
        rig = Rig(tmp_path)
        rig.settings = standard_settings(tmp_path, broker.url)
        rig.settings["serial"] = {"url": board.url, "silence_s": 1.0}
        rig.settings["acquisition"] = {"averages": AVERAGES}
        made.append((board, rig))
        return board, rig

    yield make
    for board, rig in made:
        board.kill()
        rig.stop()


def _connections(rig):
    return [line["details"] for line in rig.audited if line["what"] == "instrument_connected"]


def _boots(rig, subscriber):
    rig.gather(subscriber)
    return {record["scan"]["boot_id"] for record in rig.received.values()}


@pytest.mark.parametrize("line", ["pty", "socket"])
def test_the_daemon_predicts_and_says_what_is_connected(broker, bench, line):
    _board, rig = bench(line)
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) >= 20, "20 predictions")
        assert rig.stop() == 0
        until(lambda: subscriber.offline, "the farewell")
    assert subscriber.state["device"] == {
        "serial": "MPS2-0001",
        "firmware": "reference 1.0",
        "protocol": 1,
        "capabilities": ["shutter", "reference", "lamp"],
        "pixels": 700,
        "boot_id": rig.newest["scan"]["boot_id"],
    }
    assert _connections(rig) == [
        {
            "serial": "MPS2-0001",
            "firmware": "reference 1.0",
            "protocol": 1,
            "capabilities": "shutter, reference, lamp",
        }
    ]
    corn = load_corn().test
    truth = load_model(read_bundle(shipped_bundle())).infer(corn.spectra["m5"]).y
    for record in rig.received.values():
        assert record["valid"], record["reasons"]
        values = [record["values"][name]["value"] for name in PROPERTIES]
        shown = truth[record["scan"]["number"] % len(truth)]
        np.testing.assert_allclose(values, shown, atol=0.5)


@pytest.mark.parametrize("hangs_s", [0.0, pytest.param(60.0, marks=pytest.mark.long)])
def test_a_board_that_hangs_for_a_while_leaves_no_scan_unaccounted_for(broker, bench, hangs_s):
    board, rig = bench("pty")
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) >= 5, "the first predictions")
        board.stop()
        until(lambda: rig.gather(subscriber) and "device_silent" in rig.codes(), "the silence")
        time.sleep(hangs_s)
        before = len(rig.received)
        board.cont()
        until(
            lambda: rig.gather(subscriber) and len(rig.received) > before + 5,
            "predictions after the silence",
        )
        assert rig.stop() == 0
        until(lambda: subscriber.offline, "the farewell")
        received = rig.gather(subscriber)
    assert len(rig.received) == len(received), "a scan came under two ids"
    assert not received & rig.missed()
    # A clock that stood still for long may be that of another power-on: references are taken anew.
    doubted = "power_on_untold" in rig.codes()
    assert doubted == (hangs_s > 0)
    # Looking at the lamp takes a scan each time it connects, the references two at the first.
    rest = set(range(max(received))) - received - rig.missed()
    assert len(rest) == 2 * (1 + doubted) + len(_connections(rig))
    assert len(_boots(rig, subscriber)) == 1 + doubted
    assert "instrument_restarted" not in rig.codes()


def test_reset_and_unplugged_it_is_a_new_power_on(broker, bench):
    board, rig = bench("pty")
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) >= 3, "the first predictions")
        board.reset()
        until(lambda: len(_boots(rig, subscriber)) == 2, "predictions after the reset")
        board.kill()
        until(lambda: rig.gather(subscriber) and "port_lost" in rig.codes(), "the unplugging")
        board.power_on()
        until(lambda: len(_boots(rig, subscriber)) == 3, "predictions after the power cycle")
        assert rig.stop() == 0
        until(lambda: subscriber.offline, "the farewell")
        rig.gather(subscriber)
    assert rig.codes().count("instrument_restarted") == 2
    assert rig.codes().count("references_measured") == 3
    assert "scans_repeated" not in rig.codes()
    by_boot = [(r["scan"]["boot_id"], r["scan"]["number"]) for r in rig.received.values()]
    assert len(by_boot) == len(set(by_boot))
