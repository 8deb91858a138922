"""A checkpoint: a folder of arrays and one JSON card. Nothing in it is executed to be read."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .model import Encoder, EncoderConfig

CARD = "checkpoint.json"
WEIGHTS = "weights.npz"
SOURCE = "source.npz"
HELD_OUT = "held_out.npz"
Arrays = Mapping[str, NDArray[Any]]


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


def ensure_replaceable(folder: Path) -> None:
    """Raises CheckpointError when writing a checkpoint there would destroy something else."""
    try:
        foreign = folder.exists() and not (folder / CARD).is_file() and any(folder.iterdir())
    except OSError as error:
        raise CheckpointError(f"cannot write {folder}: {error}") from None
    if foreign:
        raise CheckpointError(f"{folder} exists and is not a checkpoint; name another folder")


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the folder, replacing a checkpoint that is there. `card.files` is filled in.

    Raises CheckpointError when the folder holds something else or cannot be written.
    """
    state = {k: v.detach().numpy() for k, v in checkpoint.encoder.state_dict().items()}
    parts = {WEIGHTS: state, SOURCE: checkpoint.source, HELD_OUT: checkpoint.held_out}
    data = {name: _npz(arrays) for name, arrays in parts.items()}
    files = {name: hashlib.sha256(raw).hexdigest() for name, raw in data.items()}
    card = checkpoint.card.model_copy(update={"files": files})
    data[CARD] = (json.dumps(card.model_dump(mode="json"), indent=1) + "\n").encode()
    partial = folder.with_name(folder.name + ".partial")
    ensure_replaceable(folder)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for name, raw in data.items():
            (partial / name).write_bytes(raw)
        if folder.exists():
            shutil.rmtree(folder)
        partial.replace(folder)
    except OSError as error:
        raise CheckpointError(f"cannot write {folder}: {error}") from None


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read the folder and check its hashes. Raises CheckpointError."""
    try:
        card = Card.model_validate_json((folder / CARD).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(f"{folder} is not a checkpoint: it has no {CARD}") from None
    except OSError as error:
        raise CheckpointError(f"cannot read {folder / CARD}: {error}") from None
    except ValidationError as error:
        detail = error.errors()[0]
        where = ".".join(str(part) for part in detail["loc"]) or "document"
        raise CheckpointError(f"{folder / CARD}: {where}: {detail['msg']}") from None
    arrays = {name: _read(folder / name, card) for name in (WEIGHTS, SOURCE, HELD_OUT)}
    try:
        encoder = Encoder(EncoderConfig.from_json(card.encoder))
        state = {k: torch.from_numpy(v) for k, v in arrays[WEIGHTS].items()}
        encoder.load_state_dict(state, strict=True)
    except (ValueError, TypeError, RuntimeError) as error:
        first = str(error).splitlines()
        raise CheckpointError(f"{folder}: weights do not fit: {' '.join(first[:2])}") from None
    encoder.eval()
    return Checkpoint(card, encoder, arrays[SOURCE], arrays[HELD_OUT])


def _npz(arrays: Arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **{name: np.asarray(value) for name, value in arrays.items()})
    return stream.getvalue()


def _read(path: Path, card: Card) -> dict[str, NDArray[Any]]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error}") from None
    if hashlib.sha256(raw).hexdigest() != card.files.get(path.name):
        raise CheckpointError(f"{path} does not match its hash in {CARD}; train again")
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise CheckpointError(f"{path} is not an array archive ({error})") from None
