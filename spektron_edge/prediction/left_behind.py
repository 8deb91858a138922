"""What instruments go on using that was made for another bundle: their results are invalid."""

from __future__ import annotations

from pathlib import Path

from spektron_edge.adaptation_state import AdaptationStore
from spektron_edge.faults import Fault
from spektron_edge.said import Said, Sayings
from spektron_edge.transfer_state import StateStore


def left_behind(state_dir: Path, bundle: str) -> list[Said]:
    """Transfers and adaptations in use that do not fit this bundle, each with the way back."""
    told: list[Said] = []
    try:
        versions = StateStore(state_dir).read()
        for serial in versions.used:
            version = versions.active(serial)
            if version is not None and version.header.bundle != bundle:
                made_for = version.header.bundle
                left = Sayings.TRANSFER_LEFT.of(
                    number=version.number, serial=serial, bundle=made_for
                )
                told.append(left)
        adaptations = AdaptationStore(state_dir).read()
        for serial in adaptations.used:
            entry = adaptations.active(serial)
            if entry is not None and entry.bundle != bundle:
                left = Sayings.ADAPTATION_LEFT.of(
                    number=entry.number, serial=serial, bundle=entry.bundle
                )
                told.append(left)
    except Fault as fault:
        told.append(Sayings.IN_USE_UNKNOWN.of(detail=str(fault)))
    return told
