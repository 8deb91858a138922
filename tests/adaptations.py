"""Small adaptations for a model: what tests of a device's adaptations start from."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import numpy as np

from spektron_edge.adaptation.candidate import Adapted, Batch, Verdict
from spektron_edge.adaptation.correction import TERMS, Correction
from spektron_edge.adaptation_state import About, Approval, state_of
from spektron_edge.adaptation_state.batch_file import as_kept
from tests import bundles

SERIAL = "VIRT-0001"
MADE = datetime(2026, 11, 22, tzinfo=timezone.utc)
SOUND = Verdict(refusals=(), doubts=(), metrics={"trust": 0.9})


def adapted(model, gain=0.01, theta=0.0):
    """A small gain, and theta moved by a constant."""
    grid = model.product.grid
    none = Correction.none(grid.points, grid.step_nm)
    coefficients = none.coefficients.copy()
    coefficients[TERMS.index("gain")] = gain
    moved = model.theta + np.float32(theta)
    return Adapted(replace(none, coefficients=coefficients), moved)


def batch(spectra=None, first=3, boot=7):
    """Six spectra of the tiny model, or those given."""
    rows = bundles.spectra(6) if spectra is None else spectra
    return as_kept(Batch(rows, tuple((boot, first + i) for i in range(len(rows)))))


def state_for(model, given=None, verdict=SOUND, made_from=None, **changes):
    """An adaptation of that model; changes to what it says of itself."""
    said = {
        "serial": SERIAL,
        "mode": "propose",
        "seed": 5,
        "created": MADE,
        "why": "the lamp aged",
        "evidence": ("z_inst moved by 4 standard errors",),
        **changes,
    }
    made_from = batch() if made_from is None else made_from
    return state_of(given or adapted(model), verdict, About(**said), made_from, model)


def agreed(who, why="seen"):
    """An approval."""
    return Approval(who=who, through="test", at=MADE, why=why)


def put(store, model, given=None, made_from=None, **changes):
    """Propose one that goes on from what is in use; returns its number."""
    made_from = batch() if made_from is None else made_from
    now = store.read().active(changes.get("serial", SERIAL))
    changes = {"parent": None if now is None else now.id, **changes}
    return store.propose(state_for(model, given, made_from=made_from, **changes), made_from)


def use(store, model, given=None, **changes):
    """Propose one and approve it; returns its number."""
    number = put(store, model, given, **changes)
    store.approve(number, agreed("anna"), 1, model)
    return number
