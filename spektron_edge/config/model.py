"""Sections of the model: whose bundles, what computes, and how far it may adapt."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from spektron_edge.adaptation_mode import AdaptationMode
from spektron_edge.backend_choice import BackendName

from .section import Section


class Trust(Section):
    """Whose bundles are accepted. Without this section, anybody's."""

    keys: Path = Field(description="folder of public keys (*.pem) and revoked.json")
    require_signature: bool = Field(True, description="false: an unsigned bundle is accepted, too")


class InferenceSettings(Section):
    """What computes. A backend that cannot be had is replaced by the CPU, with an event."""

    backend: BackendName = Field("cpu", description="docs/inference.md says what each needs")
    engines: Path | None = Field(
        None, description="folder of TensorRT's engines; default: `engines` in `state_dir`"
    )


class AdaptationSettings(Section):
    """How far the instrument may adapt by itself, and who has to agree."""

    mode: AdaptationMode = Field("frozen", description="docs/adaptation.md says what each does")
    approvals: int = Field(
        1, ge=1, le=2, description="different people who have to approve what was proposed"
    )
