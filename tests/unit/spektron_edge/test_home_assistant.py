"""The document that Home Assistant discovers the instrument by, against its documented fields."""

from __future__ import annotations

import json
import re

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spektron_edge.config.publishing import HomeAssistantSettings
from spektron_edge.mqtt.home_assistant import ANNOUNCED_FILE, HomeAssistant, components
from spektron_edge.mqtt.topics import Topics
from tests.predictions import prediction

TOPICS = Topics("lab", "m5")

# https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload and, for each platform,
# https://www.home-assistant.io/integrations/sensor.mqtt/#configuration-variables and
# https://www.home-assistant.io/integrations/binary_sensor.mqtt/#configuration-variables, by the
# abbreviations of https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations
DOCUMENT = {"dev": True, "o": True, "cmps": True, "avty": False, "qos": False, "stat_t": False}
DEVICE = {"ids", "cns", "name", "mf", "mdl", "mdl_id", "sw", "hw", "sn", "sa", "cu", "via_device"}
ORIGIN = {"name": True, "sw": False, "url": False}
AVAILABILITY = {"t": True, "val_tpl": False, "pl_avail": False, "pl_not_avail": False}
COMMON = {"p", "uniq_id", "name", "stat_t", "val_tpl", "dev_cla", "ent_cat", "en", "exp_aft", "ic"}
PLATFORMS = {
    "sensor": COMMON | {"unit_of_meas", "stat_cla", "sug_dsp_prc", "ops", "frc_upd"},
    "binary_sensor": COMMON | {"pl_on", "pl_off", "off_dly", "frc_upd"},
}
# https://www.home-assistant.io/integrations/sensor/#device-class, of those in use here.
CLASSES = {"sensor": {"duration": "s", "temperature": "°C"}, "binary_sensor": {}}


def check_fields(found, documented):
    assert set(found) <= set(documented)
    assert {name for name, required in documented.items() if required} <= set(found)


def check(document):
    """What Home Assistant would take; one that only has `p` is a removal."""
    check_fields(document, DOCUMENT)
    check_fields(document["o"], ORIGIN)
    for where in document["avty"]:
        check_fields(where, AVAILABILITY)
    assert set(document["dev"]) <= DEVICE
    assert document["dev"]["ids"]
    assert document["qos"] in (0, 1, 2)
    unique = [c["uniq_id"] for c in document["cmps"].values() if set(c) != {"p"}]
    assert len(set(unique)) == len(unique)
    for component in document["cmps"].values():
        platform = component["p"]
        assert set(component) <= PLATFORMS[platform]
        if set(component) == {"p"}:
            continue
        # Only required of a device's entities: a unique id, and where the state comes from.
        assert {"uniq_id", "stat_t"} <= set(component)
        if "dev_cla" in component:
            assert component["unit_of_meas"] == CLASSES[platform][component["dev_cla"]]
        assert component.get("ent_cat", "diagnostic") in ("diagnostic", "config")
        assert component.get("stat_cla", "measurement") in ("measurement", "total")


class Client:
    """Keeps what it is given."""

    def __init__(self):
        self.sent = []
        self.room = 100
        self.connected = True

    def send(self, message):
        if len(self.sent) >= self.room:
            return None
        self.sent.append(message)
        return len(self.sent)

    @property
    def documents(self):
        return [json.loads(message.payload) for message in self.sent]


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def make(tmp_path):
    """make(property=unit, ...) as after a start of the daemon."""

    def start(topics=TOPICS, **properties):
        made = HomeAssistant(HomeAssistantSettings(enabled=True), topics, tmp_path)
        made.model("corn@1.0.0", properties)
        return made

    return start


def test_the_document_has_documented_fields_only_and_all_required_ones(make, client):
    make(moisture="%", starch="%").announce(client)
    (message,) = client.sent
    assert message.retain
    assert re.fullmatch(r"homeassistant/device/[a-zA-Z0-9_-]+/config", message.topic)
    (document,) = client.documents
    check(document)
    assert {"value_moisture", "value_starch", "valid", "applicable", "unsent", "dark_age"} <= set(
        document["cmps"]
    )
    assert document["cmps"]["value_moisture"]["unit_of_meas"] == "%"


def test_the_templates_give_what_the_records_say(make, client):
    make(**{"moisture": "%", 'it\'s "5"': "g/kg"}).announce(client)
    (document,) = client.documents
    record = json.loads(prediction())
    record["values"]['it\'s "5"'] = {"value": None}
    state = {"counters": {"unsent": 3}, "faults": ["port_lost", "no_dark"]}
    said = {
        name: jinja2.Environment(autoescape=False)
        .from_string(component["val_tpl"])
        .render(value_json=record if component["stat_t"] == TOPICS.of("prediction") else state)
        for name, component in document["cmps"].items()
    }
    assert said.pop("value_moisture") == "10.2512"
    # What Home Assistant takes for "unknown".
    assert said.pop(next(name for name in said if name.startswith("value_"))) == "None"
    assert said == {
        "valid": "ON",
        "applicable": "ON",
        "dark_age": "3.5",
        "white_age": "4.25",
        "temperature": "31.25",
        "unsent": "3",
        "faults": "2",
    }
    record["applicability"] = None
    template = document["cmps"]["applicable"]["val_tpl"]
    assert jinja2.Template(template).render(value_json=record) == "None"
    record["applicability"] = {"t2": 1.0, "t2_limit": 2.0, "q": 3.0, "q_limit": 2.0}
    assert jinja2.Template(template).render(value_json=record) == "OFF"


def test_a_property_that_went_is_removed_once_the_broker_has_it(make, client):
    home = make(moisture="%", starch="%")
    home.announce(client)
    home.acknowledged(1, None)
    home = make(moisture="%")
    home.announce(client)
    assert len(client.sent) == 3
    removing, without = client.documents[1:]
    assert removing["cmps"]["value_starch"] == {"p": "sensor"}
    assert "value_starch" not in without["cmps"]
    check(removing)
    check(without)
    # Neither a refusal nor another message's answer is a reason to forget it.
    home.acknowledged(2, None)
    home.acknowledged(3, "Not authorized")
    home.announce(client)
    assert len(client.sent) == 5
    home.acknowledged(5, None)
    home.announce(client)
    assert len(client.sent) == 6


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"topic": 3}', '{"topic": "x", "components": 1}']
)
def test_a_damaged_note_keeps_nothing_from_being_announced(make, client, tmp_path, text):
    (tmp_path / ANNOUNCED_FILE).write_text(text)
    home = make(moisture="%")
    home.announce(client)
    home.acknowledged(1, None)
    assert json.loads((tmp_path / ANNOUNCED_FILE).read_text())["topic"] == home.topic


def test_instruments_have_different_ids(make):
    pairs = [("a.b", "c"), ("a_b", "c"), ("a", "b_c"), ("a", "b.c")]
    assert len({make(Topics(*pair)).topic for pair in pairs}) == len(pairs)


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.just("%"), max_size=5))
def test_every_property_has_an_entity_of_its_own_whatever_its_name(properties):
    found = components("x", TOPICS, properties)
    assert len(found) == len(components("x", TOPICS, {})) + len(properties)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", name) for name in found)
