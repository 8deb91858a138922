"""Answers without a dialogue, from a file and the command line: all checked together."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from spektron_edge.config.loading import read_config
from spektron_edge.config.toml import tomllib
from spektron_edge.faults import Fault, Faults

from .asking import AnswerRefused, Answers, Doubt, Question, Step
from .checks import NO, YES, typed


def read_answers(path: Path, steps: Sequence[Step]) -> tuple[dict[str, str], list[str]]:
    """Of a TOML file: answers by the questions' keys, and what else is in it and is wrong.

    Raises Fault(SETUP_REFUSED) where it is no such file.
    """
    try:
        document = tomllib.loads(read_config(path))
    except Fault as fault:
        raise Fault(Faults.SETUP_REFUSED, fault.detail) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Fault(Faults.SETUP_REFUSED, f"{path} is not TOML: {error}") from None
    keys = [step.key for step in steps if isinstance(step, Question)]
    answers: dict[str, str] = {}
    wrong: list[str] = []
    for key, value in document.items():
        if key not in keys:
            close = difflib.get_close_matches(key, keys, n=1)
            wrong.append(f"unknown key {key}" + (f" (did you mean {close[0]!r}?)" if close else ""))
        elif not isinstance(value, str | int | float | list):
            wrong.append(f"{key}: text, a number, yes or no, or a list of them")
        else:
            answers[key] = _text(value)
    return answers, wrong


def _text(value: object) -> str:
    if isinstance(value, bool):
        return YES if value else NO
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def collected(
    steps: Sequence[Step], given: Mapping[str, str], known_wrong: Sequence[str] = ()
) -> Answers:
    """All answers; what is not given is what Enter would take, and what is in doubt is taken.

    known_wrong: what was found before. Raises Fault(SETUP_REFUSED) naming everything that is wrong
    or missing.
    """
    answers: Answers = {}
    wrong = list(known_wrong)
    unused = set(given)
    for step in steps:
        if isinstance(step, Question):
            # What rests on an answer that is wrong or missing is not asked.
            with contextlib.suppress(KeyError):
                if step.wanted(answers):
                    unused.discard(step.key)
                    _take(step, given.get(step.key), answers, wrong)
    if not wrong:
        wrong = [f"{key} is not asked for with these answers" for key in sorted(unused)]
    if wrong:
        raise Fault(Faults.SETUP_REFUSED, "; ".join(wrong))
    return answers


def _take(question: Question, text: str | None, answers: Answers, wrong: list[str]) -> None:
    """Into answers, or what is wrong with it."""
    if text is None:
        text = question.default(answers)
    if text is None:
        wrong.append(f"{question.key} is missing. {question.explained(answers)}")
        return
    try:
        text = text if question.secret else typed(text)
        answers[question.key] = question.check(text, answers)
    except Doubt:
        answers[question.key] = text
    except AnswerRefused as refused:
        wrong.append(f"{question.key}: {refused}")
