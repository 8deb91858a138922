"""What the broker retains of this daemon: whether it is there, its model, its state."""

from __future__ import annotations

from spektron_edge.prediction.serving import Serving
from spektron_edge.publishing.records import ModelState, Status, to_json

from .opening import Opened
from .state_records import StateRecords


class Announcements:
    """Publishes what changed, and all of it to a broker that has just accepted the session."""

    def __init__(self, opened: Opened, serving: Serving, states: StateRecords) -> None:
        self._client, self._adapters = opened.client, opened.adapters
        self._door = opened.door
        self._reporter, self._notices = opened.reporter, opened.notices
        self._serving, self._states = serving, states
        self._ghosts_told: set[str] = set()

    def connected(self) -> None:
        """The broker accepted the session."""
        self._status(Status(status="online"))
        self._publish_model(self.model_state())
        self.state()
        self._adapters.connected(self._client)
        self._client.clear_ghosts()
        self._tell_of_ghosts_elsewhere()

    def model(self) -> None:
        """What is predicted with from now on."""
        state = self.model_state()
        self._adapters.model(state)
        self._door.model(state)
        if self._client.connected:
            self._publish_model(state)

    def state(self) -> None:
        """How the daemon is now."""
        state = self._states.record()
        self._adapters.state(state)
        self._door.state(state)
        if self._client.connected:
            self._client.publish("state", to_json(state), retain=True)

    def offline(self) -> None:
        """The daemon leaves this broker."""
        self._status(Status(status="offline"))

    def model_state(self) -> ModelState:
        """What is predicted with now."""
        return self._reporter.model_state(self._serving.model, self._serving.in_use)

    def _publish_model(self, state: ModelState) -> None:
        self._client.publish("model", to_json(state), retain=True)

    def _status(self, status: Status) -> None:
        self._client.publish("status", to_json(status), retain=True)

    def _tell_of_ghosts_elsewhere(self) -> None:
        """The same broker by another name looks like another one, where nothing may be removed."""
        elsewhere = self._client.retained_elsewhere() - self._ghosts_told
        self._ghosts_told |= elsewhere
        if elsewhere:
            told = (
                f"topics of this instrument may still be retained at {', '.join(sorted(elsewhere))}"
            )
            clear = "stop the daemon and `spektron-edge mqtt-clear --everywhere` removes them"
            self._notices.say("retained_elsewhere", f"{told}: {clear}", "warning")
