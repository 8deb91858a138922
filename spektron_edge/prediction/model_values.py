"""Values in words, for answers to people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spektron_edge.bundle.manifest import Product


def told_values(product: Product, values: NDArray[np.float64] | None) -> tuple[str, ...]:
    """`name=value unit` of each property that has a number; values: (n_properties,) or None."""
    if values is None:
        return ()
    return tuple(
        f"{p.name}={value:.6g} {p.unit}"
        for p, value in zip(product.properties, values, strict=True)
        if np.isfinite(value)
    )
