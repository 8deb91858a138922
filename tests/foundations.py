"""A foundation too small to know anything, for tests of what is built on one."""

from pathlib import Path
from typing import Any

import torch

from spektron_train.data.simulate.domain import NIR
from spektron_train.model import Encoder, EncoderConfig
from spektron_train.pretraining.foundation import FoundationCard, save_foundation


def tiny_foundation(folder: Path, **sizes: Any) -> Path:
    """Untrained, on the near-infrared grid; returns the folder."""
    start, step, points = NIR.grid
    small = {"width": 32, "hidden": 64, "heads": 2, "layers": 2, "channels": (8, 12), **sizes}
    config = EncoderConfig(start=start, step=step, points=points, properties=1, **small)
    torch.manual_seed(0)
    card = FoundationCard(
        recipe="tiny", config={}, encoder=config.to_json(), seed=0, steps=0, versions={}, metrics={}
    )
    save_foundation(folder, Encoder(config), card)
    return folder
