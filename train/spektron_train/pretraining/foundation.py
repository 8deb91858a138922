"""A foundation: a pretrained encoder in a folder, weights and one JSON card."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from spektron_train.archive import pack_arrays, sha256
from spektron_train.checkpoint import (
    WEIGHTS,
    encoder_of,
    ensure_replaceable,
    read_card,
    read_part,
    weights_of,
    write_card_and_parts,
)
from spektron_train.model import Encoder

CARD = "foundation.json"


class FoundationCard(BaseModel):
    """`foundation.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    kind: Literal["foundation"] = "foundation"
    recipe: str = Field(description="name or file of the configuration")
    config: dict[str, Any] = Field(description="the run's configuration, defaults filled in")
    encoder: dict[str, Any]
    seed: int
    steps: int = Field(description="steps done; fewer than configured after an early stop")
    data: Literal["simulated"] = "simulated"
    versions: dict[str, str]
    metrics: dict[str, Any]
    files: dict[str, str] = Field(default={}, description="file name -> SHA-256")


def save_foundation(folder: Path, encoder: Encoder, card: FoundationCard) -> None:
    """Write the folder, replacing a foundation that is there. `card.files` is filled in.

    Raises CheckpointError when the folder holds something else or cannot be written.
    """
    ensure_replaceable(folder, CARD)
    parts = {WEIGHTS: pack_arrays(weights_of(encoder))}
    files = {name: sha256(raw) for name, raw in parts.items()}
    write_card_and_parts(folder, CARD, card.model_copy(update={"files": files}), parts)


def load_foundation(folder: Path) -> tuple[Encoder, FoundationCard]:
    """Read the folder and check its hashes. Raises CheckpointError."""
    card = read_card(folder, CARD, FoundationCard)
    return encoder_of(folder, card.encoder, read_part(folder, WEIGHTS, CARD, card.files)), card


def installed_versions() -> dict[str, str]:
    """Versions of what a run's numbers depend on."""
    packages = ("accelerate", "numpy", "scipy", "spektron-edge", "torch")
    return {"python": platform.python_version(), **{p: metadata.version(p) for p in packages}}
