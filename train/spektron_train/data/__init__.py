"""Spectra to train on, and what an instrument does to them."""
