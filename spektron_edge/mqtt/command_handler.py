"""Where commands over MQTT are received, checked and answered."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from spektron_edge import log
from spektron_edge.commands.asked import Asked, Audit, CommandOutcome, Result
from spektron_edge.commands.carrying import Carrying
from spektron_edge.commands.limited import Limited
from spektron_edge.config.commands import Commands
from spektron_edge.faults import Fault
from spektron_edge.inbox import CommandReceived
from spektron_edge.publishing.records import Response, Stage, to_json

from .client import MqttClient
from .commands import CommandRefused, Request, authorise, parse

_ANSWERS_PER_S = 10
_LINES_PER_MIN = 10
# Asked most where the disk fails, and it changes nothing: its counter may be kept in memory alone.
_WITHOUT_A_DISK = frozenset({"health"})


class CommandHandler:
    """Answers requests on the command topics; has those carried out that are authorised."""

    def __init__(
        self,
        client: MqttClient,
        root: str,
        carrying: Carrying,
        accept_counter: Callable[[str, int], bool],
        audit: Audit,
    ) -> None:
        """accept_counter: true once for an operator's counter, by then on the disk; raises Fault
        where that cannot be."""
        self._client = client
        self._root = root
        self._carrying = carrying
        self._accept_counter = accept_counter
        self._audit = audit
        self._answers = Limited(_ANSWERS_PER_S, 1.0)
        self._lines = Limited(_LINES_PER_MIN, 60.0)
        self._unrecorded: dict[str, int] = {}
        self.refused = 0

    def serve(self, command: CommandReceived, rules: Commands) -> None:
        """Have it carried out, answered and audited. All refused ones are counted; of a flood of
        them only some are answered, logged and audited."""
        request = None
        try:
            request = parse(command.payload)
            if command.name not in self._carrying.actions:
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
        asked = Asked(
            request.operator,
            request.arguments,
            request.correlation,
            noted={"counter": request.counter},
        )
        answer = partial(self._answer, command, request)
        self._carrying.carry_out(command.name, asked, answer, rules)

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
