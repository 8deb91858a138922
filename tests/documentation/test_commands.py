"""Every command that the documentation tells to type runs, or stands in `not_run`."""

from __future__ import annotations

import contextlib
import re

import pytest

from spektron_edge.cli.json_errors import UsageError
from tests.parsers import parsers
from tests.requirements import need

from .blocks import ROOT, commands, mentions, pages
from .not_run import DAEMON_STOPPED, ELSEWHERE, NOT_RUN, runs
from .stage import Stage

PARSERS = parsers()


def with_commands_to_run() -> list[str]:
    return [page for page in pages() if any(map(runs, commands(page)))]


def spoken_to(words: tuple[str, ...]) -> tuple[str, ...]:
    """The longest beginning that names a parser."""
    if words[0] == "spektron-export" and "--from-sklearn" in words:
        return ("spektron-export", "--from-sklearn")
    return max((known for known in PARSERS if words[: len(known)] == known), key=len)


@pytest.mark.parametrize("page", pages())
def test_commands_of_our_programs_are_what_their_parsers_take(page):
    for command in commands(page):
        if command.words[0] not in ("spektron-edge", "spektron-train", "spektron-export"):
            continue
        known = spoken_to(command.asked)
        rest = command.asked[1 if known[-1] == "--from-sklearn" else len(known) :]
        # A hash that the page cuts short.
        rest = tuple(
            "0" * 64 if re.fullmatch(r"[0-9a-f]{4}\.\.\.", word) else word for word in rest
        )
        try:
            PARSERS[known].parse_args(rest)
        except (UsageError, SystemExit) as error:
            pytest.fail(f"{command.where}: {error}")


@pytest.mark.parametrize("page", pages())
def test_what_sentences_name_is_there(page):
    for command in mentions(page):
        known = spoken_to(command.words)
        parser, rest = PARSERS[known], command.words[len(known) :]
        below = [words for words in PARSERS if words[:-1] == known and len(words) > 1]
        asks_more = bool(below) and known != ("spektron-export",)
        assert not (asks_more and rest and re.fullmatch(r"[a-z][a-z-]*", rest[0])), command.where
        options = {name for action in parser._actions for name in action.option_strings}
        for word in rest:
            if word.startswith("-"):
                assert word.partition("=")[0] in options, command.where


def test_targets_of_make_are_there():
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.M))
    for page in pages():
        for command in commands(page):
            if command.words[0] == "make":
                named = [w for w in command.words[1:] if "=" not in w and not w.startswith("-")]
                assert set(named) <= targets, command.where


def test_every_row_of_the_table_is_of_a_command():
    typed = [c.text for page in pages() for c in commands(page) if page not in ELSEWHERE]
    unused = [start for start in NOT_RUN if not any(text.startswith(start) for text in typed)]
    assert not unused, "no page has these any more"


def test_pages_that_run_elsewhere_are_named_there():
    for page, test in ELSEWHERE.items():
        assert page in pages()
        assert page.rpartition("/")[2] in (ROOT / test).read_text("utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stage")


@pytest.fixture(scope="module")
def shared_stage(folder):
    need("broker")
    with contextlib.closing(Stage(folder)) as stage:
        stage.prepare()
        yield stage


@pytest.fixture
def stage(shared_stage, folder, monkeypatch):
    monkeypatch.chdir(folder)
    return shared_stage


@pytest.mark.parametrize("page", with_commands_to_run())
def test_commands_run(page, stage):
    to_run = [command for command in commands(page) if runs(command)]
    if page in DAEMON_STOPPED or any(command.words[1:2] == ("run",) for command in to_run):
        stage.end("run")
    else:
        stage.begin_daemon()
    for command in to_run:
        stage.run(command)
