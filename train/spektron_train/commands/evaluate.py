"""`spektron-train evaluate`."""

from __future__ import annotations

import argparse

from spektron_train.physics.stratified.command import evaluate

from . import EXIT_DATA, Failed


def run(arguments: argparse.Namespace) -> int:
    """Evaluate models by the symmetry of molecules; returns the exit code. Raises Failed."""
    try:
        return evaluate(arguments)
    except OSError as error:
        raise Failed(EXIT_DATA, error) from None
