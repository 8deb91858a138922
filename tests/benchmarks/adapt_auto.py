"""The adaptation that the benchmark of adaptation runs: one adapter, one set of thresholds."""

from __future__ import annotations

from .adapt_streams import Adapter, do_nothing

ADAPTER: Adapter = do_nothing
