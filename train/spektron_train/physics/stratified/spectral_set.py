"""Molecules with their symmetry, geometry, infrared and Raman lines and properties, as one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spektron_train.archive import ArchiveError, pack_arrays, unpack_arrays, write_file
from spektron_train.physics.molecule import Array

STORED: Final = Path(__file__).with_name("spectra.npz")
PROPERTIES: Final = {
    "zero_point_energy": "kJ/mol",
    "heat_capacity": "J/(mol K)",
    "orbital_gap": "eV",
}
"""What is predicted, with units. Heat capacity: of the vibrations, 298.15 K."""

_FORMAT: Final = 1


class SpectralSetError(ValueError):
    """A file holds no such set; says why."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One molecule at a minimum of the energy.

    formula: as Hill writes it. symbols, positions: N, and (N, 3) in bohr. group: Schoenflies
    symbol; order: of the group that was used, of linear molecules' C5v or D5d. infrared, raman:
    degrees of freedom that are active by symmetry; observable: by at least one technique.
    lines: (n, 3), wavenumber in cm-1, infrared in km/mol, Raman activity in A4/u. properties: by
    name.
    """

    smiles: str
    formula: str
    symbols: tuple[str, ...]
    positions: Array
    group: str
    order: int
    centre: bool
    infrared: int
    raman: int
    observable: int
    lines: Array
    properties: dict[str, float]

    @property
    def observable_share(self) -> float:
        """R(G, N): degrees of freedom that at least one technique shows, of all."""
        return self.observable / len(self.lines)


@dataclass(frozen=True, eq=False)
class SpectralSet:
    """Entries, what computed them, and the command that did. Raises SpectralSetError if empty."""

    entries: tuple[Entry, ...]
    method: str
    command: str
    targets: Array = field(init=False)
    """(molecules, properties), in the order of PROPERTIES."""

    def __post_init__(self) -> None:
        if not self.entries:
            raise SpectralSetError("a set of no molecules")
        rows = [[one.properties[name] for name in PROPERTIES] for one in self.entries]
        object.__setattr__(self, "targets", np.array(rows))

    @property
    def centre(self) -> NDArray[np.bool_]:
        """(molecules,) whether each has a centre of inversion."""
        return np.array([one.centre for one in self.entries])


_SCALARS: Final = ("smiles", "formula", "group", "order", "centre", "infrared", "raman")


def save(found: SpectralSet, path: Path) -> None:
    """Write the set; equal sets give equal bytes. Raises OSError."""
    entries = found.entries
    arrays: dict[str, NDArray[Any]] = {
        "format": np.array(_FORMAT),
        "method": np.array(found.method),
        "command": np.array(found.command),
        **{name: np.array([getattr(one, name) for one in entries]) for name in _SCALARS},
        "observable": np.array([one.observable for one in entries]),
        "atoms": np.array([len(one.symbols) for one in entries]),
        "symbols": np.array([symbol for one in entries for symbol in one.symbols]),
        "positions": np.concatenate([one.positions for one in entries]).astype(np.float32),
        "modes": np.array([len(one.lines) for one in entries]),
        "lines": np.concatenate([one.lines for one in entries]).astype(np.float32),
        "targets": found.targets,
        "properties": np.array(list(PROPERTIES)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, pack_arrays(arrays))


def load(path: Path = STORED) -> SpectralSet:
    """Read what `save` wrote; nothing in it is executed. Raises SpectralSetError, OSError."""
    try:
        held = unpack_arrays(path.read_bytes(), path)
        if int(held["format"]) != _FORMAT:
            raise SpectralSetError(f"{path} is of format {held['format']}; this reads {_FORMAT}")
        if held["properties"].tolist() != list(PROPERTIES):
            raise SpectralSetError(f"{path} holds other properties: {held['properties'].tolist()}")
        entries = _entries(held)
        return SpectralSet(entries, str(held["method"]), str(held["command"]))
    except KeyError as error:
        raise SpectralSetError(f"{path} holds no {error}") from None
    except ArchiveError as error:
        raise SpectralSetError(str(error)) from None
    except SpectralSetError:
        raise
    except (ValueError, TypeError, IndexError) as error:
        raise SpectralSetError(f"{path} is no set of spectra: {error}") from None


def _entries(held: dict[str, NDArray[Any]]) -> tuple[Entry, ...]:
    symbols = _parts(held["symbols"], held["atoms"])
    positions = _parts(held["positions"], held["atoms"])
    lines = _parts(held["lines"], held["modes"])
    scalars = [held[name].tolist() for name in _SCALARS]
    if not np.isfinite(held["lines"]).all() or not np.isfinite(held["targets"]).all():
        raise ValueError("a line or a property is not a number")
    return tuple(
        Entry(
            smiles=smiles,
            formula=formula,
            symbols=tuple(symbols[i].tolist()),
            positions=positions[i].astype(float),
            group=group,
            order=order,
            centre=centre,
            infrared=infrared,
            raman=raman,
            observable=int(held["observable"][i]),
            lines=lines[i].astype(float),
            properties=dict(zip(PROPERTIES, held["targets"][i].tolist(), strict=True)),
        )
        for i, (smiles, formula, group, order, centre, infrared, raman) in enumerate(
            zip(*scalars, strict=True)
        )
    )


def _parts(whole: NDArray[Any], sizes: NDArray[Any]) -> Sequence[NDArray[Any]]:
    ends = np.cumsum(sizes)
    if sizes.min() < 1 or ends[-1] != len(whole):
        raise ValueError(f"{ends[-1]} rows are promised, {len(whole)} are there")
    return np.split(whole, ends[:-1])
