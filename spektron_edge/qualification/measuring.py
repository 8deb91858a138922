"""From a plan's steps to measurements, with somebody who lays things into the beam."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from spektron_edge.faults import Fault

from .bench import Bench
from .figures import Figure
from .items import Item, not_done
from .results import Measured

Answer = Literal["measure", "skip", "end"]


@dataclass(frozen=True)
class Step:
    """One thing to lay into the beam. key: by which its measurement is found, and kept."""

    key: str
    place: str
    scans: int


@dataclass(frozen=True)
class Findings:
    """What a judgement comes to."""

    items: tuple[Item, ...] = ()
    figures: tuple[Figure, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.items + other.items, self.figures + other.figures)


# A measurement, or why there is none.
Taken = dict[str, "Measured | str"]
Keep = Callable[[Taken], None]


class Guide(Protocol):
    """Whoever stands at the instrument."""

    def place(self, step: Step, number: int, of: int) -> Answer:
        """Lay this into the beam; returns once it lies there, or will not."""

    def progress(self, step: Step, done: int) -> None:
        """So many scans of it are there."""

    def failed(self, step: Step, why: str) -> None:
        """It could not be measured; the next step follows."""


def take(steps: Iterable[Step], bench: Bench, guide: Guide, keep: Keep = lambda _: None) -> Taken:
    """Measure one after the other. What could not be measured says why: also where whoever guides
    ends it, or presses Ctrl-C, so that nothing that was measured is lost. keep: told all that there
    is after each measurement; what it raises ends it, since there is no room for a report either.
    """
    wanted, taken, ended = list(steps), Taken(), ""
    for number, step in enumerate(wanted, start=1):
        if ended:
            taken[step.key] = ended
            continue
        try:
            answer = guide.place(step, number, len(wanted))
            if answer == "measure":
                taken[step.key] = bench.measure(step.scans, lambda n, s=step: guide.progress(s, n))  # type: ignore[misc]
            else:
                taken[step.key] = "left out by the operator"
                ended = "ended by the operator before it" if answer == "end" else ""
        except KeyboardInterrupt:
            taken[step.key] = "broken off by the operator"
            ended = "broken off by the operator before it"
        except Fault as fault:
            taken[step.key] = fault.detail
            guide.failed(step, fault.detail)
        if isinstance(taken[step.key], Measured):
            keep(taken)
    return taken


def judged_of(
    part: str, key: str, taken: Taken, judge_: Callable[[Measured], Findings]
) -> Findings:
    """Judge a measurement; one that is missing, or cannot be judged, says why."""
    found = taken.get(key, "it was not measured")
    if isinstance(found, str):
        return Findings((not_done(part, key, found),))
    try:
        return judge_(found)
    except (ValueError, Fault) as error:
        told = error.detail if isinstance(error, Fault) else str(error)
        return Findings((not_done(part, key, told),))
