from __future__ import annotations

import pytest

from spektron_edge import roles
from spektron_edge.command_names import COMMANDS

ENGINEER_ONLY, SIGNED = "engineer", True
# Least role, and whether it is signed.
TABLE = {
    "health": ("viewer", False),
    "reload": ("engineer", SIGNED),
    "take-dark": ("operator", False),
    "take-reference": ("operator", False),
    "scan-now": ("operator", False),
    "set-integration": ("engineer", False),
    "auto-range": ("operator", False),
    "wavelength-check": ("operator", False),
    "choose-product": ("engineer", False),
    "transfer-start": ("operator", False),
    "transfer-add": ("operator", False),
    "transfer-status": ("viewer", False),
    "transfer-finish": ("engineer", SIGNED),
    "transfer-discard": ("operator", False),
    "transfer-list": ("viewer", False),
    "transfer-activate": ("engineer", SIGNED),
    "transfer-rollback": ("engineer", SIGNED),
    "adapt-service-event": ("operator", False),
    "adapt-stability": ("operator", False),
    "adapt-status": ("viewer", False),
    "adapt-list": ("viewer", False),
    "adapt-approve": ("engineer", SIGNED),
    "adapt-reject": ("engineer", SIGNED),
    "adapt-rollback": ("engineer", SIGNED),
    "adapt-reset": ("engineer", SIGNED),
    "bundle-install": ("engineer", SIGNED),
    "bundle-activate": ("engineer", SIGNED),
    "bundle-rollback": ("engineer", SIGNED),
}


def test_the_table_has_every_command_and_nothing_else():
    assert set(TABLE) == set(roles.ACTIONS) == {*COMMANDS, *roles.PAGE_ACTIONS}


@pytest.mark.parametrize("action", TABLE)
def test_a_role_may_what_the_table_says(action):
    least, signed = TABLE[action]
    for role in roles.ROLES:
        enough = roles.ROLES.index(role) >= roles.ROLES.index(least)
        assert roles.may(role, action, {}) is enough
    assert roles.needs_signature(action, {}) is signed


@pytest.mark.parametrize(
    ("arguments", "only_reports"),
    [
        ({"dry_run": True}, True),
        ({"dry_run": False}, False),
        ({"dry_run": 1}, False),
        ({"dry_run": "true"}, False),
        ({}, False),
    ],
)
def test_a_report_of_a_transfer_is_an_operators(arguments, only_reports):
    assert roles.may("operator", "transfer-finish", arguments) is only_reports
    assert roles.needs_signature("transfer-finish", arguments) is not only_reports
    assert not roles.may("viewer", "transfer-finish", arguments)
    assert roles.may("engineer", "transfer-finish", arguments)


def test_dry_run_opens_nothing_else():
    assert not roles.may("operator", "reload", {"dry_run": True})
    assert roles.needs_signature("reload", {"dry_run": True})


@pytest.mark.parametrize("role", roles.ROLES)
def test_nobody_may_what_there_is_not(role):
    assert not roles.may(role, "unheard-of", {})
