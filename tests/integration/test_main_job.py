from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from spektron_edge.bundle.merit import merits
from spektron_edge.demo.corn import PROPERTIES, load_corn
from spektron_edge.files.audit import verify
from spektron_edge.publishing.records import PUBLISHED
from tests.integration.rig import listening, until
from tests.requirements import need

# The bars of the main job, through serial line, noise and INT8.
R2_BARS = {"moisture": 0.99, "oil": 0.90, "protein": 0.95, "starch": 0.92}


def test_twenty_scans_arrive_once_in_order_and_valid_by_schema(broker, make_rig):
    rig = make_rig(broker.url, scans=20)
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) == 20, "20 predictions")
        assert rig.stop() == 0
        until(lambda: subscriber.offline, "the farewell")
        rig.gather(subscriber)
    records = list(rig.received.values())
    numbers = [record["scan"]["number"] for record in records]
    assert numbers == sorted(numbers)
    assert rig.missed() == set()
    assert subscriber.state["counters"]["published_predictions"] == 20
    assert subscriber.state["p99_ms"] is not None
    schemas = {
        kind: Draft202012Validator(model.model_json_schema(mode="serialization"))
        for kind, model in PUBLISHED.items()
    }
    for record in records:
        schemas["prediction"].validate(record)
    for event in rig.events:
        schemas["event"].validate(event)
    schemas["state"].validate(subscriber.state)


def test_audit_chain_holds_and_its_head_is_published(broker, make_rig):
    rig = make_rig(broker.url, scans=3)
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) == 3, "3 predictions")
        rig.stop()
        until(lambda: subscriber.offline, "the farewell")
    chain = verify(rig.folder / "state" / "audit.jsonl")
    assert chain.head == subscriber.state["audit_head"]
    what = [
        json.loads(s)["what"] for s in (rig.folder / "state/audit.jsonl").read_text().splitlines()
    ]
    assert what[0] == "daemon_started"
    assert what[-1] == "daemon_stopped"
    assert "references_measured" in what


@pytest.mark.parametrize("seeds", [3, pytest.param(20, marks=pytest.mark.long)])
def test_values_agree_with_the_laboratory(broker, make_rig, seeds):
    corn = load_corn().test
    found = []
    for seed in range(seeds):
        rig = make_rig(broker.url, scans=20, interval_s=0.0, seed=seed)
        rig.settings[""]["state_dir"] = f"state-{seed}"
        with listening(broker.port) as subscriber:
            rig.start()
            until(lambda: len(rig.gather(subscriber)) == 20, "20 predictions")  # noqa: B023
            rig.stop()
        rows = rig.port.call(lambda: dict(rig.port.device.presented))  # noqa: B023
        predicted = np.zeros((20, 4))
        for record in rig.received.values():
            values = [record["values"][name]["value"] for name in PROPERTIES]
            predicted[rows[record["scan"]["number"]]] = values
        rig.port.close()
        found.append({n: m.r2 for n, m in merits(predicted, corn.references, PROPERTIES).items()})
    for name, bar in R2_BARS.items():
        assert np.median([r2[name] for r2 in found]) >= bar, name


@pytest.mark.parametrize("broker_kind", ["mosquitto", "amqtt"])
def test_demo_receives_all_scans(broker_kind, monkeypatch):
    command = [sys.executable, "-m", "spektron_edge", "demo", "--json", "--speed", "20"]
    if broker_kind == "mosquitto":
        need("broker")
    else:
        program = (
            "import sys; from spektron_edge.demo import broker; "
            "broker.mosquitto = lambda: None; "
            "from spektron_edge.cli.main import main; sys.exit(main(sys.argv[1:]))"
        )
        command = [sys.executable, "-c", program, "demo", "--json", "--speed", "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    summary = lines[-1]["summary"]
    for count in ("sent", "predicted", "published", "received"):
        assert summary[count] == 20
    assert set(summary["r2"]) == set(PROPERTIES)
    assert summary["p99_ms"] >= summary["p50_ms"] > 0
    assert ("3.1.1" in summary["broker"]) == (broker_kind == "amqtt")
    assert len(lines) == 22
