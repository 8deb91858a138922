"""Pretraining on simulated spectra: episodes in, a foundation checkpoint out."""
