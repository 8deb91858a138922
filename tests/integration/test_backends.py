"""A GPU is asked for and not there: predictions go on, and everybody is told."""

from __future__ import annotations

from spektron_edge.faults import Faults
from tests.integration.rig import listening, until


def test_a_gpu_that_is_not_there_is_told_and_nothing_is_lost(broker, make_rig):
    rig = make_rig(broker.url, scans=5)
    rig.settings["inference"] = {"backend": "tensorrt"}
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) == 5, "5 predictions")
        assert rig.stop() == 0
        until(lambda: subscriber.offline, "the farewell")
        rig.gather(subscriber)
    (told,) = (event for event in rig.events if event["code"] == "backend_fell_back")
    assert told["message"].startswith("tensorrt was asked for, the CPU is used: ")
    for record in rig.received.values():
        assert record["valid"]
        assert record["model"]["backend_asked"] == "tensorrt"
        assert record["model"]["backend_active"] == "cpu"
        assert record["model"]["provider"] == "CPUExecutionProvider"
    assert "backend_fell_back" in subscriber.state["faults"]


def test_fail_fast_ends_where_the_gpu_is_missing(broker, make_rig):
    rig = make_rig(broker.url, scans=1)
    rig.settings["inference"] = {"backend": "tensorrt"}
    assert rig.run("--fail-fast") == Faults.BACKEND_FELL_BACK.value.exit_status
