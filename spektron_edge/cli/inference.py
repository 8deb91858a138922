"""`spektron-edge build-engine` and `bench-device`: their arguments, and what they call."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .argument_types import positive
from .show import show

_PRECISIONS = ("int8", "fp16", "fp32")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add these commands to the parser."""
    engine = commands.add_parser(
        "build-engine", help="build a TensorRT engine for this device, and try it"
    )
    engine.add_argument("bundle", type=Path, help="file of the bundle")
    engine.add_argument("--precision", choices=_PRECISIONS, default="int8", help="(int8)")
    engine.add_argument("--product", help="needed when the bundle holds several")
    where = engine.add_mutually_exclusive_group()
    where.add_argument(
        "--cache", type=Path, default=Path("engines"), help="folder for engines (./engines)"
    )
    where.add_argument(
        "--config", type=Path, help="the daemon's configuration: the folder where it looks"
    )
    engine.add_argument("--json", action="store_true", help="JSON on standard output")
    engine.set_defaults(command=_build_engine)

    bench = commands.add_parser(
        "bench-device", help="measure every backend and precision on this machine"
    )
    bench.add_argument("bundle", type=Path, nargs="?", help="default: the bundle that is shipped")
    bench.add_argument("--product", help="needed when the bundle holds several")
    bench.add_argument(
        "--cache", type=Path, help="keep TensorRT's engines in this folder (default: nowhere)"
    )
    bench.add_argument("--rounds", type=positive, default=5, help="(5)")
    bench.add_argument("--calls", type=positive, default=30, help="per round and batch size (30)")
    bench.add_argument("--json", action="store_true", help="JSON on standard output")
    bench.set_defaults(command=_bench_device)


def _build_engine(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.loading import load_config
    from spektron_edge.inference.device_engine import build_for_device
    from spektron_edge.prediction.product import terms_of

    engines, product, terms = arguments.cache.resolve(), arguments.product, None
    then = f'in the configuration: [inference] backend = "tensorrt", engines = "{engines}"'
    if arguments.config is not None:
        config = load_config(arguments.config)
        engines, product = config.backend.engines, product or config.product
        terms = terms_of(config)
        then = 'in the configuration: [inference] backend = "tensorrt"; then `command reload`'
    report = build_for_device(arguments.bundle, arguments.precision, engines, product, terms)
    report["next"] = then
    show(report, as_json=arguments.json)
    return 0


def _bench_device(arguments: argparse.Namespace) -> int:
    from spektron_edge.config.file import shipped_bundle
    from spektron_edge.device_bench.bench import bench_device, table

    report = bench_device(
        arguments.bundle or shipped_bundle(),
        arguments.product,
        None if arguments.cache is None else arguments.cache.resolve(),
        arguments.rounds,
        arguments.calls,
        lambda line: print(line, file=sys.stderr, flush=True),
    )
    if not arguments.json:
        results = report["results"]
        report["results"] = table(results if isinstance(results, list) else [])
        report["recommended"] = report["recommended"] or "nothing: no backend runs this bundle"
    show(report, as_json=arguments.json)
    return 0
