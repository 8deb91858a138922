"""One optimiser step, and one validation, shared by the processes of a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from spektron_train.data.simulate.stream import Episode

from .assembly import derived_seed
from .objective import EpisodeTensors
from .session import Session, freeze_adapter


class Diverged(Exception):
    """A number is no longer finite; the message names step and term."""


@dataclass(frozen=True)
class StepReport:
    """terms: mean over the step's episodes; flags: for each, whether any process raised it."""

    terms: dict[str, float]
    rate: float
    gradient_norm: float
    flags: tuple[bool, ...]

    @property
    def total(self) -> float:
        """The loss."""
        return sum(self.terms.values())


def train_step(
    session: Session, episodes: Sequence[Episode], step: int, flags: Sequence[bool]
) -> StepReport:
    """Step `step` (from 0) on this process's episodes, in the order of `session.share`.

    flags: what this process has to tell the others. Raises Diverged before anything has changed.
    """
    config, accelerator = session.config, session.accelerator
    indices = session.share(config.episodes.per_step)
    progress = step / config.steps
    schedule = config.schedule()
    rate = schedule.rate * schedule.factor(progress)
    for group in session.optimiser.param_groups:
        group["lr"] = rate
    session.model.train()
    sums: dict[str, torch.Tensor] = {}
    for index, episode in zip(indices, episodes, strict=True):
        with accelerator.accumulate(session.model):
            tensors = EpisodeTensors.of(episode, accelerator.device)
            terms = session.model(tensors, progress, (config.seed, step, index))
            accelerator.backward(torch.stack(list(terms.values())).sum())
        for name, term in terms.items():
            sums[name] = sums[name] + term.detach() if name in sums else term.detach()
    raised = [torch.tensor(float(flag), device=accelerator.device) for flag in flags]
    means = session.mean([*(value / len(indices) for value in sums.values()), *raised])
    values = dict(zip(sums, means, strict=False))
    _check(values, step)
    freeze_adapter(session)
    norm = accelerator.clip_grad_norm_(session.model.parameters(), schedule.clip)
    norm = float(norm.full_tensor() if hasattr(norm, "full_tensor") else norm)
    _check({"gradient norm": norm}, step)
    session.optimiser.step()
    session.optimiser.zero_grad()
    return StepReport(values, rate, norm, tuple(mean > 0 for mean in means[len(sums) :]))


def validate(session: Session, episodes: Sequence[Episode]) -> dict[str, float]:
    """Mean terms over the validation episodes, of which this process is given its share.

    Weights of the terms are those of the end of training, so that totals can be compared.
    """
    config = session.config
    seed = derived_seed(config.seed, "validation")
    session.model.eval()
    sums: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for index, episode in zip(session.share(config.validation.episodes), episodes, strict=True):
            tensors = EpisodeTensors.of(episode, session.accelerator.device)
            for name, term in session.model(tensors, 1.0, (seed, index)).items():
                sums[name] = sums[name] + term if name in sums else term
    means = session.mean([value / len(episodes) for value in sums.values()])
    return dict(zip(sums, means, strict=True))


def _check(values: dict[str, float], step: int) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise Diverged(f"step {step + 1}: {name} is {value}")
