"""A daemon at its usual load: what it says of itself at the end."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from firmware_bridge.virtual import PtyPort, VirtualSpectrometer
from spektron_edge.demo.corn import load_corn
from tests.integration.rig import Mosquitto, Rig, listening, standard_settings, until

SCANS, RATE = 200, 10.0

Beside = Callable[[Rig], AbstractContextManager[None]]


def _nothing(_: Rig) -> AbstractContextManager[None]:
    return contextlib.nullcontext()


def last_state(
    spectra: str = "m5",
    *,
    settings: dict[str, dict[str, Any]] | None = None,
    beside: Beside = _nothing,
    meanwhile: Beside = _nothing,
    first: int = 5,
) -> dict[str, Any]:
    """The state record after SCANS scans; `p99_ms` in it is from a scan's last byte to its PUBACK.

    spectra: instrument that is measured with; settings: further ones of the daemon's file; beside:
    what is there from before its start on; meanwhile: from the `first` predictions on.
    """
    with tempfile.TemporaryDirectory(prefix="spektron-bench-") as name:
        folder = Path(name)
        broker = Mosquitto(folder)
        broker.start()
        corn = load_corn()
        device = VirtualSpectrometer(
            corn.test.spectra[spectra], corn.axis_nm, scans=SCANS, interval_s=1.0 / RATE
        )
        rig = Rig(folder, PtyPort(device, link=folder / "instrument"))
        rig.settings = {**standard_settings(folder, broker.url), **(settings or {})}
        try:
            with listening(broker.port) as subscriber, beside(rig):
                rig.start()
                until(lambda: len(rig.gather(subscriber)) >= first, "the first predictions")
                with meanwhile(rig):
                    until(lambda: len(rig.gather(subscriber)) == SCANS, f"{SCANS} predictions")
                rig.stop()
                until(lambda: subscriber.offline, "the farewell")
            state: dict[str, Any] = subscriber.state
            return state
        finally:
            rig.stop()
            assert rig.port is not None
            rig.port.close()
            broker.kill()
