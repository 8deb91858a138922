"""Hartree-Fock and density functionals by PySCF (Sun et al., J. Chem. Phys. 153, 024109, 2020)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from spektron_train.physics.molecule import Array, Molecule, atomic_number

from .engine import NO_FIELD, QuantumError

_GRID_LEVEL = 3


class PySCF:
    """A restricted calculation; `functional` is HF or a density functional that PySCF knows.

    Raises QuantumError for an odd number of electrons.
    """

    def __init__(self, molecule: Molecule, functional: str, basis: str) -> None:
        if sum(molecule.numbers) % 2:
            raise QuantumError("an odd number of electrons: only closed shells are computed")
        self._symbols = molecule.symbols
        self._functional = functional
        self._basis = basis
        self._density: Array | None = None

    @property
    def name(self) -> str:
        """See Engine."""
        import pyscf

        grid = "" if self._functional == "HF" else f" grid level {_GRID_LEVEL},"
        return f"{self._functional}/{self._basis},{grid} PySCF {pyscf.__version__}"

    def gradient(self, positions: Array, field: Array = NO_FIELD) -> tuple[float, Array]:
        """See Engine."""
        found = self._converged(positions, field)
        method = found.nuc_grad_method()
        method.verbose = 0
        if np.any(field):
            plain = method.get_hcore
            # The nuclei's share of -mu.E, and the operator's change as its functions move.
            places = found.mol.intor("int1e_irp").reshape(3, 3, *found.get_ovlp().shape)
            moved = np.einsum("b,baij->aji", field, places)
            method.get_hcore = lambda mol=None: plain(mol) - moved
        electrons = np.asarray(method.kernel(), dtype=float)
        charges = found.mol.atom_charges()
        energy = float(found.e_tot - charges @ (positions @ field))
        return energy, electrons - charges[:, None] * field

    def hessian(self, positions: Array) -> Array:
        """See Engine."""
        method = self._converged(positions, NO_FIELD).Hessian()
        method.verbose = 0
        blocks = method.kernel()
        full = blocks.transpose(0, 2, 1, 3).reshape(positions.size, positions.size)
        symmetric: Array = (full + full.T) / 2
        return symmetric

    def mean_field(self, positions: Array) -> Any:
        """PySCF's own converged object, for its own analyses. Raises QuantumError."""
        return self._converged(positions, NO_FIELD)

    def _cores(self) -> dict[str, str]:
        # The def2 bases replace the inner electrons from rubidium on.
        heavy = (symbol for symbol in self._symbols if atomic_number(symbol) > 36)
        return dict.fromkeys(heavy, self._basis)

    def _converged(self, positions: Array, field: Array) -> Any:
        from pyscf import dft, gto, scf

        atoms = list(zip(self._symbols, positions.tolist(), strict=True))
        try:
            with warnings.catch_warnings(action="ignore"):
                # Of a basis that it lacks PySCF warns, to advertise a package, and then fails.
                mol = gto.M(
                    atom=atoms, unit="Bohr", basis=self._basis, ecp=self._cores(), verbose=0
                )
        except (RuntimeError, KeyError) as error:
            raise QuantumError(f"{self.name}: {error}") from None
        # Each calculation would keep a temporary file open, for restarts that nobody makes.
        scf.hf.MUTE_CHKFILE = True
        if self._functional == "HF":
            found = scf.RHF(mol)
        else:
            found = dft.RKS(mol, xc=self._functional)
            found.grids.level = _GRID_LEVEL
        found.conv_tol = 1e-12
        found.conv_tol_grad = 1e-7
        if np.any(field):
            core = scf.hf.get_hcore(mol) + np.einsum("a,aij->ij", field, mol.intor("int1e_r"))
            found.get_hcore = lambda *_: core
        found.kernel(dm0=self._density)
        if not found.converged:
            raise QuantumError(f"{self.name}: the electrons did not converge")
        # The next geometry of an optimisation, or the next field, starts from here.
        self._density = found.make_rdm1()
        return found
