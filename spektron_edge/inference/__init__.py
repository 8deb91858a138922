"""Spectrum in, prediction and latents out: one interface over several engines."""

from .backend import Backend, BackendError, Inference
from .model import Model, load_model

__all__ = ["Backend", "BackendError", "Inference", "Model", "load_model"]
