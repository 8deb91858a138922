"""Adaptation's loss and its gradient as one ONNX graph, for a device that has no torch.

torch's autograd is traced into plain operators, which the exporter then sees as any other forward
pass. `torch.func.grad` would freeze the batch: the trace must come first and the dimensions be
looked at afterwards.
"""

from __future__ import annotations

import copy

import onnx
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from spektron_edge.inference.gradient import INPUTS, OUTPUTS, TERMS
from spektron_train.losses.adaptation import AdaptationLoss
from spektron_train.model import Encoder

from .derivatives import DECOMPOSITIONS
from .errors import ExportError
from .graphs import BATCH, OPSET, check_dimensions, quiet, tidy

Tensors = tuple[torch.Tensor, ...]


class GradientStep:
    """step(x, keep, theta, theta0, centre, spread, weights) -> loss, terms, gradient by theta.

    The inputs of `AdaptationLoss`; only theta is differentiated, the encoder's weights are
    constants.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._loss = AdaptationLoss(copy.deepcopy(encoder).eval().requires_grad_(False))

    def __call__(
        self, x: torch.Tensor, keep: torch.Tensor, theta: torch.Tensor, *rest: torch.Tensor
    ) -> Tensors:
        """Evaluate with torch."""
        theta = theta.detach().requires_grad_()
        loss, terms = self._loss(x, keep, theta, *rest)
        (gradient,) = torch.autograd.grad(loss, theta)
        return loss.detach(), terms.detach(), gradient


def export_gradient(encoder: Encoder) -> onnx.ModelProto:
    """Export with a dynamic batch and a fixed number of points; checked, without metadata.

    Raises ExportError when a dimension is not as asked for, or an operator has no place in it.
    """
    arguments = _example(encoder)
    rows = {0: torch.export.Dim(BATCH)}
    with quiet():
        trace = make_fx(
            GradientStep(encoder),
            decomposition_table=DECOMPOSITIONS,
            tracing_mode="symbolic",
            _allow_non_fake_inputs=True,
        )(*arguments)
        shapes = (rows, rows, *[None] * (len(arguments) - 2))
        program = torch.export.export(trace, arguments, dynamic_shapes=shapes, strict=False)
        with torch.no_grad():
            exported = torch.onnx.export(
                program,
                (),
                dynamo=True,
                opset_version=OPSET,
                input_names=list(INPUTS),
                output_names=list(OUTPUTS),
                verbose=False,
            )
    model = exported.model_proto
    _name_batch(model)
    tidy(model, "gradient")
    _check(model, encoder)
    return model


def _example(encoder: Encoder) -> Tensors:
    """Inputs to trace with. Three rows: one or two might be taken for constants."""
    c, theta = encoder.config, encoder.theta.detach().clone()
    x = encoder.linear.x_mean.repeat(3, 1)
    latent = torch.ones(c.z_chem)
    return (
        x,
        torch.ones_like(x),
        theta,
        theta.clone(),
        latent,
        latent.clone(),
        torch.ones(len(TERMS)),
    )


def _name_batch(model: onnx.ModelProto) -> None:
    """Give the free dimension of x and keep its name, wherever it is told."""
    free = model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    for value in (*model.graph.input, *model.graph.value_info):
        for dimension in value.type.tensor_type.shape.dim:
            if free and dimension.dim_param == free:
                dimension.dim_param = BATCH


def _check(model: onnx.ModelProto, encoder: Encoder) -> None:
    c, size, terms = encoder.config, encoder.layout.size, len(TERMS)
    check_dimensions(
        model,
        {
            "x": (BATCH, c.points),
            "keep": (BATCH, c.points),
            **dict.fromkeys(("theta", "theta0", "gradient"), (size,)),
            **dict.fromkeys(("centre", "spread"), (c.z_chem,)),
            **dict.fromkeys(("weights", "terms"), (terms,)),
            "loss": (),
        },
    )
    foreign = {n.domain for n in model.graph.node} - {"", "ai.onnx"}
    random = {n.op_type for n in model.graph.node if n.op_type.startswith(("Random", "Dropout"))}
    norms = [n for n in model.graph.node if n.op_type == "LayerNormalization" and len(n.output) > 1]
    if foreign or random or norms or model.functions:
        raise ExportError(
            f"the gradient's graph has {sorted(foreign | random)}, {len(norms)} layer norms with "
            f"statistics and {len(model.functions)} functions"
        )
