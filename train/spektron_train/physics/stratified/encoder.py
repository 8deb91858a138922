"""The fused encoder, trained on infrared and Raman spectra of which either may be missing.

One training serves both techniques and each alone, and all tasks: properties and both spectra are
read from one latent by linear heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch

from spektron_train.model import EncoderConfig
from spektron_train.model.fusion import FusedEncoder
from spektron_train.model.transformer import Projection
from spektron_train.model.vib import sample
from spektron_train.physics.molecule import Array

from .inputs import POINTS, START, STEP, TECHNIQUES, Technique

_CONFIG: Final = EncoderConfig(
    start=START,
    step=STEP,
    points=POINTS,
    unit="cm-1",
    width=48,
    hidden=96,
    heads=4,
    layers=2,
    channels=(16, 24),
    slots=12,
    slot_width=12,
    z_chem=48,
    z_inst=4,
)
_EPOCHS: Final = 60
_BATCH: Final = 64
_RATE: Final = 2e-3
_BOTTLENECK: Final = 1e-4


@dataclass(frozen=True, eq=False)
class Read:
    """properties (k, m); spectra, (k, POINTS) each."""

    properties: Array
    spectra: dict[Technique, Array]


class Fused(torch.nn.Module):
    """The encoder and its heads, for so many properties."""

    def __init__(self, properties: int) -> None:
        super().__init__()
        self.encoder = FusedEncoder(dict.fromkeys(TECHNIQUES, _CONFIG))
        self.properties = Projection(_CONFIG.z_chem, properties)
        self.spectra = torch.nn.ModuleDict(
            {name: Projection(_CONFIG.z_chem, POINTS, 0.1) for name in TECHNIQUES}
        )


def trained(spectra: Mapping[Technique, Array], targets: Array, seed: int) -> Fused:
    """Fit to (n, POINTS) of each technique and (n, m) targets of mean 0 and variance 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Fused(targets.shape[1])
    x = {name: torch.from_numpy(spectra[name]).float() for name in TECHNIQUES}
    y = torch.from_numpy(targets).float()
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=1e-2)
    batches = -(-len(y) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, _EPOCHS * batches)
    for _ in range(_EPOCHS):
        for rows in torch.randperm(len(y), generator=generator).split(_BATCH):
            part = {name: one[rows] for name, one in x.items()}
            loss = _loss(model, part, y[rows], generator)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
    return model.eval()


def _loss(model: Fused, x: dict[Technique, Any], y: Any, generator: torch.Generator) -> Any:
    """Of a batch of which both techniques, or one of them, are given: a third of the time each."""
    missing = int(torch.randint(len(TECHNIQUES) + 1, (1,), generator=generator))
    given = {name: one for i, (name, one) in enumerate(x.items()) if i != missing}
    latent = model.encoder.encode(given, model.encoder.theta)
    z = sample(latent.chem, latent.chem_logvar, generator)
    narrow = (latent.chem**2 + latent.chem_logvar.exp() - latent.chem_logvar - 1).sum(dim=1).mean()
    loss = ((model.properties(z) - y) ** 2).mean() + _BOTTLENECK * narrow / 2
    for name, one in x.items():
        # Of norm one: a spectrum counts as much as a property of variance one.
        loss = loss + ((model.spectra[name](z) - one) ** 2).sum(dim=1).mean()
    return loss


def read(model: Fused, spectra: Mapping[Technique, Array]) -> Read:
    """What the model says of (k, POINTS) of one technique or both."""
    x = {name: torch.from_numpy(one).float() for name, one in spectra.items()}
    with torch.no_grad():
        z = model.encoder.encode(x, model.encoder.theta).chem
        told = {name: model.spectra[name](z).double().numpy() for name in TECHNIQUES}
        return Read(model.properties(z).double().numpy(), told)
