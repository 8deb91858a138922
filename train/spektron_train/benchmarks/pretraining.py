"""Does pretraining help where labels are few? Corn on m5 and tablets, 10 and 20 labelled samples.

Every arm predicts by the same joint ridge, weighted by leave-one-out on the labelled samples alone,
on the derivative spectrum (linear path) and on `z_chem` (residual). From scratch the encoder is
new and trained on the labelled samples. Pretrained it is the foundation, frozen as `finetune`
leaves it (better on developed splits than training it on the labels), and the linear path has the
simulated products' prior. Rows beside the two arms show what each part of pretraining does alone,
what training does to the foundation, and what mid-infrared pretraining does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spektron_train.model import Encoder
from spektron_train.model.transplant import across_domains, new_like
from spektron_train.pretraining.foundation import load_foundation
from spektron_train.pretraining.shipped import FOUNDATION, MID_INFRARED
from spektron_train.reference.joint_ridge import fit_joint_ridge
from spektron_train.training.calibration import basis_on, blocks, shares
from spektron_train.training.few_labels import train_on_few
from spektron_train.training.progress import Advance

from . import peers
from .report import Figure, Report, row
from .sets import CORN_NOTES, TABLET_NOTES, LabelledSet, corn, tablets
from .splits import quoted, spread

Array = NDArray[np.float64]
LABELLED = (10, 20)
STEPS, RATE = 40, 3e-4
SCRATCH, PRETRAINED = "from scratch", "pretrained NIR"
MID = "pretrained mid-IR, no prior"


@dataclass(frozen=True)
class Arm:
    """start: the encoder (None: none); steps: on the labels; prior: of the linear path, or None."""

    start: Encoder | None
    steps: int
    prior: Array | None


def arms(source: LabelledSet) -> dict[str, Arm]:
    """By name; the mid-infrared one only where its foundation has been made."""
    foundation, _ = load_foundation(FOUNDATION)
    basis = basis_on(foundation, source.start, source.x.shape[1], source.y.shape[1])
    start, prior = basis.encoder, basis.prior
    result = {
        "linear path alone": Arm(None, 0, None),
        SCRATCH: Arm(new_like(start), STEPS, None),
        PRETRAINED: Arm(start, 0, prior),
        "encoder alone, no prior": Arm(start, 0, None),
        "prior alone, no encoder": Arm(None, 0, prior),
        "pretrained NIR, trained": Arm(start, STEPS, prior),
    }
    if MID_INFRARED.exists():
        result[MID] = Arm(across_domains(load_foundation(MID_INFRARED)[0], start), 0, None)
    return result


def run(*, splits: int | None, advance: Advance) -> Report:
    """All arms and peers on the quoted splits."""
    rows, gains, notes = [], {}, [*CORN_NOTES, *TABLET_NOTES]
    seeds = quoted(splits)
    for source in (*corn("m5"), tablets()):
        chosen = arms(source)
        if MID not in chosen:
            notes.append(
                "No mid-infrared foundation was there; `spektron-train pretrain --config midir "
                "--out build/midir` makes one."
            )
        for count in LABELLED:
            r2 = _scores(source, chosen, count, seeds, advance)
            rows += [
                row(f"{source.name}, {count} labels", name, method, v, unit="1", metric="R2")
                for method, table in r2.items()
                for name, v in zip(source.data.properties, table.T, strict=True)
            ]
            gains[source.name, count] = r2
    figures = [_gain(count, gains) for count in LABELLED]
    return Report("pretraining", tuple(figures), tuple(rows), tuple(dict.fromkeys(notes)))


def _gain(count: int, scores: dict[tuple[str, int], dict[str, Array]]) -> Figure:
    """Mean over both sets of the mean gain over their properties."""
    of = [table for (_, n), table in scores.items() if n == count]
    per_split = np.mean([t[PRETRAINED].mean(1) - t[SCRATCH].mean(1) for t in of], axis=0)
    s = spread(per_split)
    told = "; ".join(
        f"{name}: " + ", ".join(f"{method} {table.mean():.3f}" for method, table in methods.items())
        for (name, n), methods in scores.items()
        if n == count
    )
    return Figure(
        f"pretraining_gain_n{count}",
        s.mean,
        "R2",
        "higher",
        (s.high - s.low) / 2,
        f"R2 pretrained less from scratch, {count} labelled samples, mean over corn m5 (4 "
        f"properties) and tablets, {len(per_split)} splits. Mean R2: {told}",
    )


def _scores(
    source: LabelledSet,
    chosen: dict[str, Arm],
    count: int,
    seeds: tuple[int, ...],
    advance: Advance,
) -> dict[str, Array]:
    """Method -> (splits, m) R2 on the test samples."""
    scores: dict[str, list[Array]] = {}
    for seed in seeds:
        split = source.split(seed)
        rng = np.random.default_rng([seed, count])
        labelled = rng.permutation(split.train)[:count]
        x, y = source.x[labelled], source.y[labelled]
        truth = source.y[split.test]
        predicted = {
            name: _predict(arm, x, y, source.x[split.test], seed) for name, arm in chosen.items()
        }
        for name, peer in (("PLS", peers.pls), ("ridge", peers.ridge), ("SVR", peers.svr)):
            predicted[name] = peer(x, y, source.x[split.test], rng)
        for name, values in predicted.items():
            error = np.mean((values - truth) ** 2, axis=0)
            scores.setdefault(name, []).append(1 - error / truth.var(axis=0))
        advance(f"{source.name}, {count} labels, split {seed}")
    return {name: np.stack(values) for name, values in scores.items()}


def _predict(arm: Arm, x: Array, y: Array, test: Array, seed: int) -> Array:
    encoder = arm.start
    if encoder is not None and arm.steps > 0:
        start, encoder = encoder, Encoder(encoder.config)
        encoder.load_state_dict(start.state_dict())
        train_on_few(encoder, x, y, steps=arm.steps, rate=RATE, seed=seed)
    known, unseen = (blocks(part, arm.prior, encoder) for part in (x, test))
    tried = shares(prior=arm.prior is not None, chem=encoder is not None)
    return fit_joint_ridge(known, y, tried).predict(*unseen)
