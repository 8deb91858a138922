"""The section of the outbox."""

from __future__ import annotations

from pydantic import Field

from .section import Section

_MOST_MB = 1e6
_MOST_DAYS = 36500


class OutboxLimits(Section):
    """How much is kept on disk, and for how long. docs/outbox.md has the policy."""

    max_mb: float = Field(256.0, gt=0, le=_MOST_MB, description="of everything that is kept")
    max_age_days: float = Field(
        90.0, gt=0, le=_MOST_DAYS, description="records that were not acknowledged"
    )
    keep_sent_mb: float = Field(
        32.0, ge=0, le=_MOST_MB, description="acknowledged records kept for a replay"
    )
    keep_sent_days: float = Field(7.0, ge=0, le=_MOST_DAYS, description="and for how long")
    keep_refused_mb: float = Field(
        16.0, ge=0, le=_MOST_MB, description="records that the broker refuses, tried again"
    )
    replay_per_s: float = Field(
        20.0, gt=0, le=1000, description="how fast `replay-outbox` sends records again"
    )
