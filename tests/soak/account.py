"""Where every scan that an instrument made has gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.soak.ledger import Came, Ledger, Made

SAMPLE = 1
Key = tuple[int, int]


@dataclass(frozen=True)
class Account:
    """Of each scan, one of these: `published`, `gap`, `reference` (made for dark or white, and in
    no gap), `power` (the last of a power-on, of which an event says that nothing more is known),
    `before` (made before the daemon first met the instrument), or `unaccounted`.

    twice: scans that came under two ids, or are both published and in a gap; phantom: numbers in
    gaps that nobody made.
    """

    counts: Counter[str]
    unaccounted: tuple[Made, ...]
    twice: tuple[Key, ...]
    phantom: tuple[Key, ...]
    repeats: int
    ids: int
    by_power_on: dict[int, Counter[str]] = field(repr=False)

    @property
    def whole(self) -> bool:
        """Whether nothing is left open."""
        return not self.unaccounted and not self.twice and not self.phantom


def account(made: Iterable[Made], ledger: Ledger) -> Account:
    """Hold the instruments' log against what came."""
    made = list(made)
    predictions = ledger.came()
    came = Counter((c.boot_id, c.number) for c in predictions)
    gaps = _gaps(ledger.told("scans_missed"))
    ends = _ends(ledger.told("instrument_restarted"))
    met = _first_met(made, predictions, gaps)
    counts: Counter[str] = Counter()
    by_power_on: dict[int, Counter[str]] = {}
    unaccounted = []
    for scan in made:
        key = scan.boot_id, scan.number
        if key in gaps:
            where = "gap"
        elif key in came:
            where = "published"
        elif scan.boot_id in ends and scan.number > ends[scan.boot_id]:
            where = "power"
        elif scan.position != SAMPLE:
            where = "reference"
        elif scan.boot_id in met and scan.number < met[scan.boot_id]:
            where = "before"
        else:
            where = "unaccounted"
            unaccounted.append(scan)
        counts[where] += 1
        by_power_on.setdefault(scan.boot_id, Counter())[where] += 1
    keys = {(scan.boot_id, scan.number) for scan in made}
    return Account(
        counts,
        tuple(unaccounted),
        tuple(key for key, n in came.items() if n > 1 or key in gaps),
        tuple(key for key in gaps if key not in keys),
        ledger.repeats,
        len(ledger.ids),
        by_power_on,
    )


def _gaps(events: Iterable[dict[str, Any]]) -> set[Key]:
    return {
        (event["boot_id"], number)
        for event in events
        for first, last in event["scans"]
        for number in range(first, last + 1)
    }


def _ends(events: Iterable[dict[str, Any]]) -> dict[int, int]:
    """boot_id of a power-on that is over -> its last number that is known."""
    found: dict[int, int] = {}
    for event in events:
        ((_, last),) = event["scans"]
        found[event["boot_id"]] = max(last, found.get(event["boot_id"], last))
    return found


def _first_met(made: list[Made], came: Iterable[Came], gaps: set[Key]) -> dict[int, int]:
    """boot_id of each instrument's first power-on -> the first number that is known of it."""
    first: dict[str, int] = {}
    for scan in made:
        first.setdefault(scan.serial, scan.boot_id)
    known = {*gaps, *((c.boot_id, c.number) for c in came)}
    found: dict[int, int] = {}
    for boot_id, number in known:
        if boot_id in first.values():
            found[boot_id] = min(number, found.get(boot_id, number))
    return found
