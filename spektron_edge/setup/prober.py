"""Which instrument speaks on which port, each port asked once."""

from __future__ import annotations

from collections.abc import Callable

from firmware_bridge.errors import LinkError
from firmware_bridge.probe import Found, probe
from spektron_edge.examination.ports import nothing, serial_ports, wanted_drivers

from .asking import AnswerRefused

ALL = "find"
"""As an answer: look on all ports."""


class Prober:
    """tell: hears of each step, and what came of it."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._known: dict[str, Found | None] = {}

    def at(self, port: str) -> Found | None:
        """Who answers there; None where nobody does, which is told."""
        if port not in self._known:
            self._known[port] = self._asked(port)
        return self._known[port]

    def known(self, port: str) -> Found | None:
        """The same without asking anew."""
        return self._known.get(port)

    def first(self) -> str:
        """The first port of this machine with an instrument. Raises AnswerRefused."""
        there = [port.path for port in serial_ports()]
        for port in there:
            if self.at(port) is not None:
                return port
        ports = ", ".join(there) or "this machine has no serial port"
        raise AnswerRefused(f"no instrument was recognised on any port: {ports}")

    def _asked(self, port: str) -> Found | None:
        drivers, left_out = wanted_drivers([])
        self._tell(f"looking for an instrument on {port}")
        try:
            outcome = probe(port, drivers, self._tell)
        except LinkError as error:
            self._tell(str(error))
            return None
        if outcome.found is None:
            self._tell(nothing(port, outcome, left_out))
        else:
            found = outcome.found
            self._tell(f"found {found.identity.serial}, driver {found.driver.name}")
        return outcome.found
