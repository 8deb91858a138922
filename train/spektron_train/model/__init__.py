"""The encoder: spectrum and theta in, properties and latents out."""

from .config import EncoderConfig
from .encoder import Encoder, Latent
from .linear_path import LinearPath

__all__ = ["Encoder", "EncoderConfig", "Latent", "LinearPath"]
