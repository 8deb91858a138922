"""The stream of the instrument in service, and whether what is in use does it good."""

from __future__ import annotations

from collections.abc import Callable

from spektron_edge.adaptation_state import AdaptationStore, Entry
from spektron_edge.clock import Stamp
from spektron_edge.said import Sayings
from spektron_edge.spectra.scan import Scan

from .candidate import Adapted
from .gauge import Gauge, gauge
from .in_service import InService
from .looking_back import LookingBack
from .seen import Seen
from .stream import Stream
from .telling import Telling
from .yardstick import Yardstick, yardstick_of


class Following:
    """stream: None as long as nothing is followed, else since `since`; yardstick: of the bundle
    that `of` names."""

    def __init__(
        self,
        serving: InService,
        store: AdaptationStore,
        telling: Telling,
        mode: Callable[[], str],
    ) -> None:
        """mode: that the daemon goes by now."""
        self._serving, self._store, self._telling, self._mode = serving, store, telling, mode
        self._key: tuple[object, ...] = ()
        self.stream: Stream | None = None
        self.since: Stamp | None = None
        self.yardstick: Yardstick | None = None
        self.of = ""
        self._without: Adapted | None = None
        self._looking_back: LookingBack | None = None
        self._told_of_drift = False

    def know(self, yardstick: Yardstick, of: str) -> None:
        """What is usual for the bundle that is named."""
        self.yardstick, self.of = yardstick, of

    def begin_anew(self) -> None:
        """What was measured before is of another state of the instrument."""
        self._key, self.stream = (), None

    def end(self) -> None:
        """Nobody looks any more."""
        self.stream = None

    def follow(self, scan: Scan, now: Stamp) -> Stream | None:
        """The stream that a scan belongs to; a new one where it is another one."""
        serving = self._serving
        number = None if serving.in_use.adaptation is None else serving.in_use.adaptation.number
        key = (yardstick_of(serving.model), scan.serial, scan.axis_nm.tobytes(), number)
        if key == self._key and self.stream is not None:
            return self.stream
        if self.yardstick is None or self.of != key[0]:
            self.yardstick, self.stream, self.of = None, None, ""
            return None
        self._key, self.stream, self.since = key, Stream(self.yardstick), now
        self._told_of_drift = False
        self._without, self._looking_back = None, None
        if serving.in_use.adaptation is not None:
            with self._telling.troubles():
                self._without = self._before(serving.in_use.adaptation)
                limits = serving.model.applicability
                self._looking_back = LookingBack(limits.t2_limit, limits.q_limit)
        return self.stream

    def _before(self, entry: Entry) -> Adapted | None:
        """What was in use before it; None for the bundle's own calibration."""
        if entry.parent is None:
            return None
        return self._store.load(self._store.read().by_id(entry.parent)).adapted

    def sample(self, seen: Seen, found: Gauge) -> bool:
        """One more distinct sample; whether a drift began with it."""
        stream, yardstick = self.stream, self.yardstick
        if stream is None or yardstick is None:
            return False
        drift, before = stream.drift, self._told_of_drift
        self._told_of_drift = drift is not None
        if drift is not None and not before:
            since, kind = drift.since[1], drift.evidence_kind
            self._telling.tell("drift_detected", drift.told, scan=since, kind=kind)
        elif drift is None and before:
            self._telling.tell("drift_over", str(Sayings.STREAM_BACK.of()))
        if self._looking_back is not None:
            plain = seen.measured[None]
            if self._without is not None:
                plain = self._without.correction.apply(plain)
            if why := self._looking_back.take(found, gauge(yardstick.domain, plain[0])):
                self.leave(why)
        return self._told_of_drift and not before

    def leave(self, why: str) -> None:
        """What is in use does harm: go back, or tell people who decided to use it."""
        entry, serial = self._serving.in_use.adaptation, self._serving.serial
        self._looking_back = None
        if entry is None or serial is None:
            return
        if self._mode() != "auto" or entry.approved_by:
            told = f"adaptation {entry.number}: {why}; `spektron-edge adapt rollback` goes back"
            self._telling.tell("adaptation_doubtful", told, number=entry.number)
            return
        with self._telling.troubles():
            self._store.roll_back(serial, "auto", why[:500])
            self._serving.take_changes()
