"""Commands that the instrument carries out: accepted at once, answered when it has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from pydantic import Field

from spektron_edge.clock import Clock
from spektron_edge.commands.arguments import Nothing, Taken, take_arguments
from spektron_edge.commands.asked import Asked, CommandOutcome, Result
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.choices import ChoiceStore, IntegrationChoice
from spektron_edge.inbox import OrderDone
from spektron_edge.prediction.model_values import told_values
from spektron_edge.prediction.pipeline import Outcome
from spektron_edge.prediction.serving import Serving
from spektron_edge.spectra.scan import Scan

from .orders import Order, Orders, What

BEGIN_WITHIN_S = 30.0
_GIVE_UP_S = 3600.0
_MOST_WAITING = 8


class SetIntegration(Taken):
    """Of one exposure; "configured" goes back to the configuration's."""

    integration_us: int | Literal["configured"] = Field(description="us of one exposure")


@dataclass
class _Asked:
    order: Order
    operator: str
    at_s: float
    begun: bool = False


class InstrumentCommands:
    """Hands orders to the acquisition thread and tells what came of them."""

    def __init__(
        self,
        orders: Orders,
        choices: ChoiceStore,
        serving: Serving,
        finish: Callable[[int, CommandOutcome], None],
        tickets: Iterator[int],
    ) -> None:
        """finish: ends what was accepted under a ticket; tickets: numbers nobody else has."""
        self._orders, self._choices, self._serving = orders, choices, serving
        self._finish = finish
        self._clock = Clock()
        self._tickets = tickets
        self._asked: dict[int, _Asked] = {}

    def actions(self) -> dict[str, Callable[[Asked], CommandOutcome]]:
        """Command -> what carries it out."""
        return {
            "take-dark": lambda asked: self._plain(asked, "take-dark"),
            "take-reference": lambda asked: self._plain(asked, "take-reference"),
            "scan-now": lambda asked: self._plain(asked, "scan-now"),
            "set-integration": self._set_integration,
            "auto-range": lambda asked: self._plain(asked, "auto-range"),
        }

    def _plain(self, asked: Asked, what: What) -> CommandOutcome:
        take_arguments(asked.arguments, Nothing, Faults.COMMAND_INPUT)
        return self._order(asked, what)

    def _set_integration(self, asked: Asked) -> CommandOutcome:
        given = take_arguments(asked.arguments, SetIntegration, Faults.COMMAND_INPUT)
        wished = given.integration_us
        return self._order(asked, "set-integration", None if wished == "configured" else wished)

    def _order(self, asked: Asked, what: What, integration_us: int | None = None) -> CommandOutcome:
        if len(self._asked) >= _MOST_WAITING:
            told = f"{_MOST_WAITING} commands wait for the instrument already"
            raise Fault(Faults.COMMAND_NOT_DONE, told)
        order = Order(next(self._tickets), what, integration_us)
        self._asked[order.ticket] = _Asked(order, asked.operator, time.monotonic())
        self._orders.put(order)
        return CommandOutcome(True, "the answer follows", ticket=order.ticket)

    def done(self, done: OrderDone) -> None:
        """The instrument's thread has carried an order out, or could not."""
        asked = self._asked.pop(done.ticket, None)
        if asked is None:
            return
        if done.fault is not None:
            self._failed(done.ticket, done.fault)
            return
        if asked.order.what in ("set-integration", "auto-range"):
            found = done.integration_us if asked.order.what == "auto-range" else None
            try:
                self._keep(asked, found or asked.order.integration_us)
            except Fault as fault:
                detail = f"{done.told}, until a restart only: {fault.detail}"
                self._failed(done.ticket, Fault(fault.kind, detail))
                return
        result: Result = {"integration_us": done.integration_us}
        self._finish(done.ticket, CommandOutcome(True, done.told, result))

    def scanned(self, ticket: int, scan: Scan, outcome: Outcome, record: str) -> None:
        """`scan-now` became a prediction, which is published like any other."""
        if self._asked.pop(ticket, None) is None:
            return
        told = "valid" if outcome.valid else f"invalid: {', '.join(outcome.reasons)}"
        result: Result = {
            "scan": scan.number,
            "record": record,
            "valid": outcome.valid,
            "reasons": outcome.reasons,
            "values": told_values(self._serving.model.product, outcome.values),
        }
        self._finish(ticket, CommandOutcome(True, f"scan {scan.number} is {told}", result))

    def look_after(self, now_s: float, faults: tuple[str, ...]) -> None:
        """Withdraw what the instrument does not begin. now_s: of the monotonic clock; faults: that
        are going on."""
        for ticket, asked in list(self._asked.items()):
            waited_s = now_s - asked.at_s
            if not asked.begun and waited_s >= BEGIN_WITHIN_S:
                if self._orders.withdraw(ticket):
                    why = ", ".join(faults) or "it is busy"
                    told = f"withdrawn: not begun within {BEGIN_WITHIN_S:g} s ({why})"
                    self._give_up(ticket, told)
                else:
                    asked.begun = True
            elif waited_s >= _GIVE_UP_S:
                self._give_up(ticket, f"no word from the instrument for {_GIVE_UP_S:g} s")

    def end(self) -> None:
        """The daemon ends: nobody else will answer."""
        for ticket in list(self._asked):
            self._give_up(ticket, "the daemon was stopped")

    def _give_up(self, ticket: int, told: str) -> None:
        del self._asked[ticket]
        self._failed(ticket, Fault(Faults.COMMAND_NOT_DONE, told))

    def _failed(self, ticket: int, fault: Fault) -> None:
        self._finish(ticket, CommandOutcome(False, str(fault), {"fault": fault.code}))

    def _keep(self, asked: _Asked, new_us: int | None) -> None:
        serial = self._serving.serial
        if serial is None:
            return
        at = datetime.fromtimestamp(self._clock.now().utc_s, timezone.utc)
        self._choices.choose_integration(
            serial,
            None
            if new_us is None
            else IntegrationChoice(integration_us=new_us, by=asked.operator, at=at),
        )
