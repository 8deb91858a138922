"""How far adaptation may go, from not at all to by itself."""

from __future__ import annotations

from typing import Literal

AdaptationMode = Literal["frozen", "shadow", "propose", "auto"]
