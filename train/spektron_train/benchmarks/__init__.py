"""Benchmarks of the encoder beside its peers: developed on one set of seeds, quoted on another."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from spektron_train.training.progress import Advance

    from .report import Report

NAMES = ("native", "tokenizer", "latent", "pretraining")


def run(name: str, *, splits: int | None, advance: Advance) -> Report:
    """Run one benchmark of NAMES on the first `splits` quoted splits, or on all of them.

    `advance` is called after each step of work with a short state. Raises ValueError for a name or
    a number of splits that there is not, and ModuleNotFoundError where a package is missing.
    """
    if name not in NAMES:
        raise ValueError(f"no benchmark {name!r}; there are: {', '.join(NAMES)}")
    # Late, since torch and scikit-learn take seconds and one benchmark needs one module.
    module = import_module(f"{__name__}.{name}")
    return cast("Report", module.run(splits=splits, advance=advance))
