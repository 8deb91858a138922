"""Why an adaptation that is in use is not applied."""

from __future__ import annotations

from spektron_edge.config.file import Config
from spektron_edge.faults import Fault
from spektron_edge.said import Said, Sayings
from spektron_edge.transfer_state import StateStore


def not_applied(config: Config, serial: str) -> Said | None:
    """None where nothing stands in its way."""
    try:
        transfer = StateStore(config.state_dir).read().active(serial)
    except Fault as fault:
        # What was decided about an adaptation is done: trouble with transfers is another matter.
        return Sayings.TRANSFER_UNKNOWN.of(detail=fault.detail)
    return None if transfer is None else Sayings.TRANSFER_IN_USE.of(number=transfer.number)
