"""Who may do what at the instrument's page: one table, for the daemon's door and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from .command_names import COMMANDS

Role = Literal["viewer", "operator", "engineer"]
ROLES: tuple[Role, ...] = get_args(Role)
Meaning = Literal["reviewed", "approved", "responsible"]
MEANINGS: tuple[Meaning, ...] = get_args(Meaning)

# What the page does by itself, as the command line does it: slots of bundles.
PAGE_ACTIONS = ("bundle-install", "bundle-activate", "bundle-rollback")
ACTIONS: tuple[str, ...] = (*COMMANDS, *PAGE_ACTIONS)

_VIEWER = frozenset({"health", "transfer-status", "transfer-list", "adapt-status", "adapt-list"})
_OPERATOR = _VIEWER | {
    "take-dark",
    "take-reference",
    "scan-now",
    "auto-range",
    "wavelength-check",
    "transfer-start",
    "transfer-add",
    "transfer-discard",
    "adapt-service-event",
    "adapt-stability",
}
# 21 CFR 11.50 and 11.200: the password once more, and what the signature means.
_SIGNED = frozenset(
    {
        "transfer-finish",
        "transfer-activate",
        "transfer-rollback",
        "adapt-approve",
        "adapt-reject",
        "adapt-rollback",
        "adapt-reset",
        "reload",
        *PAGE_ACTIONS,
    }
)
_MAY: Mapping[Role, frozenset[str]] = {
    "viewer": _VIEWER,
    "operator": _OPERATOR,
    "engineer": frozenset(ACTIONS),
}


def may(role: Role, action: str, arguments: Mapping[str, object]) -> bool:
    """Whether a role may do this; nobody may do what there is not."""
    allowed = _MAY[role]
    return action in allowed or (_only_reports(action, arguments) and "transfer-add" in allowed)


def needs_signature(action: str, arguments: Mapping[str, object]) -> bool:
    """Whether it needs an electronic signature with its meaning."""
    return action in _SIGNED and not _only_reports(action, arguments)


def _only_reports(action: str, arguments: Mapping[str, object]) -> bool:
    return action == "transfer-finish" and arguments.get("dry_run") is True
