"""The daemon and the page as processes under a service manager's eyes."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from spektron_edge.demo.broker import free_port
from tests.integration.hanging import PLACES
from tests.integration.page_process import PageProcess
from tests.integration.rig import Rig, standard_settings, until
from tests.manager import Manager
from tests.requirements import need

# Fed ten times in it; a thread may take so long beside its own time.
WATCHDOG_S = 1.0


@pytest.fixture
def manager(tmp_path, monkeypatch):
    manager = Manager.at(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
    monkeypatch.setenv("WATCHDOG_USEC", str(round(WATCHDOG_S * 1e6)))
    monkeypatch.setenv("SPEKTRON_HANGS", str(tmp_path))
    yield manager
    manager.close()


@pytest.fixture
def instrument(tmp_path):
    """A virtual one as a process of its own, which can be stopped."""
    words = ["simulate", "--link", str(tmp_path / "instrument"), "--rate", "20"]
    process = subprocess.Popen(
        [sys.executable, "-m", "spektron_edge", *words], stdout=subprocess.DEVNULL
    )
    yield process
    process.send_signal(signal.SIGCONT)
    process.terminate()
    process.wait()


@pytest.fixture
def rig(tmp_path):
    need("broker")
    rig = Rig(tmp_path, entry=("tests.integration.hanging",))
    yield rig
    rig.stop()


@pytest.mark.once
def test_a_hang_starves_the_watchdog_and_what_is_waited_for_does_not(
    rig, broker, manager, instrument, tmp_path
):
    # The first start: no instrument, and nobody at the broker's address.
    elsewhere = free_port()
    rig.settings = standard_settings(tmp_path, f"mqtt://127.0.0.1:{elsewhere}")
    rig.settings["serial"]["url"] = str(tmp_path / "not-plugged-in")
    rig.start()
    manager.hears("READY")
    assert [message["STATUS"] for message in manager.told if "STATUS" in message][:3] == [
        "starting: loading the program",
        "starting: the model's self-test",
        "starting: opening the state folder",
    ]
    manager.hears("STATUS", "no instrument", "broker away", "port_missing")
    manager.is_fed(10)
    assert rig.stop() == 0
    manager.until(lambda: any("STOPPING" in message for message in manager.told), "STOPPING")

    rig.settings = standard_settings(tmp_path, broker.url)
    rig.settings["serial"]["silence_s"] = 1.0
    process = rig.start()
    manager.hears("STATUS", "instrument VIRT", "broker connected", "no fault")
    for place in PLACES:
        hang, held = tmp_path / place, tmp_path / f"{place}.held"
        hang.touch()
        until(held.exists, f"a hang of {place}")
        manager.starves(WATCHDOG_S)
        hang.unlink()
        manager.is_fed(3)
    assert rig.log.count("part_hung ") >= 2
    until(lambda: "part_hung_over " in rig.log, "the end of the fault")

    # Gone without a word: the instrument, then the broker.
    instrument.send_signal(signal.SIGSTOP)
    manager.hears("STATUS", "not on the line", "device_silent")
    manager.is_fed(10)
    broker.kill()
    manager.hears("STATUS", "broker away")
    manager.is_fed(10)

    # What the manager does in the end.
    (tmp_path / "loop.held").unlink()
    (tmp_path / "loop").touch()
    until((tmp_path / "loop.held").exists, "a hang of the main path")
    process.send_signal(signal.SIGABRT)
    assert process.wait() == -signal.SIGABRT
    assert "in _turn" in rig.log
    assert rig.log.count("Thread 0x") >= 3


def test_the_page_is_ready_when_it_listens_and_fed_by_its_loop(manager, tmp_path):
    port = free_port()
    rig = Rig(tmp_path)
    rig.settings = {**standard_settings(tmp_path, "mqtt://127.0.0.1:1"), "page": {"port": port}}
    page = PageProcess(rig.config, port, tmp_path / "state", people=())
    page.start()
    manager.hears("READY")
    manager.hears("STATUS", "0 watching; the daemon is away")
    manager.is_fed()
    page._process.send_signal(signal.SIGSTOP)
    manager.starves(WATCHDOG_S)
    page._process.send_signal(signal.SIGCONT)
    manager.is_fed()
    assert page.stop() == 0
    manager.until(lambda: any("STOPPING" in message for message in manager.told), "STOPPING")
