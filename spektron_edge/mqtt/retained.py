"""The ledger of retained topics: what a broker keeps of us, so that none stays behind as a ghost.

A topic is noted before it is first published, and struck off only once the broker has acknowledged
its removal. One file, rewritten as a whole; it changes when topics do, not with every message.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

from spektron_edge.files.durable import write_durably
from spektron_edge.files.set_aside import set_aside

RETAINED_FILE = "retained.json"
_FORMAT = 1


class RetainedLedger:
    """Pairs of broker URL and topic. Safe for several threads."""

    def __init__(self, path: Path) -> None:
        """Nothing is read before `load`."""
        self.path = path
        self._entries: set[tuple[str, str]] = set()
        self._used: set[tuple[str, str]] = set()
        self._unsaved = False
        self._lock = threading.Lock()

    def load(self) -> Path | None:
        """Read the file; one that cannot be understood is set aside, and its new path returned.

        Raises OSError.
        """
        try:
            document = json.loads(self.path.read_bytes())
            if document["format"] != _FORMAT:
                raise ValueError("another format")
            found = {(str(e["broker"]), str(e["topic"])) for e in document["retained"]}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return set_aside(self.path)
        with self._lock:
            self._entries |= found
        return None

    def use(self, broker: str, topic: str) -> None:
        """This is about to be retained. Raises OSError; it is then noted in memory, and written
        with the next change."""
        with self._lock:
            self._used.add((broker, topic))
            if self._unsaved or (broker, topic) not in self._entries:
                self._entries.add((broker, topic))
                self._save()

    def strike(self, broker: str, topic: str) -> None:
        """The broker keeps nothing there any more. Raises OSError."""
        with self._lock:
            if (broker, topic) in self._entries - self._used:
                self._entries.discard((broker, topic))
                self._save()

    def ghosts(self, broker: str) -> list[str]:
        """Topics there that nothing was retained on since the ledger was made."""
        with self._lock:
            return sorted(t for b, t in self._entries - self._used if b == broker)

    def entries(self) -> list[tuple[str, str]]:
        """All of it: broker and topic."""
        with self._lock:
            return sorted(self._entries)

    def _save(self) -> None:
        self._unsaved = True
        entries = [{"broker": broker, "topic": topic} for broker, topic in sorted(self._entries)]
        document = {"format": _FORMAT, "retained": entries}
        write_durably(self.path, json.dumps(document, indent=1).encode() + b"\n")
        self._unsaved = False
