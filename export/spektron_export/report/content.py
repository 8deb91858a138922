"""What a report says, read back from the bundle that was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spektron_edge.bundle import Bundle, read_bundle
from spektron_edge.bundle.manifest import Product

from ..comparison import Comparison
from ..gradient_parity import GradientParity
from ..pack import Report
from .latency import Latencies, measure


@dataclass(frozen=True, eq=False)
class Contents:
    """A bundle as it lies on disk, signature included, with what was measured of it."""

    bundle: Bundle
    product: Product
    file_name: str
    file_bytes: int
    comparison: Comparison
    gradient: GradientParity | None
    latencies: Latencies

    @property
    def signers(self) -> tuple[str, ...]:
        """Ids of the keys that signed it."""
        return tuple(s.key_id for s in self.bundle.signatures)

    @property
    def member_bytes(self) -> dict[str, int]:
        """Unpacked size of each member, largest first."""
        sizes = {name: len(data) for name, data in self.bundle.members.items()}
        return dict(sorted(sizes.items(), key=lambda entry: (-entry[1], entry[0])))

    def to_json(self) -> dict[str, Any]:
        """Plain values: `NAME.report.json`."""
        manifest, product = self.bundle.manifest, self.product
        return {
            "format": 1,
            "bundle": self.bundle.id,
            "file": self.file_name,
            "bytes": self.file_bytes,
            "members": self.member_bytes,
            "properties": [p.model_dump(mode="json") for p in product.properties],
            "held_out": {
                "data": product.evaluation.data,
                "samples": product.evaluation.samples,
                "scans_compared": len(self.comparison.reference),
            },
            "parity": [p.to_json() for p in self.comparison.parity],
            "gradient": None if self.gradient is None else self.gradient.errors,
            "figures": {
                engine: {name: merit.as_dict() for name, merit in merits.items()}
                for engine, merits in self.comparison.figures.items()
            },
            "latency": self.latencies.to_json(),
            "notes": list(product.notes),
            "provenance": manifest.provenance.model_dump(mode="json"),
            "signatures": list(self.signers),
            "kept_back": {
                "spectra": product.source_spectra,
                "not_possible": product.transfer_without,
                "devices": list(manifest.devices or ()),
            },
        }


def contents_of(report: Report) -> Contents:
    """Read the bundle of `report` again, and time its graphs. Raises BundleError."""
    bundle = read_bundle(report.path)
    product = bundle.manifest.product(None)
    return Contents(
        bundle=bundle,
        product=product,
        file_name=report.path.name,
        file_bytes=report.path.stat().st_size,
        comparison=report.comparison,
        gradient=report.gradient,
        latencies=measure(bundle, product),
    )
