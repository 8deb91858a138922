"""The command line. Heavy imports happen inside the commands: the daemon's start counts."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from firmware_bridge.printable import printable
from spektron_edge import __version__
from spektron_edge.command_names import COMMANDS
from spektron_edge.faults import Fault, Faults

from . import (
    adaptation,
    archive,
    audit,
    backup,
    bundle,
    conformance,
    doctor,
    inference,
    instruments,
    mqtt,
    operator,
    outbox,
    page,
    probe,
    qualify,
    recording,
    setup,
    support,
    transfer,
    wavelength,
)
from .argument_types import natural, positive, schema_name, seconds
from .json_errors import Parser, parsed, tell_error
from .show import show
from .stopping import stopped_by

_INTERRUPTED = 130
# Every package from a slow card.
_LOADING_S = 120.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status (docs/faults.md)."""
    # Pydantic would ask every installed package for plugins: one with damaged entry points is
    # enough for no configuration to be read.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    arguments = parsed(_parser(), argv)
    as_json = getattr(arguments, "json", False)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal without UTF-8 shows a name it cannot write as an escape.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status: int = arguments.command(arguments)
    except Fault as fault:
        tell_error(fault.code, fault.detail, as_json=as_json)
        print(printable(f"spektron-edge: {fault}"), file=sys.stderr)
        return fault.exit_status
    except KeyboardInterrupt:
        tell_error("interrupted", "ended by Ctrl-C", as_json=as_json)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not try to flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="spektron-edge", description=__doc__.splitlines()[0]
    )
    parser.description = "Spectra in over serial, predictions out over MQTT."
    parser.add_argument("--version", action="version", version=f"spektron-edge {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run the daemon")
    run.add_argument("--config", type=Path, required=True, help="configuration file (TOML)")
    run.add_argument(
        "--fail-fast",
        action="store_true",
        help="end with the first fault's exit status instead of waiting for it to pass",
    )
    run.set_defaults(command=_run)

    demo = commands.add_parser("demo", help="the whole path on this desk, with real corn spectra")
    demo.add_argument("--scans", type=positive, default=20, help="sample scans to make (20)")
    demo.add_argument("--speed", type=float, default=4.0, help="scans per second (4)")
    demo.add_argument("--seed", type=natural, default=0, help="seed of the instrument's noise (0)")
    demo.add_argument("--broker", help="your own broker, mqtt://host:port")
    demo.add_argument("--json", action="store_true", help="one JSON object a line, summary last")
    demo.set_defaults(command=_demo)

    simulate = commands.add_parser("simulate", help="a virtual spectrometer on a pty")
    simulate.add_argument("--link", type=Path, help="symbolic link that follows the pty")
    simulate.add_argument(
        "--spectra", default="m5", help="m5, mp5, mp6 (corn) or a CSV file headed by wavelengths"
    )
    simulate.add_argument("--rate", type=float, default=1.0, help="scans per second (1)")
    simulate.add_argument("--scans", type=positive, help="stop after so many (default: never)")
    simulate.add_argument("--seed", type=natural, default=0, help="seed of the noise (0)")
    simulate.add_argument("--baud", type=int, default=921600, help="the instrument's speed")
    simulate.add_argument(
        "--warmup", type=float, default=0.0, help="seconds until the lamp is warm"
    )
    simulate.add_argument("--json", action="store_true", help="one JSON object a line")
    simulate.set_defaults(command=_simulate)

    schema = commands.add_parser("schema", help="JSON Schema of what is published")
    schema.add_argument("name", nargs="?", type=schema_name, help="default: list them")
    schema.add_argument("--json", action="store_true", help="a schema is JSON in any case")
    schema.set_defaults(command=_schema)

    inspect = commands.add_parser("inspect", help="show a bundle or a state folder")
    inspect.add_argument("path", type=Path, nargs="?", help="default: the bundle that is shipped")
    inspect.add_argument("--json", action="store_true", help="JSON on standard output")
    inspect.set_defaults(command=_inspect)

    instruments.add(commands)
    probe.add(commands)
    recording.add(commands)
    conformance.add(commands)
    wavelength.add(commands)
    bundle.add(commands)
    inference.add(commands)
    transfer.add(commands)
    adaptation.add(commands)
    audit.add(commands)
    mqtt.add(commands)
    outbox.add(commands)
    operator.add(commands)
    page.add(commands)
    qualify.add(commands)
    support.add(commands)
    backup.add(commands)
    archive.add(commands)
    setup.add(commands)
    doctor.add(commands)

    check = commands.add_parser("check-config", help="check a configuration file")
    check.add_argument("config", type=Path, help="the file to check")
    check.add_argument("--probe", action="store_true", help="also try instrument and broker")
    check.add_argument("--json", action="store_true", help="JSON on standard output")
    check.set_defaults(command=_check_config)

    command = commands.add_parser("command", help="send a signed command to a running daemon")
    command.add_argument("name", choices=COMMANDS, metavar="NAME", help=", ".join(COMMANDS))
    command.add_argument("--config", type=Path, required=True, help="the daemon's configuration")
    command.add_argument("--operator", required=True, help="in whose name it is signed")
    command.add_argument(
        "--key", type=Path, help="key file (default: the one in the configuration)"
    )
    command.add_argument(
        "--argument",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="of the command, may be repeated; a value with commas is a list",
    )
    command.add_argument(
        "--broker",
        metavar="URL",
        help="where the daemon is now (default: what its state folder says, else --config)",
    )
    command.add_argument(
        "--timeout",
        type=seconds,
        help="seconds to wait in all (5 for an answer, then as long as the command may take)",
    )
    command.add_argument("--json", action="store_true", help="JSON on standard output")
    command.set_defaults(command=_command)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    # Before what takes time: whoever stops a daemon that has just begun wants an orderly end, too.
    stop = stopped_by(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, ignored_too=False)

    from spektron_edge.service.service import Service

    service = Service.of_process()
    service.starting("loading the program", _LOADING_S)

    from spektron_edge.daemon.daemon import Daemon

    fail_fast = arguments.fail_fast
    return Daemon(arguments.config, fail_fast=fail_fast, stop=stop, service=service).run()


def _demo(arguments: argparse.Namespace) -> int:
    try:
        from spektron_edge.demo.job import Options, run_demo
        from spektron_edge.demo.screen import JsonScreen, TextScreen
    except ImportError as error:
        raise Fault(Faults.DEMO_MISSING, f"the demo needs {error.name}") from None

    options = Options(arguments.scans, arguments.speed, arguments.seed, arguments.broker)
    return run_demo(options, JsonScreen() if arguments.json else TextScreen())


def _simulate(arguments: argparse.Namespace) -> int:
    from spektron_edge.demo.simulate import Options, simulate

    options = Options(
        spectra=arguments.spectra,
        link=arguments.link,
        rate=arguments.rate,
        scans=arguments.scans,
        seed=arguments.seed,
        baud=arguments.baud,
        warmup_s=arguments.warmup,
    )
    stop = stopped_by(signal.SIGTERM, signal.SIGINT)
    return simulate(options, stop, as_json=arguments.json)


def _inspect(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.file import shipped_bundle
    from spektron_edge.support.state_report import inspect_state

    from .inspection import inspect_bundle

    path = arguments.path or shipped_bundle()
    report = inspect_state(path) if path.is_dir() else inspect_bundle(path)
    show(report, as_json=arguments.json)
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    from spektron_edge.publishing.schema import names, schema

    if arguments.name is None:
        show({"schemas": list(names())}, as_json=arguments.json)
    else:
        show(schema(arguments.name), as_json=True)
    return 0


def _check_config(arguments: argparse.Namespace) -> int:
    from .check_config import check_config

    show(check_config(arguments.config, probe=arguments.probe), as_json=arguments.json)
    return 0


def _command(arguments: argparse.Namespace) -> int:
    from spektron_edge.commands.arguments import parse_arguments
    from spektron_edge.mqtt.request import send_command

    try:
        given = parse_arguments(arguments.argument)
    except ValueError as error:
        raise Fault(Faults.COMMAND_FAILED, f"nothing was sent: {error}") from None
    response = send_command(
        arguments.config,
        arguments.name,
        arguments.operator,
        arguments.key,
        arguments.timeout,
        given,
        arguments.broker,
    )
    show(response, as_json=arguments.json)
    if response.get("stage") == "waiting":
        return Faults.COMMAND_WAITING.value.exit_status
    return 0 if response["ok"] else Faults.COMMAND_FAILED.value.exit_status
