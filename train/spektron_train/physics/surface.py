"""The energy, dipole moment and polarisability around one geometry, and their file (.npz)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from spektron_train.archive import ArchiveError, pack_arrays, unpack_arrays, write_file

from .molecule import Array, Molecule, MoleculeError

STORED: Final = Path(__file__).with_name("data")
_FORMAT: Final = 1


class SurfaceError(ValueError):
    """A file holds no surface, or one that is not there was asked for; says which."""


@dataclass(frozen=True, eq=False)
class Surface:
    """Derivatives at the molecule's positions, in atomic units.

    gradient: (3N,). hessian: (3N, 3N), symmetric. dipole: dmu/dx, (3N, 3). polarisability:
    dalpha/dx, (3N, 3, 3). method: what computed it. command: how to compute it again.
    Raises SurfaceError.
    """

    molecule: Molecule
    gradient: Array
    hessian: Array
    dipole: Array
    polarisability: Array
    method: str
    command: str = ""

    def __post_init__(self) -> None:
        size = self.molecule.positions.size
        shapes = {
            "gradient": (size,),
            "hessian": (size, size),
            "dipole": (size, 3),
            "polarisability": (size, 3, 3),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape:
                raise SurfaceError(f"{name} is {array.shape}; {shape} is needed")
            if not np.isfinite(array).all():
                raise SurfaceError(f"{name} holds what is no number")
        if not np.allclose(self.hessian, self.hessian.T, rtol=0, atol=1e-8):
            raise SurfaceError("the Hessian is not symmetric")

    def with_molecule(self, molecule: Molecule) -> Surface:
        """The same surface under other masses."""
        return replace(self, molecule=molecule)


def compute(molecule: Molecule, method: str, *, optimise: bool = True) -> Surface:
    """The surface at the nearest stationary point, or as the molecule stands.

    method: gfn2, hf (def2-SVP) or b3lyp (def2-TZVP). Raises QuantumError.
    """
    from .quantum import METHODS
    from .quantum.derivatives import response_derivatives
    from .quantum.optimise import optimised

    engine = METHODS[method](molecule)
    if optimise:
        molecule = optimised(engine, molecule)
    x = molecule.positions
    return Surface(
        molecule,
        engine.gradient(x)[1].reshape(-1),
        engine.hessian(x),
        *response_derivatives(engine, x),
        engine.name,
    )


def stored(name: str, method: str = "b3lyp") -> Surface:
    """A surface that ships. Raises SurfaceError naming those there are."""
    path = STORED / f"{name}.{method}.npz"
    if not path.is_file():
        there = ", ".join(sorted(found.stem for found in STORED.glob("*.npz")))
        raise SurfaceError(f"no surface of {name} by {method} ships; there are: {there}")
    return load(path)


def save(surface: Surface, path: Path) -> None:
    """Write the surface; equal surfaces give equal bytes. Raises OSError."""
    arrays = {
        "format": np.array(_FORMAT),
        "symbols": np.array(surface.molecule.symbols),
        "positions": surface.molecule.positions,
        "masses": surface.molecule.masses,
        "gradient": surface.gradient,
        "hessian": surface.hessian,
        "dipole": surface.dipole,
        "polarisability": surface.polarisability,
        "method": np.array(surface.method),
        "command": np.array(surface.command),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, pack_arrays(arrays))


def load(path: Path) -> Surface:
    """Read what `save` wrote; nothing in it is executed. Raises SurfaceError, OSError."""
    try:
        found = unpack_arrays(path.read_bytes(), path)
        if int(found["format"]) != _FORMAT:
            raise SurfaceError(f"{path} is of format {found['format']}; this reads {_FORMAT}")
        molecule = Molecule(
            tuple(str(symbol) for symbol in found["symbols"]), found["positions"], found["masses"]
        )
        return Surface(
            molecule,
            *(found[name] for name in ("gradient", "hessian", "dipole", "polarisability")),
            method=str(found["method"]),
            command=str(found["command"]),
        )
    except KeyError as error:
        raise SurfaceError(f"{path} holds no {error}") from None
    except ArchiveError as error:
        raise SurfaceError(str(error)) from None
    except (ValueError, TypeError, MoleculeError) as error:
        raise SurfaceError(f"{path} is no surface: {error}") from None
