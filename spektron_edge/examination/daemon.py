"""What a running daemon says of itself: its version, and the faults that go on."""

from __future__ import annotations

from collections.abc import Iterator

from spektron_edge import __version__

from .finding import Finding, bad, ok, unseen, warning
from .subject import Subject

PART = "daemon"


def look(subject: Subject) -> Iterator[Finding]:
    """See the module."""
    if not subject.running:
        yield unseen(PART, "none runs with this state folder")
        return
    told = subject.told
    if told is None:
        step = "ask as its user or root; else see `spektron-edge doctor` again, then its log"
        yield bad(PART, f"one runs, but {subject.why_untold}", step)
        return
    if told.version != __version__:
        said = f"version {told.version} runs, {__version__} is installed"
        yield warning(PART, said, "restart it: systemctl restart spektron-edge")
    for fault in told.faults:
        yield Finding(
            PART,
            "bad",
            f"{fault['message']}, since {fault['since_utc']}",
            fault["next_step"],
            fault["code"],
        )
    waiting = () if told.state is None else told.state.get("waiting_for", ())
    if waiting:
        yield warning(PART, f"it waits for {', '.join(waiting)}", "send it: docs/commands.md")
    if not told.faults:
        yield ok(PART, f"runs, version {told.version}, without faults")
