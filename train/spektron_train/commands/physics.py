"""`spektron-train physics`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Final

from spektron_train.physics.commands import hessian, spectrum
from spektron_train.physics.identifiability.command import identify
from spektron_train.physics.internal import CoordinateError
from spektron_train.physics.molecule import MoleculeError
from spektron_train.physics.observability_command import observe
from spektron_train.physics.quantum import QuantumError
from spektron_train.physics.surface import SurfaceError
from spektron_train.physics.symmetry.commands import activities, theorems
from spektron_train.physics.symmetry.operations import SymmetryError

from . import EXIT_DATA, EXIT_MISSING, EXIT_RUN, Failed


def run(arguments: argparse.Namespace) -> int:
    """Run one action of physics; returns its exit code. Raises Failed."""
    try:
        return _ACTIONS[arguments.action](arguments)
    except (MoleculeError, CoordinateError, SurfaceError, SymmetryError, OSError) as error:
        raise Failed(EXIT_DATA, error) from None
    except ModuleNotFoundError as error:
        hint = "pip install 'spektron-edge[physics]'"
        raise Failed(EXIT_MISSING, f"{error.name} is not installed: {hint}") from None
    except QuantumError as error:
        raise Failed(EXIT_RUN, error) from None


_ACTIONS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "activity": activities,
    "hessian": hessian,
    "identifiability": identify,
    "observability": observe,
    "spectrum": spectrum,
    "theorems": theorems,
}
