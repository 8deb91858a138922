"""The audit log as the main path writes it: a full disk is a notice and nobody's exception."""

from __future__ import annotations

from spektron_edge.clock import Clock
from spektron_edge.files.ledger import Action
from spektron_edge.files.state_folder import StateFolder, storage_fault
from spektron_edge.publishing.notices import Notices


class AuditTrail:
    """Adds lines with the time of now."""

    def __init__(self, state: StateFolder, clock: Clock, notices: Notices) -> None:
        self._state, self._clock, self._notices = state, clock, notices

    def __call__(
        self, what: str, who: str = "daemon", /, **details: str | int | bool | None
    ) -> bool:
        """Add a line; false when the disk does not take it."""
        try:
            self._state.audit.append(self._clock.now(), who, what, dict(details))
        except OSError as error:
            self._notices.begin(storage_fault(error, self._state.folder))
            return False
        return True

    def action(self, action: Action) -> bool:
        """The same for what a ledger keeps."""
        return self(action.what, action.who, **action.details)
