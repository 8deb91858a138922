"""`spektron-edge setup`: asks, writes a checked configuration, and tries each part of it."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from firmware_bridge.printable import printable
from spektron_edge.faults import Fault, Faults

from .show import show

if TYPE_CHECKING:
    from spektron_edge.config.file import Config
    from spektron_edge.setup.asking import Answers, Step
    from spektron_edge.setup.dialogue import Terminal
    from spektron_edge.setup.document import Draft

_FLAGS = {
    "site": "of the topics",
    "instrument": "its name in the topics",
    "port": "device path or pyserial URL; `find` looks on all ports",
    "broker": "URL of the broker",
    "username": "at the broker",
    "ca_file": "of the authority behind the broker's certificate (PEM)",
    "state_dir": "folder for results and state",
    "bundle": "a file, `slots`, or `none` for the one that is shipped",
    "page": "whether the page is served, yes or no",
}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add this command to the parser."""
    setup = commands.add_parser(
        "setup", help="ask for what is needed, write a checked configuration, try each part"
    )
    setup.add_argument(
        "--config",
        type=Path,
        help="file to write (default: the package's, else spektron.toml in this folder)",
    )
    setup.add_argument(
        "--answers", type=Path, metavar="FILE.toml", help="answers by key; nothing is asked then"
    )
    for key, told in _FLAGS.items():
        setup.add_argument(f"--{key.replace('_', '-')}", dest=key, help=told)
    setup.add_argument(
        "--overwrite", action="store_true", help="change a configuration that is there, unasked"
    )
    setup.add_argument("--json", action="store_true", help="JSON on standard output")
    setup.set_defaults(command=_setup)


def _setup(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.loading import load_config, read_config
    from spektron_edge.examination.everything import try_configuration
    from spektron_edge.examination.finding import worst
    from spektron_edge.setup.document import drafted
    from spektron_edge.setup.place import usual_place
    from spektron_edge.setup.prober import Prober
    from spektron_edge.setup.questions import steps
    from spektron_edge.setup.writing import write

    from . import findings

    path = arguments.config or usual_place()
    there = path.exists()
    before = load_config(path) if there else None
    terminal = _terminal(arguments)
    asking = steps(path, before, Prober(_tell), look=terminal is not None)
    answers = _answers(arguments, asking, terminal)
    draft = drafted(path, read_config(path) if there else "", before, answers)
    if terminal is not None:
        _confirm(draft, terminal)
    elif there and draft.changes and not arguments.overwrite:
        _refuse(draft, as_json=arguments.json)
    written = write(draft)
    stream = None if arguments.json else sys.stdout
    if stream is not None:
        print(printable(f"written: {', '.join(map(str, written)) or 'nothing, all is as it was'}"))
    found = findings.told(try_configuration(path, draft.config), stream)
    step = _next_step(path, draft.config, answers)
    report: dict[str, object] = {
        "configuration": str(path),
        "written": [str(file) for file in written],
        "changes": list(draft.changes),
        "verdict": worst(found),
        "findings": findings.as_json(found),
        "next": step,
    }
    if arguments.json:
        show(report, as_json=True)
    else:
        print(f"\n{findings.summary(found)}\nNext: {printable(step)}")
    return findings.exit_status(found)


def _answers(
    arguments: argparse.Namespace, asking: Sequence[Step], terminal: Terminal | None
) -> Answers:
    from spektron_edge.setup.dialogue import asked
    from spektron_edge.setup.given import collected, read_answers

    given: dict[str, str] = {}
    wrong: list[str] = []
    if arguments.answers is not None:
        given, wrong = read_answers(arguments.answers, asking)
    flags = {key: getattr(arguments, key) for key in _FLAGS}
    given |= {key: text for key, text in flags.items() if text is not None}
    if terminal is None:
        return collected(asking, given, wrong)
    try:
        return asked(asking, given, terminal)
    except EOFError:
        raise _ended() from None


def _terminal(arguments: argparse.Namespace) -> Terminal | None:
    """None where nobody can be asked."""
    from spektron_edge.setup.dialogue import Terminal

    if arguments.json or arguments.answers is not None or not sys.stdin.isatty():
        return None
    print("Enter takes what stands in brackets; Ctrl-C ends this, and nothing is written.")
    return Terminal(_ask, _ask_secret, lambda line: print(_lines(line)))


def _ask(prompt: str) -> str:
    """Raises EOFError."""
    sys.stdout.write(printable(prompt))
    sys.stdout.flush()
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        # Refused as what cannot be printed.
        return "\0"
    if not line:
        raise EOFError
    return line


def _ask_secret(prompt: str) -> str:
    """Raises EOFError."""
    try:
        return getpass.getpass(printable(prompt))
    except UnicodeDecodeError:
        return "\0"


def _confirm(draft: Draft, terminal: Terminal) -> None:
    """Raises Fault(SETUP_REFUSED)."""
    from spektron_edge.setup.dialogue import confirmed

    if not draft.changes:
        return
    terminal.say("\n" + "\n".join(draft.changes))
    try:
        if confirmed(f"Write {draft.path}?", terminal):
            return
    except EOFError:
        raise _ended() from None
    raise Fault(Faults.SETUP_REFUSED, "it was not to be written")


def _refuse(draft: Draft, *, as_json: bool) -> NoReturn:
    """Raises Fault(SETUP_REFUSED); what would change is in it, or in lines before it."""
    detail = f"{draft.path} is there, and would change; --overwrite allows it"
    if as_json:
        raise Fault(Faults.SETUP_REFUSED, "\n".join((detail, *draft.changes)))
    for line in draft.changes:
        _tell(line)
    raise Fault(Faults.SETUP_REFUSED, detail)


def _ended() -> Fault:
    return Fault(Faults.SETUP_REFUSED, "what was typed ended before everything was answered")


def _next_step(path: Path, config: Config, answers: Answers) -> str:
    from spektron_edge.files.lock_files import is_locked
    from spektron_edge.setup.checks import YES
    from spektron_edge.setup.place import is_packaged

    page = answers["page"] == YES
    if is_packaged(path):
        again = "restart" if is_locked(config.state_dir) else "enable --now"
        return f"systemctl {again} spektron-edge{' spektron-edge-page' if page else ''}"
    if is_locked(config.state_dir):
        return "restart the daemon, which goes by the configuration as it was"
    run = f"spektron-edge run --config {path}"
    return f"{run}; beside it spektron-edge page --config {path}" if page else run


def _tell(said: str) -> None:
    sys.stderr.write(f"{printable(said)}\n")


def _lines(text: str) -> str:
    return "\n".join(printable(line) for line in text.split("\n"))
