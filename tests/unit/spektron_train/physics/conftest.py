from functools import cache

import pytest

from spektron_train.physics.molecule import library
from spektron_train.physics.surface import compute


@cache
def _computed(name, method, optimise):
    return compute(library(name), method, optimise=optimise)


@pytest.fixture
def computed():
    """A surface computed here and now, once per run: (name, method, optimise)."""

    def get(name, method="gfn2", optimise=True):
        return _computed(name, method, optimise)

    return get
