"""Where commands are received, checked, carried out and answered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from spektron_edge import log
from spektron_edge.config import Operator
from spektron_edge.faults import Fault, Faults
from spektron_edge.inbox import CommandReceived
from spektron_edge.records import Response, to_json

from .client import MqttClient
from .commands import CommandRefused, Request, authorise, parse

_REFUSALS_PER_S = 10

Result = dict[str, "str | int | float | bool | tuple[str, ...] | None"]
Action = Callable[[Request], "CommandOutcome"]


@dataclass(frozen=True)
class CommandOutcome:
    """What came of a command."""

    ok: bool
    message: str
    result: Result = field(default_factory=dict)


def without_arguments(action: Callable[[], CommandOutcome]) -> Action:
    """Refuses a request with arguments, which nobody would look at."""

    def carry_out(request: Request) -> CommandOutcome:
        if request.arguments:
            names = ", ".join(request.arguments)
            raise Fault(Faults.COMMAND_FAILED, f"this command takes no arguments, not {names}")
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
    ) -> None:
        self._client = client
        self._root = root
        self._actions = actions
        self._accept_counter = accept_counter
        self._refused_at: deque[float] = deque(maxlen=_REFUSALS_PER_S)
        self.refused = 0

    def serve(
        self, command: CommandReceived, operators: tuple[Operator, ...]
    ) -> tuple[Request, CommandOutcome] | None:
        """Carry out and answer; who asked and what came of it, or None when it was refused.

        A flood of refused requests is counted, but only some are answered and logged.
        """
        request = None
        try:
            request = parse(command.payload)
            authorise(request, command.name, self._root, operators, self._accept_counter)
        except CommandRefused as refusal:
            self.refused += 1
            if not self._flooded():
                log.warn(
                    "command_refused",
                    command=command.name,
                    why=refusal,
                    next="compare operator, key and rights with [commands]",
                )
                self._answer(command, request, CommandOutcome(False, str(refusal)))
            return None
        try:
            outcome = self._actions[command.name](request)
        except Fault as fault:
            outcome = CommandOutcome(False, str(fault), {"fault": fault.code})
        self._answer(command, request, outcome)
        return request, outcome

    def _flooded(self) -> bool:
        # Answers share the way out with predictions: strangers may not fill it.
        now, recent = time.monotonic(), self._refused_at
        if len(recent) == _REFUSALS_PER_S and now - recent[0] < 1.0:
            return True
        recent.append(now)
        return False

    def _answer(
        self, command: CommandReceived, request: Request | None, outcome: CommandOutcome
    ) -> None:
        response = Response(
            command=command.name,
            ok=outcome.ok,
            message=outcome.message,
            correlation=None if request is None else request.correlation,
            result=outcome.result,
        )
        self._client.respond(
            command.name, to_json(response), command.correlation, command.response_topic
        )
