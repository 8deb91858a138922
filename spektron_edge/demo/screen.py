"""What the demo prints: a table for people, or one JSON object a line."""

from __future__ import annotations

import json
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from .corn import PROPERTIES
from .summary import Summary


class Screen(Protocol):
    """What the demo shows while it runs."""

    def begin(self, broker: str, log_file: str) -> None:
        """Say what runs."""
        ...

    def row(self, record: dict[str, Any], sample: int, laboratory: NDArray[np.float64]) -> None:
        """One prediction beside the laboratory's values."""
        ...

    def end(self, summary: Summary) -> None:
        """The summary."""
        ...


class TextScreen:
    """For people."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def begin(self, broker: str, log_file: str) -> None:
        """Say what runs."""
        self._console.print(
            f"virtual spectrometer (corn, m5) -> serial -> daemon -> MQTT -> subscriber\n"
            f"broker: {broker}\ndaemon's log: {log_file}\n\n"
            "scan sample   " + "".join(f"{name:>18}" for name in PROPERTIES) + "\n"
            "              " + "  predicted     lab" * len(PROPERTIES),
            soft_wrap=True,
        )

    def row(self, record: dict[str, Any], sample: int, laboratory: NDArray[np.float64]) -> None:
        """One prediction beside the laboratory's values."""
        cells = []
        for name, reference in zip(PROPERTIES, laboratory, strict=True):
            value = record["values"][name]["value"]
            cells.append(f"{'-':>10}" if value is None else f"{value:>10.3f}")
            cells.append(f"{reference:>8.3f}")
        mark = "" if record["valid"] else f"  invalid: {', '.join(record['reasons'])}"
        number = record["scan"]["number"]
        self._console.print(f"{number:>4} {sample:>6}   {''.join(cells)}{mark}", soft_wrap=True)

    def end(self, summary: Summary) -> None:
        """The summary."""
        self._console.print()
        summary.show(self._console)


class JsonScreen:
    """For programs."""

    def begin(self, broker: str, log_file: str) -> None:
        """Say what runs."""
        print(json.dumps({"begin": {"broker": broker, "daemon_log": log_file}}), flush=True)

    def row(self, record: dict[str, Any], sample: int, laboratory: NDArray[np.float64]) -> None:
        """One prediction beside the laboratory's values."""
        line = {
            "sample": sample,
            "laboratory": dict(zip(PROPERTIES, laboratory.tolist(), strict=True)),
            "prediction": record,
        }
        print(json.dumps(line), flush=True)

    def end(self, summary: Summary) -> None:
        """The summary."""
        print(json.dumps(summary.as_json()), flush=True)
