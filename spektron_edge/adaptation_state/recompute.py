"""How an adaptation is made again."""

from __future__ import annotations

from spektron_edge.config import Config
from spektron_edge.faults import Fault, Faults

from .replay import Recompute


def recompute_for(config: Config, serial: str) -> Recompute:
    """What made the adaptations of an instrument, with this configuration's bundle. Raises Fault."""
    detail = f"this version makes no adaptations, so none of {serial} in {config.state_dir} can be made again"
    raise Fault(Faults.ADAPTATION_REFUSED, detail)
