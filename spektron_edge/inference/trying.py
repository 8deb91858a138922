"""All graphs of a bundle, tried on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from spektron_edge.bundle import Bundle
from spektron_edge.bundle.manifest import Precision

from .golden import GoldenDiffers
from .model import load_model


@dataclass(frozen=True)
class Tried:
    """holds: graphs that compute here what was promised, "corn int8"; differs: what others say."""

    holds: tuple[str, ...]
    differs: tuple[str, ...]


def try_graphs(bundle: Bundle) -> Tried:
    """Load every graph and compare it with its golden vectors.

    fp16 alone may differ: processors that compute in half precision themselves, as ARM's do, round
    otherwise than those that go by way of fp32, and it runs only where somebody asks for it by
    name. Then its own loading refuses it. Raises BundleError for every other graph.
    """
    holds, differs = [], []
    for product in bundle.manifest.products:
        for graph in product.graphs:
            name = f"{product.name} {graph.precision}"
            if (why := _difference(bundle, product.name, graph.precision)) is None:
                holds.append(name)
            else:
                differs.append(f"{name}: {why}")
    return Tried(tuple(holds), tuple(differs))


def _difference(bundle: Bundle, product: str, precision: Precision) -> str | None:
    try:
        load_model(bundle, product, precision)
    except GoldenDiffers as error:
        if precision != "fp16":
            raise
        return str(error)
    return None
