"""An adaptation's file: every bit of it, and for which model."""

from __future__ import annotations

import contextlib
import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spektron_edge.adaptation.candidate import Batch, Verdict
from spektron_edge.adaptation_state.file import decode, encode
from spektron_edge.faults import Fault
from tests.adaptations import batch, state_for

from .states import UNUSABLE, other, refused


def test_a_file_holds_every_bit_of_the_adaptation(state):
    again = decode(encode(state))
    assert again.header == state.header
    correction = state.adapted.correction
    assert again.adapted.correction.coefficients.tobytes() == correction.coefficients.tobytes()
    assert again.adapted.correction.residual.tobytes() == correction.residual.tobytes()
    assert again.adapted.theta.tobytes() == state.adapted.theta.tobytes()
    assert encode(again) == encode(state)


def test_the_header_says_what_it_was_made_from(state):
    header = state.header
    assert header.scans == tuple((7, n) for n in range(3, 9))
    assert (header.seed, header.mode, header.parent, header.transfer) == (5, "propose", None, None)
    assert header.metrics == {"trust": 0.9}
    assert header.evidence == ("z_inst moved by 4 standard errors",)


def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, raw in parts.items():
            archive.writestr(name, raw)
    return stream.getvalue()


def test_what_corrects_otherwise_than_it_did_is_refused(state):
    parts = members(encode(state))
    parts["corrected.npy"] = members(encode(other(state, by=1e-3)))["corrected.npy"]
    with refused(UNUSABLE, "corrects otherwise"):
        decode(packed(parts))


def test_numbers_that_are_not_finite_are_refused(state):
    broken = other(state, residual=np.full(60, np.nan))
    with refused(UNUSABLE, "not finite"):
        decode(encode(broken))


@pytest.mark.parametrize("name", ["theta.npy", "examples.npy", "state.json"])
def test_a_part_that_is_missing_is_refused(state, name):
    parts = members(encode(state))
    del parts[name]
    with refused(UNUSABLE):
        decode(packed(parts))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("theta.npy", np.zeros((2, 2), np.float32)),
        ("theta.npy", np.zeros(2)),
        ("residual.npy", np.zeros(7)),
        ("coefficients.npy", np.zeros(9)),
        ("values.npy", np.zeros(2)),
        ("residual.npy", np.zeros((1, 60))),
        ("examples.npy", np.zeros(60)),
        ("more.npy", np.zeros(2)),
    ],
)
def test_arrays_of_another_form_are_refused(state, name, array):
    stream = io.BytesIO()
    np.save(stream, array)
    with refused(UNUSABLE):
        decode(packed({**members(encode(state)), name: stream.getvalue()}))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_told_or_changes_nothing(state, data):
    raw = bytearray(encode(state))
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    else:
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    # Any other exception than a fault would show.
    with contextlib.suppress(Fault):
        assert encode(decode(bytes(raw))) == encode(state)


def test_terms_are_known_by_their_names(state):
    header = state.header
    turned = tuple(reversed(header.terms))
    # As a version with other terms in another order would have written it.
    older = replace(state, header=header.model_copy(update={"terms": (*turned, "humidity")}))
    assert decode(encode(older)).adapted.correction.named == state.adapted.correction.named
    parts = members(encode(older))
    stream = io.BytesIO()
    np.save(stream, np.append(np.load(io.BytesIO(parts["coefficients.npy"]))[:-1], 1e-3))
    with refused(UNUSABLE, "does not know its terms humidity"):
        decode(packed({**parts, "coefficients.npy": stream.getvalue()}))
    fewer = replace(state, header=header.model_copy(update={"terms": ("gain",)}))
    assert decode(encode(fewer)).adapted.correction.named == state.adapted.correction.named


def test_figures_that_are_not_finite_do_not_get_into_a_state(tiny_model):
    with pytest.raises(ValueError, match="finite"):
        state_for(tiny_model, verdict=Verdict((), (), {"trust": float("nan")}))


def test_a_batch_that_could_not_be_replayed_is_refused(tiny_model):
    exact = batch()
    with pytest.raises(ValueError, match="round it first"):
        state_for(tiny_model, made_from=replace(exact, spectra=exact.spectra + 1e-12))
    with pytest.raises(ValueError, match="names of scans"):
        state_for(tiny_model, made_from=Batch(exact.spectra, exact.scans[1:]))


def test_a_state_fits_the_model_that_it_was_made_for(state, tiny_model):
    assert decode(encode(state)).misfit(tiny_model) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"bundle_id": "tiny-2-000000000000"}, "not grain of tiny-2"),
        ({"theta": np.zeros(3, np.float32)}, "its theta holds 2 numbers, not 3"),
    ],
)
def test_another_model_is_named(state, tiny_model, changes, why):
    assert why in state.misfit(replace(tiny_model, **changes))


def test_another_grid_and_other_outputs_are_named(state, tiny_model):
    product = tiny_model.product
    finer = product.grid.model_copy(update={"step_nm": 10.0})
    elsewhere = replace(tiny_model, product=product.model_copy(update={"grid": finer}))
    assert "another wavelength grid" in state.misfit(elsewhere)
    moved = replace(state, values=state.values + 0.1)
    assert "predicts otherwise" in moved.misfit(tiny_model)
    # A graph of another precision computes something else, within what its golden vectors allow.
    assert moved.misfit(replace(tiny_model, graph_sha256="0" * 64)) == ""
