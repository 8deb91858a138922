"""What adaptation says: an event for those who watch, and a line of audit for those who check."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from spektron_edge.faults import Fault, Faults
from spektron_edge.files.ledger import Action
from spektron_edge.inference import BackendError
from spektron_edge.publishing.notices import Notices

from .attempt import failed

_WHO = "daemon"
_DOUBTFUL = ("drift_detected", "adaptation_doubtful")


class Telling:
    """Trouble with adaptation is told as well: predictions do not depend on it."""

    def __init__(self, notices: Notices, audit: Callable[[Action], bool]) -> None:
        """audit: writes a line of the audit log."""
        self.notices, self._audit = notices, audit

    def tell(self, what: str, told: str, **details: str | int | bool | None) -> None:
        """Something happened."""
        self._audit(Action(what=what, who=_WHO, details={"told": told, **details}))
        self.notices.say(what, told, "warning" if what in _DOUBTFUL else "info")

    def in_vain(self, fault: Fault) -> None:
        """An attempt came to nothing."""
        told = failed(fault)
        self._audit(Action(what=told.code, who=_WHO, details={"why": told.detail}))
        self.notices.once(told)

    @contextlib.contextmanager
    def troubles(self) -> Iterator[None]:
        """Makes an event of a fault."""
        try:
            yield
        except Fault as fault:
            self.notices.once(failed(fault))
        except BackendError as error:
            self.notices.once(Fault(Faults.ADAPTATION_FAILED, str(error)))
