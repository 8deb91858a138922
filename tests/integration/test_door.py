"""The door of a live daemon: what comes out of it, and what may be asked there."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from spektron_edge.door.asking import Command, Note
from spektron_edge.door.client import DoorAway, DoorStream
from spektron_edge.door.door import DOOR_FILE
from spektron_edge.door.notes import keep, notes
from spektron_edge.files.audit import verify
from spektron_edge.files.ledger import Action
from tests.integration.ear import ear
from tests.integration.rig import ROOT, Raw, Rig, until

APPROVED = "approved: it was checked"
_WAIT_S = 60.0


def enter(rig: Rig) -> DoorStream:
    """As soon as the daemon is there."""

    def come() -> DoorStream | None:
        try:
            return DoorStream(rig.folder / "state" / DOOR_FILE, _WAIT_S)
        except OSError:
            return None

    return until(come, "the door")


def ask(stream: DoorStream, name: str, role: str = "engineer", **given: Any) -> dict[str, Any]:
    """The last answer."""
    line = Command(**{"id": "q", "name": name, "by": "carl", "role": role, **given})
    stream.send(line)
    while (answer := stream.until("answer", id="q"))["stage"] == "accepted":
        pass
    return answer


def audited(rig: Rig) -> list[tuple[str, str]]:
    return [(line["who"], line["what"]) for line in rig.audited]


def numbers(text: str, dtype: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype)


def test_what_is_seen_at_the_door_is_what_is_published(broker, make_rig, streaming):
    rig = make_rig(broker.url, interval_s=0.1)
    rig.settings["spectra"] = {"every": 1}
    with ear(broker.port, f"{ROOT}/spectrum", f"{ROOT}/axis", f"{ROOT}/prediction") as heard:
        streaming(rig)
        with enter(rig) as stream:
            assert stream.receive()["type"] == "hello"
            first = [stream.receive()["type"] for _ in range(6)]
            assert first == ["model", "state", "axis", "prediction", "spectrum", "faults"]
            seen: dict[str, dict[str, Any]] = {}
            records: dict[str, dict[str, Any]] = {}
            state = 0
            while len(seen) < 20 or not state:
                told = stream.receive()
                if told["type"] == "spectrum":
                    seen[told["record"]] = told
                elif told["type"] == "prediction":
                    records[told["record"]["id"]] = told["record"]
                state += told["type"] == "state"
        both, published = 0, {}

        def arrived() -> bool:
            published.update(
                (json.loads(m.payload)["id"], json.loads(m.payload))
                for m in heard.hear()
                if m.topic.endswith("prediction")
            )
            return records.keys() <= published.keys()

        until(arrived, "all of them over MQTT")
        assert records == {id_: published[id_] for id_ in records}
        for message in heard.hear():
            if not message.topic.endswith("spectrum"):
                continue
            head, _, body = message.payload.partition(b"\n")
            record = json.loads(head)["record"]
            if record in seen:
                absorbance = np.frombuffer(body, "<f4")
                np.testing.assert_array_equal(numbers(seen[record]["absorbance"]), absorbance)
                assert seen[record]["axis"] == json.loads(head)["axis"]
                both += 1
        assert both > 10
    last = next(reversed(seen.values()))
    light = numbers(last["counts"]).astype(float) - numbers(last["dark"])
    white = numbers(last["white"]).astype(float) - numbers(last["dark"])
    np.testing.assert_allclose(
        -np.log10(light / white), numbers(last["absorbance"]), rtol=0, atol=2e-3
    )


def test_commands_by_role_and_what_the_audit_log_says(broker, make_rig, streaming):
    rig = streaming(make_rig(broker.url))
    with enter(rig) as stream:
        assert ask(stream, "health", "viewer")["message"] == "no fault"
        scanned = ask(stream, "scan-now", "operator")
        assert scanned["ok"]
        assert stream.until("prediction")
        dark = ask(stream, "take-dark", "operator")
        assert dark["ok"], dark
        assert not ask(stream, "take-dark", "viewer")["ok"]
        assert not ask(stream, "set-integration", "operator", arguments={"integration_us": 900})[
            "ok"
        ]
        assert ask(stream, "set-integration", arguments={"integration_us": 900})["ok"]
        assert "signature" in ask(stream, "reload")["message"]
        assert ask(stream, "reload", meaning=APPROVED)["ok"]
        assert not ask(stream, "set-integration", arguments={"wrong": 1})["ok"]
        stream.send_bytes(b'{"type":"command","id":"x","name":"health"}\n')
        assert not stream.until("answer", id="x")["ok"]
        stream.send(Note(id="n", what="page_signed_in", who="carl", details={"from": "::1"}))
        assert stream.until("answer", id="n")["ok"]
        counters = stream.until("state")["record"]["counters"]
        assert counters["door_connections"] == 1
        assert counters["door_refused"] >= 4
    names = audited(rig)
    for what in ("health", "scan-now", "take-dark", "set-integration", "reload"):
        assert ("carl", f"command_{what}") in names
    assert names.count(("carl", "command_refused")) == 3
    assert names[-1] == ("carl", "page_signed_in")
    (reload,) = (line for line in rig.audited if line["what"] == "command_reload")
    assert reload["details"]["through"] == "page"
    assert reload["details"]["meaning"] == APPROVED
    rig.stop()
    assert not (rig.folder / "state" / DOOR_FILE).exists()
    verify(rig.folder / "state" / "audit.jsonl")


def test_two_people_one_over_mqtt_and_one_at_the_door(broker, make_rig, streaming, command):
    rig = make_rig(broker.url)
    rig.allow("anna", "set-integration", "health")
    rig.allow("bert", "set-integration")
    rig.settings["commands"]["two_people"] = Raw('["set-integration"]')
    streaming(rig)
    status, response = command(rig, "set-integration", "anna", "integration_us=900")
    assert (status, response["stage"]) == (112, "waiting")
    given = {"integration_us": 900}
    with enter(rig) as stream:
        # Her own name at the page is not another person.
        mine = ask(stream, "set-integration", by="anna", arguments=given)
        assert mine["stage"] == "waiting"
        assert ask(stream, "set-integration", by="carl", arguments=given)["stage"] == "finished"
        partners = [(e["who"], e["details"].get("with")) for e in rig.audited]
        assert ("carl", "anna") in partners
        # And the other way round.
        given = {"integration_us": 1000}
        assert ask(stream, "set-integration", by="carl", arguments=given)["stage"] == "waiting"
        status, response = command(rig, "set-integration", "bert", "integration_us=1000")
        assert (status, response["ok"]) == (0, True)


@pytest.mark.once
def test_who_does_not_read_is_cut_off_and_costs_no_scan(broker, make_rig, streaming):
    rig = streaming(make_rig(broker.url))
    with enter(rig) as deaf, enter(rig) as other:

        def cut_off() -> bool:
            state = other.until("state")["record"]
            return state["counters"].get("door_cut_off", 0) == 1

        until(cut_off, "the end of who does not read")
        assert ask(other, "health", "viewer")["result"]["dropped_scans"] == 0
        with pytest.raises(DoorAway):
            deaf.until("what never comes")
    rig.stop()
    scans = rig.gather(rig.subscriber)
    assert rig.missed() == set()
    assert max(scans) - min(scans) + 1 == len(scans)


def test_after_kill_9_the_door_opens_again_and_notes_are_told(broker, make_rig, streaming):
    rig = streaming(make_rig(broker.url))
    with enter(rig) as stream:
        stream.until("prediction")
        rig.kill()
        with pytest.raises((DoorAway, OSError)):
            stream.until("what never comes")
    state = rig.folder / "state"
    assert (state / DOOR_FILE).exists()
    keep(state, Action(what="page_sign_in_failed", who="mallory", details={"utc": "meanwhile"}))
    rig.start()
    with enter(rig) as stream:
        assert stream.until("prediction")
        until(lambda: ("mallory", "page_sign_in_failed") in audited(rig), "the note")
        assert ask(stream, "health", "viewer")["ok"]
    until(lambda: notes(state).read().untold == (), "an empty ledger")
    rig.stop()
    assert audited(rig).count(("mallory", "page_sign_in_failed")) == 1


def test_a_door_that_cannot_be_made_is_a_fault_and_nothing_else(broker, make_rig, streaming):
    rig = make_rig(broker.url)
    (rig.folder / "state").mkdir()
    (rig.folder / "state" / DOOR_FILE).write_text("somebody's own")
    streaming(rig)
    until(lambda: rig.gather(rig.subscriber) and "door_shut" in rig.codes(), "the event")
    before = len(rig.received)
    until(lambda: len(rig.gather(rig.subscriber)) > before + 5, "predictions all the same")
    rig.stop()
    assert (rig.folder / "state" / DOOR_FILE).read_text() == "somebody's own"


def test_without_broker_and_instrument_the_door_still_tells(broker, make_rig, streaming):
    rig = streaming(make_rig(broker.url))
    with enter(rig) as stream:
        stream.until("faults")
        broker.kill()
        told = stream.until("faults")["faults"]
        assert [fault["code"] for fault in told] == ["broker_unreachable"]
        assert stream.until("prediction")
        assert rig.port is not None
        rig.port.close()
        while len(told := stream.until("faults")["faults"]) < 2:
            pass
        assert all(fault["next_step"] and fault["since_utc"] for fault in told)
    with enter(rig) as stream:
        known = {stream.receive()["type"] for _ in range(7)}
        assert {"hello", "model", "state", "axis", "prediction", "spectrum", "faults"} == known
