"""A test bench: a real Mosquitto, an instrument on a pty, the daemon as a process, a subscriber."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from firmware_bridge.virtual import InjectedFaults, Optics, PtyPort, VirtualSpectrometer
from spektron_edge.demo.broker import free_port, mosquitto, wait_for
from spektron_edge.demo.corn import load_corn
from spektron_edge.demo.subscriber import Subscriber

PATIENCE_S = 60.0
ROOT = "spektron/lab/m5"


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Wait for a condition; returns its value."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {patience_s:g} s in vain for {what}")


class Mosquitto:
    """A broker that can be killed and started again on the same port."""

    def __init__(
        self,
        folder: Path,
        extra: str = "allow_anonymous true",
        address: str = "127.0.0.1",
        inside: tuple[str, ...] = (),
    ) -> None:
        """inside: the command that it is started by, with a network of its own for instance."""
        self.port = free_port()
        self.url = f"mqtt://{address}:{self.port}"
        self._address = address
        self._inside = inside
        self._settings = folder / "mosquitto.conf"
        persistence = "" if "persistence" in extra else "persistence false\n"
        listener = f"listener {self.port} {'' if inside else address}\n"
        # Else it keeps 1,000 messages for a slow subscriber, and drops the others. Without any cap
        # (0), Mosquitto 2.0.11 hangs up on whoever publishes what its access list refuses.
        many = "max_queued_messages 100000\n"
        self._settings.write_text(f"{listener}user root\n{persistence}{many}{extra}\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = mosquitto()
        assert program is not None
        self._process = subprocess.Popen(
            [*self._inside, program, "-c", str(self._settings)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.port, host=self._address)

    def kill(self) -> None:
        """Power off: kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it without a word: its connections stay open, and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        """Of the broker."""
        assert self._process is not None
        return self._process.pid

    def reload(self) -> None:
        """Read password and access lists again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)


@contextlib.contextmanager
def listening(
    port: int, subscriber: Subscriber | None = None, host: str = "127.0.0.1"
) -> Iterator[Subscriber]:
    """A subscriber that comes back at once after the broker was away."""
    subscriber, ready = subscriber or Subscriber(), []
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.reconnect_delay_set(0.05, 0.05)
    client.on_connect = lambda c, *_: c.subscribe(f"{ROOT}/#", qos=1)
    client.on_subscribe = lambda *_: ready.append(True)
    client.on_message = subscriber.take
    client.connect(host, port)
    client.loop_start()
    subscriber.subscriptions = ready
    try:
        until(lambda: ready, "a subscription")
        yield subscriber
    finally:
        client.disconnect()
        client.loop_stop()


def drain(queue: Any) -> list[dict[str, Any]]:
    """Everything that waits in a queue."""
    items = []
    while not queue.empty():
        items.append(queue.get())
    return items


@dataclass
class Rig:
    """One instrument, its daemon's configuration, and the folder everything lives in."""

    folder: Path
    port: PtyPort | None = None
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    received: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    entry: tuple[str, ...] = ("spektron_edge",)
    subscriber: Subscriber = field(default_factory=Subscriber)
    _operators: list[str] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None

    def allow(self, operator: str, *commands: str) -> None:
        """One more operator, with a key of their own, and what they may send."""
        (self.folder / f"{operator}.key").write_bytes(f"{operator}'s 0123456789abcdef".encode())
        may = ", ".join(f'"{command}"' for command in commands)
        self._operators.append(
            f'{{ name = "{operator}", key_file = "{operator}.key", may = [{may}] }}'
        )
        self.settings["commands"] = {"operators": Raw(f"[{', '.join(self._operators)}]")}

    @property
    def config(self) -> Path:
        path = self.folder / "spektron.toml"
        lines = []
        for section, values in self.settings.items():
            lines += [f"[{section}]"] if section else []
            lines += [f"{key} = {_toml(value)}" for key, value in values.items()]
        path.write_text("\n".join(lines))
        return path

    @property
    def log(self) -> str:
        return (self.folder / "daemon.log").read_text()

    @property
    def audited(self) -> list[dict[str, Any]]:
        """Lines of the audit log."""
        lines = (self.folder / "state" / "audit.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def start(self, *flags: str) -> subprocess.Popen[bytes]:
        """Start the daemon in the background."""
        log = (self.folder / "daemon.log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self.entry, "run", "--config", self.config, *flags],
                stdout=log,
                stderr=log,
            )
        return self._process

    @property
    def pid(self) -> int:
        """Of the daemon."""
        assert self._process is not None
        return self._process.pid

    def pace(self, interval_s: float) -> None:
        """How far apart the instrument's scans are from now on."""
        assert self.port is not None
        device = self.port.device
        self.port.call(lambda: setattr(device, "_interval_s", interval_s))

    def run(self, *flags: str) -> int:
        """Run the daemon until it ends by itself."""
        return self.start(*flags).wait(PATIENCE_S)

    def stop(self) -> int:
        """Ask the daemon to end; its exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        self._process.send_signal(signal.SIGCONT)
        status = self._process.wait(PATIENCE_S)
        self._process = None
        return status

    def kill(self) -> None:
        """Power off: kill -9."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def gather(self, subscriber: Subscriber) -> set[int]:
        """Collect what arrived; the scan numbers received so far."""
        for record in drain(subscriber.predictions):
            self.received[record["id"]] = record
        self.events += drain(subscriber.events)
        return {record["scan"]["number"] for record in self.received.values()}

    @property
    def newest(self) -> dict[str, Any]:
        """Of what was gathered, the prediction of the latest scan."""
        return max(self.received.values(), key=lambda record: record["scan"]["number"])

    def codes(self) -> list[str]:
        return [event["code"] for event in self.events]

    def missed(self) -> set[int]:
        """Scan numbers that gap events name."""
        return {
            number
            for event in self.events
            if event["code"] == "scans_missed"
            for first, last in event["scans"]
            for number in range(first, last + 1)
        }


class Raw(int):
    """A value that goes into the TOML file as it stands."""

    def __new__(cls, text: str) -> Raw:
        self = super().__new__(cls, 0)
        self.text = text
        return self

    def __str__(self) -> str:
        return self.text


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def instrument(
    folder: Path,
    *,
    interval_s: float = 0.05,
    scans: int | None = None,
    faults: InjectedFaults | None = None,
    optics: Optics | None = None,
    seed: int = 0,
    baud: int = 921600,
) -> PtyPort:
    """A virtual spectrometer that shows the held-out corn samples, on folder/instrument."""
    corn = load_corn().test
    device = VirtualSpectrometer(
        corn.spectra["m5"],
        corn.axis_nm,
        optics,
        seed=seed,
        scans=scans,
        interval_s=interval_s,
        baud=baud,
        faults=faults,
    )
    return PtyPort(device, link=folder / "instrument")


def standard_settings(folder: Path, url: str) -> dict[str, dict[str, Any]]:
    return {
        "": {"site": "lab", "instrument": "m5", "state_dir": "state"},
        "serial": {"url": str(folder / "instrument")},
        "mqtt": {"url": url},
        "acquisition": {},
    }
