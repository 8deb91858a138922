"""A bundle on trial in its slot: proven by what it does, left behind when it fails.

Time here is the monotonic clock's, and nothing depends on how fast scans come.
"""

from __future__ import annotations

import functools

from spektron_edge.bundle.slot_store import SlotStore
from spektron_edge.bundle.slots import ended, fell_back, proven
from spektron_edge.files.ledger import Action, told

from .product import Loaded

PREDICTIONS = 20
CALM_S = 600.0
_TRY_AGAIN_S = 60.0


class Trial:
    """Watches one loaded bundle. Methods raise Fault when the state folder cannot be written."""

    def __init__(self, store: SlotStore, loaded: Loaded, now_s: float) -> None:
        self._store = store
        self._bundle = loaded.model.bundle_id
        self._calm_since_s = self._due_s = now_s
        self._predictions = 0
        self.on = loaded.on_trial

    def predicted(self) -> None:
        """The bundle gave numbers for a scan."""
        self._predictions += 1

    def look(self, now_s: float, *, troubled: bool) -> None:
        """Proven after enough predictions, or after long enough without any fault at all."""
        if troubled:
            self._calm_since_s = now_s
        if not self.on or now_s < self._due_s:
            return
        if self._predictions >= PREDICTIONS:
            how = f"{self._predictions} predictions"
        elif now_s - self._calm_since_s >= CALM_S:
            how = f"{CALM_S:g} s without a fault"
        else:
            return
        self._due_s = now_s + _TRY_AGAIN_S
        self._store.update(functools.partial(proven, bundle=self._bundle, how=how))
        self.on = False

    def failed(self, why: str) -> bool:
        """It cannot predict: leave it for the other slot. False when there is none to go to."""
        if not self.on:
            return False
        before = self._store.read()
        if before.current is None or before.current.bundle != self._bundle:
            return False
        return self._store.update(functools.partial(fell_back, why=why)) is not before

    def stopped(self) -> None:
        """The daemon ends in good order: this start does not speak against the bundle."""
        if self.on:
            self._store.update(functools.partial(ended, bundle=self._bundle))

    def untold(self) -> tuple[Action, ...]:
        """What operators and trials did and the audit log does not know yet."""
        return self._store.read().untold

    def told(self, count: int) -> None:
        """The oldest `count` of them stand in the audit log now."""
        self._store.update(functools.partial(told, count=count))
