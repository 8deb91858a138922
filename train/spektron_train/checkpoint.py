"""A checkpoint: a folder of arrays and one JSON card. Nothing in it is executed to be read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .archive import ArchiveError, Arrays, pack_arrays, read_arrays, sha256, write_folder
from .model import Encoder, EncoderConfig

CARD = "checkpoint.json"
WEIGHTS = "weights.npz"
SOURCE = "source.npz"
HELD_OUT = "held_out.npz"
AnyCard = TypeVar("AnyCard", bound=BaseModel)


class CheckpointError(Exception):
    """The folder is not a checkpoint that may be used; the message says why."""


class PropertyCard(BaseModel):
    """One property: its unit and the range of the training references."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    unit: str
    calibrated_min: float
    calibrated_max: float


class Card(BaseModel):
    """`checkpoint.json`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    product: str
    held_out_name: str = Field(description="what the held-out samples are")
    notes: tuple[str, ...] = Field(description="what a reader of the figures must know")
    properties: tuple[PropertyCard, ...]
    encoder: dict[str, Any]
    seed: int
    data: dict[str, str] = Field(description="data set name -> SHA-256 of what was read")
    licences: dict[str, str]
    versions: dict[str, str]
    metrics: dict[str, Any]
    files: dict[str, str] = Field(description="file name -> SHA-256")


@dataclass(frozen=True)
class Checkpoint:
    """A trained encoder with what its calibration is made of.

    source: `pca_*`, calibration spectra `x` (n, L) and references `y` (n, m); held_out: `x`, `y`.
    """

    card: Card
    encoder: Encoder
    source: Arrays
    held_out: Arrays


def ensure_replaceable(folder: Path, card: str = CARD) -> None:
    """Raises CheckpointError when writing there would destroy something without that `card`."""
    try:
        foreign = folder.exists() and not (folder / card).is_file() and any(folder.iterdir())
    except OSError as error:
        raise CheckpointError(f"cannot write {folder}: {error}") from None
    if foreign:
        raise CheckpointError(f"{folder} exists and is not a checkpoint; name another folder")


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the folder, replacing a checkpoint that is there. `card.files` is filled in.

    Raises CheckpointError when the folder holds something else or cannot be written.
    """
    parts = {
        WEIGHTS: pack_arrays(weights_of(checkpoint.encoder)),
        SOURCE: pack_arrays(checkpoint.source),
        HELD_OUT: pack_arrays(checkpoint.held_out),
    }
    files = {name: sha256(raw) for name, raw in parts.items()}
    ensure_replaceable(folder)
    write_card_and_parts(folder, CARD, checkpoint.card.model_copy(update={"files": files}), parts)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read the folder and check its hashes. Raises CheckpointError."""
    card = read_card(folder, CARD, Card)
    arrays = {
        name: read_part(folder, name, CARD, card.files) for name in (WEIGHTS, SOURCE, HELD_OUT)
    }
    encoder = encoder_of(folder, card.encoder, arrays[WEIGHTS])
    return Checkpoint(card, encoder, arrays[SOURCE], arrays[HELD_OUT])


def weights_of(encoder: Encoder) -> dict[str, NDArray[Any]]:
    """Every parameter and buffer by name."""
    return {k: v.detach().cpu().numpy() for k, v in encoder.state_dict().items()}


def encoder_of(folder: Path, config: dict[str, Any], weights: Arrays) -> Encoder:
    """The encoder of a folder, ready to predict. Raises CheckpointError when they do not fit."""
    try:
        encoder = Encoder(EncoderConfig.from_json(config))
        state = {k: torch.from_numpy(v) for k, v in weights.items()}
        encoder.load_state_dict(state, strict=True)
    except (ValueError, TypeError, RuntimeError) as error:
        first = str(error).splitlines()
        raise CheckpointError(f"{folder}: weights do not fit: {' '.join(first[:2])}") from None
    return encoder.eval()


def write_card_and_parts(folder: Path, name: str, card: BaseModel, parts: dict[str, bytes]) -> None:
    """Write archives with their card. Raises CheckpointError."""
    told = (json.dumps(card.model_dump(mode="json"), indent=1) + "\n").encode()
    try:
        write_folder(folder, {**parts, name: told})
    except OSError as error:
        raise CheckpointError(f"cannot write {folder}: {error}") from None


def read_card(folder: Path, name: str, kind: type[AnyCard]) -> AnyCard:
    """Read a folder's card. Raises CheckpointError."""
    try:
        return kind.model_validate_json((folder / name).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"{folder} is not a checkpoint: it has no {name}") from None
    except OSError as error:
        raise CheckpointError(f"cannot read {folder / name}: {error}") from None
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(str(part) for part in detail["loc"]) or "document"
        raise CheckpointError(f"{folder / name}: {where}: {detail['msg']}") from None


def read_part(
    folder: Path, name: str, card: str, hashes: dict[str, str]
) -> dict[str, NDArray[Any]]:
    """Read an archive that a card vouches for. Raises CheckpointError."""
    try:
        return read_arrays(folder / name, hashes.get(name), card)
    except ArchiveError as error:
        raise CheckpointError(str(error)) from None
