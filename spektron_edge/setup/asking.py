"""What is asked for one thing, and what may be wrong with an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Answers = dict[str, str]
"""By the questions' keys; all of them text, as somebody types it. Empty: none."""


class AnswerRefused(Exception):
    """It cannot be used; the message says why."""


class Doubt(Exception):
    """It does not work now, and may later; the message says why."""


def _always(_answers: Answers) -> bool:
    return True


@dataclass(frozen=True)
class Question:
    """default: of those before; None where only somebody can know it. check: the answer as it is
    kept; raises AnswerRefused, Doubt. wanted: whether it is asked at all; secret: not shown while
    it is typed."""

    key: str
    asks: str
    explains: str | Callable[[Answers], str]
    default: Callable[[Answers], str | None]
    check: Callable[[str, Answers], str]
    wanted: Callable[[Answers], bool] = _always
    secret: bool = False

    def explained(self, answers: Answers) -> str:
        """What it is for, after the answers so far."""
        return self.explains if isinstance(self.explains, str) else self.explains(answers)


@dataclass(frozen=True)
class Trial:
    """Tries several answers together. run: what came of it, in words; raises Doubt. again: key of
    the question to go back to."""

    run: Callable[[Answers], str]
    again: str


Step = Question | Trial
