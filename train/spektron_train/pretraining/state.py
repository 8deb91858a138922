"""Checkpoints of a run in progress: everything that its next step depends on.

Episodes and draws follow from (seed, step, index), so no generator is saved.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from spektron_train.archive import ArchiveError, pack_arrays, read_arrays, sha256, write_folder

from .config import ConfigError, PretrainConfig, differing_keys, parse_config
from .stopping import StopRecord

CARD = "state.json"
ARRAYS = "state.npz"
KEEP = 2
MOMENTS = ("exp_avg", "exp_avg_sq", "step")
_PREFIX = "step-"
Say = Callable[[str], None]
Tensors = dict[str, torch.Tensor]


class StateError(Exception):
    """A run's folder cannot be used as asked; the message says what to do."""


@dataclass(frozen=True)
class Snapshot:
    """A run after `step` steps: model state and AdamW's moments, both by name, on the CPU.

    seconds: spent computing so far; metrics: the last ones; setting: where it ran.
    """

    step: int
    model: Tensors
    optimiser: dict[str, Tensors]
    record: StopRecord
    seconds: float
    metrics: dict[str, Any]
    setting: dict[str, str]


class StateCard(BaseModel):
    """`state.json`. `seal` is the hash of all the rest."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    format: Literal[1] = 1
    step: int
    # As written: a version that knows more keys must not take the seal for broken.
    config: dict[str, Any]
    record: StopRecord
    seconds: float
    metrics: dict[str, Any]
    setting: dict[str, str]
    files: dict[str, str]
    seal: str = ""

    def sealed(self) -> str:
        """Hash of everything but the seal."""
        plain = self.model_dump(mode="json", exclude={"seal"})
        return sha256(json.dumps(plain, sort_keys=True).encode())


def save_snapshot(folder: Path, config: PretrainConfig, snapshot: Snapshot) -> Path:
    """Write a checkpoint into `folder` and keep the last two; returns its own folder.

    Raises StateError.
    """
    arrays = {f"model/{name}": _array(value) for name, value in snapshot.model.items()}
    for name, moments in snapshot.optimiser.items():
        arrays |= {f"{moment}/{name}": _array(moments[moment]) for moment in MOMENTS}
    raw = pack_arrays(arrays)
    card = StateCard(
        step=snapshot.step,
        config=config.model_dump(mode="json"),
        record=snapshot.record,
        seconds=snapshot.seconds,
        metrics=snapshot.metrics,
        setting=snapshot.setting,
        files={ARRAYS: sha256(raw)},
    )
    card = card.model_copy(update={"seal": card.sealed()})
    told = json.dumps(card.model_dump(mode="json"), indent=1) + "\n"
    path = folder / f"{_PREFIX}{snapshot.step:09d}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_folder(path, {ARRAYS: raw, CARD: told.encode()})
        for old in _checkpoints(folder)[KEEP:]:
            shutil.rmtree(old)
    except OSError as error:
        raise StateError(f"cannot write {path}: {error}; free some space and --resume") from None
    return path


def load_snapshot(
    folder: Path, config: PretrainConfig, *, extend: bool, say: Say
) -> tuple[Snapshot, Path] | None:
    """The newest checkpoint that is whole, or None; `say` is told of those passed over.

    extend: whether the number of steps may differ. Raises ConfigError naming the keys when `config`
    is that of another run, StateError when it has fewer steps than were done and when there are
    checkpoints but none that is whole.
    """
    found = _checkpoints(folder)
    for path in found:
        try:
            card, arrays = _read(path)
        except ArchiveError as error:
            say(f"{error}; trying the checkpoint before it")
            continue
        began_with = parse_config(card.config, str(path))
        wanted = config.with_steps(began_with.steps) if extend else config
        changed = differing_keys(began_with, wanted)
        if changed:
            raise ConfigError(
                f"{path} is of a run with another {', '.join(changed)}; resume with the "
                "configuration it began with, or begin in another folder"
            )
        if card.step > config.steps:
            raise StateError(f"{path} has done {card.step} steps already; ask for more")
        return _snapshot(card, arrays), path
    if found:
        raise StateError(f"no checkpoint in {folder} is whole; begin in another folder")
    return None


def _read(path: Path) -> tuple[StateCard, dict[str, NDArray[Any]]]:
    try:
        card = StateCard.model_validate_json((path / CARD).read_bytes())
    except OSError as error:
        raise ArchiveError(f"cannot read {path / CARD}: {error}") from None
    except ValidationError:
        raise ArchiveError(f"{path / CARD} is torn or not a checkpoint's card") from None
    if card.seal != card.sealed():
        raise ArchiveError(f"{path / CARD} was altered: it does not match its own hash")
    return card, read_arrays(path / ARRAYS, card.files.get(ARRAYS), CARD)


def _snapshot(card: StateCard, arrays: dict[str, NDArray[Any]]) -> Snapshot:
    model: Tensors = {}
    optimiser: dict[str, Tensors] = {}
    for key, value in arrays.items():
        part, name = key.split("/", 1)
        tensor = torch.from_numpy(value)
        if part == "model":
            model[name] = tensor
        else:
            optimiser.setdefault(name, {})[part] = tensor
    return Snapshot(
        card.step, model, optimiser, card.record, card.seconds, card.metrics, card.setting
    )


def _checkpoints(folder: Path) -> list[Path]:
    """Newest first."""
    found = [p for p in folder.glob(f"{_PREFIX}*") if p.name.removeprefix(_PREFIX).isdigit()]
    return sorted(found, reverse=True)


def _array(value: torch.Tensor) -> NDArray[Any]:
    return np.asarray(value.detach().cpu().numpy())
