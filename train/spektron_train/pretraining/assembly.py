"""Everything a run starts from: streams of episodes, and the model with its inputs scaled."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import torch

from spektron_train.data.simulate.stream import EpisodeStream
from spektron_train.model import Encoder

from .config import PretrainConfig
from .objective import PretrainModel

# Constituents that hardly vary would otherwise weigh most.
_LEAST_SPREAD = 0.02


def derived_seed(seed: int, purpose: str) -> int:
    """A seed of its own for each purpose, so that no two streams ever share an episode."""
    words = [seed, *purpose.encode()]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0])


@dataclass(frozen=True)
class Streams:
    """Episodes to learn from, to judge by, and (many products, whole grid) to set scales from."""

    training: EpisodeStream
    validation: EpisodeStream
    scales: EpisodeStream


def open_streams(config: PretrainConfig) -> Streams:
    """All of a run's streams; they share the pure spectra, which take most of a second."""
    domain, settings = config.domain_model(), config.episode_settings()
    first = EpisodeStream(domain, settings, derived_seed(config.seed, "training"))
    validation, scales = copy(first), copy(first)
    validation.seed = derived_seed(config.seed, "validation")
    scales.seed = derived_seed(config.seed, "scales")
    scales.settings = replace(settings, windows=((0, domain.grid[2]),), one_product=0.0)
    return Streams(first, validation, scales)


def build_model(config: PretrainConfig) -> PretrainModel:
    """The model before its first step, from torch's generator as it stands."""
    model = PretrainModel(Encoder(config.encoder_config()), config.term_weights())
    # Pretraining predicts no property, and DDP waits for every parameter that wants a gradient.
    model.encoder.residual.requires_grad_(requires_grad=False)
    return model


def standardise(model: PretrainModel, scales: EpisodeStream, count: int) -> None:
    """Set the tokenizer's scale per channel and the heads' scale per constituent."""
    episodes = [scales.episode(0, index) for index in range(count)]
    spectra = np.concatenate([e.spectra.reshape(-1, e.spectra.shape[-1]) for e in episodes])
    composition = np.concatenate([e.composition for e in episodes])
    model.encoder.tokenizer.standardise(torch.from_numpy(spectra).float())
    with torch.no_grad():
        model.composition_centre.copy_(torch.from_numpy(composition.mean(axis=0)))
        deviation = composition.std(axis=0).clip(min=_LEAST_SPREAD)
        model.composition_spread.copy_(torch.from_numpy(deviation))
