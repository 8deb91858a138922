"""The command reference: nothing is left empty, and what a command can end with is found."""

from __future__ import annotations

import argparse

import pytest

from spektron_edge.cli.main import main
from spektron_edge.faults import Faults
from tests.command_line_page import command_line_page
from tests.parsers import parsers
from tests.reachable_faults import reachable
from tests.told_statuses import hold, told

SPOKEN = parsers()


@pytest.mark.parametrize("words", SPOKEN, ids=" ".join)
def test_every_argument_says_what_it_is(words):
    taken = [a for a in SPOKEN[words]._actions if not isinstance(a, argparse._SubParsersAction)]
    assert [a.dest for a in taken if not (a.help or "").strip()] == []


def test_every_command_names_what_it_ends_with():
    sections = command_line_page().split("\n### ")
    for section in sections[1:]:
        if section.startswith("spektron-edge") and " ACTION\n" not in section:
            assert "\nExit statuses: " in section or "\nIt ends with no fault." in section, section


@pytest.mark.parametrize(
    ("command", "among", "never"),
    [
        ("operator reset-counter", Faults.COMMAND_INPUT, Faults.PORT_MISSING),
        ("mqtt-clear", Faults.BROKER_REFUSED, Faults.BUNDLE_INVALID),
        ("check-config", Faults.PORT_MISSING, Faults.PAGE_MISSING),
        ("doctor", Faults.EXAMINATION_BAD, Faults.PORT_MISSING),
        ("transfer finish", Faults.TRANSFER_INVALID, Faults.BROKER_REFUSED),
        ("conformance", Faults.NOT_CONFORMING, Faults.CONFIG_INVALID),
    ],
)
def test_faults_of_a_command_are_those_that_it_can_come_to(command, among, never):
    parser = SPOKEN[("spektron-edge", *command.split())]
    found = reachable(parser.get_default("command"))
    assert among in found
    assert never not in found


def test_what_a_test_runs_is_held_against_the_page(capsys, tmp_path):
    assert told(["doctor"]) == {1, Faults.EXAMINATION_BAD.value.exit_status}
    assert told(["schema"]) == set()
    assert main(["verify", str(tmp_path / "absent.spektron")]) in told(["verify"])
    with pytest.raises(AssertionError, match="does not say that schema can end with 11"):
        hold(["schema"], 11)
