"""The command `reload`: configuration and bundle read again, while scans go on."""

from __future__ import annotations

from pathlib import Path

from . import log
from .config import Config, load_config
from .faults import Fault
from .mqtt.command_handler import CommandOutcome
from .product import take_product
from .serving import Serving

# What takes effect when the daemon starts.
_FIXED = (
    "site",
    "instrument",
    "state_dir",
    "serial",
    "acquisition",
    "mqtt",
    "outbox",
    "home_assistant",
    "sparkplug",
    "metrics",
)


def reload(path: Path, before: Config, serving: Serving) -> tuple[Config, CommandOutcome]:
    """The configuration from now on; on any fault everything stays as it was."""
    try:
        config = load_config(path)
        later = [name for name in _FIXED if getattr(config, name) != getattr(before, name)]
        config = config.model_copy(update={name: getattr(before, name) for name in _FIXED})
        loaded = take_product(config, serving.serial, running=serving.model.bundle_id)
    except Fault as fault:
        return before, CommandOutcome(False, f"nothing was changed: {fault}")
    log.set_up(config.log.format, config.log.level)
    left = serving.model.bundle_id
    serving.take(loaded)
    bundle = loaded.model.bundle_id
    if loaded.left:
        return config, CommandOutcome(False, f"fell back to {bundle}: {loaded.left}")
    message = f"bundle {left} -> {bundle}, signed by {serving.signed_by or 'nobody asked for'}"
    if serving.transfer is not None:
        message += f"; transfer {serving.transfer.number}"
    if serving.in_use.adaptation is not None:
        message += f"; adaptation {serving.in_use.adaptation.number}"
    if later:
        message += f"; restart for: {', '.join(later)}"
    return config, CommandOutcome(True, message, {"bundle": bundle})
