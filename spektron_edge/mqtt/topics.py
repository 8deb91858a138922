"""Topic names of one instrument."""

from __future__ import annotations

from dataclasses import dataclass

_MAX_TOPIC = 1024


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
    def client_id(self) -> str:
        """The id that the daemon connects under unless it is given one."""
        return f"spektron-{self.site}-{self.instrument}"

    @property
    def commands(self) -> str:
        """Subscription for all commands."""
        return f"{self.root}/command/+"

    def response(self, command: str) -> str:
        """Where a command is answered."""
        return f"{self.root}/response/{command}"

    def may_answer(self, topic: str | None, trees: tuple[str, ...]) -> bool:
        """Whether a requester may name this topic for its answer.

        Below our own `response/` or one of `trees` only: whoever may send commands must not make
        the daemon publish wherever the daemon may.
        """
        if topic is None or len(topic) > _MAX_TOPIC or any(c in topic for c in "+#\0"):
            return False
        return topic.startswith((f"{self.root}/response/", *trees))
