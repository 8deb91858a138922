"""A proposal on trial: spectra that came after it was made judge it again, in a second child.

Nothing waits for it: its values are computed where predictions are made in the mode `shadow` only.
"""

from __future__ import annotations

from spektron_edge.adaptation_state import AdaptationStore

from .in_service import InService
from .ring import Entry
from .stream import Stream
from .task import Result, Task
from .task_made import come_since

_MOST_TOLD = 16


class InShadow:
    """At most one. Methods raise Fault of the store."""

    def __init__(self, serving: InService, store: AdaptationStore) -> None:
        self._serving, self._store = serving, store
        self._of: tuple[int, Stream, int] | None = None

    def begin(self, task: Task, result: Result, mode: str, stream: Stream | None) -> bool:
        """A proposal that was just made; whether it came to anything.

        stream: that it was made from, None where another one has begun since: then it waits for a
        person.

        Somebody who reports a service says that the instrument is another one: then `auto` takes it
        by the spectra that were held out alone, since every prediction until then is known to be
        wrong.
        """
        number = result.number
        if number is None or stream is None:
            return False
        if mode == task.mode == "auto" and task.services and not result.doubts:
            self._install(number)
            return True
        self._of = number, stream, stream.sound
        if mode == "shadow":
            state = self._store.load_for(self._store.read().entry(number), self._serving.model)
            self._serving.take_shadow(state.adapted, number)
        return True

    def number(self, stream: Stream) -> int | None:
        """Of the proposal that is on trial in this stream."""
        if self._of is not None and self._of[1] is not stream:
            # What was measured since is of another state of the instrument.
            self.give_up()
        return None if self._of is None else self._of[0]

    def come(self, stream: Stream) -> tuple[Entry, ...]:
        """Spectra that came since, once there are enough and it still waits."""
        fresh = () if self._of is None else come_since(stream.ring.entries, self._of[2])
        if self._of is not None and fresh:
            if self._store.read().entry(self._of[0]).status == "proposed":
                return fresh
            self.give_up()
        return ()

    def over(self, task: Task, result: Result, mode: str, stream: Stream | None) -> bool:
        """It was judged again; whether that came to anything. stream: as in `begin`."""
        self.give_up()
        number = task.tried
        if number is None or stream is None:
            return False
        if self._store.read().entry(number).status != "proposed":
            # Somebody was faster.
            return True
        against = (*result.refusals, *result.doubts)[:_MOST_TOLD]
        entry = self._store.try_in_shadow(number, against).entry(number)
        if not mode == entry.mode == "auto" or against or entry.doubts:
            self._serving.take_changes()
            return False
        self._install(number)
        return True

    def hide(self) -> None:
        """Values beside what counts are for the mode `shadow`."""
        if self._serving.in_use.shadow is not None:
            self._serving.take_shadow(None)

    def give_up(self) -> None:
        """It is not judged again; it waits for a person."""
        self._of = None

    def _install(self, number: int) -> None:
        self._store.install(number, self._serving.model)
        self._serving.take_changes()
