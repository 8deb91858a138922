"""Where commands are received, checked, carried out, answered and written into the audit log."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from spektron_edge import log
from spektron_edge.config.commands import Commands
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import CommandReceived
from spektron_edge.publishing.records import Response, Stage, to_json

from .arguments import canonical_arguments
from .client import MqttClient
from .commands import CommandRefused, Request, authorise, parse
from .limited import Limited
from .two_people import WITHIN_S, TwoPeople

_ANSWERS_PER_S = 10
_LINES_PER_MIN = 10
_MOST_ARGUMENTS = 1024
# Asked most where the disk fails, and it changes nothing: its counter may be kept in memory alone.
_WITHOUT_A_DISK = frozenset({"health"})

Result = dict[str, "str | int | float | bool | tuple[str, ...] | None"]
Action = Callable[[Request], "CommandOutcome"]


class Audit(Protocol):
    """Writes a line of the audit log."""

    def __call__(self, what: str, who: str, **details: str | int | bool | None) -> object:
        """what: a name; who: as far as it is proven."""


@dataclass(frozen=True)
class CommandOutcome:
    """What came of a command. ticket: it was accepted, and the end of it follows under this one."""

    ok: bool
    message: str
    result: Result = field(default_factory=dict)
    ticket: int | None = None


@dataclass(frozen=True)
class _Accepted:
    command: CommandReceived
    request: Request


def without_arguments(action: Callable[[], CommandOutcome]) -> Action:
    """Refuses a request with arguments, which nobody would look at."""

    def carry_out(request: Request) -> CommandOutcome:
        if request.arguments:
            names = ", ".join(request.arguments)
            raise Fault(Faults.COMMAND_INPUT, f"this command takes no arguments, not {names}")
        return action()

    return carry_out


class CommandHandler:
    """Answers requests on the command topics; carries out those that are authorised."""

    def __init__(
        self,
        client: MqttClient,
        root: str,
        actions: Mapping[str, Action],
        accept_counter: Callable[[str, int], bool],
        audit: Audit,
    ) -> None:
        """accept_counter: true once for an operator's counter, by then on the disk; raises Fault
        where that cannot be."""
        self._client = client
        self._root = root
        self._actions = actions
        self._accept_counter = accept_counter
        self._audit = audit
        self._answers = Limited(_ANSWERS_PER_S, 1.0)
        self._lines = Limited(_LINES_PER_MIN, 60.0)
        self._accepted: dict[int, _Accepted] = {}
        self._unrecorded: dict[str, int] = {}
        self.two_people = TwoPeople()
        self.refused = 0

    def serve(self, command: CommandReceived, rules: Commands) -> None:
        """Carry out, answer and audit. All refused ones are counted; of a flood of them only some
        are answered, logged and audited."""
        request = None
        try:
            request = parse(command.payload)
            if command.name not in self._actions:
                raise CommandRefused("there is no command of this name")
            accept = partial(self._accept, command.name)
            authorise(request, command.name, self._root, rules.operators, accept)
        except CommandRefused as refusal:
            self._refuse(command, request, refusal)
            return
        except Fault as fault:
            # Met last, with the counter: who asks is proven by then.
            who = None if request is None else request.operator
            self._refuse(command, request, CommandRefused(f"nothing was done: {fault}", who), fault)
            return
        partner = None
        if command.name in rules.two_people:
            may = {o.name for o in rules.operators if command.name in o.may}
            partner = self.two_people.partner(command.name, request, may)
            if partner is None:
                told = f"waits {WITHIN_S:g} s for another operator to ask for the same"
                self._end(command, request, CommandOutcome(True, told), "waiting")
                return
        try:
            outcome = self._actions[command.name](request)
        except Fault as fault:
            outcome = CommandOutcome(False, str(fault), {"fault": fault.code})
        if outcome.ticket is not None:
            self._accepted[outcome.ticket] = _Accepted(command, request)
        stage: Stage = "finished" if outcome.ticket is None else "accepted"
        self._end(command, request, outcome, stage, partner)

    def _accept(self, command: str, operator: str, counter: int) -> bool:
        """Raises Fault where a command must not be carried out unrecorded."""
        if counter <= self._unrecorded.get(operator, 0):
            return False
        try:
            return self._accept_counter(operator, counter)
        except Fault:
            if command not in _WITHOUT_A_DISK:
                raise
        self._unrecorded[operator] = counter
        return True

    def finish(self, ticket: int, outcome: CommandOutcome) -> None:
        """What came of a command that was accepted."""
        accepted = self._accepted.pop(ticket, None)
        if accepted is not None:
            self._end(accepted.command, accepted.request, outcome, "finished")

    def _end(
        self,
        command: CommandReceived,
        request: Request,
        outcome: CommandOutcome,
        stage: Stage,
        partner: str | None = None,
    ) -> None:
        self._answer(command, request, outcome, stage)
        details: dict[str, str | int | bool | None] = {
            "ok": outcome.ok,
            "stage": stage,
            "message": outcome.message,
            "counter": request.counter,
        }
        if request.arguments:
            text = canonical_arguments(request.arguments)
            long = len(text) > _MOST_ARGUMENTS
            kept = f"sha256:{hashlib.sha256(text).hexdigest()}" if long else text.decode()
            details["arguments"] = kept
        if partner is not None:
            details["with"] = partner
        self._audit(f"command_{command.name}", request.operator, **details)

    def _refuse(
        self,
        command: CommandReceived,
        request: Request | None,
        refusal: CommandRefused,
        fault: Fault | None = None,
    ) -> None:
        self.refused += 1
        # Answers share the way out with predictions: strangers may not fill it.
        if self._answers.admit() is not None:
            rights = "compare operator, key and rights with [commands]"
            step = rights if fault is None else fault.next_step
            log.warn("command_refused", command=command.name, why=refusal.why, next=step)
            result: Result = {} if fault is None else {"fault": fault.code}
            self._answer(command, request, CommandOutcome(False, str(refusal), result), "finished")
        left_out = self._lines.admit()
        if left_out is not None:
            self._audit(
                "command_refused",
                refusal.operator or "not proven",
                command=command.name,
                claimed=None if request is None else request.operator,
                why=refusal.why,
                not_listed_before=left_out,
            )

    def _answer(
        self,
        command: CommandReceived,
        request: Request | None,
        outcome: CommandOutcome,
        stage: Stage,
    ) -> None:
        response = Response(
            command=command.name,
            stage=stage,
            ok=outcome.ok,
            message=outcome.message,
            correlation=None if request is None else request.correlation,
            result=outcome.result,
        )
        self._client.respond(
            command.name, to_json(response), command.correlation, command.response_topic
        )
