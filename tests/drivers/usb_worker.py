"""The worker of `ocean-usb`, as the contract suite needs it: its language, its instrument."""

from __future__ import annotations

import json
from typing import Any

from firmware_bridge.virtual.instrument import Foreign
from firmware_bridge.virtual.optics import Optics


class VirtualUsbWorker(Foreign):
    """A line of JSON each way. What is none goes unanswered."""

    def __init__(self, spectra: Any, axis: Any, **options: Any) -> None:
        optics = Optics(
            pixels=512, start_nm=900.0, end_nm=1700.0, white_counts=50_000.0,
            dark_counts=1500.0, default_integration_us=20_000,
        )  # fmt: skip
        super().__init__(spectra, axis, optics, baud=921600, **options)

    def reset(self) -> None:
        self.integration_us = 20_000

    def hear(self, received: bytes) -> int:
        used = received.find(b"\n") + 1
        if used:
            try:
                asked = json.loads(received[:used])
            except ValueError:
                return used
            self._answer(asked)
        return used

    def _answer(self, asked: dict[str, Any]) -> None:
        told: dict[str, Any] = {"id": asked["id"], "serial": "NQ5100101"}
        after_s = 0.0
        if asked["do"] == "identify":
            told |= {
                "model": "NIRQUEST512",
                "nm": self.optics.wavelengths.tolist(),
                "full": 65535.0,
                "limits_us": [1000, 1_600_000_000],
                "nonlinearity": [],
                "dark": [],
            }
        elif asked["do"] == "integration":
            self.integration_us = asked["us"]
            self.expose(self.integration_us)
            after_s = self.integration_us * 1e-6
        elif asked["do"] == "expose":
            told["counts"] = [float(count) for count in self.expose(self.integration_us).counts]
            after_s = self.integration_us * 1e-6
        self.say(json.dumps(told).encode() + b"\n", after_s)
