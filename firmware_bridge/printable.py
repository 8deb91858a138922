"""Text that an instrument or a file says, made fit for terminals, logs and configurations."""

from __future__ import annotations


def printable(text: str) -> str:
    """The same text with every character that is not printable as its escape (`\\x1b`)."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
