"""The demo's result: counts, figures of merit, latency; as a table or as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from spektron_edge.bundle.merit import Merit, merits

from .corn import UNIT


@dataclass(frozen=True)
class Summary:
    """What the demo found."""

    sent: int
    predicted: int
    published: int
    received: int
    invalid: int
    figures: dict[str, Merit]
    repeatability: dict[str, float]
    p50_ms: float | None
    p99_ms: float | None
    bundle: str
    broker: str
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every scan came out at the other end."""
        return self.sent == self.predicted == self.published == self.received > 0

    def as_json(self) -> dict[str, Any]:
        """The last line of `--json`."""
        by_figure = {
            key: {name: getattr(merit, key) for name, merit in self.figures.items()}
            for key in ("r2", "rmsep", "bias", "sep", "rpd")
        }
        return {
            "summary": {
                "sent": self.sent,
                "predicted": self.predicted,
                "published": self.published,
                "received": self.received,
                "invalid": self.invalid,
                **by_figure,
                "repeatability": self.repeatability,
                "p50_ms": self.p50_ms,
                "p99_ms": self.p99_ms,
                "bundle": self.bundle,
                "broker": self.broker,
                "notes": list(self.notes),
            }
        }

    def show(self, console: Console) -> None:
        """Print for people."""
        table = Table(title=f"Held-out corn on m5, {UNIT}", title_justify="left")
        table.add_column("property")
        for heading in ("RMSEP", "R2", "bias", "SEP", "RPD", "repeatability"):
            table.add_column(heading, justify="right")
        for name, m in self.figures.items():
            table.add_row(
                name,
                f"{m.rmsep:.4f}",
                f"{m.r2:.3f}",
                f"{m.bias:+.4f}",
                f"{m.sep:.4f}",
                f"{m.rpd:.1f}",
                f"{self.repeatability[name]:.4f}",
            )
        console.print(table)
        console.print(
            f"scans sent {self.sent}, predicted {self.predicted}, published {self.published}, "
            f"received {self.received}; invalid: {self.invalid}"
        )
        if self.p50_ms is not None:
            console.print(
                f"last serial byte to PUBACK: p50 {self.p50_ms:.1f} ms, p99 {self.p99_ms:.1f} ms"
            )
        console.print(f"bundle {self.bundle}, broker: {self.broker}")
        for note in self.notes:
            console.print(f"[dim]{note}[/dim]")


def figures(
    predicted: NDArray[np.float64], references: NDArray[np.float64], names: tuple[str, ...]
) -> dict[str, Merit]:
    """Figures of merit of (n, k) predictions; none for fewer than two samples."""
    return merits(predicted, references, names) if len(predicted) > 1 else {}
