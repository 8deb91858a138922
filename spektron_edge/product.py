"""The product that a configuration names, loaded and checked."""

from __future__ import annotations

from .bundle import BundleError, read_bundle
from .config import Config
from .faults import Fault, Faults
from .inference import Model, load_model


def load_product(config: Config) -> tuple[Model, float]:
    """The configured model, checked, and its bundle's creation time (seconds since 1970).

    Raises Fault(BUNDLE_INVALID).
    """
    try:
        bundle = read_bundle(config.bundle_path)
        model = load_model(bundle, config.product, config.precision)
    except BundleError as error:
        raise Fault(Faults.BUNDLE_INVALID, str(error)) from None
    return model, bundle.manifest.provenance.created.timestamp()
