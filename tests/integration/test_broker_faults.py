"""What a broker and its network can do to a daemon: what is lost, and how long it takes to recover.

Lost is nothing throughout. Times are printed (`pytest -rP`), and only their sanity is checked:
waits between attempts grow to 30 s, so an outage is followed by at most that and a few seconds.
"""

from __future__ import annotations

import contextlib
import queue
import signal
import subprocess
import time
from dataclasses import dataclass

import pytest

from spektron_edge.config.mqtt import Mqtt
from spektron_edge.faults import Faults
from spektron_edge.inbox import Acknowledged, Connected, FaultRaised
from spektron_edge.mqtt.backoff import LONGEST_S
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.mqtt.retained import RetainedLedger
from spektron_edge.mqtt.topics import Topics
from tests.integration.rig import Mosquitto, listening, until
from tests.network import far_host
from tests.requirements import need

SANE_S = LONGEST_S + 20.0
# Short in `make test`, whole in `make test-long`.
OUTAGES = pytest.mark.parametrize(
    "away_s", [4.0, pytest.param(60.0, marks=pytest.mark.long)], ids=["4s", "60s"]
)


@dataclass
class Account:
    """Follows a rig through an outage."""

    rig: object
    subscriber: object

    def through(self, what, break_it, mend_it, away_s):
        """Break, wait, mend; then every scan that was made by now must arrive."""
        self.rig.gather(self.subscriber)
        break_it()
        time.sleep(away_s)
        before = len(self.rig.gather(self.subscriber))
        mend_it()
        began = time.monotonic()
        made = self.rig.port.call(lambda: set(self.rig.port.device.presented))
        until(lambda: len(self.rig.gather(self.subscriber)) > before, "the first", SANE_S)
        first_s = time.monotonic() - began
        until(lambda: made <= self.rig.gather(self.subscriber), "the backlog", SANE_S)
        numbers = [record["scan"]["number"] for record in self.rig.received.values()]
        assert len(numbers) == len(set(numbers)), "a scan came under two ids"
        assert self.rig.missed() == set()
        print(
            f"{what} for {away_s:g} s: 0 of {len(made)} lost; first after {first_s:.1f} s, "
            f"all after {time.monotonic() - began:.1f} s"
        )


@contextlib.contextmanager
def running(rig, broker, host="127.0.0.1"):
    with listening(broker.port, host=host) as subscriber:
        process = rig.start()
        until(lambda: len(rig.gather(subscriber)) >= 5, "the first predictions")
        yield Account(rig, subscriber), process
        assert rig.stop() == 0
        until(lambda: rig.gather(subscriber) and subscriber.offline, "the farewell")
    assert "broker_unreachable_over" in rig.codes()


@OUTAGES
def test_killed_and_started_again(broker, make_rig, away_s):
    rig = make_rig(broker.url, interval_s=0.1)
    with running(rig, broker) as (account, process):
        before = len(account.subscriber.subscriptions)

        def come_back():
            # The broker remembers no subscription: the subscriber must be back before the daemon.
            process.send_signal(signal.SIGSTOP)
            broker.start()
            until(lambda: len(account.subscriber.subscriptions) > before, "the subscriber")
            process.send_signal(signal.SIGCONT)

        account.through("broker killed", broker.kill, come_back, away_s)


@OUTAGES
def test_stopped_with_its_connections_open(broker, make_rig, away_s):
    """Half-open: the kernel acknowledges, the broker does not."""
    rig = make_rig(broker.url, interval_s=0.1)
    rig.settings["mqtt"]["timeout_s"] = 2
    with running(rig, broker) as (account, _):
        account.through("broker stopped", broker.pause, broker.resume, away_s)
    noticed = next(e for e in rig.events if e["code"] == "broker_unreachable")
    assert "acknowledges nothing for 2 s" in noticed["message"]


@OUTAGES
def test_the_network_between_is_cut(tmp_path, make_rig, away_s):
    need("broker")
    need("netns")
    with far_host() as host:
        broker = Mosquitto(tmp_path, address=host.near, inside=host.inside)
        broker.start()
        try:
            rig = make_rig(broker.url, interval_s=0.1)
            rig.settings["mqtt"]["timeout_s"] = 2
            with running(rig, broker, host.other) as (account, _):
                account.through("network cut", host.cut, host.mend, away_s)
        finally:
            broker.kill()
    assert any("acknowledges nothing" in e["message"] for e in rig.events)


@pytest.mark.long
def test_an_access_list_that_refuses_predictions_and_then_allows_them(tmp_path, make_rig):
    """What is refused is set aside, told, and offered again; what is not refused goes on."""
    need("broker")
    acl = tmp_path / "acl"
    rest = "topic read #\n" + "".join(
        f"topic write spektron/lab/m5/{kind}\n" for kind in ("event", "status", "model")
    )
    acl.write_text(rest)
    broker = Mosquitto(tmp_path, f"allow_anonymous true\nacl_file {acl}")
    broker.start()
    try:
        rig = make_rig(broker.url, scans=5, interval_s=0.0)
        with listening(broker.port) as subscriber:
            rig.start()
            until(
                lambda: (
                    not rig.gather(subscriber)
                    and {"publish_refused", "notice_refused"} <= set(rig.codes())
                ),
                "both refusals",
            )
            (notice,) = [e for e in rig.events if e["code"] == "notice_refused"]
            assert "spektron/lab/m5/state: Not authorized" in notice["message"]
            acl.write_text("topic readwrite #\n")
            broker.reload()
            began = time.monotonic()
            until(lambda: rig.gather(subscriber) and len(rig.received) == 5, "predictions", 90.0)
            # The upkeep offers them again every minute.
            print(f"refused by the access list: 0 of 5 lost, {time.monotonic() - began:.1f} s")
            until(
                lambda: rig.gather(subscriber) and "notice_refused_over" in rig.codes(),
                "the end of the other",
            )
            assert rig.stop() == 0
    finally:
        broker.kill()


def test_a_broker_whose_disk_is_full_goes_on_and_so_do_we(tmp_path, make_rig):
    """A PUBACK then stands for the broker's memory only: see docs/mqtt.md on replaying."""
    need("broker")
    need("tmpfs")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    broker = Mosquitto(
        tmp_path,
        f"allow_anonymous true\npersistence true\npersistence_location {disk}/\n"
        "autosave_on_changes true\nautosave_interval 1",
    )
    try:
        broker.start()
        rig = make_rig(broker.url, scans=40, interval_s=0.05)
        with listening(broker.port) as subscriber:
            rig.start()
            until(lambda: len(rig.gather(subscriber)) >= 5, "the first predictions")
            with (
                contextlib.suppress(OSError),
                (disk / "ballast").open("wb", buffering=0) as stream,
            ):
                while stream.write(b"x" * 4096):
                    pass
            until(lambda: len(rig.gather(subscriber)) == 40, "every prediction")
            assert rig.stop() == 0
        assert rig.missed() == set()
        assert not {"broker_unreachable", "publish_refused"} & set(rig.codes())
        print("broker's disk full: 0 of 40 lost, no interruption")
    finally:
        broker.kill()
        subprocess.run(["umount", "-l", disk], check=True)


class Twin:
    """A client with its records, one of two with the same id."""

    def __init__(self, broker, folder, name):
        self._told = queue.Queue()
        self.connects, self.kinds, self.acknowledged = 0, set(), set()
        settings = Mqtt(url=broker.url, client_id="same")
        ledger = RetainedLedger(folder / f"{name}.json")
        self.client = MqttClient(settings, Topics("lab", name), self._told.put, ledger)

    def listen(self):
        while not self._told.empty():
            match self._told.get():
                case Connected():
                    self.connects += 1
                case FaultRaised(fault):
                    self.kinds.add(fault.kind)
                case Acknowledged(number, _, None):
                    self.acknowledged.add(number)
        return self


def test_two_clients_with_one_id_make_no_storm_and_lose_nothing(broker, tmp_path):
    twins = [Twin(broker, tmp_path, name) for name in ("a", "b")]
    published = {twin: set() for twin in twins}
    for twin in twins:
        twin.client.start()
    try:
        began = time.monotonic()
        while time.monotonic() - began < 10.0:
            for twin in twins:
                number = twin.client.publish("prediction", b"{}")
                published[twin] |= {number} - {None}
            time.sleep(0.5)
        first, second = (twin.listen() for twin in twins)
        print(f"one id for two: {first.connects} + {second.connects} connects in 10 s")
        # Waits of 1, 2, 4 and 8 s, halved at worst: the fifth comes after 7.5 s at the earliest.
        assert max(first.connects, second.connects) <= 6
        assert Faults.SESSION_TAKEN in first.kinds | second.kinds
        second.client.stop()
        began = time.monotonic()
        until(lambda: first.listen().acknowledged >= published[first], "its PUBACKs", SANE_S)
        print(f"after the other left: {time.monotonic() - began:.1f} s")
    finally:
        for twin in twins:
            twin.client.stop()
