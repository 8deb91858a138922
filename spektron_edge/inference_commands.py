"""`spektron-edge build-engine` and `bench-device`: their arguments, and what they call."""

from __future__ import annotations

import argparse
from pathlib import Path

from .show import show

_PRECISIONS = ("int8", "fp16", "fp32")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these commands to the parser."""
    engine = commands.add_parser(
        "build-engine", help="build a TensorRT engine for this device, and try it"
    )
    engine.add_argument("bundle", type=Path)
    engine.add_argument("--precision", choices=_PRECISIONS, default="int8", help="(int8)")
    engine.add_argument("--product", help="needed when the bundle holds several")
    where = engine.add_mutually_exclusive_group()
    where.add_argument(
        "--cache", type=Path, default=Path("engines"), help="folder for engines (./engines)"
    )
    where.add_argument(
        "--config", type=Path, help="the daemon's configuration: the folder where it looks"
    )
    engine.add_argument("--json", action="store_true")
    engine.set_defaults(command=_build_engine)


def _build_engine(arguments: argparse.Namespace) -> int:
    from .config import load_config
    from .engine_command import build_for_device

    engines = arguments.cache
    if arguments.config is not None:
        config = load_config(arguments.config)
        engines = config.backend.engines
    report = build_for_device(
        arguments.bundle, arguments.precision, engines.resolve(), arguments.product
    )
    show(report, as_json=arguments.json)
    return 0
