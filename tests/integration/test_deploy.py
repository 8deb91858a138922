"""The ready files of deploy/: Mosquitto runs with them, the others name only what we publish."""

from __future__ import annotations

import json
import queue
import re
import shutil
import ssl
import subprocess
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from spektron_edge.config.publishing import HomeAssistantSettings
from spektron_edge.demo.broker import free_port, mosquitto, wait_for
from spektron_edge.mqtt.home_assistant import HomeAssistant
from spektron_edge.mqtt.topics import Topics
from spektron_edge.publishing.records import PUBLISHED
from tests.integration.ear import ear
from tests.integration.rig import PATIENCE_S
from tests.requirements import need

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NOT_AUTHORISED = 0x87
CLIENTS = ("m5", "mp6", "historian", "scada", "operator")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """The folder that the script makes."""
    folder = tmp_path_factory.mktemp("certs")
    script = DEPLOY / "mosquitto" / "make-test-pki.sh"
    subprocess.run([script, folder, "127.0.0.1,localhost", *CLIENTS], check=True)
    return folder


@pytest.fixture(scope="module")
def port(pki, tmp_path_factory):
    """Of a Mosquitto with the shipped configuration and access list, only elsewhere."""
    need("broker")
    folder, free = tmp_path_factory.mktemp("broker"), free_port()
    shutil.copy(DEPLOY / "mosquitto" / "spektron.acl", folder)
    settings = (DEPLOY / "mosquitto" / "spektron.conf").read_text()
    for shipped, here in (
        ("listener 8883", f"user root\nlistener {free} 127.0.0.1"),
        ("/etc/mosquitto/certs/", f"{pki}/"),
        ("/etc/mosquitto/", f"{folder}/"),
        ("/var/lib/mosquitto/", f"{folder}/"),
    ):
        assert shipped in settings
        settings = settings.replace(shipped, here)
    (folder / "spektron.conf").write_text(settings)
    broker = subprocess.Popen(
        [mosquitto(), "-c", folder / "spektron.conf"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(free)
    yield free
    broker.terminate()
    assert broker.wait() == 0


@pytest.fixture
def tls(pki):
    """tls(name): the context of that client."""

    def make(name=None):
        context = ssl.create_default_context(cafile=pki / "ca.crt")
        if name is not None:
            context.load_cert_chain(pki / f"{name}.crt", pki / f"{name}.key")
        return context

    return make


@pytest.fixture
def answers(port, tls):
    """answers(name, topics): the PUBACK's reason code for each."""

    def publish(name, topics):
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.tls_set_context(tls(name))
        found = queue.Queue()
        client.on_publish = lambda _c, _u, mid, reason, _p: found.put((mid, reason.value))
        client.connect("127.0.0.1", port)
        client.loop_start()
        try:
            asked = {client.publish(topic, b"{}", qos=1).mid: topic for topic in topics}
            got = dict(found.get(timeout=PATIENCE_S) for _ in topics)
        finally:
            client.disconnect()
            client.loop_stop()
        return {asked[mid]: reason for mid, reason in got.items()}

    return publish


def test_an_instrument_publishes_below_its_own_name_and_nowhere_else(answers):
    kinds = ("prediction", "event", "state", "status", "model", "spectrum", "response/health")
    own = [f"spektron/lab/m5/{kind}" for kind in kinds]
    own += [f"spBv1.0/lab/{kind}/m5" for kind in ("NBIRTH", "NDATA", "NDEATH")]
    own += [f"spBv1.0/lab/{kind}/m5/spectrometer" for kind in ("DBIRTH", "DDATA", "DDEATH")]
    own.append(HomeAssistant(HomeAssistantSettings(), Topics("lab", "m5"), Path()).topic)
    others = [topic.replace("/m5", "/mp6") for topic in own if "/m5" in topic]
    others += ["spektron/lab/m5/command/reload", "spektron/elsewhere/m5/prediction", "anything"]
    others += ["spBv1.0/lab/NCMD/m5", "homeassistant/status"]
    found = answers("m5", own + others)
    assert {topic for topic, reason in found.items() if reason == NOT_AUTHORISED} == set(others)
    assert answers("mp6", own)[own[0]] == NOT_AUTHORISED


def test_a_consumer_only_reads_and_an_operator_only_asks(port, tls, answers):
    asked = ["spektron/lab/m5/prediction", "spektron/lab/m5/command/health", "spBv1.0/lab/NCMD/m5"]
    assert set(answers("historian", asked).values()) == {NOT_AUTHORISED}
    found = answers("operator", asked)
    assert [found[topic] == NOT_AUTHORISED for topic in asked] == [True, False, True]
    found = answers("scada", asked)
    assert [found[topic] == NOT_AUTHORISED for topic in asked] == [True, True, False]
    with ear(port, "spektron/lab/#", tls=tls("historian")) as reads:
        answers("m5", ["spektron/lab/m5/response/x", asked[0]])
        # What it may not read is not delivered; the order is kept.
        assert reads.until(lambda _: True, "a message").topic == asked[0]


def test_one_instrument_does_not_hear_another_s_commands(port, tls, answers):
    with ear(port, "spektron/lab/+/command/+", tls=tls("m5")) as own:
        answers("operator", ["spektron/lab/mp6/command/health", "spektron/lab/m5/command/health"])
        assert own.until(lambda _: True, "a command").topic == "spektron/lab/m5/command/health"


def test_without_a_certificate_there_is_no_connection(port, tls):
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(tls())
    ended = queue.Queue()
    client.on_connect = lambda *_: ended.put("accepted")
    client.on_disconnect = lambda *_: ended.put("ended")
    client.on_connect_fail = lambda *_: ended.put("ended")
    try:
        client.connect("127.0.0.1", port)
        client.loop_start()
        assert ended.get(timeout=PATIENCE_S) == "ended"
    except OSError:
        pass
    finally:
        client.loop_stop()


@pytest.mark.parametrize(
    "words", [(), ("x",), ("x", "localhost"), ("x", "localhost", "a b"), ("x", "localhost", "ca")]
)
def test_the_script_refuses_what_it_cannot_make(tmp_path, words):
    script = DEPLOY / "mosquitto" / "make-test-pki.sh"
    found = subprocess.run(
        [script, *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert found.returncode == 2
    assert found.stderr.strip()
    assert list(tmp_path.iterdir()) == []


def test_the_script_does_not_overwrite_an_authority(pki):
    script = DEPLOY / "mosquitto" / "make-test-pki.sh"
    before = (pki / "ca.crt").read_bytes()
    assert subprocess.run([script, pki, "localhost", "m7"], check=False).returncode == 1
    assert (pki / "ca.crt").read_bytes() == before


# ---- what reads our JSON


def flat(kind):
    """Regex of the names that Telegraf's `json` makes of a record, from its published schema."""
    schema = PUBLISHED[kind].model_json_schema(by_alias=True, mode="serialization")

    def names(node):
        if "$ref" in node:
            node = schema["$defs"][node["$ref"].rsplit("/", 1)[1]]
        for choice in node.get("anyOf", ()):
            yield from names(choice)
        for key, inner in node.get("properties", {}).items():
            yield from (f"{key}_{rest}" if rest else key for rest in names(inner))
        if isinstance(node.get("additionalProperties"), dict):
            yield from (
                f".+_{rest}" if rest else ".+" for rest in names(node["additionalProperties"])
            )
        if "items" in node:
            yield from (rf"\d+_{rest}" if rest else r"\d+" for rest in names(node["items"]))
        if node.get("type") in ("string", "number", "integer", "boolean"):
            yield ""

    return [re.compile(name) for name in names(schema)]


def known(kind, name):
    return any(pattern.fullmatch(name) for pattern in flat(kind))


def test_the_dashboard_names_only_fields_that_we_publish():
    board = json.loads((DEPLOY / "grafana" / "spektron.json").read_text())
    fields = 0
    for panel in board["panels"]:
        for target in panel["targets"]:
            (kind,) = re.findall(r'_measurement == "spektron_(\w+)"', target["query"])
            named = re.findall(r'_field == "(\w+)"', target["query"])
            patterns = re.findall(r"_field =~ /\^(.*?)\$/", target["query"])
            for pattern in patterns:
                parts = re.fullmatch(r"values_\.\*_\(?([a-z|]+)\)?", pattern)
                named += [f"values_moisture_{part}" for part in parts[1].split("|")]
            assert named
            for name in named:
                assert known(kind, name), f"{panel['title']}: {name}"
            fields += len(named)
    assert fields > 20
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]
    assert len(set(places)) == len(places)


def test_counters_that_the_dashboard_names_are_counted(broker, make_rig):
    """The schema lets any counter through: these names are the daemon's own."""
    text = (DEPLOY / "grafana" / "spektron.json").read_text()
    named = set(re.findall(r'_field == \\"counters_(\w+)\\"', text))
    with ear(broker.port, "spektron/lab/m5/state") as states:
        rig = make_rig(broker.url)
        rig.start()
        state = json.loads(states.until(lambda m: m.payload, "a state").payload)
        rig.stop()
    assert named <= set(state["counters"])


def test_telegraf_is_told_of_names_that_we_publish():
    text = (DEPLOY / "telegraf" / "spektron.conf").read_text()
    sections = text.split("[[inputs.mqtt_consumer]]")[1:]
    assert len(sections) == 3
    for section in sections:
        section = section.split("[[outputs")[0]
        (kind,) = re.findall(r'name_override = "spektron_(\w+)"', section)
        assert f'topics = ["spektron/+/+/{kind}"]' in section
        lists = re.findall(r"(?:tag_keys|json_string_fields) = (\[.*\])", section)
        (clock,) = re.findall(r'json_time_key = "(\w+)"', section)
        for name in [clock, *(name for found in lists for name in json.loads(found))]:
            assert known(kind, name), f"{kind}: {name}"
