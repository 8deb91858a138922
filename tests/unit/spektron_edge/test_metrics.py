"""What Prometheus reads, parsed by its own library."""

from __future__ import annotations

import builtins
import http.client
import time

import pytest
from prometheus_client import parser

from spektron_edge.config.loading import load_config
from spektron_edge.demo.broker import free_port
from spektron_edge.faults import Fault, Faults
from spektron_edge.publishing.metrics import Metrics
from spektron_edge.publishing.records import StateRecord, Times

from .test_sparkplug import prediction

WHERE = {"site": "lab", "instrument": "m5"}


@pytest.fixture
def metrics():
    made = Metrics(free_port())
    made.start()
    yield made
    made.stop()


def scrape(metrics):
    connection = http.client.HTTPConnection("127.0.0.1", metrics._port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    finally:
        connection.close()
    return {
        (sample.name, *sorted(set(sample.labels.items()) - set(WHERE.items()))): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }


def state(**counters):
    return StateRecord(
        **WHERE,
        time=Times(utc="2026-05-04T03:02:01.250Z", running_s=1.0, clock="ok"),
        uptime_s=12.5,
        faults=("port_lost",),
        counters=counters,
        p50_ms=4.0,
        p99_ms=None,
        audit_head="",
    )


def test_before_the_first_record_there_is_nothing(metrics):
    assert scrape(metrics) == {}


def test_the_state_s_counters_levels_latencies_and_faults(metrics):
    metrics.state = state(valid=41, invalid=1, unsent=3, connections=2)
    found = scrape(metrics)
    assert found["spektron_valid_total",] == 41
    assert found["spektron_unsent_records",] == 3
    assert found["spektron_connections_total",] == 2
    assert found["spektron_uptime_seconds",] == 12.5
    assert found["spektron_latency_seconds", ("quantile", "0.5")] == 0.004
    assert ("spektron_latency_seconds", ("quantile", "0.99")) not in found
    assert found["spektron_fault", ("code", "port_lost")] == 1


def test_the_last_prediction_with_ages_and_without_what_was_not_measured(metrics):
    text = prediction(1, {"moisture": 10.25, "oil": None})
    metrics.predicted(text[:1] + b'"site": "lab", "instrument": "m5", ' + text[1:])
    metrics.present = True
    found = scrape(metrics)
    assert found["spektron_value", ("property", "moisture"), ("unit", "%")] == 10.25
    assert ("spektron_value", ("property", "oil"), ("unit", "%")) not in found
    assert found["spektron_dark_age_seconds",] >= 3.5
    assert found["spektron_valid",] == 1
    assert ("spektron_detector_celsius",) not in found


def test_what_is_gone_grows_old_and_shows_no_value(metrics, monkeypatch):
    text = prediction(1, {"moisture": 10.25})
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    metrics.state = state()
    metrics.predicted(text[:1] + b'"site": "lab", "instrument": "m5", ' + text[1:])
    monkeypatch.setattr(time, "monotonic", lambda: 700.0)
    found = {s.name: s.value for family in metrics.collect() for s in family.samples}
    assert found["spektron_instrument_present"] == 0
    assert found["spektron_prediction_age_seconds"] == 600.0
    assert found["spektron_dark_age_seconds"] == 603.5
    assert found["spektron_white_age_seconds"] == 604.0
    assert "spektron_value" not in found
    assert "spektron_valid" not in found


def test_a_port_that_is_taken_is_an_error_at_start(metrics):
    other = Metrics(metrics._port)
    with pytest.raises(OSError, match=r"in use"):
        other.start()
    other.stop()


def test_without_the_library_the_configuration_is_refused(monkeypatch):
    real = builtins.__import__

    def absent(name, *arguments, **more):
        if name.startswith("prometheus_client"):
            raise ImportError(name)
        return real(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(Fault, match="pip install") as caught:
        Metrics(9100)
    assert caught.value.kind is Faults.CONFIG_INVALID


@pytest.mark.parametrize(
    "section",
    [
        "[metrics]\nport = 0",
        "[metrics]\nport = 70000",
        '[home_assistant]\ndiscovery_prefix = "a/#"',
        '[home_assistant]\nbirth_topic = "/x"',
        '[home_assistant]\nbirth_topic = "spektron/lab/m5/command/reload"',
        '[sparkplug]\ngroup = "a/b"',
        '[sparkplug]\ndevice = "+"',
        "[sparkplug]\nqueue_records = 0",
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path, section):
    path = tmp_path / "spektron.toml"
    path.write_text(
        'site = "lab"\ninstrument = "m5"\nstate_dir = "state"\n[serial]\nurl = "/dev/null"\n'
        f'[mqtt]\nurl = "mqtt://127.0.0.1"\n{section}\n'
    )
    with pytest.raises(Fault, match=section.splitlines()[1].split(" ")[0]) as caught:
        load_config(path)
    assert caught.value.kind is Faults.CONFIG_INVALID


def test_the_port_is_this_machines_alone(metrics):
    """Whoever comes by another address than 127.0.0.1 finds nobody."""
    scrape(metrics)
    connection = http.client.HTTPConnection("127.0.0.2", metrics._port, timeout=10)
    with pytest.raises(ConnectionRefusedError):
        connection.request("GET", "/metrics")
    connection.close()
