"""Every scan is accounted for: received, or named by a gap event."""

from __future__ import annotations

from firmware_bridge.virtual import InjectedFaults
from tests.integration.rig import listening, until


def _made(rig):
    """Numbers of all sample scans that the instrument made since its power-on."""
    return set(rig.port.call(lambda: set(rig.port.device.presented)))


def _account(rig, subscriber, scans):
    """Wait until every sample scan is received or missed; no scan may be both."""
    until(lambda: rig.port.call(lambda: rig.port.device.samples_shown) >= scans, "all scans made")
    made = _made(rig)
    until(lambda: made <= rig.gather(subscriber) | rig.missed(), "an account of every scan")
    numbers = [record["scan"]["number"] for record in rig.received.values()]
    assert len(numbers) == len(set(numbers)), "a scan came under two ids"
    assert not set(numbers) & rig.missed()
    return set(numbers), rig.missed()


def test_unplugged_and_back_names_the_missing_scans(broker, make_rig):
    rig = make_rig(
        broker.url, scans=60, faults=InjectedFaults(unplug_at_scan=20, replug_after_s=1.0)
    )
    with listening(broker.port) as subscriber:
        rig.start()
        numbers, missed = _account(rig, subscriber, 60)
        assert rig.stop() == 0
    assert len(numbers) + len(missed & _made(rig)) == 60
    assert missed, "scans made while unplugged must be missed"
    assert max(numbers) > max(missed & _made(rig))
    assert "port_lost" in rig.codes()


def test_lost_and_broken_frames_are_gaps(broker, make_rig):
    faults = InjectedFaults(drop_numbers=frozenset({7, 8, 20}), flip_bits_at=frozenset({12}))
    rig = make_rig(broker.url, scans=25, interval_s=0.0, faults=faults)
    with listening(broker.port) as subscriber:
        rig.start()
        _, missed = _account(rig, subscriber, 25)
        assert rig.stop() == 0
    assert missed == {7, 8, 12, 20}


def test_power_cycle_of_the_instrument_starts_a_new_count(broker, make_rig):
    rig = make_rig(broker.url, scans=30)
    with listening(broker.port) as subscriber:
        rig.start()
        until(lambda: len(rig.gather(subscriber)) >= 5, "the first predictions")
        rig.port.power_cycle()
        boots = until(
            lambda: (
                rig.gather(subscriber)
                and len(b := {r["scan"]["boot_id"] for r in rig.received.values()}) == 2
                and b
            ),
            "predictions after the power cycle",
        )
        assert rig.stop() == 0
    assert len(boots) == 2
    assert "instrument_restarted" in rig.codes()
    assert rig.codes().count("references_measured") == 2
