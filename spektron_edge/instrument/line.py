"""The line to the instrument as the main path sees it: one acquisition thread at a time."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Callable

from spektron_edge.clock import Clock
from spektron_edge.config.file import Config
from spektron_edge.files.choices import ChoiceStore
from spektron_edge.inbox import Consumed, Item, Measured, OrderDone, Streaming
from spektron_edge.service.beats import Beats
from spektron_edge.spectra.acquisition import Ages

from .half_pair import due
from .orders import Orders
from .settings import Settings
from .thread import InstrumentThread

_HALT_S = 2.0


class InstrumentLine:
    """Another configuration gets another thread; orders and choices of operators outlive it."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        choices: ChoiceStore,
        post: Callable[[Item], None],
        beats: Beats,
    ) -> None:
        """post: takes what the thread says, on the thread; beats: where the thread that counts has
        its own. Raises Fault(STATE_DAMAGED)."""
        self._clock, self._choices, self._post, self._beats = clock, choices, post, beats
        self._before: Counter[str] = Counter()
        self._number = 0
        self._latest: Streaming | None = None
        self._temperature_c = math.nan
        self._met_s: dict[tuple[str, int], float] = {}
        self.orders = Orders()
        self._thread = self._made(config)

    def start(self) -> None:
        """Begin to connect, and keep at it."""
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        """End the stream and close the port."""
        self._thread.halt()
        self._thread.join(wait_s)

    def change(self, config: Config) -> None:
        """Go on with another configuration. Raises Fault(STATE_DAMAGED); nothing was changed."""
        thread = self._made(config)
        self.stop(_HALT_S)
        self._before.update(self._counted())
        self._thread = thread
        self.start()

    def streaming(self, streaming: Streaming) -> None:
        """Sample scans follow."""
        self._latest = streaming

    @property
    def integration_us(self) -> int | None:
        """Of one exposure; None before the first stream."""
        return None if self._latest is None else self._latest.integration_us

    @property
    def bad_pixels(self) -> tuple[int, ...]:
        """Channels that others stand in for, from 0 on."""
        references = None if self._latest is None else self._latest.references
        bad = None if references is None else references.detector.bad
        return () if bad is None else bad.indices

    def waiting_for(self, ages: Ages) -> tuple[str, ...]:
        """The commands that renew what is missing or too old, where people have to send them."""
        latest = self._latest
        if latest is None or not latest.by_hand:
            return ()
        return latest.lacking or due(
            latest.references, ages, self._clock.now(), self._temperature_c
        )

    @property
    def figures(self) -> dict[str, int]:
        """Counters of the line since the daemon started."""
        return {name: n + self._before[name] for name, n in self._counted().items()}

    def _counted(self) -> dict[str, int]:
        line = self._thread.link.counters
        return {
            "line_bytes": line.bytes,
            "line_frames": line.frames,
            "line_crc_errors": line.crc_errors,
        }

    def _made(self, config: Config) -> InstrumentThread:
        chosen = self._choices.read().integration
        integration_us = {serial: c.integration_us for serial, c in chosen.items()}
        self._number += 1
        return InstrumentThread(
            Settings(
                config.serial, config.acquisition, config.state_dir, integration_us, self._met_s
            ),
            self._clock,
            functools.partial(self._said, self._number),
            self.orders,
            self._beats.new("instrument"),
        )

    def _said(self, number: int, item: Item) -> None:
        if isinstance(item, Measured):
            self._temperature_c = item.scan.temperature_c
        # How the line of another configuration fares is nobody's business; its scans count.
        if number == self._number or isinstance(item, Measured | Consumed | OrderDone):
            self._post(item)
