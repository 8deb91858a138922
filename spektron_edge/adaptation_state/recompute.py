"""How an adaptation is made again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from spektron_edge.adaptation.adapt import adapt, material
from spektron_edge.adaptation.ground import open_ground
from spektron_edge.bundle import BundleError
from spektron_edge.config.file import Config

from .replay import Recompute

if TYPE_CHECKING:
    from spektron_edge.adaptation.candidate import Adapted, Batch


def recompute_for(config: Config, serial: str) -> Recompute:
    """What made an instrument's adaptations, with this configuration's bundle. Raises Fault."""
    try:
        ground = open_ground(config, serial)
    except BundleError as error:
        raise error.fault from None

    def again(batch: Batch, seed: int, start: Adapted | None) -> Adapted:
        return adapt(material(replace(ground, start=start)), batch, seed).adapted

    return again
