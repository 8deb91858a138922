"""Figures for Prometheus on a loopback port.

The daemon only leaves its newest records here; they are read when somebody asks, on the library's
own thread.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from spektron_edge.faults import Fault, Faults

from .records import StateRecord

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_ADDRESS = "127.0.0.1"
_PREFIX = "spektron_"
# Of the state's counters, those that also go down.
_LEVELS = ("unsent", "sent", "sent_again", "refused", "waiting_for_disk")


class Metrics:
    """A port that answers `GET /metrics`."""

    def __init__(self, port: int) -> None:
        """Raises Fault(CONFIG_INVALID) where prometheus-client is not installed."""
        try:
            import prometheus_client
            import prometheus_client.core
        except ImportError:
            raise Fault(
                Faults.CONFIG_INVALID,
                "metrics.port needs prometheus-client: pip install 'spektron-edge[metrics]'",
            ) from None
        self._library = prometheus_client
        self._port = port
        self._server: Any = None
        self.state: StateRecord | None = None
        self.present = False
        self._prediction: tuple[bytes, float] | None = None

    def predicted(self, payload: bytes) -> None:
        """The newest prediction."""
        self._prediction = payload, time.monotonic()

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        registry = self._library.CollectorRegistry()
        registry.register(self)
        self._server, _ = self._library.start_http_server(self._port, _ADDRESS, registry)

    def stop(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def collect(self) -> Iterator[Metric]:
        """Everything there is to tell, for the library."""
        state, prediction = self.state, self._prediction
        if state is not None:
            yield from self._of_state(state)
        if prediction is not None:
            payload, at = prediction
            yield from self._of_prediction(json.loads(payload), time.monotonic() - at)

    def _of_state(self, state: StateRecord) -> Iterator[Metric]:
        core = self._library.core
        where = {"site": state.site, "instrument": state.instrument}
        present = float(self.present)
        yield self._gauge("instrument_present", "Whether it is on the line.", present, where)
        yield self._gauge("uptime_seconds", "Since the daemon started.", state.uptime_s, where)
        for name, value in state.counters.items():
            told = f"`{name}` of the state record."
            if name in _LEVELS:
                yield self._gauge(f"{name}_records", told, value, where)
            else:
                counter = core.CounterMetricFamily(_PREFIX + name, told, labels=list(where))
                counter.add_metric(list(where.values()), value)
                yield counter
        latency = core.GaugeMetricFamily(
            _PREFIX + "latency_seconds",
            "From a scan's last byte to its PUBACK, of the last thousand.",
            labels=[*where, "quantile"],
        )
        for quantile, value_ms in (("0.5", state.p50_ms), ("0.99", state.p99_ms)):
            if value_ms is not None:
                latency.add_metric([*where.values(), quantile], 1e-3 * value_ms)
        yield latency
        fault = core.GaugeMetricFamily(
            _PREFIX + "fault", "1 for every fault that goes on.", labels=[*where, "code"]
        )
        for code in state.faults:
            fault.add_metric([*where.values(), code], 1.0)
        yield fault

    def _of_prediction(self, record: dict[str, Any], age_s: float) -> Iterator[Metric]:
        core = self._library.core
        where = {"site": record["site"], "instrument": record["instrument"]}
        scan = record["scan"]
        # Alarms on these have to fire when nothing comes any more: they go on.
        for name, told, value in (
            ("prediction_age_seconds", "Since the last prediction.", 0.0),
            ("dark_age_seconds", "Age of the dark.", scan["dark_age_s"]),
            ("white_age_seconds", "Age of the white reference.", scan["white_age_s"]),
        ):
            if value is not None:
                yield self._gauge(name, told, value + age_s, where)
        if not self.present:
            # The last values of an instrument that is gone would look like those of now.
            return
        valid = float(record["valid"])
        yield self._gauge("valid", "Whether the last prediction is valid.", valid, where)
        if (temperature := scan["temperature_c"]) is not None:
            told = "Temperature of the detector."
            yield self._gauge("detector_celsius", told, temperature, where)
        values = core.GaugeMetricFamily(
            _PREFIX + "value", "The last prediction.", labels=[*where, "property", "unit"]
        )
        for name, found in record["values"].items():
            if found["value"] is not None:
                values.add_metric([*where.values(), name, found["unit"]], found["value"])
        yield values

    def _gauge(self, name: str, told: str, value: float, where: dict[str, str]) -> Metric:
        gauge = self._library.core.GaugeMetricFamily(_PREFIX + name, told, labels=list(where))
        gauge.add_metric(list(where.values()), value)
        return gauge
