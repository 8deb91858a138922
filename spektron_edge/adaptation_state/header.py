"""What an adaptation says of itself: `state.json` in its file."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_SCANS = 4096
_U64 = 2**64 - 1

MadeUnder = Literal["shadow", "propose", "auto"]
StateId = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Serial = Annotated[str, Field(min_length=1, max_length=64)]
Sentence = Annotated[str, Field(max_length=500)]
Sentences = Annotated[tuple[Sentence, ...], Field(max_length=16)]
Whole = Annotated[int, Field(ge=0, le=_U64)]
Scans = Annotated[tuple[tuple[Whole, Whole], ...], Field(max_length=MOST_SCANS)]


class Header(BaseModel):
    """What the adaptation is for, and what it was made from. `batch` and `seed` replay it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    format: Literal[1] = 1
    bundle: str = Field(description="id of the bundle whose model was adapted")
    graph_sha256: Sha256 = Field(description="of the graph that gave the example outputs")
    product: str
    serial: Serial = Field(description="of the instrument that it is for")
    transfer: str | None = Field(description="id of the transfer in use when it was made")
    parent: StateId | None = Field(description="adaptation that it goes on from; null: factory")
    created: datetime
    software: str = Field(description="version of Spektron Edge that made it")
    mode: MadeUnder = Field(description="of the device when it was made")
    seed: Whole
    terms: tuple[str, ...] = Field(
        min_length=1, max_length=64, description="of the correction, in the order of its numbers"
    )
    scans: Scans = Field(
        min_length=1, description="boot id and number of every spectrum, in the order of the batch"
    )
    judged_by: Scans = Field((), description="of spectra held out of the batch, for the guard")
    batch: Sha256 = Field(description="of the file that holds the spectra")
    metrics: dict[str, float] = Field(max_length=256)
    evidence: Sentences = Field(description="of the drift")
    refusals: Sentences = Field(description="of the guard: it must not be used at all")
    doubts: Sentences = Field(description="of the guard: a person has to decide")
    why: Sentence
