"""What programs on this machine ask for at the door: who may, what came of it, and their notes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from spektron_edge import log, roles
from spektron_edge.commands.asked import Asked, CommandOutcome
from spektron_edge.commands.carrying import Carrying
from spektron_edge.commands.limited import Limited
from spektron_edge.config.commands import Commands
from spektron_edge.door.asking import AtDoor, Command, Note
from spektron_edge.door.notes import notes
from spektron_edge.faults import Fault
from spektron_edge.files.ledger import Action, told
from spektron_edge.publishing.active_faults import STORAGE
from spektron_edge.publishing.records import Stage

from .opening import Opened

_LINES_PER_MIN = 60
_AT_ONCE = 8
_MOST_WAITING = 256
_NOTES_EVERY_S = 1.0
_NOTES_AT_ONCE = 20
# They change nothing, and are asked most where the disk fails.
_WITHOUT_A_DISK = frozenset({"health", "transfer-status", "adapt-status"})


class DoorDesk:
    """Belongs to the main path, which serves it in spare time."""

    def __init__(self, opened: Opened, carrying: Carrying, rules: Callable[[], Commands]) -> None:
        """rules: those of now; who may ask at the door is not among them."""
        self._door, self._notices, self._audit = opened.door, opened.notices, opened.audit
        self._carrying, self._rules = carrying, rules
        self._lines = Limited(_LINES_PER_MIN, 60.0)
        self._waiting: deque[AtDoor] = deque()
        self._notes, self._notes_due = notes(opened.state.folder), 0.0
        self._notes_seen: tuple[int, int] | None = None
        self._told: tuple[tuple[str, str], ...] = ()

    def received(self, item: AtDoor) -> None:
        """Somebody asks for something: it is done in spare time."""
        if len(self._waiting) < _MOST_WAITING:
            self._waiting.append(item)
        else:
            self._door.refuse(item.connection, item.line.id, "too many wait; nothing was done")

    def look_after(self, now: float) -> None:
        """In spare time; now: time.monotonic()."""
        for _ in range(min(_AT_ONCE, len(self._waiting))):
            item = self._waiting.popleft()
            if isinstance(item.line, Command):
                self._serve(item.connection, item.line)
            else:
                self._note(item.connection, item.line)
        active = self._notices.active
        if (brief := tuple((fault.code, since) for fault, since in active)) != self._told:
            self._told = brief
            self._door.faults(active)
        if now >= self._notes_due:
            self._notes_due = now + _NOTES_EVERY_S
            with self._notices.noticed():
                self._take_up_notes()

    def _serve(self, connection: int, command: Command) -> None:
        name, arguments = command.name, command.arguments
        if name not in self._carrying.actions:
            self._refuse(connection, command, "there is no command of this name")
        elif not roles.may(command.role, name, arguments):
            self._refuse(connection, command, f"{command.by} as {command.role} may not {name}")
        elif roles.needs_signature(name, arguments) and command.meaning is None:
            self._refuse(connection, command, f"{name} needs a signature with its meaning")
        elif name not in _WITHOUT_A_DISK and (fault := self._disk_fault()) is not None:
            self._refuse(connection, command, f"nothing was done: {fault}", fault)
        else:
            asked = Asked(
                command.by,
                arguments,
                command.id,
                "page",
                command.meaning,
                {"through": "page", "role": command.role, "meaning": command.meaning},
            )
            answer = partial(self._answer, connection, command.id)
            self._carrying.carry_out(name, asked, answer, self._rules())

    def _answer(self, connection: int, id_: str, outcome: CommandOutcome, stage: Stage) -> None:
        self._door.answer(connection, id_, outcome, stage)

    def _disk_fault(self) -> Fault | None:
        """Why nothing could be written into the audit log now."""
        return next((fault for fault, _ in self._notices.active if fault.kind in STORAGE), None)

    def _refuse(
        self, connection: int, command: Command, why: str, fault: Fault | None = None
    ) -> None:
        self._door.refuse(connection, command.id, why, None if fault is None else fault.code)
        left_out = self._lines.admit()
        if left_out is not None:
            log.warn("command_refused", command=command.name, why=why, next="see docs/door.md")
            self._audit(
                "command_refused",
                command.by,
                command=command.name,
                why=why,
                through="page",
                role=command.role,
                not_listed_before=left_out,
            )

    def _note(self, connection: int, note: Note) -> None:
        action = Action(what=note.what, who=note.who, details=note.details)
        there = self._audit.action(action)
        said = "it is in the audit log" if there else "the disk did not take it; keep it"
        self._door.answer(connection, note.id, CommandOutcome(there, said), "finished")

    def _take_up_notes(self) -> None:
        """Raises Fault."""
        stamp = self._notes.stamp
        if stamp == self._notes_seen:
            return
        untold = self._notes.read().untold
        done = 0
        for action in untold[:_NOTES_AT_ONCE]:
            if not self._audit.action(action):
                break
            done += 1
        if done:
            self._notes.update(lambda before: told(before, done))
        if not untold:
            self._notes_seen = stamp
