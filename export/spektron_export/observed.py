"""What instruments see of an analyte: files of `spektron-train physics observability --json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from spektron_edge.bundle.observability import Observability

from .errors import ExportError

# Of sixty atoms, the most there are, about 40 kB.
_MOST_BYTES = 2**20


def read_observability(paths: Sequence[Path]) -> tuple[Observability, ...]:
    """One analyte before one instrument each. Raises ExportError for what is no such file."""
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> Observability:
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ExportError(f"cannot read {path}: {error}") from None
    if len(raw) > _MOST_BYTES:
        raise ExportError(f"{path} is larger than {_MOST_BYTES} bytes")
    try:
        return Observability.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise ExportError(
            f"{path} is not what `spektron-train physics observability --json` prints: "
            f"{where}: {first['msg']}"
        ) from None
