"""Test-time adaptation: what the instrument changed, found in unlabelled spectra, within bounds."""
