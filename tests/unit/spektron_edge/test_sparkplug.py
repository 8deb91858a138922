"""What an edge node sends, read by the rules of the specification and by npm's implementation."""

from __future__ import annotations

import base64
import itertools
import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from spektron_edge.sparkplug.bd_seq import BD_SEQ_FILE, BdSeq
from spektron_edge.sparkplug.flow import Flow, Names
from spektron_edge.sparkplug.payload import asks_for_rebirth
from spektron_edge.sparkplug.wire import Payload
from tests import npm
from tests.requirements import need
from tests.sparkplug_host import Host

NAMES = Names("lab", "m5", "spectrometer")
MOST = 20


def prediction(number=1, values=None, *, valid=True):
    values = {"moisture": 10.25} if values is None else values
    return json.dumps(
        {
            "id": f"01J{number:023d}",
            "time": {"utc": "2026-05-04T03:02:01.250Z", "clock": "ok"},
            "valid": valid,
            "reasons": [] if valid else ["saturated"],
            "scan": {
                "number": number,
                "temperature_c": None,
                "dark_age_s": 3.5,
                "white_age_s": 4.0,
            },
            "values": {
                name: {"value": value, "unit": "%", "low": None, "high": None}
                for name, value in values.items()
            },
            "applicability": {"t2": 1.0, "t2_limit": 20.0, "q": 0.1, "q_limit": 0.5},
            "model": {"bundle": "corn@1.0.0"},
        }
    ).encode()


def event(number=1):
    time = {"utc": "2026-05-04T03:02:01.250Z", "clock": "ok"}
    record = {"id": f"e{number}", "time": time, "code": "port_lost", "level": "error"}
    return json.dumps({**record, "message": "gone"}).encode()


def state(uptime=1.0):
    time = {"utc": "2026-05-04T03:02:01.250Z", "clock": "ok"}
    counters = {"unsent": 3, "refused": 0, "missed_scans": 2}
    record = {"time": time, "faults": ["port_lost"], "counters": counters, "uptime_s": uptime}
    return json.dumps(record).encode()


class Sessions(RuleBasedStateMachine):
    """Sessions come and go, a host asks for births, records and models change at any moment."""

    def __init__(self):
        super().__init__()
        self.seconds = itertools.count()
        self.flow = Flow(NAMES, MOST, lambda: 1_700_000_000_000, lambda: next(self.seconds) / 3)
        self.host = None
        self.bd_seq = -1
        self.refuses = "/nothing/"
        self.number = 0
        self.offered = []
        self.late = set()

    @rule()
    def connect(self):
        self.bd_seq = (self.bd_seq + 1) % 256
        self.will = self.flow.death(self.bd_seq)
        self.late |= set(self.offered)
        self.flow.begin(self.bd_seq)
        self.host = Host()

    @rule()
    def lose(self):
        if self.host is not None:
            self.host.take(self.will.topic, self.will.payload)
            assert not self.host.online
        self.host = None

    @rule(most=st.integers(1, 40))
    def send(self, most):
        while self.host is not None and most and (message := self.flow.next()) is not None:
            assert (message.qos, message.retain) == (0, False)
            most -= 1
            if self.refuses in message.topic:
                self.flow.refused(message)
                continue
            self.host.take(message.topic, message.payload)
            assert self.host.bd_seq == self.bd_seq

    @rule(kind=st.sampled_from(["NBIRTH", "DBIRTH", "NDATA", "DDATA", "nothing", "nothing"]))
    def refuse(self, kind):
        self.refuses = f"/{kind}/"

    @rule()
    def ask_for_births(self):
        self.flow.rebirth()

    @rule(names=st.sets(st.sampled_from("abc"), max_size=3), stored=st.booleans())
    def predict(self, names, stored):
        self.number += 1
        self.offered.append(self.number)
        if stored or self.host is None:
            self.late.add(self.number)
        values = dict.fromkeys(names, 1.0)
        self.flow.offer("prediction", prediction(self.number, values), stored=stored)

    @rule()
    def tell(self):
        self.flow.offer("event", event())

    @rule()
    def state_of_now(self):
        self.flow.offer("state", state())

    @rule(names=st.sets(st.sampled_from("abc")))
    def change_model(self, names):
        self.flow.model(dict.fromkeys(names, "%"))

    @rule(present=st.booleans())
    def instrument(self, present):
        self.flow.instrument(present=present)

    @invariant()
    def what_waits_is_bounded(self):
        assert self.flow.waiting <= MOST

    @invariant()
    def records_arrive_in_order_and_late_ones_say_so(self):
        if self.host is None:
            return
        numbers = [d["Scan/Number"] for d in self.host.data if d["of"] == "device"]
        assert numbers == sorted(set(numbers))
        for found in self.host.data:
            if found["of"] == "device" and found["Scan/Number"] in self.late:
                assert found["historical"]


TestSessions = Sessions.TestCase
TestSessions.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def taken(flow, host=None):
    messages = []
    while (message := flow.next()) is not None:
        messages.append(message)
        if host is not None:
            host.take(message.topic, message.payload)
    return messages


def kinds(messages):
    return [message.topic.split("/")[2] for message in messages]


def begun(**more):
    flow = Flow(NAMES, **{"most": MOST, "now_ms": lambda: 1_700_000_000_000, **more})
    flow.begin(0)
    return flow


@settings(deadline=None, max_examples=20)
@given(st.integers(250, 300))
def test_seq_goes_round_after_255(count):
    flow, host = begun(most=1000), Host()
    for number in range(1, count + 1):
        flow.offer("prediction", prediction(number))
    taken(flow, host)
    assert [d["Scan/Number"] for d in host.data] == list(range(1, count + 1))


def test_a_device_is_born_with_the_instrument_and_dies_with_it():
    flow, host = begun(), Host()
    flow.model({"moisture": "%"})
    assert kinds(taken(flow, host)) == ["NBIRTH"]
    flow.instrument(present=True)
    assert kinds(taken(flow, host)) == ["DBIRTH"]
    flow.offer("prediction", prediction())
    flow.instrument(present=False)
    assert kinds(taken(flow, host)) == ["DDATA", "DDEATH"]


def test_a_birth_holds_the_last_values_of_now_and_not_of_history():
    flow = begun()
    flow.model({"moisture": "%"})
    flow.offer("prediction", prediction(1, {"moisture": 10.25}))
    flow.offer("prediction", prediction(2, {"moisture": 99.0}), stored=True)
    taken(flow)
    flow.rebirth()
    flow.instrument(present=True)
    node, device = (Payload.FromString(m.payload) for m in taken(flow))
    values = {m.name: m.double_value for m in device.metrics}
    assert values["Values/moisture/Value"] == 10.25
    assert {m.name for m in node.metrics} >= {"bdSeq", "Node Control/Rebirth", "State/Unsent"}


def test_nothing_follows_a_birth_that_was_refused():
    flow = begun()
    flow.instrument(present=True)
    flow.refused(flow.next())
    flow.offer("event", event())
    flow.offer("prediction", prediction())
    assert taken(flow) == []
    assert (flow.counts["sparkplug_refused"], flow.counts["sparkplug_sent"]) == (1, 0)
    flow.begin(1)
    assert kinds(taken(flow, Host())) == ["NBIRTH", "NDATA", "DBIRTH", "DDATA"]


def test_a_device_whose_birth_was_refused_is_silent_beside_its_node():
    flow, host = begun(), Host()
    flow.instrument(present=True)
    flow.offer("prediction", prediction(1))
    taken(flow, host)
    # Another metric needs another birth, and this one is too large.
    flow.offer("prediction", prediction(2, {"moisture": 1.0, "oil": 2.0}))
    flow.refused(flow.next())
    flow.offer("prediction", prediction(3))
    flow.offer("event", event())
    assert kinds(taken(flow, host)) == ["DDEATH", "NDATA"]
    assert host.device is None
    assert flow.counts["sparkplug_dropped"] == 2


def test_what_was_refused_leaves_no_hole_and_is_not_counted_as_sent():
    flow, host = begun(), Host()
    for number in (1, 2, 3):
        flow.offer("prediction", prediction(number))
    for message in iter(flow.next, None):
        if flow.counts["sparkplug_sent"] == 2 and not flow.counts["sparkplug_refused"]:
            flow.refused(message)
        else:
            host.take(message.topic, message.payload)
    assert [d["Scan/Number"] for d in host.data] == [1, 3]
    assert flow.counts["sparkplug_sent"] == 2


def test_births_are_given_once_a_second_however_often_they_are_asked_for():
    now = [0.0]
    flow, host = begun(running_s=lambda: now[0]), Host()
    taken(flow, host)
    for tenth in range(30):
        now[0] = tenth / 10
        flow.rebirth()
        flow.rebirth()
        taken(flow, host)
    assert host.births.count("NBIRTH") == 4
    assert flow.counts["sparkplug_rebirths"] == 3
    now[0] = 3.0
    assert kinds(taken(flow, host)) == ["NBIRTH"]


def test_an_invalid_value_has_bad_quality():
    flow = begun()
    flow.instrument(present=True)
    flow.offer("prediction", prediction(valid=False))
    *_, message = taken(flow)
    quality = {}
    for metric in Payload.FromString(message.payload).metrics:
        found = dict(zip(metric.properties.keys, metric.properties.values, strict=True))
        quality[metric.alias] = found["Quality"].int_value
    assert sorted(set(quality.values())) == [0, 192]


def test_what_is_too_much_is_dropped_oldest_first_and_counted():
    flow = Flow(NAMES, MOST, lambda: 0)
    for number in range(1, MOST + 6):
        flow.offer("prediction", prediction(number))
    flow.begin(0)
    host = Host()
    taken(flow, host)
    assert [d["Scan/Number"] for d in host.data] == list(range(6, MOST + 6))
    assert all(d["historical"] for d in host.data)
    assert flow.counts["sparkplug_dropped"] == 5


@pytest.mark.parametrize("payload", [b"", b"[]", b"{}", b'{"time": {"utc": 3}}', b"\xff"])
def test_a_record_that_is_not_understood_is_counted_and_stops_nothing(payload):
    flow, host = begun(), Host()
    flow.offer("prediction", payload)
    flow.offer("prediction", prediction(2))
    taken(flow, host)
    assert [d["Scan/Number"] for d in host.data] == [2]
    assert flow.counts["sparkplug_unreadable"] == 1


def test_rebirth_is_asked_for_by_name_or_alias_and_only_with_true():
    def command(**metric):
        payload = Payload(timestamp=1)
        payload.metrics.add(**metric)
        return payload.SerializeToString()

    name = "Node Control/Rebirth"
    assert asks_for_rebirth(command(name=name, boolean_value=True), 7)
    assert asks_for_rebirth(command(alias=7, boolean_value=True), 7)
    assert not asks_for_rebirth(command(name=name, boolean_value=False), 7)
    assert not asks_for_rebirth(command(alias=8, boolean_value=True), 7)
    assert not asks_for_rebirth(command(name="Node Control/Reboot", boolean_value=True), 7)
    with pytest.raises(ValueError, match=r"."):
        asks_for_rebirth(b"\x12\xff\xff\xff", 7)


@given(st.binary(max_size=200))
def test_no_command_ends_in_an_accident(payload):
    try:
        asks_for_rebirth(payload, 1)
    except ValueError:
        return


def test_bd_seq_begins_at_0_goes_on_after_a_restart_and_round_after_255(tmp_path):
    path = tmp_path / BD_SEQ_FILE
    assert [BdSeq(path).next() for _ in range(3)] == [0, 1, 2]
    path.write_text("255\n")
    counter = BdSeq(path)
    assert [counter.next(), counter.next()] == [0, 1]


@pytest.mark.parametrize("text", ["", "256", "-1", "none", "\udcff"])
def test_a_damaged_bd_seq_begins_again(tmp_path, text):
    path = tmp_path / BD_SEQ_FILE
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert BdSeq(path).next() == 0
    assert path.read_text() == "0\n"


def test_bd_seq_goes_on_in_memory_where_nothing_can_be_written(tmp_path):
    counter = BdSeq(tmp_path / "no such folder" / BD_SEQ_FILE)
    assert [counter.next(), counter.next()] == [0, 1]


def test_npm_s_sparkplug_payload_reads_every_kind_of_message():
    need("node")
    flow = begun()
    flow.model({"moisture": "%", "protéine": "g/kg"})
    flow.instrument(present=True)
    flow.offer("prediction", prediction(1, {"moisture": 10.25, "protéine": None}))
    flow.offer("prediction", prediction(2), stored=True)
    flow.offer("event", event())
    flow.offer("state", state())
    messages = taken(flow)
    flow.instrument(present=False)
    messages += [*taken(flow), flow.death(0)]
    assert kinds(messages) == [
        *("NBIRTH", "DBIRTH", "DDATA", "DDATA", "NDATA", "NDATA", "DDEATH", "NDEATH")
    ]
    lines = "\n".join(base64.b64encode(m.payload).decode() for m in messages)
    out = subprocess.run(
        ["node", "-e", READER],
        cwd=npm.installed("sparkplug-payload@1.0.3"),
        input=lines,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    node, device, live, old, told, _, _, dead = map(json.loads, out.splitlines())
    assert [m.get("seq") for m in (node, device, live, old, told)] == [0, 1, 2, 3, 4]
    assert "seq" not in dead
    assert named(node)["bdSeq"] == {"name": "bdSeq", "type": "Int64", "value": 0} | times(
        named(node)["bdSeq"]
    )
    assert named(node)["Node Control/Rebirth"]["value"] is False
    moisture = named(device)["Values/moisture/Value"]
    assert (moisture["type"], moisture["value"]) == ("Double", None)
    assert moisture["properties"]["engUnit"] == {"type": "String", "value": "%"}
    aliases = {m["alias"]: name for name, m in named(device).items()}
    values = {aliases[m["alias"]]: m["value"] for m in live["metrics"]}
    assert values["Values/moisture/Value"] == 10.25
    assert values["Values/protéine/Value"] is None
    assert values["Scan/Number"] == 1
    assert values["Valid"] is True
    assert {m["timestamp"] for m in live["metrics"]} == {1777863721250}
    assert not any(m.get("isHistorical") for m in live["metrics"])
    assert all(m["isHistorical"] for m in old["metrics"])
    assert dead["metrics"][0]["name"] == "bdSeq"


def named(message):
    return {metric["name"]: metric for metric in message["metrics"]}


def times(metric):
    return {"timestamp": metric["timestamp"]}


READER = """
const read = require('sparkplug-payload').get('spBv1.0').decodePayload
const plain = (k, v) => v && typeof v === 'object' && 'low' in v && 'high' in v
  ? (v.unsigned ? v.high >>> 0 : v.high) * 4294967296 + (v.low >>> 0) : v
for (const line of require('fs').readFileSync(0, 'utf8').trim().split('\\n'))
  console.log(JSON.stringify(read(Buffer.from(line, 'base64')), plain))
"""
