"""A tiny encoder on corn, its graphs and its bundle, made once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from spektron_export import graph_set
from spektron_export.gradient import export_gradient
from spektron_export.graphs import export_fp32
from spektron_export.pack import export_bundle
from spektron_export.parity import LIMITS
from spektron_export.quantise import quantise
from spektron_train.data.corn import read_corn
from spektron_train.finetune import Settings, finetune_corn
from spektron_train.pretraining import linear_prior
from tests.foundations import tiny_foundation

torch.set_num_threads(1)
EPOCH = "1700000000"


@pytest.fixture(scope="session")
def loose():
    """An untrained, tiny encoder is less forgiving of rounding than the one that ships."""
    int8 = replace(LIMITS["int8"], z_chem_cosine=0.99, z=1.0, rmsep_ratio=1.05)
    return {**LIMITS, "int8": int8}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    foundation = tiny_foundation(tmp_path_factory.mktemp("nir"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_prior, "PRODUCTS", 12)
        made = finetune_corn(read_corn(), Settings(foundation=foundation, threads=1))
    # Zero in a new encoder, it would have no gradient to compare.
    made.encoder.reconstruction.reset(0.1)
    return made


@pytest.fixture(scope="session")
def fp32(checkpoint):
    return export_fp32(checkpoint.encoder)


@pytest.fixture(scope="session")
def int8(checkpoint, fp32):
    theta = checkpoint.encoder.theta.detach().numpy()
    x = np.asarray(checkpoint.source["x"], np.float32)
    return quantise(fp32, x, theta, expected=4 * checkpoint.encoder.config.layers)


@pytest.fixture(scope="session")
def gradient(checkpoint):
    return export_gradient(checkpoint.encoder)


@pytest.fixture(scope="session")
def gradient_again(checkpoint):
    """The gradient graph, exported once more."""
    return export_gradient(copy.deepcopy(checkpoint.encoder))


def giving(graph: onnx.ModelProto) -> Callable[[object], onnx.ModelProto]:
    """Stands in for the export of an encoder's graph."""

    def give(encoder: object) -> onnx.ModelProto:
        given = onnx.ModelProto()
        given.CopyFrom(graph)
        return given

    return give


def know(patch, fp32, gradient):
    """Exports of the checkpoint take these graphs: torch needs ten seconds for them each time."""
    patch.setattr(graph_set, "export_fp32", giving(fp32))
    patch.setattr(graph_set, "export_gradient", giving(gradient))


@pytest.fixture
def known_graphs(monkeypatch, fp32, gradient):
    know(monkeypatch, fp32, gradient)


@pytest.fixture(scope="session")
def exported(checkpoint, loose, fp32, gradient, tmp_path_factory):
    """Report of a bundle with everything in it, version 7."""
    path = tmp_path_factory.mktemp("bundle") / "corn.spektron"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        know(patch, fp32, gradient)
        return export_bundle(checkpoint, path, version=7, limits=loose)
