"""What an adaptation starts from: the bundle and the model that the daemon predicts with."""

from __future__ import annotations

from dataclasses import dataclass

from spektron_edge.bundle import Bundle
from spektron_edge.config.file import Config
from spektron_edge.inference import Model, load_model
from spektron_edge.prediction.product import product_of, terms_of
from spektron_edge.transfer_session.source import configured_bundle

from .candidate import Adapted


@dataclass(frozen=True, eq=False)
class Ground:
    """model: on the CPU, in the daemon's precision; start: what is in use for the instrument, None
    for the bundle's own calibration."""

    config: Config
    bundle: Bundle
    model: Model
    serial: str
    start: Adapted | None = None


def open_ground(config: Config, serial: str) -> Ground:
    """The configured bundle, admitted as the daemon does. On the CPU: whatever the daemon predicts
    on is the daemon's. Raises Fault and BundleError."""
    bundle = configured_bundle(config)
    signer = terms_of(config, serial or None).admit(bundle)
    model = load_model(bundle, product_of(config, bundle.manifest), config.precision, signer)
    return Ground(config, bundle, model, serial)
