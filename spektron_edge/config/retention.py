"""The section of the disk's budget."""

from __future__ import annotations

from pydantic import Field

from .section import Section


class Retention(Section):
    """How much of the disk the state folder may take, and when the audit log goes on in a new file.
    docs/backup.md has the policy."""

    total_mb: float = Field(
        2048.0, ge=64, le=1e6, description="of the whole state folder; what is beyond is told"
    )
    audit_segment_mb: float = Field(
        4.0, ge=0.01, le=256, description="the audit log goes on in a new file beyond this"
    )
