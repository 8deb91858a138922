from __future__ import annotations

import pytest

from spektron_edge.daemon.liveness import status_line


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ((None, False, (), 0), "no instrument; broker away; 0 records wait; no fault"),
        (
            ("A1", True, ("clock_suspect",), 1),
            "instrument A1; broker connected; 1 record waits; faults: clock_suspect",
        ),
        (
            ("A1", False, ("port_lost", "broker_unreachable"), 7),
            "instrument A1, not on the line; broker away; 7 records wait; "
            "faults: port_lost, broker_unreachable",
        ),
    ],
)
def test_the_line_for_people_says_what_is_there_and_what_is_not(known, line):
    assert status_line(*known) == line
