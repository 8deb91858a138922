"""Spectrum in, prediction and latents out: one interface over several engines."""

from .backend import Backend, BackendError, Inference
from .gradient import Gradient, Objective, OnnxGradient, load_gradient
from .model import Model, load_model
from .trying import Tried, try_graphs

__all__ = [
    "Backend",
    "BackendError",
    "Gradient",
    "Inference",
    "Model",
    "Objective",
    "OnnxGradient",
    "Tried",
    "load_gradient",
    "load_model",
    "try_graphs",
]
