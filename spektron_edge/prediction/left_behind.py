"""What instruments go on using that was made for another bundle: their results are invalid."""

from __future__ import annotations

from pathlib import Path

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.faults import Fault
from spektron_edge.transfer_state import StateStore


def left_behind(state_dir: Path, bundle: str) -> list[str]:
    """Transfers and adaptations in use that do not fit this bundle, each with the way back."""
    told: list[str] = []
    try:
        versions = StateStore(state_dir).read()
        for serial in versions.used:
            version = versions.active(serial)
            if version is not None and version.header.bundle != bundle:
                what = f"transfer {version.number} of {serial} is for {version.header.bundle}"
                told.append(f"{what}: `spektron-edge transfer rollback`, or a new transfer")
        adaptations = AdaptationStore(state_dir).read()
        for serial in adaptations.used:
            entry = adaptations.active(serial)
            if entry is not None and entry.bundle != bundle:
                what = f"adaptation {entry.number} of {serial} is for {entry.bundle}"
                told.append(f"{what}: `spektron-edge adapt reset`")
    except Fault as fault:
        told.append(str(fault))
    return told
