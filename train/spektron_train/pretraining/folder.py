"""A run's folder: what lies in it, and who may write there.

config.json, status.json, checkpoints/, log/, and at the end foundation/.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from spektron_train.archive import write_file

from .config import PretrainConfig, parse_config
from .state import StateError
from .status import NAME as STATUS
from .status import StatusError, read_status, seen_state

CONFIG, CHECKPOINTS, LOG, FOUNDATION = "config.json", "checkpoints", "log", "foundation"


def claim(folder: Path, config: PretrainConfig, recipe: str, *, resume: bool) -> None:
    """Make the folder this run's own and note its configuration. Raises StateError."""
    try:
        holds_run = (folder / CONFIG).is_file()
        if resume and not holds_run:
            raise StateError(f"{folder} holds no run to resume; begin one without --resume")
        if not resume and holds_run:
            raise StateError(f"{folder} holds a run; add --resume, or name another folder")
        if not resume and folder.exists() and any(folder.iterdir()):
            raise StateError(f"{folder} is not empty; name another folder")
        if (folder / STATUS).is_file():
            _check_idle(folder)
        folder.mkdir(parents=True, exist_ok=True)
        noted = {"recipe": recipe, "config": config.model_dump(mode="json")}
        write_file(folder / CONFIG, (json.dumps(noted, indent=1) + "\n").encode())
    except OSError as error:
        raise StateError(f"cannot use {folder}: {error}; name another folder") from None


def recall(folder: Path) -> tuple[PretrainConfig, str]:
    """Configuration and recipe of the run in a folder. Raises StateError, ConfigError."""
    path = folder / CONFIG
    try:
        noted = json.loads(path.read_bytes())
        raw, recipe = noted["config"], str(noted["recipe"])
    except OSError as error:
        raise StateError(f"{folder} holds no run to resume ({error})") from None
    except (ValueError, KeyError, TypeError):
        raise StateError(f"{path} is damaged; name the run's configuration by --config") from None
    return parse_config(raw, str(path)), recipe


def _check_idle(folder: Path) -> None:
    try:
        status = read_status(folder)
    except StatusError:
        return
    if seen_state(status, time.time()) == "running":
        raise StateError(
            f"the run in {folder} is still running (process {status.pid} on {status.host}); "
            "stop it first"
        )
