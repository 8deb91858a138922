"""Answers without a dialogue: from a file and from the command line, all of them checked together."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

from spektron_edge.config.loading import read_config
from spektron_edge.config.toml import tomllib
from spektron_edge.faults import Fault, Faults

from .asking import AnswerRefused, Answers, Doubt, Question, Step
from .checks import NO, YES, plain

KEYS = (
    "site",
    "instrument",
    "port",
    "driver",
    "baud",
    "model",
    "wavelength_nm",
    "serial_number",
    "broker",
    "username",
    "password",
    "ca_file",
    "state_dir",
    "bundle",
    "page",
    "page_names",
    "max_mb",
    "max_age_days",
    "keep_sent_mb",
    "keep_sent_days",
    "keep_refused_mb",
)


def read_answers(path: Path) -> dict[str, str]:
    """A TOML file of the questions' keys. Raises Fault(SETUP_REFUSED)."""
    try:
        document = tomllib.loads(read_config(path))
    except Fault as fault:
        raise Fault(Faults.SETUP_REFUSED, fault.detail) from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise Fault(Faults.SETUP_REFUSED, f"{path} is not TOML: {error}") from None
    wrong = []
    for key, value in document.items():
        if key not in KEYS:
            close = difflib.get_close_matches(key, KEYS, n=1)
            wrong.append(f"unknown key {key}" + (f" (did you mean {close[0]!r}?)" if close else ""))
        elif not isinstance(value, str | int | float | list):
            wrong.append(f"{key}: text, a number, yes or no, or a list of them")
    if wrong:
        raise Fault(Faults.SETUP_REFUSED, f"{path}: {'; '.join(wrong)}")
    return {key: _text(value) for key, value in document.items()}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return YES if value else NO
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def collected(steps: Sequence[Step], given: Mapping[str, str]) -> Answers:
    """All answers; what is not given is what Enter would take, and what is in doubt is taken.

    Raises Fault(SETUP_REFUSED) naming everything that is wrong or missing.
    """
    answers: Answers = {}
    wrong, unused = [], set(given)
    for step in steps:
        if not isinstance(step, Question) or not step.wanted(answers):
            continue
        unused.discard(step.key)
        text = given.get(step.key)
        if text is None:
            text = step.default(answers)
        if text is None:
            wrong.append(f"{step.key} is missing: {step.explains}")
            break
        try:
            answers[step.key] = step.check(text if step.secret else plain(text), answers)
        except Doubt:
            answers[step.key] = text
        except AnswerRefused as refused:
            wrong.append(f"{step.key}: {refused}")
            break
    else:
        wrong += [f"{key} is not asked for with these answers" for key in sorted(unused)]
    if wrong:
        raise Fault(Faults.SETUP_REFUSED, "; ".join(wrong))
    return answers
