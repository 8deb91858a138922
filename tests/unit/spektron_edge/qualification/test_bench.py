"""What is measured at the door, and what is not: scans from before, unsound ones, changes amid."""

from __future__ import annotations

import base64
import json
import socket
import threading

import numpy as np
import pytest

from spektron_edge.faults import Fault, Faults
from spektron_edge.qualification.bench import Bench

AXIS = np.arange(1100.0, 1110.0)


def numbers(values, dtype):
    return base64.b64encode(np.asarray(values).astype(dtype).tobytes()).decode()


def axis(id_="x"):
    return {"type": "axis", "serial": "S", "id": id_, "values": numbers(AXIS, "<f8")}


def scan(number, **changes):
    """A prediction and its spectrum; changes: of either."""
    id_ = f"r{number}"
    model = {"bundle": "b", "product": "p", "transfer": None, "adaptation": None}
    record = {
        "id": id_,
        "serial": "S",
        "values": {"moisture": {"value": 10.0 + number, "unit": "%"}},
        "reasons": [],
        "model": {**model, **changes.get("model", {})},
    }
    record |= {k: v for k, v in changes.items() if k in record and k != "model"}
    spectrum = {
        "type": "spectrum",
        "record": id_,
        "serial": "S",
        "axis": "x",
        "utc": f"2026-11-23T12:00:{number:02d}.000Z",
        "absorbance": numbers(AXIS * 0 + number, "<f4"),
    }
    spectrum |= {k: v for k, v in changes.items() if k in spectrum}
    return [{"type": "prediction", "record": record}, spectrum]


def dark(number):
    return scan(number, absorbance=None, reasons=["no_dark"])


def welcome(*before):
    hello = {"type": "hello", "version": "1"}
    state = {"type": "state", "record": {"device": {"serial": "S"}}}
    faults = {"type": "faults", "faults": [{"code": "clock_suspect"}]}
    return [hello, state, axis(), *before, faults]


@pytest.fixture
def door(tmp_path):
    """door(messages): a daemon that says this to whoever comes, and then waits."""
    opened = []

    def make(*messages, stay=True, patience_s=60.0):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "door.sock"))
        listener.listen()
        leave = threading.Event()

        def serve():
            stream, _ = listener.accept()
            with stream:
                text = "".join(json.dumps(message) + "\n" for message in messages)
                stream.sendall(text.encode())
                if stay:
                    leave.wait(60)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        opened.append((listener, leave, thread))
        return Bench(tmp_path, patience_s)

    yield make
    for listener, leave, thread in opened:
        leave.set()
        thread.join()
        listener.close()


def test_scans_from_before_do_not_count(door):
    told = []
    # The one of the welcome, and the first that comes, may have begun before the standard lay here.
    bench = door(*welcome(*scan(1)), *scan(2), *scan(3), *scan(4), *scan(5))
    found = bench.measure(2, told.append)
    assert found.records == ("r3", "r4")
    assert told == [1, 2]
    np.testing.assert_array_equal(found.absorbance[:, 0], [3.0, 4.0])
    np.testing.assert_array_equal(found.values["moisture"], [13.0, 14.0])
    np.testing.assert_array_equal(found.axis_nm, AXIS)
    assert np.diff(found.at_s) == pytest.approx(1.0)
    assert found.units == {"moisture": "%"}
    assert found.calibration.bundle == "b"


def test_what_is_known_at_once(door):
    found = door(*welcome(*scan(1))).look()
    assert found.newest == "r1"
    assert found.faults == ("clock_suspect",)
    assert found.axis.id == "x"
    assert found.model is None


def test_unsound_scans_are_passed_over(door):
    without = scan(3, absorbance=None, reasons=["saturated"])
    bench = door(*welcome(), *scan(2), *without, *scan(4), *scan(5))
    assert bench.measure(2, lambda _: None).records == ("r4", "r5")


def test_values_count_while_only_a_qualification_is_due(door):
    due, far = scan(3, reasons=["qualification_due"]), scan(4, reasons=["t2_above_limit"])
    found = door(*welcome(), *scan(2), *due, *far).measure(2, lambda _: None)
    np.testing.assert_array_equal(found.values["moisture"], [13.0, np.nan])
    assert found.invalid == ("t2_above_limit",)


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        (
            [s for n in range(2, 14) for s in scan(n, absorbance=None, reasons=["no_dark"])],
            "no_dark",
        ),
        ([*scan(2), *scan(3), *scan(4, serial="T")], "another instrument"),
        ([*scan(2), *scan(3), axis("y"), *scan(4, axis="y")], "another instrument or axis"),
        ([*scan(2), *scan(3), *scan(4, model={"transfer": {"id": "t"}})], "calibration changed"),
        ([*scan(2)], "said nothing for 1 s"),
        ([{"type": "state", "record": {}}], "said nothing for 1 s"),
    ],
    ids=["unsound", "serial", "axis", "calibration", "silent", "idle"],
)
def test_what_ends_a_measurement(door, messages, told):
    patience_s = 1.0 if "said nothing" in told else 60.0
    with pytest.raises(Fault, match=told) as caught:
        door(*welcome(), *messages, patience_s=patience_s).measure(3, lambda _: None)
    assert caught.value.kind is Faults.COMMAND_NOT_DONE


def test_a_daemon_that_goes_and_one_that_was_never_there(door, tmp_path):
    with pytest.raises(Fault, match="the daemon ended") as caught:
        door(*welcome(), *scan(2), *scan(3), stay=False).measure(3, lambda _: None)
    assert caught.value.kind is Faults.COMMAND_NOT_DONE
    with pytest.raises(Fault, match="start it first"):
        Bench(tmp_path / "absent").look()
