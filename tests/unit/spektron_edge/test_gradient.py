from __future__ import annotations

import json

import numpy as np
import pytest
from pydantic import ValidationError

from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.bundle.manifest import Manifest
from spektron_edge.inference import BackendError, Objective, OnnxGradient, load_gradient, load_model
from tests import bundles


@pytest.fixture(scope="module")
def engine():
    return OnnxGradient(bundles.gradient_graph())


def arguments(inputs):
    objective = Objective(*(inputs[n] for n in ("theta0", "centre", "spread", "weights")))
    return inputs["x"], inputs["keep"], inputs["theta"], objective


def load(tmp_path, product=None, **settings):
    return load_gradient(read_bundle(bundles.write_tiny(tmp_path / "b", **settings)), product)


def refusal(tmp_path, **settings):
    with pytest.raises(BundleError) as caught:
        load(tmp_path, **settings)
    return str(caught.value)


def with_golden(**changes):
    settings = bundles.adaptive()
    inputs = bundles.gradient_inputs()
    golden = {**inputs, **bundles.expected_gradient(inputs), **changes}
    kept = {k: v for k, v in golden.items() if v is not None and k not in ("x", "theta0")}
    settings["replaced"]["adapt.golden.npz"] = bundles.npz(kept)
    return settings


# ---- the engine


@pytest.mark.parametrize("rows", [1, 4])
def test_loss_terms_and_gradient_are_those_of_the_graph(engine, rows):
    inputs = bundles.gradient_inputs(rows)
    step = engine.step(*arguments(inputs))
    wanted = bundles.expected_gradient(inputs)
    assert step.loss == pytest.approx(wanted["loss"], rel=1e-5)
    np.testing.assert_allclose(step.terms, wanted["terms"], rtol=1e-5)
    np.testing.assert_allclose(step.gradient, wanted["gradient"], rtol=1e-5)


def test_inputs_are_left_as_they_were(engine):
    inputs = bundles.gradient_inputs()
    before = {name: value.copy() for name, value in inputs.items()}
    engine.step(*arguments(inputs))
    assert all(np.array_equal(inputs[name], before[name]) for name in inputs)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keep", np.ones((1, 60), np.float32)),
        ("keep", np.ones((4, 60), bool)),
        ("x", np.ones((4, 59), np.float32)),
        ("x", np.ones(60, np.float32)),
        ("theta", np.ones(3, np.float32)),
        ("theta0", np.ones(3, np.float32)),
        ("centre", np.ones(64, np.float32)),
        ("spread", np.ones(128)),
        ("weights", np.ones(4, np.float32)),
    ],
)
def test_what_does_not_fit_is_an_error_of_the_backend(engine, name, value):
    with pytest.raises(BackendError):
        engine.step(*arguments({**bundles.gradient_inputs(), name: value}))
    engine.step(*arguments(bundles.gradient_inputs()))


def test_no_spectra_have_no_gradient(engine):
    with pytest.raises(BackendError, match=r"expected \(B, L\)"):
        engine.step(*arguments(bundles.gradient_inputs(0)))


@pytest.mark.parametrize(
    "graph",
    [
        b"",
        bundles.gradient_graph()[:-100],
        bundles.gradient_graph(loss="cost"),
        bundles.onnx_graph(bundles.weights()),
    ],
    ids=["empty", "cut", "other output", "an encoder"],
)
def test_a_graph_that_cannot_serve_is_an_error_of_the_backend(graph):
    with pytest.raises(BackendError):
        OnnxGradient(graph)


# ---- out of a bundle


def test_a_gradient_graph_is_loaded_and_checked(tmp_path):
    inputs = bundles.gradient_inputs()
    step = load(tmp_path, **bundles.adaptive()).step(*arguments(inputs))
    assert step.loss == pytest.approx(bundles.expected_gradient(inputs)["loss"], rel=1e-5)


def test_a_product_without_one_cannot_adapt(tiny_bundle):
    with pytest.raises(BundleError, match="it cannot adapt"):
        load_gradient(read_bundle(tiny_bundle))
    with pytest.raises(BundleError, match="holds grain"):
        load_gradient(read_bundle(tiny_bundle), "oats")


@pytest.mark.parametrize("output", ["loss", "terms", "gradient"])
def test_outputs_beyond_their_tolerance_are_refused(tmp_path, output):
    wrong = bundles.expected_gradient(bundles.gradient_inputs())[output] * 1.01
    assert f"{output} differs from its golden value" in refusal(
        tmp_path, **with_golden(**{output: wrong})
    )


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"keep": None}, "lacks 'keep'"),
        ({"gradient": None}, "lacks 'gradient'"),
        ({"weights": np.full(5, "a")}, "no number"),
        ({"keep": np.ones((3, 60), np.float32)}, "adapt.onnx: x has shape"),
        ({"terms": np.ones(4, np.float32)}, "terms has shape"),
        ({"loss": np.array(np.nan, np.float32)}, "loss differs"),
    ],
)
def test_golden_vectors_that_prove_nothing_are_refused(tmp_path, changes, why):
    assert why in refusal(tmp_path, **with_golden(**changes))


@pytest.mark.parametrize("changes", [{"terms": ["anchor"]}, {"inputs": ["x", "theta"]}])
def test_a_graph_of_another_version_is_refused(tmp_path, changes):
    assert "another version" in refusal(tmp_path, **bundles.adaptive(**changes))


def test_a_damaged_gradient_graph_does_not_keep_the_encoder_from_loading(tmp_path):
    settings = bundles.adaptive()
    settings["replaced"]["adapt.onnx"] = b"no graph"
    bundle = read_bundle(bundles.write_tiny(tmp_path / "b", **settings))
    load_model(bundle)
    with pytest.raises(BundleError, match=r"adapt\.onnx: .*(refused the graph|no ONNX file)"):
        load_gradient(bundle)


# ---- the manifest


def test_the_manifest_comes_back_as_it_was():
    settings = bundles.adaptive()
    members = {**bundles.members(), **settings["replaced"]}
    document = bundles.manifest(members, products=settings["products"])
    manifest = Manifest.model_validate(document)
    again = Manifest.model_validate_json(manifest.model_dump_json())
    assert again == manifest
    assert again.products[0].adapt.terms[0] == "reconstruction"
    # Bundles from before say nothing of it.
    document["products"] = [bundles.product()]
    assert Manifest.model_validate(json.loads(json.dumps(document))).products[0].adapt is None


@pytest.mark.parametrize(
    "changes",
    [{"golden": "gone.npz"}, {"file": "gone.onnx"}, {"weights_file": "gone.onnx"}],
)
def test_members_that_adaptation_names_must_be_there(changes):
    settings = bundles.adaptive(**changes)
    members = {**bundles.members(), **settings["replaced"]}
    with pytest.raises(ValidationError, match="gone"):
        Manifest.model_validate(bundles.manifest(members, products=settings["products"]))


# ---- weights that graphs share


def test_a_graph_and_the_weights_behind_it_are_one_graph(tmp_path):
    whole, shared = bundles.weights(), {"C": bundles.weights()["C"]}
    own = bundles.onnx_graph({name: w for name, w in whole.items() if name not in shared})
    product = bundles.product()
    for graph in product["graphs"]:
        graph["weights_file"] = "weights.onnx"
    parts = {
        "encoder.fp32.onnx": own,
        "encoder.qdq.onnx": own,
        "weights.onnx": bundles.weights_part(shared),
    }
    path = bundles.write_tiny(tmp_path / "b", replaced=parts, products=[product])
    split = load_model(read_bundle(path), precision="fp32")
    x = bundles.spectra(3)
    for name, wanted in bundles.expected(x).items():
        np.testing.assert_allclose(getattr(split.infer(x), name), wanted, atol=1e-5)
    other = {**parts, "weights.onnx": bundles.weights_part({"C": shared["C"] * np.float32(2)})}
    changed = bundles.write_tiny(tmp_path / "c", replaced=other, products=[product])
    with pytest.raises(BundleError, match="z_chem differs"):
        load_model(read_bundle(changed))
    # What a record calls the graph covers the weights, wherever they stand.
    assert split.graph_sha256 != read_bundle(path).manifest.files["encoder.fp32.onnx"]
