"""The questions at a terminal: each answer is checked at once, and Enter takes what is offered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .asking import AnswerRefused, Answers, Doubt, Question, Step
from .checks import NO, NONE, YES, plain, typed, yes_or_no


@dataclass(frozen=True)
class Terminal:
    """ask: prints a prompt and gives the line that was typed; ask_secret: the same, not shown;
    say: a line. Both questions raise EOFError at the end of what is typed."""

    ask: Callable[[str], str]
    ask_secret: Callable[[str], str]
    say: Callable[[str], None]


def asked(steps: Sequence[Step], given: Mapping[str, str], terminal: Terminal) -> Answers:
    """All answers; given: known already, and asked for again only where they are refused.

    Raises EOFError.
    """
    answers: Answers = {}
    known = dict(given)
    at = 0
    while at < len(steps):
        step = steps[at]
        at += 1
        if isinstance(step, Question):
            if step.wanted(answers):
                answers[step.key] = _answered(step, answers, known.pop(step.key, None), terminal)
            continue
        try:
            terminal.say(f"  {step.run(answers)}")
        except Doubt as doubt:
            if not _all_the_same(doubt, terminal):
                at = next(
                    n
                    for n, s in enumerate(steps)
                    if isinstance(s, Question) and s.key == step.again
                )
                for later in steps[at:]:
                    if isinstance(later, Question):
                        answers.pop(later.key, None)
    return answers


def confirmed(question: str, terminal: Terminal) -> bool:
    """Enter says yes. Raises EOFError."""
    return _yes(question, YES, terminal)


def _answered(question: Question, answers: Answers, text: str | None, terminal: Terminal) -> str:
    if text is None:
        terminal.say(f"\n{question.explained(answers)}")
    while True:
        try:
            text = _typed(question, answers, terminal) if text is None else typed(text)
            return question.check(text, answers)
        except AnswerRefused as refused:
            terminal.say(f"  {question.key}: {refused}")
        except Doubt as doubt:
            if _all_the_same(doubt, terminal):
                return text or ""
        text = None


def _typed(question: Question, answers: Answers, terminal: Terminal) -> str:
    """Raises AnswerRefused for what is none, EOFError."""
    offered = question.default(answers)
    if question.secret:
        return terminal.ask_secret(f"{question.asks}: ")
    shown = "" if offered is None else f" [{offered or NONE}]"
    line = terminal.ask(f"{question.asks}{shown}: ")
    if line.strip():
        return typed(line)
    if offered is None:
        raise AnswerRefused("only you can know it: there is nothing to offer")
    return offered


def _all_the_same(doubt: Doubt, terminal: Terminal) -> bool:
    terminal.say(f"  {doubt}")
    return _yes("  Take it all the same?", NO, terminal)


def _yes(question: str, otherwise: str, terminal: Terminal) -> bool:
    """otherwise: what Enter says. Raises EOFError."""
    while (said := _yes_or_no(terminal.ask(f"{question} [{otherwise}] "), otherwise)) is None:
        terminal.say("  yes or no")
    return said


def _yes_or_no(line: str, otherwise: str) -> bool | None:
    try:
        return yes_or_no(plain(line) or otherwise, {}) == YES
    except AnswerRefused:
        return None
