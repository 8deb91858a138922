"""The daemon with a transfer: what it predicts, says and refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spektron_edge.transfer_state import StateStore
from tests.transfers import state_for

from .conftest import AXIS
from .turns import events, ready, stored, turn


@pytest.fixture
def store(daemon):
    return StateStore(daemon._config.state_dir)


def use(store, state):
    store.activate(store.add(state, "anna"), "anna")


def last(daemon):
    return [r for r in stored(daemon) if "scan" in r][-1]


def test_a_transfer_takes_the_place_of_the_graph(daemon, scan, make_scan, store, state, field):
    use(store, state)
    spectrum = field[3][20]
    turn(daemon, ready(make_scan), scan(1, absorbance=spectrum))
    record = last(daemon)
    expected = state.predict(spectrum)
    for j, name in enumerate(("moisture", "protein")):
        value, half = expected.values[j], expected.half_width[j]
        seen = record["values"][name]
        assert [seen["value"], seen["low"], seen["high"]] == pytest.approx(
            [value, value - half, value + half], abs=1e-6
        )
    assert record["valid"]
    told = record["model"]["transfer"]
    assert (told["version"], told["samples"]) == (1, 8)
    assert "exchangeable" in told["interval_basis"] or "independent" in told["interval_basis"]


def test_going_back_is_taken_up_and_told(daemon, scan, make_scan, store, state):
    use(store, state)
    turn(daemon, ready(make_scan))
    store.roll_back("VIRT-0001", "bert")
    daemon._serving.take_changes()
    turn(daemon, scan(1))
    record = last(daemon)
    assert record["model"]["transfer"] is None
    assert record["values"]["moisture"]["low"] is None
    lines = (daemon._state.audit.path).read_text().splitlines()
    done = [(e["what"], e["who"]) for e in map(json.loads, lines) if "transfer" in e["what"]]
    assert done == [
        ("transfer_added", "anna"),
        ("transfer_activated", "anna"),
        ("transfer_rolled_back", "bert"),
    ]
    assert events(daemon, "transfer_rolled_back")


def test_reload_takes_up_a_transfer(daemon, scan, make_scan, store, state):
    turn(daemon, ready(make_scan), scan(1))
    assert last(daemon)["model"]["transfer"] is None
    use(store, state)
    outcome = daemon._reload.reload()
    assert outcome.message.endswith("transfer 1")
    turn(daemon, scan(2))
    assert last(daemon)["model"]["transfer"]["version"] == 1


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"bundle": "other-1-000000000000"}, "other-1"),
        ({"properties": (("oil", "%"), ("starch", "%"))}, "other properties"),
    ],
)
def test_a_transfer_that_does_not_fit_makes_results_invalid(
    daemon,
    scan,
    make_scan,
    store,
    transfer,
    tiny_model,
    changes,
    why,
):
    use(store, state_for(transfer, tiny_model, **changes))
    turn(daemon, ready(make_scan), scan(1))
    record = last(daemon)
    assert record["reasons"] == ["transfer_unusable"]
    assert record["values"]["moisture"]["value"] is None
    (event,) = events(daemon, "transfer_unusable")
    assert why in event["message"]
    store.roll_back("VIRT-0001", "anna")
    daemon._serving.take_changes()
    turn(daemon, scan(2))
    assert last(daemon)["reasons"] != ["transfer_unusable"]


def test_another_axis_is_noticed(daemon, scan, make_scan, store, transfer, tiny_model):
    made = state_for(transfer, tiny_model)
    moved = type(made)(made.header, AXIS + 0.5, made.matrix, made.predictor, made.domain)
    use(store, moved)
    turn(daemon, ready(make_scan), scan(1))
    assert last(daemon)["reasons"] == ["transfer_unusable"]


def test_a_transfer_of_another_instrument_is_not_used(
    daemon,
    scan,
    make_scan,
    store,
    transfer,
    tiny_model,
):
    use(store, state_for(transfer, tiny_model, serial="OTHER"))
    turn(daemon, ready(make_scan), scan(1))
    assert last(daemon)["model"]["transfer"] is None


def test_a_spectrum_that_cannot_be_converted_is_told(
    daemon,
    scan,
    make_scan,
    store,
    transfer,
    tiny_model,
):
    made = state_for(transfer, tiny_model)
    header = made.header.model_copy(update={"quantity": "-log10"})
    use(store, type(made)(header, made.axis_nm, made.matrix, made.predictor, made.domain))
    turn(daemon, ready(make_scan), scan(1, absorbance=np.full(AXIS.size, -0.1)))
    assert last(daemon)["reasons"] == ["not_finite"]
    assert "logarithm" in events(daemon, "not_finite")[0]["message"]
