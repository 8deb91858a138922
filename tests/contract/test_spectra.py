"""Published spectra over a real broker, read with the ten lines of docs/payloads.md."""

from __future__ import annotations

import json
import queue
import re
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from spektron_edge.config.loading import load_config
from spektron_edge.mqtt.connection import connect_plain
from spektron_edge.publishing.schema import schema
from tests.integration.rig import (
    PATIENCE_S,
    ROOT,
    Mosquitto,
    Rig,
    instrument,
    listening,
    standard_settings,
    until,
)
from tests.requirements import need

PAGE = Path(__file__).resolve().parents[2] / "docs" / "payloads.md"


@pytest.fixture(scope="module")
def decode():
    """The decoder that the page shows."""
    (code,) = re.findall(r"```python\n(.*?def decode.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict = {}
    exec(code, names)
    return names["decode"]


@pytest.fixture(params=["5", "3.1.1"])
def published(request, tmp_path):
    """(predictions by id, spectrum messages, the axis) of one run."""
    need("broker")
    broker = Mosquitto(tmp_path)
    broker.start()
    rig = Rig(tmp_path, instrument(tmp_path))
    rig.settings = standard_settings(tmp_path, broker.url)
    rig.settings["mqtt"]["protocol"] = request.param
    rig.settings["spectra"] = {"every": 2, "compression": "zlib"}
    messages: queue.Queue = queue.Queue()
    with listening(broker.port) as subscriber:
        settings = load_config(rig.config).mqtt.model_copy(update={"protocol": "5"})
        with connect_plain(settings, 10.0) as client:
            client.on_message = lambda _c, _u, message: messages.put(message)
            client.subscribe(f"{ROOT}/spectrum", qos=1)
            rig.start()
            spectra = [messages.get(timeout=PATIENCE_S) for _ in range(4)]
            # Retained: whoever comes later has it, too.
            client.subscribe(f"{ROOT}/axis", qos=1)
            axis = until(
                lambda: next(
                    (m for m in iter(lambda: messages.get(timeout=PATIENCE_S), None) if m.retain),
                    None,
                ),
                "the axis",
            )
        until(lambda: len(rig.gather(subscriber)) >= 8, "predictions")
        rig.stop()
        rig.gather(subscriber)
    rig.port.close()
    broker.kill()
    return request.param, rig.received, spectra, json.loads(axis.payload)


def test_spectra_are_announced_read_and_belong_to_their_predictions(published, decode):
    protocol, predictions, spectra, axis = published
    Draft202012Validator(schema("axis")).validate(axis)
    for message in spectra:
        header, numbers, _ = decode(message.payload)
        Draft202012Validator(schema("spectrum")).validate(header)
        record = predictions[header["record"]]
        assert record["scan"]["number"] == header["scan"]
        assert numbers.shape == (header["points"],) == (len(axis["values"]),)
        assert header["axis"] == axis["id"]
        # Corn, as an absorbance.
        assert 0.0 < np.min(numbers) < np.max(numbers) < 2.0
        if protocol == "5":
            assert message.properties.ContentType == "application/vnd.spektron.spectrum"
            announced = dict(message.properties.UserProperty)
            assert announced["record"] == header["record"]
            assert announced["schema"] == header["schema"]


def test_every_second_scan_has_one(published):
    _, _, spectra, _ = published
    numbers = [json.loads(m.payload.split(b"\n", 1)[0])["scan"] for m in spectra]
    steps = np.diff(numbers)
    assert np.all(steps >= 2)
