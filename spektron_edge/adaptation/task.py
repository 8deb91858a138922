"""What daemon and child hand each other: files in the folder `adaptations/work/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spektron_edge.bundle.canonical import canonical
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.durable import write_durably
from spektron_edge.files.state_folder import storage_fault

from .array_file import npz, read_arrays
from .candidate import Batch
from .drift import Drift
from .evidence import Evidence, Stability

WORK = Path("adaptations") / "work"
TASK, ARRAYS, RESULT, YARDSTICK = "task.json", "task.npz", "result.json", "yardstick.npz"
_MAX_BYTES = 16 * 2**20
Sentence = Annotated[str, Field(max_length=500)]
Mode = Literal["shadow", "propose", "auto"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Told(_Strict):
    """A drift, as it is written down; fields as in `Drift`."""

    statistic: str
    since: tuple[int, int]
    order: int
    size: float
    evidence_kind: Literal["instrument", "unknown"]
    telling: tuple[str, ...]


class Task(_Strict):
    """All but the arrays. id: of this attempt; parent: id of the adaptation in use."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    bundle: str
    serial: str
    mode: Mode
    seed: int = Field(ge=0)
    why: Sentence
    parent: str | None
    tried: int | None = Field(
        None, ge=1, description="proposal to judge again on what came since; null: to adapt"
    )
    drift: Told | None
    services: tuple[str, ...]
    growing: str
    astray: tuple[str, ...]
    stability: tuple[str, ...] = Field(description="names, in the order of the arrays")

    @property
    def evidence(self) -> Evidence:
        """For the guard."""
        drift = None if self.drift is None else Drift(**dict(self.drift))
        return Evidence(drift, self.services, self.growing, self.astray)


class Result(_Strict):
    """What a child came to. number: of the proposal that it kept or judged again, None where it was
    refused."""

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    number: int | None = Field(None, ge=1)
    refusals: tuple[Sentence, ...] = Field((), max_length=16)
    doubts: tuple[Sentence, ...] = Field((), max_length=16)
    metrics: dict[str, float] = Field(default_factory=dict, max_length=256)
    seconds: float = Field(ge=0)
    processor_s: float = Field(ge=0)
    peak_mb: float = Field(ge=0)


@dataclass(frozen=True, eq=False)
class Given:
    """A task with its arrays."""

    task: Task
    batch: Batch
    held_out: Batch
    stability: tuple[Stability, ...]


def told_of(drift: Drift | None) -> Told | None:
    """A drift to be written down. A size that is no number is written as nought."""
    if drift is None:
        return None
    size = drift.size if np.isfinite(drift.size) else 0.0
    return Told(**{**vars(drift), "size": size})


def write_task(folder: Path, given: Given) -> None:
    """Raises Fault(STATE_UNWRITABLE, DISK_FULL)."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, batch in (("batch", given.batch), ("held", given.held_out)):
        arrays[f"{name}_x"] = batch.spectra.astype(np.float32)
        arrays[f"{name}_scans"] = np.array(batch.scans, np.uint64).reshape(-1, 2)
    for i, sample in enumerate(given.stability):
        arrays[f"stability_{i}"] = np.stack([sample.value, sample.half_width])
        arrays[f"stability_x_{i}"] = sample.spectrum
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RESULT).unlink(missing_ok=True)
        # The child has read what it needs or begins anew: nobody reads half a file.
        (folder / ARRAYS).write_bytes(npz(arrays))
        (folder / TASK).write_bytes(canonical(given.task.model_dump(mode="json")))
    except OSError as error:
        raise storage_fault(error, folder) from None


def read_task(folder: Path) -> Given:
    """Raises Fault(ADAPTATION_FAILED)."""
    try:
        task = Task.model_validate_json((folder / TASK).read_bytes())
        arrays = read_arrays(folder / ARRAYS)
        batch, held_out = _batch(arrays, "batch"), _batch(arrays, "held")
        stability = tuple(
            Stability(name, arrays[f"stability_x_{i}"], *arrays[f"stability_{i}"])
            for i, name in enumerate(task.stability)
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        detail = f"the task in {folder} cannot be read: {error}"
        raise Fault(Faults.ADAPTATION_FAILED, detail) from None
    return Given(task, batch, held_out, stability)


def _batch(arrays: dict[str, NDArray[Any]], name: str) -> Batch:
    scans = tuple((int(boot), int(number)) for boot, number in arrays[f"{name}_scans"].tolist())
    return Batch(arrays[f"{name}_x"].astype(np.float64), scans)


def write_result(folder: Path, result: Result) -> None:
    """Raises Fault(STATE_UNWRITABLE, DISK_FULL)."""
    try:
        write_durably(folder / RESULT, canonical(result.model_dump(mode="json")))
    except OSError as error:
        raise storage_fault(error, folder) from None


def read_result(folder: Path, task: str) -> Result:
    """Of that task. Raises Fault(ADAPTATION_FAILED) where there is none, or something else."""
    path = folder / RESULT
    try:
        with path.open("rb") as stream:
            result = Result.model_validate_json(stream.read(_MAX_BYTES))
    except OSError as error:
        detail = f"{path} cannot be read: {error.strerror}"
        raise Fault(Faults.ADAPTATION_FAILED, detail) from None
    except ValidationError as error:
        detail = f"{path} is damaged: {error.errors()[0]['msg']}"
        raise Fault(Faults.ADAPTATION_FAILED, detail) from None
    if result.id != task:
        raise Fault(Faults.ADAPTATION_FAILED, f"{path} is of another attempt")
    return result
