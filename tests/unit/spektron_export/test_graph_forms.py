"""fp16, weights in common, and the layer that a refusal names."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from spektron_edge.bundle import read_bundle
from spektron_export.drift import drifting_layer, layer_errors
from spektron_export.errors import ExportError
from spektron_export.half import halve, transformer_products
from spektron_export.session import runner
from spektron_export.sharing import share_weights


@pytest.fixture(scope="module")
def theta(checkpoint):
    return checkpoint.encoder.theta.detach().numpy()


@pytest.fixture(scope="module")
def x(checkpoint):
    return np.asarray(checkpoint.held_out["x"], np.float32)[:4]


@pytest.fixture(scope="module")
def fp16(checkpoint, fp32):
    return halve(fp32, expected=6 * checkpoint.encoder.config.layers)


def with_weight(model, name, change):
    """A copy whose weight of that name went through `change`."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    (tensor,) = (t for t in result.graph.initializer if t.name == name)
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor)), name))
    return result


# ---- half precision


def test_half_precision_is_near_and_not_the_same(fp32, fp16, theta, x):
    exact, half = runner(fp32, theta)(x), runner(fp16, theta)(x)
    for name in ("y", "z_chem", "z_inst"):
        a, b = getattr(exact, name), getattr(half, name)
        assert np.abs(a - b).max() < 5e-3
    assert np.abs(exact.z_chem - half.z_chem).max() > 1e-6


def test_only_the_transformer_s_products_are_in_half_precision(checkpoint, fp16):
    layers = checkpoint.encoder.config.layers
    kinds = {
        v.name: v.type.tensor_type.elem_type
        for v in onnx.shape_inference.infer_shapes(fp16).graph.value_info
    }
    in_half = [
        n for n in fp16.graph.node if any(kinds.get(o) == TensorProto.FLOAT16 for o in n.output)
    ]
    assert {n.op_type for n in in_half} == {"MatMul", "Cast"}
    assert sum(n.op_type == "MatMul" for n in in_half) == 6 * layers
    every = (*fp16.graph.input, *fp16.graph.output)
    assert {v.type.tensor_type.elem_type for v in every} == {TensorProto.FLOAT}
    # Weights are those of the other graphs; casting them is the engine's first act.
    assert {t.data_type for t in fp16.graph.initializer} <= {TensorProto.FLOAT, TensorProto.INT64}


def test_missing_products_are_noticed(fp32):
    with pytest.raises(ExportError, match="found 12 products to halve, expected 18"):
        halve(fp32, expected=18)
    empty = onnx.ModelProto()
    assert transformer_products(empty) == set()


# ---- weights in common


def test_shared_graphs_put_together_are_what_they_were(fp32, fp16, gradient, theta, x):
    models = {"a": fp32, "b": fp16, "c": gradient}
    shared = share_weights(models)
    together = len(shared.weights) + sum(map(len, shared.graphs.values()))
    assert together < 0.6 * sum(len(m.SerializeToString()) for m in models.values())
    for name, model in models.items():
        again = onnx.load_from_string(shared.graphs[name] + shared.weights)
        onnx.checker.check_model(again, full_check=True)
        if name != "c":
            before, after = runner(model, theta)(x), runner(again, theta)(x)
            np.testing.assert_allclose(after.z_chem, before.z_chem, atol=5e-6)
    alone = onnx.load_from_string(shared.weights)
    assert not alone.graph.node
    assert not alone.metadata_props
    assert all(t.data_location == TensorProto.DEFAULT for t in alone.graph.initializer)


def test_a_graph_alone_keeps_its_weights(fp32):
    shared = share_weights({"a": fp32})
    assert shared.weights == b""
    assert len(onnx.load_from_string(shared.graphs["a"]).graph.initializer) == len(
        fp32.graph.initializer
    )


def test_a_name_with_two_meanings_is_refused(fp32):
    name = "blocks.0.qkv.weight"
    other = with_weight(fp32, name, lambda w: w + 1)
    models = {"a": fp32, "b": other, "c": fp32, "d": other}
    with pytest.raises(ExportError, match=name):
        share_weights(models)


def test_the_bundle_holds_its_weights_once(exported):
    bundle = read_bundle(exported.path)
    product = bundle.manifest.products[0]
    files = {g.precision: g.weights_file for g in product.graphs}
    assert files == {"int8": None, "fp16": "weights.onnx", "fp32": "weights.onnx"}
    assert product.adapt.weights_file == "weights.onnx"
    for precision in ("fp32", "fp16"):
        own = len(bundle.members[product.graph(precision).file])
        assert own < 0.1 * len(bundle.members["weights.onnx"])


# ---- the layer that drifts


@pytest.mark.parametrize("layer", ["blocks.0.out", "blocks.1.expand", "pooling", "inst.mean"])
def test_the_layer_that_was_broken_is_named(fp32, int8, theta, x, layer):
    names = {t.name for t in int8.graph.initializer}
    weight = next(
        n for n in (f"{layer}.weight_scale", f"{layer}.weight", f"{layer}.value") if n in names
    )
    broken = with_weight(int8, weight, lambda w: w * np.float32(1.8))
    assert drifting_layer(broken, fp32, "int8", x, theta).startswith(f"{layer} ")


def test_errors_are_relative_and_in_the_order_of_computation(fp32, int8, theta, x):
    errors = layer_errors(int8, fp32, x, theta)
    names = list(errors)
    assert names.index("tokenizer.convolutions.0") < names.index("blocks.0.qkv")
    assert names.index("blocks.0.qkv") < names.index("blocks.1.contract") < names.index("pooling")
    assert errors["tokenizer.convolutions.2"] == 0
    assert 0 < errors["blocks.0.qkv"] < 0.1
    # Nothing was broken: named is the layer at which the error grows most.
    assert drifting_layer(int8, fp32, "int8", x, theta).split()[0] in names


def test_a_layer_that_gives_no_numbers_is_named(fp32, int8, theta, x):
    broken = with_weight(int8, "chem.mean.weight", lambda w: w * np.float32(np.nan))
    assert drifting_layer(broken, fp32, "int8", x, theta).startswith("chem.mean ")
