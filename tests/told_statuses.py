"""No command ends with a status that its reference does not name.

Looked at wherever a test runs one: this is imported before any test takes `main` by its name.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from spektron_edge.cli import main as edge

_PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "commands.md"
_OF_ALL = {0, 2, 130}
_main = edge.main


def checked_main(argv: Sequence[str] | None = None) -> int:
    """As the command itself. Raises AssertionError where its status is not in the reference."""
    status = _main(argv)
    hold(sys.argv[1:] if argv is None else list(argv), status)
    return status


def hold(words: list[str], status: int) -> None:
    """Raises AssertionError where this command line may not end so."""
    assert status in _OF_ALL | told(words), (
        f"docs/reference/commands.md does not say that {' '.join(words[:2])} can end with {status}"
    )


def told(words: list[str]) -> set[int]:
    """Statuses that the reference gives for this command line."""
    by_command = _by_command()
    return by_command.get(tuple(words[:2]), by_command.get(tuple(words[:1]), set()))


@cache
def _by_command() -> dict[tuple[str, ...], set[int]]:
    sections = re.split(r"^###? spektron-edge ", _PAGE.read_text("utf-8"), flags=re.M)[1:]
    found = {}
    for section in sections:
        heading, _, text = section.partition("\n")
        said = re.findall(r"^(?:Exit statuses:|Status) .*$", text.split("\n## ")[0], re.M)
        numbers = re.findall(r"(?<![\w`])\d+(?= `|:)", "\n".join(said))
        found[tuple(heading.split())] = set(map(int, numbers))
    return found


edge.main = checked_main
