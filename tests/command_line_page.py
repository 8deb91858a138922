"""docs/reference/commands.md: every command of the three programs, from their parsers."""

from __future__ import annotations

import argparse
from pathlib import Path

from spektron_edge.faults import Faults

from .parsers import helps, parsers

_HEAD = """\
# Command line

Generated from the argument parsers by `make pages`. `spektron-edge` runs on the instrument,
`spektron-train` and `spektron-export` on a training host. `-h` after any command says the same.

With `--json`, standard output holds JSON alone: the result, or `{"error": {"code", "detail"}}`.
"""


def command_line_page() -> str:
    """Commands, what they take, and exit statuses."""
    known = parsers()
    lines = [_HEAD, *_statuses(), ""]
    about = {(*words, name): text for words, p in known.items() for name, text in helps(p).items()}
    for words, parser in known.items():
        depth = "##" if len(words) == 1 else "###"
        lines += [f"{depth} {' '.join(words)}", ""]
        text = parser.description if len(words) == 1 or not about.get(words) else about[words]
        lines += [_sentence(text or ""), ""] if text else []
        lines += [_usage(words, parser), "", *_table(parser)]
        lines += [parser.epilog.replace("\n", " "), ""] if parser.epilog else []
    return "\n".join(lines).rstrip() + "\n"


def _statuses() -> list[str]:
    by_status = sorted((fault.value.exit_status, fault.value.code) for fault in Faults)
    codes = ", ".join(f"{status} `{code}`" for status, code in by_status)
    return [
        "## Exit statuses",
        "",
        "Of every `spektron-edge` command; the other two say theirs below.",
        "",
        "| status | means |",
        "|---|---|",
        "| 0 | done |",
        "| 2 | a command line that is none; what is wrong stands on standard error |",
        "| 130 | ended by Ctrl-C, or nobody reads the output any more |",
        f"| others | a fault, each with a status of its own: {codes} |",
        "",
        "[faults.md](../faults.md) says what to do about each.",
    ]


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
    if not text and "--json" in action.option_strings:
        text = "JSON on standard output"
    if action.choices and not action.option_strings and action.metavar is None:
        text = text or "one of these"
    elif action.choices and action.metavar is None:
        options = " ".join(f"`{choice}`" for choice in action.choices)
        text = f"{text}: {options}" if text else options
    return f"| {names} | {text} | {_default(action)} |"


def _default(action: argparse.Action) -> str:
    value = action.default
    if value is None or value is argparse.SUPPRESS or isinstance(value, bool) or value == []:
        return "required" if action.required and action.option_strings else ""
    return f"`{value.as_posix() if isinstance(value, Path) else value}`"
