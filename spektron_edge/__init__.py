"""Scans in, predictions out: the runtime that lives on the spectrometer. Never imports torch."""

__version__ = "0.1.0"
