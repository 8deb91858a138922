"""Keys of those who may send commands: each readable, each its own."""

from __future__ import annotations

from collections.abc import Iterator

from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.mqtt.commands import CommandRefused, read_key, shared_with

from .finding import Finding, ok, unseen

PART = "operators"


def check_keys(config: Config) -> None:
    """Raises Fault(CONFIG_INVALID)."""
    operators = config.commands.operators
    try:
        for operator in operators:
            key = read_key(operator.name, operator.key_file)
            if (other := shared_with(key, operators)) is not None:
                told = f"{operator.name} and {other} have one key: nobody could tell them apart"
                raise Fault(Faults.CONFIG_INVALID, told)
    except CommandRefused as error:
        raise Fault(Faults.CONFIG_INVALID, str(error)) from None


def look(config: Config) -> Iterator[Finding]:
    """Raises Fault(CONFIG_INVALID)."""
    check_keys(config)
    names = ", ".join(operator.name for operator in config.commands.operators)
    if names:
        yield ok(PART, f"{names}: keys can be read, and each has its own")
    else:
        yield unseen(PART, "nobody may send commands over MQTT")
