"""Spectra of matter computed from molecular vibrations, compositions and light scattering."""
