"""Where the foundations are: one comes with the package, one has to be made."""

from __future__ import annotations

from pathlib import Path

# By `make pretrain`.
FOUNDATION = Path(__file__).resolve().parents[1] / "foundations" / "nir"
# By `spektron-train pretrain --config midir --out build/midir`; only a benchmark wants it.
MID_INFRARED = Path("build/midir/foundation")
