"""The argparse parsers of the three programs, by what is typed to reach them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from spektron_edge.cli import main as edge
from spektron_export import cli as export
from spektron_export.linear import cli as linear
from spektron_train import cli as train

# The words that name the parser, and the parser.
Spoken = dict[tuple[str, ...], argparse.ArgumentParser]


def parsers() -> Spoken:
    """Every command and subcommand, in the order of the help."""
    found = dict(_below(("spektron-edge",), edge._parser()))
    found |= _below(("spektron-train",), train._parser())
    found[("spektron-export",)] = export._parser()
    found[("spektron-export", "--from-sklearn")] = linear._parser()
    for name, make in export._OTHERS.items():
        found["spektron-export", name] = make()
    return found


def _below(
    words: tuple[str, ...], parser: argparse.ArgumentParser
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from _below((*words, name), inner)


def helps(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Subcommand -> the line that the parser's help has on it."""
    return {
        choice.dest: choice.help or ""
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for choice in action._choices_actions
    }
