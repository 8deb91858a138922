"""Which broker the daemon uses now, for tools on the same device.

The configuration file may have changed since it was read: a command that asks the daemon to read it
again has to go where the daemon is, not where it is told to go.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from spektron_edge import log
from spektron_edge.config.mqtt import Mqtt
from spektron_edge.files.durable import write_durably

IN_USE_FILE = "mqtt.json"


class _InUse(BaseModel):
    """file: the configuration file that the daemon was started with; mqtt: what it goes by."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    file: Path
    mqtt: Mqtt


def note_in_use(state_dir: Path, file: Path, mqtt: Mqtt) -> None:
    """Write it down. Where that cannot be done, tools go by the file."""
    data = _InUse(file=file.resolve(), mqtt=mqtt).model_dump_json().encode() + b"\n"
    path = state_dir / IN_USE_FILE
    try:
        if not path.exists() or path.read_bytes() != data:
            write_durably(path, data)
    except OSError as error:
        log.warn("broker_in_use_not_noted", detail=error, next="see `state_dir`")


def in_use(state_dir: Path, file: Path) -> Mqtt | None:
    """What the daemon of that file goes by; None where it has not said so."""
    try:
        noted = _InUse.model_validate_json((state_dir / IN_USE_FILE).read_bytes())
    except (OSError, ValidationError):
        return None
    return noted.mqtt if noted.file == file.resolve() else None
