"""What the sections of the configuration have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

TopicPart = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$", max_length=64)]


class Section(BaseModel):
    """A table of the file: no unknown keys, no infinities, never changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
