"""`make bench NAME=x` runs one benchmark, plain `make bench` all that take minutes together."""

from __future__ import annotations

import argparse
import importlib
import sys

from spektron_train.benchmarks import NAMES as ENCODER
from spektron_train.benchmarks.command import benchmark
from tests.benchmarks.report import FOLDER, write

NAMES = (
    "inference",
    "daemon",
    "publish",
    "main_job",
    "framing",
    "adapt_step",
    "adapt_drift",
    "adapt_live",
    "sinkhorn",
    "pretrain_scaling",
    "transfer",
    "transfer_methods",
    "transfer_samples",
    "adapt",
    "fleet",
    "physics",
    "page",
    "soak",
)
# Take up to an hour; by name only.
LONG = ("transfer", "transfer_methods", "adapt", "soak")


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join((*NAMES, *ENCODER)))
    names = parser.parse_args().names or [name for name in NAMES if name not in LONG]
    for name in names:
        if name in ENCODER:
            code = benchmark(name, json=False, plot=True, splits=None, out=FOLDER)
            if code:
                return code
        elif name in NAMES:
            print(write(name, importlib.import_module(f"tests.benchmarks.{name}").measure()))
        else:
            print(
                f"no benchmark {name!r}; there are: {', '.join((*NAMES, *ENCODER))}",
                file=sys.stderr,
            )
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
