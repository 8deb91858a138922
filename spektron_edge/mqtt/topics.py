"""Topic names of one instrument."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Topics:
    """`spektron/<site>/<instrument>/...`"""

    site: str
    instrument: str

    @property
    def root(self) -> str:
        """What all topics begin with."""
        return f"spektron/{self.site}/{self.instrument}"

    def of(self, kind: str) -> str:
        """Topic of a kind of record: prediction, event, state, status, model."""
        return f"{self.root}/{kind}"

    @property
    def commands(self) -> str:
        """Subscription for all commands."""
        return f"{self.root}/command/+"

    def response(self, command: str) -> str:
        """Where a command is answered."""
        return f"{self.root}/response/{command}"
