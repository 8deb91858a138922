"""Other processes of this machine, as /proc tells of them."""

from __future__ import annotations

from pathlib import Path


def state(number: int) -> str | None:
    """Its letter, T for stopped and Z for one that waits to be reaped; None when it has gone."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def with_words(*words: str) -> list[int]:
    """Numbers of those whose command line holds all these words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = path.read_text().split("\0")
        except OSError:
            continue  # it has ended
        if set(words) <= set(said):
            found.append(int(path.parent.name))
    return found
