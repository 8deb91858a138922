"""Commands that a daemon obeys over MQTT."""

from __future__ import annotations

from typing import Literal, get_args

CommandName = Literal[
    "health",
    "reload",
    "take-dark",
    "take-reference",
    "scan-now",
    "set-integration",
    "auto-range",
    "wavelength-check",
    "choose-product",
    "transfer-start",
    "transfer-add",
    "transfer-status",
    "transfer-finish",
    "transfer-discard",
    "transfer-list",
    "transfer-activate",
    "transfer-rollback",
    "adapt-service-event",
    "adapt-stability",
    "adapt-status",
    "adapt-list",
    "adapt-approve",
    "adapt-reject",
    "adapt-rollback",
    "adapt-reset",
]
COMMANDS: tuple[CommandName, ...] = get_args(CommandName)
