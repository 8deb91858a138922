"""Which inference engine is asked for. Apart from the engines, so that it loads nothing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

BackendName = Literal["cpu", "cuda", "tensorrt-ep", "tensorrt"]


@dataclass(frozen=True)
class BackendChoice:
    """What is asked for; engines: folder of engines built on this device, where one is needed."""

    name: BackendName = "cpu"
    engines: Path | None = None


CPU = BackendChoice()
