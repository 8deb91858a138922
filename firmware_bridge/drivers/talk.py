"""How drivers are written: talks, which say what to send and what to wait for, and do neither.

A talk is a generator: it yields steps and is given the reply to each exchange. Whoever carries it
on (`firmware_bridge.drivers.line`) sends, waits, repeats what was lost and throws old bytes away.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar


class Nonsense(Exception):
    """A reply that cannot be the right one. Says what was expected and what was received."""


class Exchanged(Nonsense):
    """Another instrument is there, or the same one after it was switched off."""


class Refused(Exception):
    """The instrument said no, in its own words."""

    def __init__(self, request: str, code: int, text: str) -> None:
        super().__init__(f"{request} refused: {code} {text}")
        self.request = request
        self.code = code
        self.text = text


@dataclass(frozen=True)
class Exchange:
    """One request, and how its reply is recognised. It may be repeated: the same must come of it.

    request: its name, for people. send: bytes of the request; none where the instrument speaks by
    itself. whole: given what was received so far, the length of the reply with which that begins,
    or None while some is missing; raises Nonsense where none can come of it. expects: what `whole`
    waits for, for people. timeout_s: from the request to the end of the reply. attempts: how often
    it is tried. byte_gap_s: pause after each byte sent, for those that hear no faster.
    or_nothing: where all attempts fail the reply is empty and the talk goes on, for what may not be
    repeated blindly, or not every instrument of the family answers. numbered: `whole` tells the
    reply from one to an earlier request; where it cannot, another attempt waits until the line was
    quiet for as long as a reply takes at most, `timeout_s`, so that no late one is taken for it.
    """

    request: str
    send: bytes
    whole: Callable[[bytes], int | None]
    expects: str
    timeout_s: float = 1.0
    attempts: int = 3
    byte_gap_s: float = 0.0
    or_nothing: bool = False
    numbered: bool = False


@dataclass(frozen=True)
class Pause:
    """Nothing is sent for so long, s."""

    seconds: float


Step: TypeAlias = Exchange | Pause
T = TypeVar("T")
# What comes back from a Pause is empty.
Talk: TypeAlias = Generator[Step, bytes, T]


def exactly(size: int) -> Callable[[bytes], int | None]:
    """A reply of `size` bytes, whatever they are."""
    return lambda received: size if len(received) >= size else None


def up_to(end: bytes, most: int) -> Callable[[bytes], int | None]:
    """A reply that ends with `end`, within `most` bytes. Raises Nonsense where it is not there."""

    def whole(received: bytes) -> int | None:
        at = received.find(end, 0, most)
        if at >= 0:
            return at + len(end)
        if len(received) >= most:
            raise Nonsense(f"expected {end!r} within {most} bytes, received {received[:40]!r}...")
        return None

    return whole
