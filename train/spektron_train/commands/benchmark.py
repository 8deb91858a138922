"""`spektron-train benchmark`."""

from __future__ import annotations

import argparse

from spektron_train.benchmarks.command import benchmark


def run(arguments: argparse.Namespace) -> int:
    """Run one benchmark; returns its exit code."""
    return benchmark(
        arguments.name, arguments.json, arguments.plot, arguments.splits, arguments.out
    )
