"""Whom the looks are at: a configuration, its state folder, and the daemon where one runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spektron_edge.config.file import Config
from spektron_edge.door.client import DoorAway, DoorStream
from spektron_edge.door.door import DOOR_FILE
from spektron_edge.files.lock_files import is_locked

_DOOR_WAIT_S = 5.0


@dataclass(frozen=True)
class Told:
    """What a daemon says of itself at its door. state, model: records, None where it has none yet;
    faults: those that go on."""

    version: str
    state: Mapping[str, Any] | None
    model: Mapping[str, Any] | None
    faults: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Subject:
    """running: whether a daemon holds the state folder; told: what it says, None where it says
    nothing, and then why_untold."""

    path: Path
    config: Config
    running: bool
    told: Told | None = None
    why_untold: str = ""

    @property
    def codes(self) -> tuple[str, ...]:
        """Of the faults that go on, as far as it says."""
        return () if self.told is None else tuple(fault["code"] for fault in self.told.faults)


def subject_of(path: Path, config: Config) -> Subject:
    """As it is now. path: of the configuration."""
    if not is_locked(config.state_dir):
        return Subject(path, config, running=False, why_untold="no daemon runs")
    try:
        told = _asked(config.state_dir / DOOR_FILE)
    except PermissionError:
        why = "its door opens to its own user and to root only"
    except (OSError, DoorAway, ValueError, KeyError, TypeError) as error:
        why = f"it does not answer at its door ({str(error) or type(error).__name__})"
    else:
        return Subject(path, config, running=True, told=told)
    return Subject(path, config, running=True, why_untold=why)


def _asked(door: Path) -> Told:
    """Everything that somebody who comes in is told; faults come last."""
    seen: dict[str, Any] = {}
    with DoorStream(door, _DOOR_WAIT_S) as stream:
        while "faults" not in seen:
            message = stream.receive()
            seen[message["type"]] = message
    return Told(
        str(seen["hello"]["version"]),
        seen["state"]["record"] if "state" in seen else None,
        seen["model"]["record"] if "model" in seen else None,
        tuple(seen["faults"]["faults"]),
    )
