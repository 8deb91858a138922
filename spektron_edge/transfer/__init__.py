"""Carrying a calibration from one instrument to another."""
