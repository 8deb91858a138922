"""What the page has to tell the audit log while no daemon runs."""

from __future__ import annotations

from pathlib import Path

from spektron_edge.files.ledger import Action, Ledger, Noted, noted

NOTES_FILE = Path("page", "notes.json")
# Far more than people do in a week without a daemon; more would make every note slow. Refusals
# leave room: whoever knocks for hours does not crowd out what was done.
MOST_REFUSED, MOST_WAITING = 1000, 5000
_CROWDED_OUT = "page_notes_not_kept"


def notes(state_dir: Path) -> Ledger[Noted]:
    """The ledger of a state folder."""
    return Ledger(state_dir / NOTES_FILE, Noted(), mode=0o600)


def keep(state_dir: Path, action: Action) -> None:
    """Keep a note until a daemon has put it into its audit log; beyond the most, their number.

    action: its details should say when, for the line bears the daemon's time. Raises
    Fault(STATE_UNWRITABLE, DISK_FULL, STATE_DAMAGED).
    """
    notes(state_dir).update(lambda before: _with(before, action))


def _with(before: Noted, action: Action) -> Noted:
    untold = before.untold
    if len(untold) < (MOST_REFUSED if action.what == "page_refused" else MOST_WAITING):
        return noted(before, action)
    at = next((i for i, other in enumerate(untold) if other.what == _CROWDED_OUT), None)
    if at is None:
        return noted(before, Action(what=_CROWDED_OUT, who="page", details={"count": 1}))
    count = int(untold[at].details["count"] or 0) + 1
    more = untold[at].model_copy(update={"details": {"count": count}})
    return before.model_copy(update={"untold": (*untold[:at], more, *untold[at + 1 :])})
