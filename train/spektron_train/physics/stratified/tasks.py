"""Errors of every molecule, by one technique, by the other and by both, over many splits.

property     a model's absolute error of a property, in standard deviations over training molecules
other        one minus the cosine between a spectrum and what the other technique tells of it
retrieval    one minus the reciprocal rank of the molecule among all, sought by a second measurement
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from spektron_train.physics.molecule import Array

from . import encoder
from .inputs import TECHNIQUES, Technique, bands, measured_again
from .models import PATHS, Rows, predict
from .spectral_set import PROPERTIES, SpectralSet

Task = Literal["property", "other", "retrieval"]
TASKS: Final[tuple[Task, ...]] = ("property", "other", "retrieval")
ENCODER: Final = "fused encoder"
MODELS: Final = (*PATHS, ENCODER)

# Formulas that are tested in a split, and of the rest those the encoder is not trained on: it
# chooses the better technique by them.
_TESTED: Final = 0.25
_CHOOSING: Final = 0.2
# With hundreds of columns, PLS one by one takes minutes and both together another algorithm.
_OF_SPECTRA: Final = ("ridge", "nearest neighbours")


@dataclass(frozen=True)
class Case:
    """What is predicted (`target`: a property, a technique's spectrum), by which model."""

    task: Task
    model: str
    target: str


@dataclass(frozen=True, eq=False)
class Outcome:
    """(molecules,) mean errors over splits, nan where a molecule was never tested.

    before: by the better single technique, or, of the other's spectrum, by the mean one. after: by
    both techniques, or by the other one.
    """

    case: Case
    before: Array
    after: Array


@dataclass(frozen=True, eq=False)
class _Split:
    train: Rows
    test: Rows
    seed: int


@dataclass(frozen=True, eq=False)
class _Found:
    """(k,) errors of tested molecules."""

    case: Case
    test: Rows
    before: Array
    after: Array


def outcomes(
    found: SpectralSet,
    seeds: Sequence[int],
    models: Sequence[str] = MODELS,
    advance: Callable[[str], None] = lambda _: None,
    *,
    balanced: bool = False,
) -> list[Outcome]:
    """All tasks on all splits, one a seed.

    balanced: models are trained on as many molecules with a centre as without, not on all. Raises
    ValueError for a set of too few formulas, or of one kind where both are needed.
    """
    world = _World(found)
    sums: dict[Case, Array] = {}
    for seed in seeds:
        split = _split(world.formulas, seed)
        if balanced:
            split = replace(split, train=_balanced(world.centre, split))
        for one in _one_split(world, split, models):
            total = sums.setdefault(one.case, np.zeros((3, len(found.entries))))
            total[:, one.test] += np.stack([one.before, one.after, np.ones(len(one.test))])
        advance(f"split {seed}")
    means = []
    for case, (before, after, count) in sums.items():
        tested = np.where(count > 0, count, np.nan)
        means.append(Outcome(case, before / tested, after / tested))
    return means


class _World:
    """A set, as models see it."""

    def __init__(self, found: SpectralSet) -> None:
        self.lines = [one.lines for one in found.entries]
        self.spectra = bands(self.lines)
        self.targets = found.targets
        self.centre = found.centre
        names = [one.formula for one in found.entries]
        self.formulas: Rows = np.unique(names, return_inverse=True)[1]

    def inputs(self) -> dict[str, Array]:
        """By each technique, and `both` side by side."""
        both = np.concatenate([self.spectra[name] for name in TECHNIQUES], axis=1)
        return {**self.spectra, "both": both}


def _split(formulas: Rows, seed: int) -> _Split:
    test = _some(formulas, _TESTED, np.random.default_rng([seed, 0]))
    return _Split(np.setdiff1d(np.arange(len(formulas)), test), test, seed)


def _balanced(centre: NDArray[np.bool_], split: _Split) -> Rows:
    """Of the training molecules, as many with a centre as without."""
    rng = np.random.default_rng([split.seed, 3])
    kinds = [split.train[centre[split.train] == kind] for kind in (False, True)]
    fewest = min(len(rows) for rows in kinds)
    if not fewest:
        raise ValueError("molecules with and without a centre are needed for a balance")
    return np.sort(np.concatenate([rng.permutation(rows)[:fewest] for rows in kinds]))


def _some(formulas: Rows, share: float, rng: np.random.Generator) -> Rows:
    """Rows of a share of the formulas: isomers are alike, and stay on one side."""
    kinds = np.unique(formulas)
    if len(kinds) < 20:
        raise ValueError(f"{len(kinds)} different formulas; 20 are the fewest")
    drawn = rng.permutation(kinds)[: round(share * len(kinds))]
    return np.flatnonzero(np.isin(formulas, drawn))


def _one_split(world: _World, split: _Split, models: Sequence[str]) -> Iterator[_Found]:
    for name in models:
        if name == ENCODER:
            yield from _by_encoder(world, split)
            continue
        yield from _properties(world, split, name)
        if name in _OF_SPECTRA:
            yield from _other(world, split, name)
    yield _retrieval(world, split)


def _standard(world: _World, rows: Rows) -> Array:
    """Targets of mean 0 and variance 1 over these molecules."""
    known = world.targets[rows]
    scaled: Array = (world.targets - known.mean(axis=0)) / known.std(axis=0)
    return scaled


def _properties(world: _World, split: _Split, model: str) -> Iterator[_Found]:
    y = _standard(world, split.train)
    test, trained = {}, {}
    for name, x in world.inputs().items():
        told = predict(
            PATHS[model],
            x[split.train],
            y[split.train],
            world.formulas[split.train],
            x[split.test],
            joint=False,
        )
        test[name] = np.abs(told.test - y[split.test])
        trained[name] = np.abs(told.trained - y[split.train])
    for column, target in enumerate(PROPERTIES):
        case = Case("property", model, target)
        yield _fusion(
            case,
            world,
            split.test,
            {name: one[:, column] for name, one in test.items()},
            split.train,
            {name: one[:, column] for name, one in trained.items()},
        )


def _fusion(
    case: Case,
    world: _World,
    test: Rows,
    errors: dict[str, Array],
    known: Rows,
    known_errors: dict[str, Array],
) -> _Found:
    """Beside both, the technique that did better on known molecules of the same kind.

    With or without a centre, each has its own better technique: or else fusion would gain from a
    choice that suits the many and not the few.
    """
    before = np.empty(len(test))
    for centre in (False, True):
        of_kind = world.centre[known] == centre
        if not of_kind.any():
            of_kind[:] = True
        better = min(TECHNIQUES, key=lambda name: float(known_errors[name][of_kind].mean()))
        chosen = world.centre[test] == centre
        before[chosen] = errors[better][chosen]
    return _Found(case, test, before, errors["both"])


def _other(world: _World, split: _Split, model: str) -> Iterator[_Found]:
    for seen, told in (TECHNIQUES, TECHNIQUES[::-1]):
        x, y = world.spectra[seen], world.spectra[told]
        made = predict(
            PATHS[model],
            x[split.train],
            y[split.train],
            world.formulas[split.train],
            x[split.test],
            joint=True,
        ).test
        yield _reconstruction(world, split, model, told, made)


def _reconstruction(
    world: _World, split: _Split, model: str, told: Technique, made: Array
) -> _Found:
    y = world.spectra[told]
    mean = np.broadcast_to(y[split.train].mean(axis=0), made.shape)
    case = Case("other", model, told)
    return _Found(case, split.test, _apart(mean, y[split.test]), _apart(made, y[split.test]))


def _apart(a: Array, b: Array) -> Array:
    """(k,) one minus the cosine between rows."""
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return 1 - (a * b).sum(axis=1) / np.maximum(norms, 1e-12)


def _retrieval(world: _World, split: _Split) -> _Found:
    """No model but the spectra: among all molecules, by the sum of both cosines or by one."""
    again = bands(measured_again(world.lines, np.random.default_rng([split.seed, 1])))
    alike = {name: again[name] @ world.spectra[name].T for name in TECHNIQUES}
    alike["both"] = sum(alike[name] for name in TECHNIQUES)
    errors = {name: 1 - 1 / _ranks(one) for name, one in alike.items()}
    tested = {name: one[split.test] for name, one in errors.items()}
    known = {name: one[split.train] for name, one in errors.items()}
    case = Case("retrieval", "cosine", "molecule")
    return _fusion(case, world, split.test, tested, split.train, known)


def _ranks(alike: Array) -> NDArray[np.int64]:
    """(molecules,) 1 for a molecule that is most like itself."""
    ranks: NDArray[np.int64] = (alike >= np.diag(alike)[:, None]).sum(axis=1)
    return ranks


def _by_encoder(world: _World, split: _Split) -> Iterator[_Found]:
    rng = np.random.default_rng([split.seed, 2])
    choosing = split.train[_some(world.formulas[split.train], _CHOOSING, rng)]
    fitted = np.setdiff1d(split.train, choosing)
    y = _standard(world, fitted)
    spectra = world.spectra
    model = encoder.trained({n: x[fitted] for n, x in spectra.items()}, y[fitted], split.seed)
    given: dict[str, tuple[Technique, ...]] = {n: (n,) for n in TECHNIQUES}
    given["both"] = TECHNIQUES
    told = {
        name: encoder.read(model, {n: spectra[n][split.test] for n in names})
        for name, names in given.items()
    }
    known = {
        name: encoder.read(model, {n: spectra[n][choosing] for n in names})
        for name, names in given.items()
    }
    for column, target in enumerate(PROPERTIES):
        truth, known_truth = y[split.test, column], y[choosing, column]
        yield _fusion(
            Case("property", ENCODER, target),
            world,
            split.test,
            {name: np.abs(one.properties[:, column] - truth) for name, one in told.items()},
            choosing,
            {name: np.abs(one.properties[:, column] - known_truth) for name, one in known.items()},
        )
    for seen, other in (TECHNIQUES, TECHNIQUES[::-1]):
        yield _reconstruction(world, split, ENCODER, other, told[seen].spectra[other])
