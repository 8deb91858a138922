"""Which fault happens when: random, and the same for the same seed."""

from __future__ import annotations

import random
from dataclasses import dataclass

# Faults begin at least so far apart, s.
_APART_S = 4.0
# Part of a long run in which the daemon may be started again: memory is followed in what is left.
_RESTARTS_SHARE = 0.25
_LONG_S = 600.0
# A part of the bench is left alone for so long between two faults of its own, s.
_REST_S = 2.0


@dataclass(frozen=True)
class Kind:
    """What a fault of this kind needs for itself, and between what its length is drawn, s.

    restarts: the daemon ends by it.
    """

    parts: frozenset[str]
    shortest_s: float = 0.0
    longest_s: float = 0.0
    restarts: bool = False


def _kind(parts: str, shortest_s: float = 0.0, longest_s: float = 0.0, **more: bool) -> Kind:
    return Kind(frozenset(parts.split()), shortest_s, longest_s, **more)


KINDS = {
    "unplugged": _kind("line", 1, 8),
    "garbage": _kind("line", 1, 6),
    "half_frame": _kind("line"),
    "silent": _kind("line", 2, 10),
    "instrument_hung": _kind("line", 1, 10),
    "power_cycle": _kind("line"),
    "slow": _kind("line", 3, 8),
    "exchanged": _kind("line", 5, 10),
    "broker_killed": _kind("broker", 1, 8),
    "broker_stopped": _kind("broker", 2, 12),
    "broker_forgot": _kind("broker", 1, 4),
    "connection_reset": _kind("broker"),
    "disk_full": _kind("disk", 4, 20),
    "disk_read_only": _kind("disk daemon", 2, 4, restarts=True),
    "clock_jump": _kind("clock", 3, 15),
    "daemon_killed": _kind("daemon", 0.5, 3, restarts=True),
    "daemon_ended": _kind("daemon", 0.5, 3, restarts=True),
    "daemon_stopped": _kind("daemon", 1, 8),
}


@dataclass(frozen=True)
class Planned:
    """One fault: begins `at_s` after the start and is over `for_s` later.

    chance: between 0 and 1, for whatever else is random in it.
    """

    at_s: float
    kind: str
    for_s: float
    chance: float

    @property
    def over_s(self) -> float:
        """When it is over, s after the start."""
        return self.at_s + self.for_s


def plan(seed: int, seconds: float, every_s: float) -> list[Planned]:
    """Faults, one every `every_s` on average, all over by `seconds`. Every kind comes before any
    comes again; those of one part of the bench do not overlap, others may."""
    chance = random.Random(seed)
    long = seconds >= _LONG_S
    free_s: dict[str, float] = {}
    deck: list[str] = []
    found: list[Planned] = []
    at_s = _APART_S
    while at_s < seconds:
        if not deck:
            deck = list(KINDS)
            chance.shuffle(deck)
        restarts = not long or at_s < _RESTARTS_SHARE * seconds
        name = next((n for n in deck if restarts or not KINDS[n].restarts), None)
        if name is None:
            deck.clear()
            continue
        deck.remove(name)
        kind = KINDS[name]
        for_s = chance.uniform(kind.shortest_s, kind.longest_s)
        begins_s = max(at_s, *(free_s.get(part, 0.0) for part in kind.parts))
        planned = Planned(begins_s, name, for_s, chance.random())
        if planned.over_s < seconds:
            found.append(planned)
            free_s.update(dict.fromkeys(kind.parts, planned.over_s + _REST_S))
        at_s += _APART_S + chance.expovariate(1.0 / (every_s - _APART_S))
    return sorted(found, key=lambda planned: planned.at_s)
