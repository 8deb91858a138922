"""Transfer by low-rank adapters as a method like the others; host only, for it needs gradients."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spektron_edge.transfer import TransferError
from spektron_edge.transfer.methods.given import Given
from spektron_edge.transfer.methods.method import Method, positive
from spektron_edge.transfer.penalised_ridge import Rows, solve
from spektron_train.model.encoder import Encoder

from .lora_transfer import lora_transfer

Array = NDArray[np.float64]
# The largest leaves nothing of the head, so that one which does not help is none.
_PENALTIES = np.geomspace(1e-2, 1e4, 13)


@dataclass(kw_only=True, eq=False)
class LoraTransfer(Method):
    """Low-rank updates of a frozen encoder and a ridge head, from labelled target samples.

    In the manner of LoRA-CT. encoder: calibrated on the source, and left as it is; it stands for
    the source, whose spectra are not used otherwise. rank, rate, steps, seed: see `lora_transfer`,
    which fits the adapters of encoder_. head_ (d, m) reads from `z_chem` what the encoder's y still
    lacks, its penalty by leave-one-out. Maps no spectra.
    """

    key = "lora"
    needs = frozenset({"labels", "encoder"})
    least = 4
    encoder: Encoder
    rank: int = 2
    rate: float = 1e-3
    steps: int = 20
    seed: int = 0

    def _fit(self, given: Given) -> None:
        positive(self, rank=self.rank, rate=self.rate, steps=self.steps)
        x, y = given.pairs_target[given.labelled], given.labels[given.labelled]
        self.encoder_ = copy.deepcopy(self.encoder).eval()
        try:
            lora_transfer(
                self.encoder_,
                x,
                y,
                rank=self.rank,
                rate=self.rate,
                steps=self.steps,
                seed=self.seed,
            )
        except ValueError as error:
            raise TransferError(f"the encoder cannot be adapted: {error}") from None
        values, z = self._read(x)
        self.centre_ = z.mean(axis=0)
        nothing = np.empty((0, z.shape[1]))
        rows = Rows(z - self.centre_, y - values, nothing, np.empty((0, y.shape[1])), nothing)
        path = solve(rows, _PENALTIES)
        best = np.argmin(np.mean(path.left_out**2, axis=1), axis=0)
        columns = np.arange(y.shape[1])
        self.head_: Array = path.coefficients[best, :, columns].T
        self.bias_: Array = path.intercept[best, columns]

    def _read(self, spectra: Array) -> tuple[Array, Array]:
        """y (k, m) and z_chem (k, d) of the adapted encoder."""
        with torch.no_grad():
            y, z_chem, _ = self.encoder_(
                torch.from_numpy(spectra).float().to(self.encoder_.theta.device),
                self.encoder_.theta,
            )
        return y.cpu().double().numpy(), z_chem.cpu().double().numpy()

    def _predict(self, spectra: Array) -> Array:
        values, z = self._read(spectra)
        read: Array = values + self.bias_ + (z - self.centre_) @ self.head_
        return read
