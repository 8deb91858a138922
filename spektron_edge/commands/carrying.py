"""Where commands are carried out, answered and audited, whichever way they came."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from spektron_edge.config.commands import Commands
from spektron_edge.faults import Fault
from spektron_edge.publishing.records import Stage

from .arguments import canonical_arguments
from .asked import Action, Asked, Audit, CommandOutcome, Detail
from .two_people import WITHIN_S, TwoPeople

_MOST_ARGUMENTS = 1024

Answer = Callable[[CommandOutcome, Stage], None]


@dataclass(frozen=True)
class _Accepted:
    name: str
    asked: Asked
    answer: Answer


class Carrying:
    """Belongs to the main path. Who asks, and that they may, was decided before."""

    def __init__(self, actions: Mapping[str, Action], audit: Audit) -> None:
        """actions: command -> what carries it out."""
        self.actions = actions
        self._audit = audit
        self._accepted: dict[int, _Accepted] = {}
        self.two_people = TwoPeople()

    def carry_out(self, name: str, asked: Asked, answer: Answer, rules: Commands) -> None:
        """Carry out, answer and audit a command that there is.

        answer: tells whoever asked, a second time at the end of what was accepted.
        """
        accepted, partner = _Accepted(name, asked, answer), None
        if name in rules.two_people:
            may = {operator.name for operator in rules.operators if name in operator.may}
            partner = self.two_people.partner(name, asked, may)
            if partner is None:
                told = f"waits {WITHIN_S:g} s for another operator to ask for the same"
                self._end(accepted, CommandOutcome(True, told), "waiting")
                return
        try:
            outcome = self.actions[name](asked)
        except Fault as fault:
            outcome = CommandOutcome(False, str(fault), {"fault": fault.code})
        if outcome.ticket is not None:
            self._accepted[outcome.ticket] = accepted
        self._end(accepted, outcome, "finished" if outcome.ticket is None else "accepted", partner)

    def finish(self, ticket: int, outcome: CommandOutcome) -> None:
        """What came of a command that was accepted."""
        accepted = self._accepted.pop(ticket, None)
        if accepted is not None:
            self._end(accepted, outcome, "finished")

    def _end(
        self, of: _Accepted, outcome: CommandOutcome, stage: Stage, partner: str | None = None
    ) -> None:
        of.answer(outcome, stage)
        details: dict[str, Detail] = {
            "ok": outcome.ok,
            "stage": stage,
            "message": outcome.message,
            **of.asked.noted,
        }
        if of.asked.arguments:
            text = canonical_arguments(of.asked.arguments)
            long = len(text) > _MOST_ARGUMENTS
            kept = f"sha256:{hashlib.sha256(text).hexdigest()}" if long else text.decode()
            details["arguments"] = kept
        if partner is not None:
            details["with"] = partner
        self._audit(f"command_{of.name}", of.asked.operator, **details)
