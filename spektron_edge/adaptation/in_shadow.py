"""A proposal beside what counts, until spectra that came after it was made have judged it again."""

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

        Somebody who reports a service says that the instrument is another one: then `auto` takes it
        by the spectra that were held out alone, since every prediction until then is known to be
        wrong.
        """
        number = result.number
        if number is None or stream is None:
            return False
        if mode == "auto" and task.services and not result.doubts:
            self._store.install(number, self._serving.model)
            self._serving.take_changes()
            return True
        state = self._store.load_for(self._store.read().entry(number), self._serving.model)
        self._serving.take_shadow(state.adapted, number)
        self._of = number, stream, stream.sound
        return True

    def number(self, stream: Stream) -> int | None:
        """Of the proposal that runs beside this stream; of another one it is not judged again."""
        if self._of is None:
            return None
        shadow = self._serving.in_use.shadow
        if self._of[1] is not stream or shadow is None or shadow.number != self._of[0]:
            # Somebody decided, or what was measured since is of another state of the instrument.
            self.give_up()
            return None
        return self._of[0]

    def enough(self, stream: Stream) -> tuple[Entry, ...]:
        """What came since, once that suffices."""
        return () if self._of is None else come_since(stream.ring.entries, self._of[2])

    def over(self, task: Task, result: Result, mode: str) -> bool:
        """It was judged again; whether it is in use now."""
        self.give_up()
        number = task.tried
        if number is None:
            return False
        against = (*result.refusals, *result.doubts)[:_MOST_TOLD]
        entry = self._store.try_in_shadow(number, against).entry(number)
        good = mode == "auto" and not against and not entry.doubts
        if good:
            self._store.install(number, self._serving.model)
        if mode != "shadow":
            self._serving.take_shadow(None)
        self._serving.take_changes()
        return good

    def end(self) -> None:
        """Nobody looks at anything beside what counts any more."""
        self.give_up()
        if self._serving.in_use.shadow is not None:
            self._serving.take_shadow(None)

    def give_up(self) -> None:
        """It is not judged again; it waits for a person."""
        self._of = None
