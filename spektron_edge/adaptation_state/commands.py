"""Adaptations of a running daemon: what operators decide over MQTT."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from pydantic import Field

from spektron_edge.adaptation.candidate import Adapted
from spektron_edge.clock import Clock
from spektron_edge.commands.arguments import Nothing, Taken, TakenKind, take_arguments
from spektron_edge.commands.asked import Asked, CommandOutcome, Result
from spektron_edge.config.file import Config
from spektron_edge.faults import Fault, Faults
from spektron_edge.files.seen import SeenNumber
from spektron_edge.prediction.serving import Serving

from .adaptations import Adaptations, Approval
from .approving import approve
from .in_words import in_use, line, waiting
from .store import AdaptationStore

_PRINTABLE = r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"
_MOST_LISTED = 50


class Decide(Taken):
    """adaptation: its number."""

    adaptation: int = Field(ge=1)
    why: str = Field(pattern=_PRINTABLE)


class GoBack(Taken):
    """seen: number of the adaptation that is thought to be in use; why: if anybody says."""

    seen: SeenNumber | None = None
    why: str = Field("not said", pattern=_PRINTABLE)


class AdaptationCommands:
    """Commands raise Fault, which answers them. What they change is used from the next scan on."""

    def __init__(self, config: Callable[[], Config], serving: Serving) -> None:
        """config: what the daemon goes by now."""
        self._config, self._serving = config, serving
        self._clock = Clock()

    def actions(self) -> dict[str, Callable[[Asked], CommandOutcome]]:
        """Command -> what carries it out."""
        return {
            "adapt-status": self._status,
            "adapt-list": self._list,
            "adapt-approve": self._approve,
            "adapt-reject": self._reject,
            "adapt-rollback": self._roll_back,
            "adapt-reset": self._reset,
        }

    def _store(self) -> AdaptationStore:
        return AdaptationStore(self._config().state_dir)

    def _status(self, asked: Asked) -> CommandOutcome:
        _taken(asked, Nothing)
        return self._told(self._store().read())

    def _list(self, asked: Asked) -> CommandOutcome:
        _taken(asked, Nothing)
        held = self._store().read().held
        told = tuple(line(entry) for entry in held[-_MOST_LISTED:])
        return CommandOutcome(True, f"{len(held)} adaptations", {"adaptations": told})

    def _approve(self, asked: Asked) -> CommandOutcome:
        given = _taken(asked, Decide)
        at = datetime.fromtimestamp(self._clock.now().utc_s, timezone.utc)
        approval = Approval(who=asked.operator, through=asked.signed_as, at=at, why=given.why)
        config, model = self._config(), self._serving.model
        return self._changed(approve(self._store(), given.adaptation, approval, config, model))

    def _reject(self, asked: Asked) -> CommandOutcome:
        given = _taken(asked, Decide)
        return self._changed(self._store().reject(given.adaptation, asked.operator, given.why))

    def _roll_back(self, asked: Asked) -> CommandOutcome:
        given, serial = _taken(asked, GoBack), self._serving.serial
        return self._changed(self._store().roll_back(serial, asked.operator, given.why, given.seen))

    def _reset(self, asked: Asked) -> CommandOutcome:
        given, serial = _taken(asked, GoBack), self._serving.serial
        return self._changed(self._store().reset(serial, asked.operator, given.why, given.seen))

    def _changed(self, adaptations: Adaptations) -> CommandOutcome:
        self._serving.take_changes()
        return self._told(adaptations)

    def _told(self, adaptations: Adaptations) -> CommandOutcome:
        serving, rules = self._serving, self._config().adaptation
        serial = serving.serial or ""
        entry = adaptations.active(serial)
        message = f"{in_use(entry)} is in use"
        if entry is not None and serving.transfer is not None:
            message += f", but not applied while transfer {serving.transfer.number} is"
        adapted = serving.adapted
        if isinstance(adapted, Fault):
            message += f", and cannot be used: {adapted}"
        shadow = serving.in_use.shadow
        result: Result = {
            "mode": rules.mode,
            "approvals": rules.approvals,
            "serial": serving.serial,
            "in_use": None if entry is None else entry.number,
            "applied": isinstance(adapted, Adapted),
            "shadow": None if shadow is None else shadow.number,
            "waiting": tuple(waiting(e, rules.approvals) for e in adaptations.waiting(serial)),
        }
        return CommandOutcome(True, message, result)


def _taken(asked: Asked, kind: type[TakenKind]) -> TakenKind:
    return take_arguments(asked.arguments, kind, Faults.ADAPTATION_REFUSED)
