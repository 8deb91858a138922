"""What README.md, CONTRIBUTING.md and docs/ tell a reader to type.

A fenced block is a block of commands where it says `sh` or `console`, or says nothing. In `console`
commands stand after `$ `, and the rest is what they print.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHELL = ("", "sh", "console")
_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<language>\S*)\n(?P<text>.*?)^(?P=indent)```", re.M | re.S
)
_INLINE = re.compile(r"`(spektron-(?:edge|train|export) [^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block. page: its path from the root; line: its first, counted from 1."""

    page: str
    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that the block is, where its first line names one in a comment."""
        found = re.match(r"# ([\w.-]+\.\w+)\n", self.text)
        return found.group(1) if found else None


@dataclass(frozen=True)
class Command:
    """One command of a block, or one named in a sentence, as words without its comment."""

    page: str
    line: int
    words: tuple[str, ...]

    @property
    def asked(self) -> tuple[str, ...]:
        """Without where its output goes."""
        end = next((n for n, word in enumerate(self.words) if word in (">", "|")), None)
        return self.words[:end]

    @property
    def text(self) -> str:
        """As it is typed."""
        return " ".join(self.words)

    @property
    def where(self) -> str:
        """For whoever has to correct it."""
        return f"{self.page}:{self.line}: {self.text}"


def pages() -> list[str]:
    """Every page with words for a reader, but those that are generated whole."""
    own = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    docs = sorted((ROOT / "docs").rglob("*.md"))
    generated = ROOT / "docs" / "reference"
    return [p.relative_to(ROOT).as_posix() for p in own + docs if generated not in p.parents]


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page."""
    text = (ROOT / page).read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 2, found["language"], found["text"])
        for found in _BLOCK.finditer(text)
    ]


def commands(page: str) -> list[Command]:
    """What its blocks tell to type, in order."""
    return [c for block in blocks(page) if block.language in SHELL for c in typed(block)]


def typed(block: Block) -> Iterator[Command]:
    """The commands of a block."""
    lines = block.text.replace("\\\n", " \n").splitlines()
    said = block.text.splitlines()
    prompt = block.language == "console" or block.text.startswith("$ ")
    held: list[str] = []
    for number, line in enumerate(lines):
        if prompt and not held and not line.startswith("$ "):
            continue
        held.append(line.removeprefix("$ ") if prompt else line)
        if said[number].endswith("\\"):
            continue
        for part in _parts(" ".join(held)):
            yield Command(block.page, block.line + number, part)
        held = []


def _parts(line: str) -> Iterator[tuple[str, ...]]:
    words: list[str] = []
    for word in [*shlex.split(line, comments=True), "&&"]:
        if word != "&&":
            words.append(word)
        elif words:
            yield tuple(words)
            words = []


def mentions(page: str) -> list[Command]:
    """Commands of our programs within its sentences; some are only begun there."""
    text = _BLOCK.sub(lambda found: "\n" * found[0].count("\n"), (ROOT / page).read_text("utf-8"))
    return [
        Command(page, text.count("\n", 0, found.start()) + 1, tuple(found[1].split()))
        for found in _INLINE.finditer(text)
    ]
