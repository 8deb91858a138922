from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from spektron_edge.bundle import read_bundle
from spektron_edge.inference import Objective, OnnxGradient, load_gradient
from spektron_edge.inference.gradient import INPUTS, OUTPUTS, TERMS
from spektron_export.errors import ExportError, ParityError
from spektron_export.gradient import GradientStep, _check
from spektron_export.gradient_parity import GradientCase, relative_error, require_gradient
from spektron_export.pack import export_bundle


@pytest.fixture(scope="module")
def engine(gradient):
    return OnnxGradient(gradient.SerializeToString())


@pytest.fixture(scope="module")
def autograd(checkpoint):
    return GradientStep(checkpoint.encoder)


@pytest.fixture(scope="module")
def z_chem(checkpoint):
    x = torch.from_numpy(np.asarray(checkpoint.source["x"]))
    with torch.no_grad():
        return checkpoint.encoder(x, checkpoint.encoder.theta)[1].numpy()


@pytest.fixture
def case(checkpoint, z_chem):
    def make(rows, seed=0, **changes):
        x = np.asarray(checkpoint.source["x"], np.float32)[:rows]
        made = GradientCase.of(checkpoint.encoder, x, z_chem, seed)
        made.inputs.update({name: np.asarray(v, np.float32) for name, v in changes.items()})
        return made

    return make


def outputs(case, engine, encoder):
    return case.run(engine), case.run_torch(encoder)


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_loss_terms_and_gradient_are_those_of_autograd(rows, case, engine, checkpoint):
    actual, expected = outputs(case(rows), engine, checkpoint.encoder)
    for name in OUTPUTS:
        assert relative_error(actual[name], expected[name]) < 1e-5, name
    assert np.abs(actual["gradient"]).max() > 0


@pytest.mark.parametrize("rows", [1, 3, 8])
@pytest.mark.parametrize("name", TERMS)
def test_every_term_alone_has_autograd_s_gradient(rows, name, case, engine, checkpoint):
    weights = [float(term == name) for term in TERMS]
    # Spectra that differ, and far from the source: elsewhere the moments' errors are all rounding.
    moved = case(rows, weights=weights)
    moved.inputs["x"] *= np.linspace(0.5, 1.5, rows, dtype=np.float32)[:, None]
    moved.inputs["centre"] += 1
    moved.inputs["spread"] += 1
    actual, expected = outputs(moved, engine, checkpoint.encoder)
    if name == "spread" and rows == 1:
        assert not actual["gradient"].any()
        assert not expected["gradient"].any()
        return
    assert relative_error(actual["gradient"], expected["gradient"]) < 5e-5
    assert actual["loss"] == pytest.approx(actual["terms"][TERMS.index(name)], rel=1e-6)


def test_every_part_of_theta_has_a_gradient(case, engine, checkpoint):
    gradient = case(8).run(engine)["gradient"]
    layout, start = checkpoint.encoder.layout, 0
    for name, size in zip(layout.names, layout.sizes, strict=True):
        assert np.abs(gradient[start : start + size]).max() > 0, name
        start += size


def test_what_is_hidden_changes_the_gradient(case, engine):
    one, other = (case(3, seed).run(engine) for seed in (0, 1))
    assert one["terms"][0] != other["terms"][0]
    nothing = case(3, keep=np.ones((3, 700))).run(engine)
    assert nothing["terms"][0] == 0
    assert np.isfinite(nothing["gradient"]).all()


def test_the_same_inputs_give_the_same_bits(case, engine):
    first, again = case(3).run(engine), case(3).run(engine)
    assert all(np.array_equal(first[name], again[name]) for name in OUTPUTS)


def test_the_graph_is_the_same_every_time(checkpoint, gradient, gradient_again):
    assert gradient_again.SerializeToString(deterministic=True) == gradient.SerializeToString(
        deterministic=True
    )
    assert all(p.requires_grad for p in checkpoint.encoder.parameters())


def test_the_graph_is_standard_and_clean(gradient):
    assert gradient.ir_version == 10
    assert [(o.domain, o.version) for o in gradient.opset_import] == [("", 20)]
    assert [i.name for i in gradient.graph.input] == list(INPUTS)
    kinds = {n.op_type for n in gradient.graph.node}
    assert not kinds & {"ScatterND", "ScatterElements", "Dropout", "RandomNormalLike"}
    assert all(len(n.output) == 1 for n in gradient.graph.node if "Norm" in n.op_type)
    data = gradient.SerializeToString()
    for trace in (b"/home", b"/root", b"/work", b"/tmp", b"site-packages", b".py"):
        assert trace not in data


@pytest.mark.parametrize("change", ["batch", "norm", "random"])
def test_a_graph_that_is_not_what_was_asked_for_is_refused(checkpoint, gradient, change):
    broken = onnx.ModelProto()
    broken.CopyFrom(gradient)
    node = next(n for n in broken.graph.node if n.op_type == "LayerNormalization")
    if change == "batch":
        broken.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 3
    elif change == "norm":
        node.output.append("mean")
    else:
        node.op_type = "RandomNormalLike"
    with pytest.raises(ExportError, match=r"x is \(3, 700\)|1 layer norms|RandomNormalLike"):
        _check(broken, checkpoint.encoder)


def test_a_wrong_gradient_is_refused(checkpoint, gradient, case):
    parity = require_gradient(gradient, checkpoint.encoder, case(3))
    actual, error = parity.actual, parity.errors["gradient"]
    assert error < 1e-5
    assert actual["gradient"].shape == (checkpoint.encoder.layout.size,)
    broken = onnx.ModelProto()
    broken.CopyFrom(gradient)
    weight = max(broken.graph.initializer, key=lambda t: len(t.raw_data))
    value = onnx.numpy_helper.to_array(weight) * np.float32(1.01)
    weight.CopyFrom(onnx.numpy_helper.from_array(value, weight.name))
    with pytest.raises(ParityError, match=r"against torch: .* more than"):
        require_gradient(broken, checkpoint.encoder, case(3))


def test_the_bundle_s_gradient_is_the_checkpoint_s(exported, case, checkpoint):
    engine = load_gradient(read_bundle(exported.path))
    actual, expected = outputs(case(8), engine, checkpoint.encoder)
    assert relative_error(actual["gradient"], expected["gradient"]) < 1e-5


def test_a_step_downhill_lowers_the_loss(case, engine):
    inputs = case(8).inputs
    objective = Objective(*(inputs[n] for n in ("theta0", "centre", "spread", "weights")))
    theta, losses = inputs["theta"], []
    for _ in range(5):
        step = engine.step(inputs["x"], inputs["keep"], theta, objective)
        losses.append(step.loss)
        theta = theta - np.float32(1e-3) * step.gradient
    assert losses == sorted(losses, reverse=True)


@pytest.mark.usefixtures("known_graphs")
def test_a_wrong_gradient_stops_the_export(checkpoint, tmp_path, monkeypatch, loose):
    monkeypatch.setattr("spektron_export.gradient_parity.LIMIT", -1.0)
    with pytest.raises(ParityError, match="gradient graph against torch"):
        export_bundle(checkpoint, tmp_path / "b", limits=loose, precisions=("fp32",))
    assert list(tmp_path.iterdir()) == []
