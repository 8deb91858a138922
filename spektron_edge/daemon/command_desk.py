"""Operators' commands: who carries out which, what came of it, and counters that begin anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from spektron_edge.adaptation.evidence_actions import evidence_actions
from spektron_edge.adaptation.jobs import AdaptationJobs
from spektron_edge.adaptation_state.commands import AdaptationCommands
from spektron_edge.clock import Clock
from spektron_edge.commands.asked import CommandOutcome, without_arguments
from spektron_edge.commands.carrying import Carrying
from spektron_edge.config.file import Config
from spektron_edge.detector.wavelength_check import Check
from spektron_edge.files.choices import ChoiceStore
from spektron_edge.inbox import CommandReceived, Measured
from spektron_edge.instrument.commands import InstrumentCommands
from spektron_edge.instrument.orders import Orders
from spektron_edge.instrument.wavelength_checks import WavelengthChecks
from spektron_edge.mqtt.command_handler import CommandHandler
from spektron_edge.mqtt.counters import PlausibleCounters
from spektron_edge.prediction.pipeline import Outcome
from spektron_edge.prediction.product_choice import ProductCommands
from spektron_edge.prediction.serving import Serving
from spektron_edge.transfer_session.jobs import TransferJobs

from .counter_resets import CounterResets
from .door_desk import DoorDesk
from .opening import Opened
from .reload import Reload
from .wavelength_verdict import follow_up


class CommandDesk:
    """instrument: carries out orders; carrying: all commands; handler: decides who may ask for them
    over MQTT, and answers; door: the same for programs on this machine."""

    def __init__(
        self,
        config: Callable[[], Config],
        health: Callable[[], CommandOutcome],
        trusted_now_s: Callable[[], float | None],
        opened: Opened,
        clock: Clock,
        serving: Serving,
        reload: Reload,
        orders: Orders,
        choices: ChoiceStore,
        transfers: TransferJobs,
        adaptations: AdaptationJobs,
        tickets: Iterator[int],
    ) -> None:
        """config: what the daemon goes by now; trusted_now_s: UTC since 1970, None where nobody
        keeps the clock; tickets: numbers nobody else has."""
        self._config, self._clock, self._opened = config, clock, opened
        self._reload, self._adaptations = reload, adaptations
        self.instrument = InstrumentCommands(orders, choices, serving, self._finish, tickets)
        self._wavelengths = WavelengthChecks(config, self._finish, tickets, self._checked)
        self.carrying = Carrying(
            {
                "health": without_arguments(health),
                "reload": without_arguments(reload.reload),
                **self.instrument.actions(),
                **self._wavelengths.actions(),
                **ProductCommands(config, serving, choices, reload.settled).actions(),
                **transfers.actions(),
                **evidence_actions(adaptations),
                **AdaptationCommands(config, serving).actions(),
            },
            opened.audit,
        )
        self.handler = CommandHandler(
            opened.client,
            opened.topics.root,
            self.carrying,
            PlausibleCounters(opened.storage.accept_counter, trusted_now_s).accept,
            opened.audit,
        )
        self.door = DoorDesk(opened, self.carrying, lambda: config().commands)
        self.counter_resets = CounterResets(
            opened.state.folder,
            opened.state.outbox.put_counter,
            lambda: clock.now().utc_s,
            opened.audit.action,
            opened.notices,
        )

    def serve(self, command: CommandReceived) -> None:
        """Carry out, answer and audit."""
        self.handler.serve(command, self._config().commands)

    def scanned(self, measured: Measured, outcome: Outcome, record: str) -> None:
        """A scan became the prediction `record`: some commands wait for one."""
        self._wavelengths.measured(measured.scan, outcome)
        if measured.ticket is not None:
            self.instrument.scanned(measured.ticket, measured.scan, outcome, record)

    def look_after(self, now: float) -> None:
        """In spare time; now: time.monotonic(). Raises OutboxError; it is done later then."""
        self.instrument.look_after(now, self._opened.notices.codes)
        self._wavelengths.look_after(now)
        if (ended := self._reload.look_after(now)) is not None:
            self._finish(*ended)
        self.counter_resets.look_after(now)
        self.door.look_after(now)

    def end(self) -> None:
        """The daemon ends: whoever waits for an answer is told."""
        self.instrument.end()
        self._wavelengths.end()
        if (ended := self._reload.end()) is not None:
            self._finish(*ended)

    def _finish(self, ticket: int, outcome: CommandOutcome) -> None:
        self.carrying.finish(ticket, outcome)

    def _checked(self, check: Check, who: str) -> None:
        known, notices = self._adaptations.known, self._opened.notices
        follow_up(check, who, self._clock.now(), known, notices, self._opened.audit)
