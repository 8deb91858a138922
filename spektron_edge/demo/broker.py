"""A broker for the demo: the user's, a private Mosquitto, or the embedded amqtt."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from spektron_edge.faults import Fault, Faults

_START_S = 10.0


@dataclass(frozen=True)
class Broker:
    """Where it listens and what it speaks."""

    url: str
    protocol: Literal["5", "3.1.1"]
    name: str


@contextlib.contextmanager
def open_broker(url: str | None, folder: Path) -> Iterator[Broker]:
    """The broker at `url`, else a Mosquitto from PATH, else amqtt, on a free loopback port.

    Raises Fault(BROKER_UNREACHABLE) when it does not start, Fault(DEMO_MISSING) without any.
    """
    if url is not None:
        yield Broker(url, "5", f"your broker, {url}")
    elif (program := mosquitto()) is not None:
        with _mosquitto(program, folder) as broker:
            yield broker
    else:
        with _amqtt() as broker:
            yield broker


def mosquitto() -> str | None:
    """The mosquitto program; Debian keeps it where only root's PATH leads."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A TCP port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int, alive: threading.Event | None = None, host: str = "127.0.0.1") -> None:
    """Wait until something listens. Raises Fault(BROKER_UNREACHABLE)."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and not (alive is not None and alive.is_set()):
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1.0):
            return
        time.sleep(0.02)
    raise Fault(Faults.BROKER_UNREACHABLE, "the demo's broker did not start")


@contextlib.contextmanager
def _mosquitto(program: str, folder: Path) -> Iterator[Broker]:
    port = free_port()
    settings = folder / "mosquitto.conf"
    settings.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n"
    )
    process = subprocess.Popen(  # noqa: S603  the program found above, our own file
        [program, "-c", str(settings)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(port)
        yield Broker(f"mqtt://127.0.0.1:{port}", "5", f"Mosquitto on port {port}")
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def _amqtt() -> Iterator[Broker]:
    try:
        from amqtt.broker import Broker as Amqtt
    except ImportError:
        raise Fault(Faults.DEMO_MISSING, "no mosquitto on PATH and no amqtt installed") from None
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    logging.getLogger("transitions").setLevel(logging.CRITICAL)
    port = free_port()
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    stop, failed = threading.Event(), threading.Event()

    async def serve() -> None:
        broker = Amqtt(config)
        await broker.start()
        while not stop.is_set():
            await asyncio.sleep(0.05)
        await broker.shutdown()

    def work() -> None:
        try:
            asyncio.run(serve())
        except Exception:  # noqa: BLE001  whatever it was, the demo has no broker
            failed.set()

    thread = threading.Thread(target=work, name="amqtt", daemon=True)
    thread.start()
    try:
        wait_for(port, failed)
        yield Broker(
            f"mqtt://127.0.0.1:{port}",
            "3.1.1",
            f"embedded amqtt on port {port} (MQTT 3.1.1: refusals by the broker stay unseen)",
        )
    finally:
        stop.set()
        thread.join(5.0)
