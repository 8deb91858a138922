"""Which instrument is meant: the one that measures, else the one that did last."""

from __future__ import annotations

from spektron_edge.instrument.reference_store import load_references

from .services import Page


def serial_of(page: Page) -> str | None:
    """Its serial number; None before any was connected. Blocks."""
    axis = page.link.known.get("axis", {}).get("serial")
    if isinstance(axis, str):
        return axis
    references = load_references(page.state_dir)
    return None if references is None else references.serial
