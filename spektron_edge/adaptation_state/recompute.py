"""How an adaptation is made again."""

from __future__ import annotations

from spektron_edge.config import Config
from spektron_edge.faults import Fault, Faults

from .replay import Recompute


def recompute_for(config: Config, serial: str) -> Recompute:
    """What made an instrument's adaptations, with this configuration's bundle. Raises Fault."""
    detail = f"this version cannot make the adaptations of {serial} in {config.state_dir} again"
    raise Fault(Faults.ADAPTATION_REFUSED, detail)
