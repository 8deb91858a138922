"""What stands beside the model between a spectrum and its values."""

from __future__ import annotations

from dataclasses import dataclass

from spektron_edge.adaptation_state import Entry
from spektron_edge.transfer_state import Version


@dataclass(frozen=True)
class InUse:
    """transfer: takes the model's place on this instrument; adaptation: applied before and in the
    model, never together with a transfer; shadow: computed beside what counts.
    """

    transfer: Version | None = None
    adaptation: Entry | None = None
    shadow: Entry | None = None
