"""Spectra beside the predictions: best effort, and never in their way.

Not in the outbox: they are ten times as large. One is under way at a time, sent when no prediction
is; the newest waits, and takes the place of one that waited before it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_edge.config.file import Config
from spektron_edge.mqtt.client import MqttClient
from spektron_edge.spectra.scan import Scan

from .records import to_json
from .spectrum_payload import CONTENT_TYPE, axis_record, spectrum_payload


@dataclass(frozen=True)
class _Spectrum:
    record: str
    scan: Scan
    absorbance: NDArray[np.float64]
    variance: NDArray[np.float64] | None


class SpectrumFeed:
    """Owned by the main path. counters: of spectra, for the state."""

    def __init__(self, config: Callable[[], Config], client: MqttClient) -> None:
        """config: what the daemon goes by now."""
        self._config, self._client = config, client
        self._waiting: _Spectrum | None = None
        self._under_way: int | None = None
        self._scans, self._last_s = 0, float("-inf")
        self._axis: tuple[str, NDArray[np.float64]] | None = None
        self._axis_told = False
        self.counters: Counter[str] = Counter()

    def instrument(self, serial: str, axis_nm: NDArray[np.float64]) -> None:
        """Who measures; axis_nm: (P,) in nm."""
        self._axis, self._axis_told = (serial, axis_nm), False

    def connected(self) -> None:
        """A new connection: what was under way is not waited for."""
        self._under_way, self._axis_told = None, False

    def offer(
        self,
        record: str,
        scan: Scan,
        absorbance: NDArray[np.float64] | None,
        variance: NDArray[np.float64] | None = None,
    ) -> None:
        """A scan became the prediction `record`; absorbance, variance: (P,), None where there is
        none."""
        settings = self._config().spectra
        if not settings.every or absorbance is None or not np.all(np.isfinite(scan.axis_nm)):
            return
        self._scans += 1
        now = time.monotonic()
        if self._scans % settings.every or now - self._last_s < settings.apart_s:
            return
        self._last_s = now
        if self._waiting is not None:
            self.counters["dropped_spectra"] += 1
        self._waiting = _Spectrum(record, scan, absorbance, variance)

    def send(self) -> None:
        """In spare time: publish what waits, if nothing of ours is under way."""
        if self._waiting is None or self._under_way is not None or not self._client.connected:
            return
        config, spectrum = self._config(), self._waiting
        self._waiting = None
        self._tell_axis(config)
        made = spectrum_payload(
            spectrum.record,
            spectrum.scan,
            spectrum.absorbance,
            config.spectra,
            config.site,
            config.instrument,
            spectrum.variance,
        )
        self._under_way = self._client.publish_binary(
            "spectrum", made.payload, CONTENT_TYPE, made.user
        )
        if self._under_way is None:
            self.counters["dropped_spectra"] += 1

    def acknowledged(self, mid: int, error: str | None) -> bool:
        """Whether that PUBACK was for a spectrum."""
        if mid != self._under_way:
            return False
        self._under_way = None
        self.counters["refused_spectra" if error else "published_spectra"] += 1
        return True

    def _tell_axis(self, config: Config) -> None:
        if self._axis is None or self._axis_told:
            return
        record = axis_record(config.site, config.instrument, *self._axis)
        self._client.publish("axis", to_json(record), retain=True)
        self._axis_told = True
