from __future__ import annotations

import re

import pytest

from spektron_edge.faults import Fault, Faults
from spektron_edge.publishing import active_faults
from spektron_edge.publishing.active_faults import ActiveFaults


def test_codes_and_exit_statuses_are_unique():
    kinds = [fault.value for fault in Faults]
    assert len({k.code for k in kinds}) == len({k.exit_status for k in kinds}) == len(kinds)


@pytest.mark.parametrize("kind", Faults, ids=lambda k: k.value.code)
def test_every_fault_has_a_name_a_status_and_a_next_step(kind):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.value.code)
    assert kind.name.lower() == kind.value.code
    # 0, 1 and 2 mean something else to shells and argparse, from 126 on to the system.
    assert 10 <= kind.value.exit_status < 126
    assert kind.value.next_step
    assert not kind.value.next_step.endswith(".")


def test_a_fault_says_what_happened_its_code_and_what_to_do():
    fault = Fault(Faults.PORT_BUSY, "/dev/ttyS0 is in use")
    assert str(fault) == (
        "/dev/ttyS0 is in use [port_busy] Next: stop the other program that holds the port."
    )
    assert (fault.code, fault.exit_status) == ("port_busy", 21)


def test_a_fault_is_news_once():
    seen = ActiveFaults()
    assert seen.begin(Fault(Faults.PORT_LOST, "one"))
    assert not seen.begin(Fault(Faults.PORT_LOST, "two"))
    assert seen.begin(Fault(Faults.DISK_FULL, "three"))
    assert seen.codes == ("port_lost", "disk_full")


def test_only_what_goes_on_can_end_and_the_latest_detail_is_told():
    seen = ActiveFaults()
    seen.begin(Fault(Faults.PORT_LOST, "one"))
    seen.begin(Fault(Faults.PORT_LOST, "two"))
    assert seen.end(active_faults.BROKER) == []
    assert [f.detail for f in seen.end(active_faults.LINE)] == ["two"]
    assert seen.end(active_faults.LINE) == []
    assert seen.begin(Fault(Faults.PORT_LOST, "three"))


SCAN_FAULTS = {
    Faults.SATURATED,
    Faults.LAMP_NOT_WARM,
    Faults.NO_DARK,
    Faults.NO_REFERENCE,
    Faults.REFERENCE_EXPIRED,
    Faults.NOT_FINITE,
    Faults.AXIS_INVALID,
    Faults.AXIS_OUTSIDE_MODEL,
    Faults.BUNDLE_INVALID,
}


def test_whatever_a_scan_can_suffer_from_ends_with_the_next_good_scan():
    assert set(active_faults.SCAN) >= SCAN_FAULTS


def test_every_fault_of_the_line_ends_when_the_instrument_answers():
    from spektron_edge.instrument.line_faults import LINE_FAULTS

    assert set(LINE_FAULTS.values()) <= {*active_faults.LINE, *active_faults.PREPARATION}
