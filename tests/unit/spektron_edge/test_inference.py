from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from spektron_edge.bundle import BundleError, read_bundle
from spektron_edge.bundle.manifest import Product
from spektron_edge.inference import load_model
from tests import bundles


@pytest.fixture
def load(tmp_path):
    """Load the tiny bundle with some members or manifest entries changed."""

    def make(product=None, precision="int8", **changes):
        return load_model(
            read_bundle(bundles.write_tiny(tmp_path / "b.spektron", **changes)), product, precision
        )

    return make


def refusal(load, *arguments, **changes) -> str:
    with pytest.raises(BundleError) as caught:
        load(*arguments, **changes)
    return str(caught.value)


def changed(arrays, **changes):
    return bundles.npz({k: v for k, v in {**arrays, **changes}.items() if v is not None})


def golden(**changes):
    return {"golden.npz": changed(bundles.golden_arrays(), **changes)}


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_model_computes_what_its_weights_say(load, precision):
    model = load(precision=precision)
    x = bundles.spectra(3, seed=9)
    outputs = model.infer(x)
    for name, wanted in bundles.expected(x).items():
        np.testing.assert_allclose(getattr(outputs, name), wanted, atol=1e-5)
    assert model.graph.precision == precision


def test_one_spectrum_is_a_batch_of_one(tiny_model):
    x = bundles.spectra(1)
    np.testing.assert_array_equal(tiny_model.infer(x[0]).y, tiny_model.infer(x).y)


def test_a_model_knows_where_it_comes_from(tiny_model, tiny_bundle):
    bundle = read_bundle(tiny_bundle)
    assert tiny_model.bundle_id == bundle.id
    assert tiny_model.graph_sha256 == bundle.manifest.files["encoder.qdq.onnx"]
    assert tiny_model.backend.provider == "CPUExecutionProvider"


def test_a_product_is_chosen_by_name(load):
    products = [bundles.product("grain"), bundles.product("flour")]
    assert load("flour", products=products).product.name == "flour"


@pytest.mark.parametrize("name", [None, "oats"])
def test_among_several_products_one_must_be_chosen(load, name):
    products = [bundles.product("grain"), bundles.product("flour")]
    assert "holds grain, flour" in refusal(load, name, products=products)


def test_a_precision_that_is_not_there_is_refused_with_those_that_are(load):
    assert "it has fp32, int8" in refusal(load, precision="fp16")


@pytest.mark.parametrize("output", ["y", "z_chem", "z_inst"])
def test_outputs_beyond_their_tolerance_are_refused(load, output):
    wrong = bundles.golden_arrays()[f"{output}_int8"] + 0.01
    message = refusal(load, replaced=golden(**{f"{output}_int8": wrong}))
    assert f"{output} differs from its golden value by 0.01" in message
    load(precision="fp32", replaced=golden(**{f"{output}_int8": wrong}))


def test_each_property_has_its_own_tolerance(load):
    product = bundles.product()
    for graph in product["graphs"]:
        graph["y_tolerance"] = {"moisture": 1e-3, "protein": 0.1}
    wrong = bundles.golden_arrays()["y_int8"] + np.array([0, 0.01], np.float32)
    load(products=[product], replaced=golden(y_int8=wrong))
    wrong = bundles.golden_arrays()["y_int8"] + np.array([0.01, 0], np.float32)
    message = refusal(load, products=[product], replaced=golden(y_int8=wrong))
    assert "y differs from its golden value by" in message
    assert "(moisture), more than 0.001" in message


@pytest.mark.parametrize("told", [{"moisture": 1e-3}, {"moisture": 1.0, "oil": 1.0}, {}])
def test_tolerances_of_other_properties_are_refused(told):
    product = bundles.product()
    product["graphs"][0]["y_tolerance"] = told
    with pytest.raises(ValidationError, match="is not of the properties"):
        Product.model_validate(product)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"x": None}, "lacks 'x'"),
        ({"y_int8": None}, "lacks 'y_int8'"),
        ({"x": np.zeros((4, 59), np.float32)}, "not on the product's grid"),
        ({"x": np.zeros(60, np.float32)}, "not on the product's grid"),
        ({"x": np.zeros((4, 1, 60), np.float32)}, "not on the product's grid"),
        ({"y_int8": np.zeros((4, 3), np.float32)}, "y has shape"),
        ({"y_int8": np.full((4, 2), np.nan, np.float32)}, "y differs"),
        ({"x": np.full((4, 60), np.nan, np.float32)}, "y differs"),
        ({"y_int8": np.full((4, 2), "a")}, "no number"),
        ({"x": np.zeros((0, 60), np.float32)}, "no spectra"),
    ],
)
def test_golden_vectors_that_prove_nothing_are_refused(load, changes, why):
    assert why in refusal(load, replaced=golden(**changes))


def test_a_theta_of_another_length_is_refused(load):
    theta = {"theta0.npy": bundles.npy(np.zeros(7, np.float32))}
    assert "encoder.qdq.onnx: inference failed" in refusal(load, replaced=theta)


def test_a_theta_that_is_not_the_golden_one_is_refused(load):
    theta = {"theta0.npy": bundles.npy(bundles.THETA + 1)}
    assert "differs from its golden value" in refusal(load, replaced=theta)


@pytest.mark.parametrize("data", [b"", b"no graph", bundles.onnx_graph(bundles.weights())[:-500]])
def test_a_graph_that_is_none_is_refused(load, data):
    assert "the graph" in refusal(load, replaced={"encoder.qdq.onnx": data})


@pytest.mark.parametrize("names", [{"x_name": "spectrum"}, {"y_name": "result"}])
def test_a_graph_with_other_inputs_or_outputs_is_refused(load, names):
    graph = bundles.onnx_graph(bundles.weights(), **names)
    message = refusal(load, replaced={"encoder.qdq.onnx": graph})
    assert "expected x, theta -> y, z_chem, z_inst" in message


def test_a_graph_for_another_grid_is_refused(load):
    weights = {n: np.vstack([w, w]) for n, w in bundles.weights().items()}
    graph = bundles.onnx_graph(weights, points=120)
    assert "inference failed" in refusal(load, replaced={"encoder.qdq.onnx": graph})


def test_a_property_without_a_column_is_refused(load):
    product = bundles.product()
    product["properties"][1]["column"] = 2
    assert "no column for protein" in refusal(load, products=[product])


@pytest.mark.parametrize("gone", ["pca_mean", "pca_kernel"])
def test_a_source_without_an_applicability_model_is_refused(load, gone):
    source = {"source.npz": changed(bundles.source_arrays(), **{gone: None})}
    assert gone in refusal(load, replaced=source)


def test_an_applicability_model_of_another_grid_is_refused(load):
    arrays = bundles.source_arrays()
    source = changed(
        arrays, pca_mean=arrays["pca_mean"][:-1], pca_loadings=arrays["pca_loadings"][:, :-1]
    )
    assert "another grid" in refusal(load, replaced={"source.npz": source})
