"""The instrument as a device of Home Assistant: one retained document that names what to read.

Nothing is published twice for it: every entity is a template on the native topics.
https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spektron_edge import __version__, log
from spektron_edge.config.publishing import HomeAssistantSettings
from spektron_edge.files.durable import write_durably

from .client import MqttClient
from .message import Message
from .topics import Topics

ANNOUNCED_FILE = "home-assistant.json"
_Component = dict[str, Any]
_LIMITS = "{% set a = value_json.applicability %}"


class HomeAssistant:
    """Announces, and takes back what is no longer there."""

    def __init__(self, settings: HomeAssistantSettings, topics: Topics, state_dir: Path) -> None:
        self._topics = topics
        self._device_id = "spektron_" + _slug(f"{topics.site}/{topics.instrument}")
        self.topic = f"{settings.discovery_prefix}/device/{self._device_id}/config"
        self._file = state_dir / ANNOUNCED_FILE
        self._components: dict[str, _Component] = {}
        self._model = ""
        self._unacknowledged: int | None = None

    def model(self, bundle: str, properties: Mapping[str, str]) -> None:
        """What is predicted: property -> unit."""
        self._model = bundle
        self._components = components(self._device_id, self._topics, properties)

    def announce(self, client: MqttClient) -> bool:
        """Publish the document; what an earlier one named and this one does not is removed.

        False when the client takes no more at present.
        """
        gone = {c: {"p": p} for c, p in self._announced().items() if c not in self._components}
        # Home Assistant removes what has a platform and nothing else.
        if gone and self._send(client, self._components | gone) is None:
            return False
        self._unacknowledged = self._send(client, self._components)
        return self._unacknowledged is not None

    def acknowledged(self, number: int, error: str | None) -> None:
        """PUBACK for what the client sent as `number`: remember what was announced."""
        if number != self._unacknowledged or error is not None:
            return
        self._unacknowledged = None
        named = {name: component["p"] for name, component in self._components.items()}
        if named == self._announced():
            return
        document = {"topic": self.topic, "components": named}
        try:
            write_durably(self._file, json.dumps(document, indent=1).encode() + b"\n")
        except OSError as error:
            log.warn("announcement_not_noted", detail=error, next="see `state_dir`")

    def _send(self, client: MqttClient, named: dict[str, _Component]) -> int | None:
        document = {
            "dev": {
                "ids": [self._device_id],
                "name": f"{self._topics.instrument} ({self._topics.site})",
                "mf": "Spektron Edge",
                "mdl": self._model,
                "sw": __version__,
            },
            "o": {"name": "Spektron Edge", "sw": __version__},
            "avty": [{"t": self._topics.of("status"), "val_tpl": "{{ value_json.status }}"}],
            "qos": 1,
            "cmps": named,
        }
        payload = json.dumps(document, ensure_ascii=False).encode()
        return client.send(Message(self.topic, payload, retain=True))

    def _announced(self) -> dict[str, str]:
        """Component -> platform, as last announced under this topic."""
        try:
            document = json.loads(self._file.read_bytes())
            if document["topic"] != self.topic:
                # The whole document went with the other topic.
                return {}
            return {str(c): str(p) for c, p in document["components"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warn("announcement_unread", detail=error, next="see `state_dir`")
            return {}


def components(
    device_id: str, topics: Topics, properties: Mapping[str, str]
) -> dict[str, _Component]:
    """Entities by id: one for each property, and what tells whether to believe it."""
    prediction, state = topics.of("prediction"), topics.of("state")
    found: dict[str, _Component] = {}

    def add(name: str, label: str, platform: str, topic: str, template: str, **more: str) -> None:
        found[name] = {
            "p": platform,
            "uniq_id": f"{device_id}_{name}",
            "name": label,
            "stat_t": topic,
            "val_tpl": template,
            **more,
        }

    for name, unit in properties.items():
        template = f"{{{{ value_json['values'][{json.dumps(name)}].value }}}}"
        add(
            f"value_{_slug(name)}",
            name,
            "sensor",
            prediction,
            template,
            unit_of_meas=unit,
            stat_cla="measurement",
        )
    add(
        "valid",
        "Valid",
        "binary_sensor",
        prediction,
        "{{ 'ON' if value_json.valid else 'OFF' }}",
    )
    add(
        "applicable",
        "Within the calibration",
        "binary_sensor",
        prediction,
        f"{_LIMITS}{{{{ 'None' if a is none else 'ON' if a.t2 <= a.t2_limit and a.q <= a.q_limit "
        "else 'OFF' }}",
    )
    duration = {"unit_of_meas": "s", "dev_cla": "duration", "ent_cat": "diagnostic"}
    for which, label in (("dark", "Age of the dark"), ("white", "Age of the white reference")):
        template = f"{{{{ value_json.scan.{which}_age_s }}}}"
        add(f"{which}_age", label, "sensor", prediction, template, **duration)
    add(
        "temperature",
        "Detector",
        "sensor",
        prediction,
        "{{ value_json.scan.temperature_c }}",
        unit_of_meas="°C",
        dev_cla="temperature",
        ent_cat="diagnostic",
    )
    add(
        "unsent",
        "Records waiting for the broker",
        "sensor",
        state,
        "{{ value_json.counters.unsent }}",
        ent_cat="diagnostic",
    )
    add(
        "faults",
        "Faults",
        "sensor",
        state,
        "{{ value_json.faults | length }}",
        ent_cat="diagnostic",
    )
    return found


def _slug(text: str) -> str:
    """Letters, digits, _ and - only, still different for different texts."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", text)
    if plain == text:
        return text
    return f"{plain}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"
