"""docs/reference/commands.md: every command of the three programs, from their parsers."""

from __future__ import annotations

import argparse
from functools import cache
from pathlib import Path

from .parsers import helps, parsers
from .reachable_faults import reachable

_HEAD = """\
# Command line

Generated from the argument parsers by `make pages`. `spektron-edge` runs on the instrument,
`spektron-train` and `spektron-export` on a training host. `-h` after any command says the same,
but for its exit statuses.

With `--json`, standard output holds JSON alone: the result, or `{"error": {"code", "detail"}}`.

## Exit statuses

Of every command:

| status | means |
|---|---|
| 0 | done |
| 2 | a command line that is none; what is wrong stands on standard error |
| 130 | ended by Ctrl-C, or nobody reads the output any more |

Each command names its others. Those of `spektron-edge` are faults, each with a status of its own:
[faults.md](../faults.md) says what to do about them. They are found by reading what a command
calls, so a command may name one that it hardly ever meets; none is missing that it met in a test.
"""
# What the list of a command's faults does not say.
_BESIDE = {
    "run": "Without `--fail-fast` it ends only for what it finds before it measures "
    "(configuration, bundle, keys, state folder); whatever comes later is told, and waited for.",
    "doctor": "Status 1: warnings only.",
    "setup": "Status 1: warnings only; the configuration is written.",
}


@cache
def command_line_page() -> str:
    """Commands, what they take, and exit statuses."""
    known = parsers()
    lines = [_HEAD]
    about = {(*words, name): text for words, p in known.items() for name, text in helps(p).items()}
    for words, parser in known.items():
        depth = "##" if len(words) == 1 else "###"
        lines += [f"{depth} {' '.join(words)}", ""]
        text = parser.description if len(words) == 1 or not about.get(words) else about[words]
        lines += [_sentence(text or ""), ""] if text else []
        lines += [_usage(words, parser), "", *_table(parser)]
        lines += [parser.epilog.replace("\n", " "), ""] if parser.epilog else []
        lines += _statuses(words, parser)
    return "\n".join(lines).rstrip() + "\n"


def _statuses(words: tuple[str, ...], parser: argparse.ArgumentParser) -> list[str]:
    carried_out = parser.get_default("command")
    if words[0] != "spektron-edge" or carried_out is None:
        return []
    kinds = [fault.value for fault in reachable(carried_out)]
    faults = ", ".join(f"{kind.exit_status} `{kind.code}`" for kind in kinds)
    said = f"Exit statuses: {faults}." if faults else "It ends with no fault."
    return [said, "", *([_BESIDE[words[-1]], ""] if words[-1] in _BESIDE else [])]


def _sentence(text: str) -> str:
    text = _one_line(text)
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", ")")) else ".")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _usage(words: tuple[str, ...], parser: argparse.ArgumentParser) -> str:
    # What an option chooses, `--from-sklearn`, is shown where that option stands.
    parts = [" ".join(word for word in words if not word.startswith("-"))]
    for action in _taken(parser):
        shown = _spelled(action)
        parts.append(shown if action.required else f"[{shown}]")
    return f"```text\n{' '.join(parts)}\n```"


def _taken(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    hidden = (argparse._HelpAction, argparse._VersionAction)
    return [a for a in parser._actions if not isinstance(a, hidden)]


def _spelled(action: argparse.Action) -> str:
    if isinstance(action, argparse._SubParsersAction):
        return str(action.metavar or "COMMAND")
    if action.nargs == 0:
        return action.option_strings[-1]
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else None)
    name = action.dest.upper().rstrip("_") if action.option_strings else action.dest
    value = str(value or name)
    value += "..." if action.nargs in ("*", "+") else ""
    return f"{action.option_strings[-1]} {value}" if action.option_strings else value


def _table(parser: argparse.ArgumentParser) -> list[str]:
    rows = [_row(action) for action in _taken(parser)]
    return ["| argument | | default |", "|---|---|---|", *rows, ""] if rows else []


def _row(action: argparse.Action) -> str:
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    names = names or f"`{_spelled(action)}`".replace("|", "\\|")
    if isinstance(action, argparse._SubParsersAction):
        return f"| {names} | {', '.join(f'`{name}`' for name in action.choices)} | |"
    text = _one_line(action.help or "").replace("%%", "%").replace("|", "\\|")
    if action.choices and action.option_strings and action.metavar is None:
        text = f"{text}: {' '.join(f'`{choice}`' for choice in action.choices)}"
    return f"| {names} | {text} | {_default(action)} |"


def _default(action: argparse.Action) -> str:
    value = action.default
    if value is None or value is argparse.SUPPRESS or isinstance(value, bool) or value == []:
        return "required" if action.required and action.option_strings else ""
    return f"`{value.as_posix() if isinstance(value, Path) else value}`"
